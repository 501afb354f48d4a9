import { Agent, get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { until } from '../e2e/ground.ts'
import { anUpstream, noPolling, startApp } from '../helpers/app.ts'
import { valueOf } from '../helpers/exposition.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { eventsPerLook, watchBigJob } from './big-job.ts'
import { isCut, openFeed } from './reader.ts'
import type { FeedReader } from './reader.ts'

const hourMs = 3_600_000

async function startWithClock(options: { maxStreams?: number; random?: () => number } = {}) {
  const { maxStreams = 32, random = Math.random } = options
  const clock = new FakeClock()
  const app = await startApp({
    clock,
    random,
    config: (simulator) => ({
      feed: { maxStreams },
      upstreams: [{ ...anUpstream('prod', simulator), polling: noPolling }],
    }),
  })
  return {
    ...app,
    clock,
    stream: `${app.url}/v1/events/stream`,
    async append(count: number) {
      const { newest } = (await app.call('/v1/events?limit=1')).json as { newest: number }
      for (let seq = newest + 1; seq <= newest + count; seq += 1) {
        await app.post('/v1/jobs', { jobid: `j-${seq}` })
      }
    },
  }
}

async function bookmark(feed: FeedReader): Promise<{ id: string | null; seq: number }> {
  const { id, data } = await feed.until('feed.bookmark')
  const { seq } = JSON.parse(data ?? '') as { seq: number }
  return { id, seq }
}

test('every 15 s a bookmark says how far the reader has come', async () => {
  await using at = await startWithClock()
  await at.append(2)
  using feed = await openFeed(at.stream)
  const { hello } = await feed.hello()
  await at.clock.advance(13_900)
  await at.append(1)
  // Had a bookmark been sent before, it would come before the event.
  expect((await feed.frame()).event).toBe('job.watched')
  await at.clock.advance(1200)
  expect(await feed.frame()).toMatchObject({
    event: 'feed.bookmark',
    id: hello.id?.replace(/2$/, '3'),
    data: '{"seq":3}',
  })
  for (let round = 0; round < 5; round += 1) {
    await at.clock.advance(15_000)
    await at.append(1)
    const seq = 3 + round
    expect(await feed.frame()).toMatchObject({ event: 'feed.bookmark', data: `{"seq":${seq}}` })
    expect((await feed.frame()).event).toBe('job.watched')
  }
})

test('a reader whose filter lets nothing through gets bookmarks that move on', async () => {
  await using at = await startWithClock()
  using feed = await openFeed(`${at.stream}?type=job.failed`)
  await feed.hello()
  for (let round = 1; round <= 3; round += 1) {
    await at.append(10)
    await at.clock.advance(15_000)
    const { id, seq } = await bookmark(feed)
    expect(seq).toBe(round * 10)
    expect(id).toMatch(new RegExp(`^[0-9a-z]+-${seq}$`))
  }
})

test('a bookmark is a cursor: going on from it misses and repeats nothing', async () => {
  await using at = await startWithClock()
  using feed = await openFeed(`${at.stream}?type=job.unwatched`)
  await feed.hello()
  await at.append(5)
  await at.clock.advance(15_000)
  const { id } = await bookmark(feed)
  await at.append(2)
  const headers = { 'last-event-id': id ?? '' }
  using again = await openFeed(at.stream, { headers })
  expect((await again.hello()).hello.id).toBe(id)
  expect(await again.seqs(2)).toEqual([6, 7])
})

test.each([
  [0, 12],
  [0.999, 10.8012],
])(
  'a stream is closed on a whole frame after 12 hours at most (a die that shows %d)',
  async (die, hours) => {
    await using at = await startWithClock({ random: () => die })
    using feed = await openFeed(at.stream)
    await feed.hello()
    await at.append(1)
    at.clock.jump(hours * hourMs - 60_000)
    await at.clock.advance(59_000)
    await at.append(1)
    expect(await feed.seqs(2)).toEqual([1, 2])
    await at.clock.advance(2000)
    for (const { event } of await feed.rest()) expect(event).toBe('feed.bookmark')
  },
)

test('a stream that ended gives its place back, also to a client that keeps connections', async () => {
  await using at = await startWithClock({ maxStreams: 1 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const open = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      get(at.stream, { agent }, resolve).on('error', reject)
    })
  for (let time = 0; time < 3; time += 1) {
    const stream = await open()
    expect(stream.statusCode).toBe(200)
    const whole = text(stream)
    at.clock.jump(12 * hourMs)
    await at.clock.advance(1000)
    expect(await whole).toMatch(/\n\n$/)
  }
  agent.destroy()
})

describe('a socket', () => {
  /** One that is open and has read nothing but hello, with more to come than sockets hold. */
  async function startSlow() {
    const at = await startWithClock()
    const big = await watchBigJob(at)
    const feed = await openFeed(`${at.stream}?type=job.stage.changed`, { keepsText: false })
    const { hello } = await feed.hello()
    await big.stir()
    const shown = async (name: string, labels: Record<string, string> = {}) =>
      valueOf((await at.call('/metrics')).text, `jobwatch_sse_${name}`, labels) ?? NaN
    // Events 1 and 2 are of its registration and its first look.
    return {
      ...at,
      feed,
      helloId: hello.id ?? '',
      shown,
      seqs: Array.from({ length: eventsPerLook }, (_, n) => n + 3),
    }
  }

  test('that takes nothing is cut off, and its reader comes back for the rest', async () => {
    await using at = await startSlow()
    await until(async () => (await at.shown('queued_bytes')) > 0)
    await until(async () => {
      await at.clock.advance(1000)
      return (await at.shown('disconnects_total', { reason: 'stalled' })) === 1
    })
    expect(await at.shown('clients')).toBe(0)
    const ids = await readUntilCut(at.feed)
    expect(ids.length).toBeLessThan(eventsPerLook)

    const headers = { 'last-event-id': ids.at(-1) ?? at.helloId }
    using again = await openFeed(`${at.stream}?type=job.stage.changed`, { headers })
    const rest = await again.seqs(eventsPerLook - ids.length)
    expect([...ids.map((id) => Number(id.split('-')[1])), ...rest]).toEqual(at.seqs)
  })

  test('that takes a little now and then keeps its stream, however long it takes', async () => {
    await using at = await startSlow()
    const seen: number[] = []
    while (seen.length < eventsPerLook) {
      const sent = await at.shown('events_sent_total')
      seen.push(...(await at.feed.seqs(20)))
      // Sockets between the two hold some of it: time passes when the daemon's has taken more.
      await until(async () => {
        const now = await at.shown('events_sent_total')
        return now > sent || now === eventsPerLook
      })
      await at.clock.advance(25_000)
    }
    expect(seen).toEqual(at.seqs)
    expect(await at.shown('clients')).toBe(1)
    at.feed.close()
  })
})

/** The ids of the events that a connection still holds which its server has cut. */
async function readUntilCut(feed: FeedReader): Promise<readonly string[]> {
  const ids: string[] = []
  try {
    for (;;) ids.push((await feed.eventFrame()).id ?? '')
  } catch (error) {
    if (!isCut(error)) throw error
    return ids
  }
}
