import { EventSource } from 'eventsource'
import { describe, expect, test } from 'vitest'
import { follow } from '../../src/client/follow.ts'
import { openFeed } from '../feed/reader.ts'
import type { FeedEvent } from '../feed/reader.ts'
import { hasNginx, startNginx } from '../helpers/nginx.ts'
import { feedGround } from './feed-ground.ts'
import { until } from './ground.ts'
import { quickFetch } from './quick-retry.ts'

const because = hasNginx ? '' : ' (skipped: there is no nginx on the PATH)'

/** The daemon behind an nginx that buffers what it is not asked not to. */
async function groundBehindNginx() {
  const at = await feedGround()
  const nginx = await startNginx(at.url)
  let registered = 0
  return {
    daemon: at,
    nginx,
    stream: `${nginx.url}/v1/events/stream`,
    /** Registers jobs at the daemon itself; each is one event. */
    async append(count: number): Promise<void> {
      for (let n = 0; n < count; n += 1) {
        registered += 1
        const body = { jobid: `job-${registered}` }
        expect((await at.call('/v1/jobs', { method: 'POST', body })).status).toBe(201)
      }
    },
    async ids(): Promise<string[]> {
      const page = (await at.call('/v1/events?limit=1000')).json as { items: FeedEvent[] }
      return page.items.map(({ id }) => id)
    },
    async [Symbol.asyncDispose]() {
      await nginx[Symbol.asyncDispose]()
      await at[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(!hasNginx)(`behind nginx with its default settings${because}`, () => {
  test('each event comes through at once, while the stream stays open', async () => {
    await using at = await groundBehindNginx()
    using feed = await openFeed(at.stream)
    expect(feed.status).toBe(200)
    expect(feed.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(feed.headers['cache-control']).toBe('no-store, no-transform')
    await feed.hello()
    for (let seq = 1; seq <= 5; seq += 1) {
      await at.append(1)
      expect(await feed.seqs(1)).toEqual([seq])
    }
  })

  test('a reader resumes where it was', async () => {
    await using at = await groundBehindNginx()
    await at.append(300)
    const ids = await at.ids()
    const headers = { 'last-event-id': ids[99] ?? '' }
    using feed = await openFeed(at.stream, { headers })
    expect((await feed.hello()).hello.id).toBe(ids[99])
    expect((await feed.events(200)).map(({ id }) => id)).toEqual(ids.slice(100))
  })

  test('an EventSource comes back when nginx was killed, and sees every event once', async () => {
    await using at = await groundBehindNginx()
    const source = new EventSource(`${at.stream}?after=0`, { fetch: quickFetch })
    const seen: string[] = []
    source.addEventListener('job.watched', ({ lastEventId }) => seen.push(lastEventId))
    for (let round = 1; round <= 3; round += 1) {
      await at.append(5)
      await until(() => seen.length === 5 * (2 * round - 1))
      await at.nginx.kill()
      await at.append(5)
      await at.nginx.start()
      await until(() => seen.length === 5 * 2 * round)
    }
    source.close()
    expect(seen).toEqual(await at.ids())
  })

  test('a reader that is told 502 while the daemon is away comes back, and sees every event once', async () => {
    await using at = await groundBehindNginx()
    const stop = new AbortController()
    const seen: string[] = []
    const lost: string[] = []
    const following = (async () => {
      const items = follow({
        server: at.nginx.url,
        after: 0,
        signal: stop.signal,
        fetch: quickFetch,
        reconnectMs: 20,
        onState: (state) => {
          if (state.state === 'lost') lost.push(state.reason)
        },
      })
      for await (const item of items) seen.push(item.kind === 'event' ? item.event.id : item.kind)
    })()
    for (const [round, signal] of (['SIGTERM', 'SIGKILL'] as const).entries()) {
      await at.append(5)
      await until(() => seen.length === 5 + 10 * round)
      lost.length = 0
      await at.daemon.stop(signal)
      await until(() => lost.some((reason) => reason.includes('502')))
      await at.daemon.start()
      await at.append(5)
      await until(() => seen.length === 10 + 10 * round)
    }
    stop.abort()
    await following
    expect(seen).toEqual(await at.ids())
  })
})
