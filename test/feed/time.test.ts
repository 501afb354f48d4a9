import { Agent, get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { anUpstream, noPolling, startApp } from '../helpers/app.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { openFeed } from './reader.ts'
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
  [0.999, 10],
])(
  'a stream is closed on a whole frame after 12 hours at most (a die that shows %d)',
  async (die, expectedHours) => {
    await using at = await startWithClock({ random: () => die })
    using feed = await openFeed(at.stream)
    let ended = false
    const rest = feed.rest().finally(() => (ended = true))
    await at.clock.advance(expectedHours * hourMs - 60_000)
    expect(ended).toBe(false)
    await at.clock.advance(12 * hourMs - (expectedHours * hourMs - 60_000))
    const frames = await rest
    expect(frames.length).toBeGreaterThan(2000)
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
    await at.clock.advance(12 * hourMs)
    expect(await whole).toMatch(/\n\n$/)
  }
  agent.destroy()
})
