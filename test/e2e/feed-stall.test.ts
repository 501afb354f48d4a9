import { expect, test } from 'vitest'
import { eventsPerLook, watchBigJob } from '../feed/big-job.ts'
import { isCut, openFeed } from '../feed/reader.ts'
import type { FeedReader } from '../feed/reader.ts'
import { anUpstream, noPolling } from '../helpers/app.ts'
import { valueOf } from '../helpers/exposition.ts'
import { feedGround } from './feed-ground.ts'

const looks = 6
const total = looks * eventsPerLook

test(
  'a reader that takes nothing while 100 MB of events are written costs less than 1 MB and loses none',
  { timeout: 120_000 },
  async () => {
    await using at = await feedGround((simulator) => ({
      upstreams: [{ ...anUpstream('prod', simulator), polling: noPolling }],
    }))
    const stream = `${at.url}/v1/events/stream?type=job.stage.changed`
    const big = await watchBigJob(at)
    using slow = await openFeed(stream, { keepsText: false })
    using other = await openFeed(stream, { keepsText: false })
    const { hello } = await slow.hello()
    await other.hello()

    const reading = readEvents(other)
    for (let look = 0; look < looks; look += 1) await big.stir()
    const { ids, bytes } = await reading
    expect(ids).toHaveLength(total)
    expect(bytes).toBeGreaterThan(100_000_000)

    const { text } = await at.call('/metrics')
    const queued = valueOf(text, 'jobwatch_sse_queued_bytes') ?? NaN
    expect(queued).toBeGreaterThan(0)
    expect(queued).toBeLessThan(1_048_576)
    // What sockets hold by themselves is little of it.
    expect(valueOf(text, 'jobwatch_sse_lag_events')).toBeGreaterThan(total / 2)

    const late = await readEvents(slow)
    // On a machine so slow that it took more than 30 s it was cut off; it comes back, as readers do.
    const headers = { 'last-event-id': late.ids.at(-1) ?? hello.id ?? '' }
    using again = await openFeed(stream, { headers, keepsText: false })
    const rest = await readEvents(again, total - late.ids.length)
    expect([...late.ids, ...rest.ids]).toEqual(ids)
    expect(late.bytes + rest.bytes).toBe(bytes)
  },
)

/** Reads so many events, or as many as come until the connection is cut. */
async function readEvents(feed: FeedReader, count = total) {
  const ids: string[] = []
  let bytes = 0
  try {
    while (ids.length < count) {
      const { id, data } = await feed.eventFrame()
      ids.push(id ?? '')
      bytes += Buffer.byteLength(data ?? '')
    }
  } catch (error) {
    if (!isCut(error)) throw error
  }
  return { ids, bytes }
}
