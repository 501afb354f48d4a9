import { expect } from 'vitest'
import { callApi } from '../helpers/app.ts'
import type { Call } from '../helpers/app.ts'
import { openFeed } from './reader.ts'
import type { FeedEvent, OpenOptions } from './reader.ts'

/** A daemon with an empty log, and one upstream that knows none of the jobs registered here. */
export interface FeedGround extends AsyncDisposable {
  readonly url: string
}

export interface FeedGroundOptions {
  readonly maxStreams?: number
  /** As `api.tokens` has them; without any the API is open. */
  readonly tokens?: readonly object[]
}

export type Start = (options?: FeedGroundOptions) => Promise<FeedGround>

export interface Hello {
  readonly epoch: string
  readonly newest: number
  readonly oldest: number | null
}

export function streamUrl({ url }: FeedGround, query = ''): string {
  return `${url}/v1/events/stream${query === '' ? '' : `?${query}`}`
}

export async function register({ url }: FeedGround, body: object): Promise<void> {
  const answer = await callApi(`${url}/v1/jobs`, { method: 'POST', body })
  expect(answer.status, answer.text).toBe(201)
}

/** Stops watching a job: one event, job.unwatched. */
export async function remove({ url }: FeedGround, jobid: string): Promise<void> {
  const call: Call = { method: 'DELETE' }
  expect((await callApi(`${url}/v1/jobs/${jobid}`, call)).status).toBe(204)
}

let appended = 0

/** Each registration of a job that nobody knows is one event: job.watched. */
export async function append(at: FeedGround, count: number, fields: object = {}) {
  for (let index = 0; index < count; index += 1) {
    appended += 1
    await register(at, { jobid: `job-${appended}`, ...fields })
  }
}

/** The log as the API lists it. */
export async function logOf({ url }: FeedGround): Promise<FeedEvent[]> {
  const page = await callApi(`${url}/v1/events?limit=1000`, {})
  return (page.json as { items: FeedEvent[] }).items
}

export async function idsOf(at: FeedGround): Promise<string[]> {
  return (await logOf(at)).map(({ id }) => id)
}

/** The text of the daemon's metrics. */
export async function metricsOf({ url }: FeedGround): Promise<string> {
  return (await callApi(`${url}/metrics`, {})).text
}

export async function helloOf(at: FeedGround, query: string, options: OpenOptions = {}) {
  using feed = await openFeed(streamUrl(at, query), options)
  const { hello } = await feed.hello()
  return { id: hello.id ?? '', data: JSON.parse(hello.data ?? '') as Hello }
}

/** The server learns that a reader has left when its socket closes, which takes a moment. */
export async function untilAccepted(at: FeedGround) {
  for (;;) {
    const feed = await openFeed(streamUrl(at))
    if (feed.status === 200) return feed
    feed.close()
  }
}
