import type { EventList, JobAnswer, JobInEvent, JobList, RegisterJobInput } from './answers.ts'
import { createCaller, pathSegment } from './caller.ts'
import type { ClientOptions, ObjectAnswer } from './caller.ts'
import { startDeadline } from './deadline.ts'
import { deliveryCalls } from './deliveries.ts'
import type { DeliveryCalls } from './deliveries.ts'
import { endpointCalls } from './endpoints.ts'
import type { EndpointCalls } from './endpoints.ts'
import { ClientError, WaitTimeout } from './errors.ts'
import { filterQuery } from './filters.ts'
import type { EventFilters } from './filters.ts'
import { follow } from './follow.ts'
import type { FollowQuery } from './follow.ts'
import type { FollowItem } from './position.ts'
import { waitForJobs } from './wait.ts'
import type { Ending, JobNews, WaitCalls } from './wait.ts'

/** Which upstream is meant when two share a job id. */
export interface AtUpstream {
  readonly upstream?: string | undefined
}

export interface JobQuery extends AtUpstream {
  readonly state?: JobAnswer['state'] | undefined
  readonly status?: NonNullable<JobAnswer['status']> | undefined
  readonly tag?: string | undefined
  readonly q?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface EventQuery extends EventFilters {
  /** A seq or an event's id; what comes after it is answered. */
  readonly after?: string | number | undefined
  readonly limit?: number | undefined
  /** So many of the newest events, in place of `after` and `limit`. */
  readonly last?: number | undefined
  /** How long to wait for an event, should there be none yet; at most five minutes. */
  readonly waitMs?: number | undefined
}

/** How the feed is followed while jobs are waited for. */
export type Following = Pick<FollowQuery, 'signal' | 'onState' | 'giveUpAfterMs'>

export interface WaitOptions extends AtUpstream, Following {
  /** Rejects with `WaitTimeout` after so long; without it there is no limit. */
  readonly timeoutMs?: number | undefined
  /** Called with how the job is found, then with each event. */
  readonly onNews?: ((news: JobNews) => void) | undefined
}

/** How a job came out, and the job. */
export interface WaitResult {
  readonly ending: Ending
  readonly job: JobInEvent
}

/** The HTTP API of a daemon. Methods reject with `ClientError` or `DaemonUnreachable`. */
export interface Client extends EndpointCalls, DeliveryCalls {
  /** `began` is true when this call began the watching. */
  registerJob(input: RegisterJobInput): Promise<{ job: JobAnswer; began: boolean }>
  /** One page; following from `feedCursor` misses and repeats nothing of it. */
  listJobs(query?: JobQuery): Promise<JobList & { readonly feedCursor: string | null }>
  getJob(jobid: string, which?: AtUpstream): Promise<JobAnswer>
  stopJob(jobid: string, which?: AtUpstream): Promise<void>
  /** The upstream's own document, verbatim. */
  getDocument(jobid: string, which?: AtUpstream): Promise<string>
  listEvents(query?: EventQuery): Promise<EventList>
  /** Each event once and in order, over as many connections as it takes; see `follow`. */
  follow(query?: FollowQuery): AsyncGenerator<FollowItem, void, undefined>
  /**
   * Registers jobs if need be, and yields how each is found, then every event of theirs once and in
   * order, until all have come out. Throws what `follow` throws, and the reason of a signal that
   * aborts.
   */
  waitForJobs(
    jobs: readonly RegisterJobInput[],
    following?: Following,
  ): AsyncGenerator<JobNews, void, undefined>
  /**
   * Registers a job if need be, and resolves when it has come out. Rejects with `WaitTimeout`, or
   * with what `waitForJobs` throws.
   */
  waitFor(jobid: string, options?: WaitOptions): Promise<WaitResult>
}

export function createClient(options: ClientOptions): Client {
  const caller = createCaller(options)
  const { call, parse } = caller

  const client: Client = {
    async registerJob(input) {
      const answer = await call('POST', '/v1/jobs', { body: input })
      return { job: parse(answer, isJob), began: answer.status === 201 }
    },
    async listJobs(query = {}) {
      const answer = await call('GET', '/v1/jobs', { query: { ...query } })
      return { ...parse(answer, isJobList), feedCursor: answer.cursor }
    },
    async getJob(jobid, { upstream } = {}) {
      return parse(await call('GET', jobPath(jobid), { query: { upstream } }), isJob)
    },
    async stopJob(jobid, { upstream } = {}) {
      await call('DELETE', jobPath(jobid), { query: { upstream } })
    },
    async getDocument(jobid, { upstream } = {}) {
      return (await call('GET', `${jobPath(jobid)}/document`, { query: { upstream } })).text
    },
    async listEvents({ after, limit, last, waitMs, ...filters } = {}) {
      const wait = waitMs === undefined ? undefined : `${waitMs}ms`
      const query = { after, limit, last, wait, ...filterQuery(filters) }
      return parse(await call('GET', '/v1/events', { query, waitMs }), isEventList)
    },
    async *follow({ signal, ...query } = {}) {
      const deadline = startDeadline(options.signal, signal)
      try {
        yield* follow({ ...options, ...query, signal: deadline.signal })
      } finally {
        deadline.end()
      }
    },
    async *waitForJobs(jobs, { signal, ...following } = {}) {
      const deadline = startDeadline(options.signal, signal)
      const guarded = createClient({ ...options, signal: deadline.signal })
      try {
        const haveComeOut = yield* waitForJobs(waitCalls(guarded, following), jobs)
        if (!haveComeOut) deadline.signal.throwIfAborted()
      } finally {
        deadline.end()
      }
    },
    waitFor: (jobid, wait) => waitFor(client, jobid, wait),
    ...endpointCalls(caller),
    ...deliveryCalls(caller),
  }
  return client
}

function waitCalls(client: Client, following: Following): WaitCalls {
  return {
    registerJob: (input) => client.registerJob(input),
    async readHead() {
      const { feedCursor } = await client.listJobs({ limit: 1 })
      if (feedCursor !== null) return feedCursor
      const detail = 'X-Jobwatch-Cursor is missing in the answer: does a proxy take it out?'
      throw new ClientError('unexpected_answer', detail)
    },
    async findJob({ jobid, upstream }) {
      try {
        return await client.getJob(jobid, { upstream })
      } catch (error) {
        if (error instanceof ClientError && error.code === 'job_not_found') return null
        throw error
      }
    },
    follow: (from) => client.follow({ ...following, ...from }),
  }
}

async function waitFor(
  client: Client,
  jobid: string,
  { upstream, timeoutMs, onNews, signal, ...following }: WaitOptions = {},
): Promise<WaitResult> {
  const deadline = startDeadline(signal)
  if (timeoutMs !== undefined) deadline.restart(timeoutMs)
  const jobs = [{ jobid, ...(upstream !== undefined && { upstream }) }]
  let last: JobNews | null = null
  try {
    for await (const news of client.waitForJobs(jobs, { ...following, signal: deadline.signal })) {
      last = news
      onNews?.(news)
    }
  } catch (error) {
    if (!deadline.isOver() || error !== deadline.signal.reason) throw error
  } finally {
    deadline.end()
  }
  const { ending = null, job = null } = last ?? {}
  if (job === null || ending === null) throw new WaitTimeout(jobid, job)
  return { ending, job }
}

function isJob(value: ObjectAnswer): value is ObjectAnswer & JobAnswer {
  return typeof value['jobid'] === 'string'
}

function isJobList(value: ObjectAnswer): value is ObjectAnswer & JobList {
  return Array.isArray(value['items'])
}

function isEventList(value: ObjectAnswer): value is ObjectAnswer & EventList {
  return Array.isArray(value['items'])
}

function jobPath(jobid: string): string {
  return `/v1/jobs/${pathSegment(jobid, 'job id')}`
}
