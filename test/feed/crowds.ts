import { expect, test } from 'vitest'
import { until } from '../e2e/ground.ts'
import { valueOf } from '../helpers/exposition.ts'
import { seededRandom } from '../store/harness.ts'
import { isCut, openFeed } from './reader.ts'
import type { FeedEvent, FeedReader } from './reader.ts'
import { append, logOf, metricsOf, register, remove, streamUrl } from './suite-ground.ts'
import type { Start } from './suite-ground.ts'

const readerCount = 20
const jobCount = 250
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6))

/** Filters, and in other words which events they let through. */
const filters: Readonly<Record<string, (event: FeedEvent) => boolean>> = {
  '': () => true,
  'upstream=prod': () => true,
  'tag=red': ({ data }) => data.job.tags.includes('red'),
  'tag=red&tag=blue&type=job.watched': ({ type, data }) =>
    type === 'job.watched' && data.job.tags.some((tag) => tag === 'red' || tag === 'blue'),
  'type=*.unwatched': ({ type }) => type === 'job.unwatched',
  'jobid=crowd-7': ({ subject }) => subject === 'crowd-7',
  'type=job.failed': () => false,
}

/** What one connection asked for, and what it got until it was cut. */
interface Reading {
  readonly after: number
  readonly seqs: number[]
}

interface Reader {
  readonly query: string
  readonly fits: (event: FeedEvent) => boolean
  readonly readings: Reading[]
  /** The id of the last frame, which a browser would come back with. */
  lastId: string
  feed: FeedReader | null
}

/** Many at once, and all that can happen between them. */
export function crowds(start: Start): void {
  test(
    `readers that are cut off and come back at any cursor see no hole and no repeat (SEED=${seed})`,
    { timeout: 90_000 },
    async () => {
      await using at = await start({ maxStreams: 1000 })
      const random = seededRandom(seed)
      const upTo = (max: number) => Math.floor(random() * (max + 1))
      const queries = Object.entries(filters)
      const readers = Array.from({ length: readerCount }, (_, index): Reader => {
        const [query, fits] = queries[index % queries.length] ?? ['', () => true]
        return { query, fits, readings: [], lastId: '', feed: null }
      })

      let isWritten = false
      /** Comes back where it was, or anywhere before that; header and query, seq and id in turn. */
      async function readOnce(reader: Reader): Promise<void> {
        const position = Number(reader.lastId.split('-')[1] ?? 0)
        const goesBack = random() < 0.4
        const after = goesBack ? upTo(position) : position
        const asId = !goesBack && reader.lastId !== ''
        const cursor = asId ? reader.lastId : String(after)
        const inHeader = random() < 0.5
        using feed = await openFeed(
          streamUrl(
            at,
            [reader.query, inHeader ? '' : `after=${cursor}`].filter(Boolean).join('&'),
          ),
          { headers: inHeader ? { 'last-event-id': cursor } : {} },
        )
        reader.feed = feed
        // Whoever was on the way when the others were cut off.
        if (isWritten) return
        const reading: Reading = { after, seqs: [] }
        reader.readings.push(reading)
        const most = 1 + upTo(60)
        while (reading.seqs.length < most) {
          const frame = await feed.frame()
          if (frame.id === null) continue
          const seq = Number(frame.id.split('-')[1])
          if (frame.event === 'feed.hello') expect(seq).toBe(after)
          else if (frame.event?.startsWith('job.')) reading.seqs.push(seq)
          else expect(frame.event).toBe('feed.bookmark')
          // Going back is no progress: it has to see everything from where it was.
          if (seq > position) reader.lastId = frame.id
        }
      }
      async function read(reader: Reader): Promise<void> {
        while (!isWritten) {
          await readOnce(reader).catch((error: unknown) => {
            if (!isCut(error)) throw error
          })
        }
      }

      async function write(writer: number): Promise<void> {
        for (let n = writer; n < jobCount; n += 4) {
          const tags = ['red', 'blue', 'green'].filter(() => random() < 0.3)
          await register(at, { jobid: `crowd-${n}`, tags })
          if (random() < 0.3) await remove(at, `crowd-${n}`)
          // The network fails somebody.
          if (random() < 0.3) readers[upTo(readerCount - 1)]?.feed?.close()
        }
      }
      async function writeAll(): Promise<void> {
        await Promise.all([0, 1, 2, 3].map(write))
        isWritten = true
        for (const { feed } of readers) feed?.close()
      }
      await Promise.all([writeAll(), ...readers.map(read)])

      const log = await logOf(at)
      expect(log.map(({ data }) => data.seq)).toEqual(log.map((_, index) => index + 1))
      for (const reader of readers) {
        const owed = log.filter(reader.fits).map(({ data }) => data.seq)
        const last = owed.at(-1) ?? 0
        // Once more, to the end.
        const position = Number(reader.lastId.split('-')[1] ?? 0)
        using feed = await openFeed(
          streamUrl(at, [reader.query, `after=${position}`].filter(Boolean).join('&')),
        )
        const rest = owed.filter((seq) => seq > position)
        reader.readings.push({ after: position, seqs: await feed.seqs(rest.length) })

        for (const { after, seqs } of reader.readings) {
          const expected = owed.filter((seq) => seq > after).slice(0, seqs.length)
          expect(seqs, `${reader.query} after ${after}`).toEqual(expected)
        }
        const seen = new Set(reader.readings.flatMap(({ seqs }) => seqs))
        expect(
          [...seen].sort((a, b) => a - b),
          reader.query,
        ).toEqual(owed)
        expect(Math.max(0, ...seen)).toBe(last)
      }
    },
  )

  test(
    'a stream that opens just as an event is written neither loses nor repeats it',
    { timeout: 90_000 },
    async () => {
      await using at = await start({ maxStreams: 1000 })
      for (let round = 0; round < 60; round += 1) {
        const written = append(at, 3)
        const opened = await Promise.all(Array.from({ length: 4 }, () => openFeed(streamUrl(at))))
        await written
        for (const feed of opened) {
          const { hello } = await feed.hello()
          const from = Number((hello.id ?? '').split('-')[1])
          const missing = (round + 1) * 3 - from
          const expected = Array.from({ length: missing }, (_, index) => from + 1 + index)
          expect(await feed.seqs(missing)).toEqual(expected)
          feed.close()
        }
      }
    },
  )

  test(
    'a thousand that come and go leave neither a stream, nor a place, nor a socket behind',
    { timeout: 90_000 },
    async () => {
      await using at = await start({ maxStreams: 50 })
      await append(at, 3)
      const shown = async (name: string) => valueOf(await metricsOf(at), `jobwatch_${name}`) ?? NaN
      const openSockets = await shown('process_open_fds')
      for (let round = 0; round < 20; round += 1) {
        const feeds = await Promise.all(
          Array.from({ length: 50 }, () => openFeed(streamUrl(at, 'after=0'))),
        )
        for (const feed of feeds) {
          expect(feed.status).toBe(200)
          // Some leave in the middle of what they are sent, some before.
          if (round % 2 === 0) await feed.events(2)
          feed.close()
        }
        await until(async () => (await shown('sse_clients')) === 0)
      }
      await until(async () => (await shown('process_open_fds')) <= openSockets + 5)
    },
  )
}
