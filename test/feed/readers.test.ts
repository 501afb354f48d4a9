import fc from 'fast-check'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseCursor } from '../../src/core/cursor.ts'
import { createFeed } from '../../src/feed.ts'
import type { FeedRequest, FeedSink } from '../../src/feed.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { valueOf } from '../helpers/exposition.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** A socket that takes `room` bytes, then wants a pause until it is drained. */
class TestSink implements FeedSink {
  readonly writes: string[] = []
  bytes = 0
  ended = false
  destroyed = false
  isBlocked = false
  #listener = (): void => undefined
  #taken = 0
  room: number

  constructor(room = Infinity) {
    this.room = room
  }

  write(chunk: Buffer | string): boolean {
    if (this.ended) throw new Error('a write after the end')
    this.writes.push(chunk.toString())
    const { length } = Buffer.from(chunk)
    this.bytes += length
    this.#taken += length
    this.isBlocked = this.#taken >= this.room
    return !this.isBlocked
  }

  onDrain(listener: () => void): void {
    this.#listener = listener
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    this.destroyed = true
  }

  /** Takes everything it has; false when it was not waiting for that. */
  drain(): boolean {
    if (!this.isBlocked) return false
    this.#taken = 0
    this.isBlocked = false
    this.#listener()
    return true
  }

  get text(): string {
    return this.writes.join('')
  }

  /** The blocks so far, each as its type and its seq; every one must be whole. */
  get frames(): { type: string; seq: number }[] {
    if (this.text !== '' && !this.text.endsWith('\n\n')) throw new Error('half a frame was written')
    return this.text
      .split('\n\n')
      .slice(1, -1)
      .map((block) => {
        const [, seq = '', type = ''] =
          /^id: [0-9a-z]+-(\d+)\nevent: (.*)\ndata: /.exec(block) ?? []
        return { seq: Number(seq), type }
      })
  }

  get seqs(): number[] {
    return this.frames.filter(({ type }) => type.startsWith('job.')).map(({ seq }) => seq)
  }
}

/** The feed on a real log, without HTTP: the test is the socket and the clock. */
async function ground({ isWoken = true } = {}) {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const store = openSqliteStore({
    file: join(folder.path, 'test.db'),
    overtakeMs: 1000,
    now: () => clock.now(),
  })
  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const feed = createFeed({ store, clock, random: () => 0.5, log, metrics })
  if (isWoken) {
    store.onCommit(() => {
      feed.wake()
    })
  }
  let newest = 0
  return {
    clock,
    feed,
    metrics,
    /** Writes so many events; `tagsOf` may give each its tags. */
    async append(count: number, tagsOf: (seq: number) => readonly string[] = () => []) {
      const jobs = Array.from({ length: count }, () => {
        newest += 1
        const registration = { upstream: 'prod', jobid: `j-${newest}`, tags: tagsOf(newest) }
        return store.registerJob(registration, clock.now())
      })
      await Promise.all(jobs)
    },
    async open(sink: FeedSink, request: Partial<FeedRequest> & { after?: string } = {}) {
      const { after = '', ...rest } = request
      const from = after === '' ? 'live' : (parseCursor(after) ?? 'unreadable')
      return feed.open({ from, asked: after, filter: {}, ...rest }, sink)
    },
    async [Symbol.asyncDispose]() {
      feed.close()
      await settle()
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** About 5 KB for each event that has them. */
const manyTags = Array.from({ length: 50 }, (_, index) => String(index).padStart(100, 't'))
/** What the ring and one page may hold at the very most, a good deal rounded up. */
const maxWaitingBytes = 1_048_576

/** Drains until the feed writes nothing more. */
async function drainAll(sink: TestSink): Promise<void> {
  do await settle()
  while (sink.drain())
}

describe('a slow reader', () => {
  test('that takes nothing while many megabytes are written costs no more than a page, and loses nothing', async () => {
    await using at = await ground()
    const slow = new TestSink(1)
    const fast = new TestSink()
    await at.open(slow)
    await at.open(fast)
    for (let round = 0; round < 10; round += 1) {
      await at.append(500, () => manyTags)
      await settle()
    }
    await drainAll(fast)
    expect(fast.bytes).toBeGreaterThan(25_000_000)
    expect(fast.seqs).toEqual(range(1, 5000))
    expect(slow.bytes).toBeLessThan(maxWaitingBytes)

    await drainAll(slow)
    expect(slow.seqs).toEqual(range(1, 5000))
  })

  test('is asked to take a page at a time, never what is waiting', async () => {
    await using at = await ground()
    await at.append(3000, () => manyTags)
    const sink = new TestSink(1)
    await at.open(sink, { after: '0' })
    let before = 0
    do {
      await settle()
      expect(sink.bytes - before).toBeLessThan(maxWaitingBytes)
      before = sink.bytes
    } while (sink.drain())
    expect(sink.seqs).toEqual(range(1, 3000))
  })

  test('is late by itself: a hundred of them hold nobody up', async () => {
    await using at = await ground()
    const slow = Array.from({ length: 100 }, () => new TestSink(1))
    for (const sink of slow) await at.open(sink)
    const fast = new TestSink()
    await at.open(fast)
    await at.append(2000)
    await drainAll(fast)
    expect(fast.seqs).toEqual(range(1, 2000))
    for (const sink of slow) await drainAll(sink)
    for (const sink of slow) expect(sink.seqs).toEqual(range(1, 2000))
  })

  test('gets no bookmark while frames wait for it', async () => {
    await using at = await ground()
    const sink = new TestSink(2000)
    await at.open(sink)
    await at.append(100)
    await settle()
    expect(sink.isBlocked).toBe(true)
    const { length } = sink.writes
    await at.clock.advance(60_000)
    expect(sink.writes).toHaveLength(length)
    await drainAll(sink)
    await at.clock.advance(15_000)
    expect(sink.frames.at(-1)).toEqual({ type: 'feed.bookmark', seq: 100 })
  })
})

describe('a reader far behind', () => {
  test('is served from the database, beyond what the ring holds', async () => {
    await using at = await ground()
    const live = new TestSink()
    await at.open(live)
    await at.append(9000)
    await drainAll(live)
    const late = new TestSink(100_000)
    await at.open(late, { after: '10' })
    await drainAll(late)
    expect(late.seqs).toEqual(range(11, 9000))
  })

  test('goes over to live events without a seam', async () => {
    await using at = await ground()
    await at.append(5000)
    const late = new TestSink(300_000)
    await at.open(late, { after: '0' })
    for (let round = 0; round < 40; round += 1) {
      await at.append(100)
      late.drain()
    }
    await drainAll(late)
    await at.append(3)
    await drainAll(late)
    expect(late.seqs).toEqual(range(1, 9003))
  })

  test.each([undefined, ['even']])(
    'has bookmarks that never run ahead of the frames it is owed (tags: %s)',
    async (tags) => {
      await using at = await ground()
      const isEven = (seq: number): boolean => seq % 2 === 0
      await at.append(9000, (seq) => (isEven(seq) ? ['even'] : []))
      const late = new TestSink(1)
      await at.open(late, { after: '0', filter: { tags } })
      await at.clock.advance(14_000)
      // From here on it takes everything, but the 15th second comes before it has it all.
      late.room = Infinity
      late.drain()
      await at.clock.advance(1000)
      const bookmark = late.frames.find(({ type }) => type === 'feed.bookmark')
      expect(bookmark?.seq).toBeLessThan(9000)
      await drainAll(late)
      await settle(100)
      expectWhole(late, { after: 0, newest: 9000, fits: tags ? isEven : () => true })
    },
  )

  test('finds the few events of a filter in a long log', async () => {
    await using at = await ground()
    await at.append(6000, (seq) => (seq % 1999 === 0 ? ['rare'] : []))
    const sink = new TestSink()
    await at.open(sink, { after: '0', filter: { tags: ['rare'] } })
    await drainAll(sink)
    expect(sink.seqs).toEqual([1999, 3998, 5997])
    await at.clock.advance(15_000)
    expect(sink.frames.at(-1)).toEqual({ type: 'feed.bookmark', seq: 6000 })
  })
})

test('a wake-up that is lost delays an event by 15 s at most', async () => {
  await using at = await ground({ isWoken: false })
  const sink = new TestSink()
  await at.open(sink)
  await at.append(3)
  await at.clock.advance(15_000)
  expect(sink.seqs).toEqual([1, 2, 3])
})

test('what was written while nobody read is there for who comes later', async () => {
  await using at = await ground()
  const first = new TestSink()
  const leave = await at.open(first)
  await at.append(3)
  await drainAll(first)
  leave()
  await at.append(3)
  const second = new TestSink()
  await at.open(second, { after: '2' })
  const third = new TestSink()
  await at.open(third)
  await at.append(1)
  await drainAll(second)
  expect(second.seqs).toEqual([3, 4, 5, 6, 7])
  expect(third.seqs).toEqual([7])
})

test('a reader that has left gets nothing more', async () => {
  await using at = await ground()
  const sink = new TestSink()
  const leave = await at.open(sink)
  await at.append(1)
  await drainAll(sink)
  leave()
  const { length } = sink.writes
  await at.append(5)
  await at.clock.advance(60_000)
  expect(sink.writes).toHaveLength(length)
})

test('streams, what they are sent and why they end are counted', async () => {
  await using at = await ground()
  const open = (after?: string) => at.open(new TestSink(), after === undefined ? {} : { after })
  await at.append(3)
  await open('0')
  await settle()
  at.clock.jump(11 * 3_600_000)
  const leave = await open()
  const leaveStalled = await open()
  await open('nonsense')
  expect(at.feed.readerCount).toBe(4)
  leave()
  leave()
  leaveStalled('stalled')
  at.clock.jump(2 * 3_600_000)
  await at.clock.advance(1000)
  expect(at.feed.readerCount).toBe(1)
  at.feed.close()
  leave()
  expect(at.feed.readerCount).toBe(0)
  const text = await at.metrics.text()
  expect(valueOf(text, 'jobwatch_sse_events_sent_total')).toBe(6)
  expect(valueOf(text, 'jobwatch_sse_resets_total')).toBe(1)
  for (const reason of ['left', 'stalled', 'expired', 'stopping']) {
    expect(valueOf(text, 'jobwatch_sse_disconnects_total', { reason }), reason).toBe(1)
  }
})

describe('closing', () => {
  test('says goodbye on every stream, at its own position, and ends it', async () => {
    await using at = await ground()
    const live = new TestSink()
    const behind = new TestSink(1)
    await at.open(live)
    await at.open(behind, { after: '0' })
    await at.append(5)
    await settle()
    at.feed.close()
    expect(live.frames.at(-1)).toEqual({ type: 'feed.bye', seq: 5 })
    const position = behind.seqs.at(-1) ?? 0
    expect(behind.frames.at(-1)).toEqual({ type: 'feed.bye', seq: position })
    for (const sink of [live, behind]) {
      expect(sink.ended).toBe(true)
      expect(sink.text).toMatch(/\ndata: \{"seq":\d+\}\n\n$/)
    }
  })

  test('nothing is written after the goodbye', async () => {
    await using at = await ground()
    const sink = new TestSink()
    await at.open(sink)
    at.feed.close()
    await at.append(5)
    await at.clock.advance(60_000)
    expect(sink.frames.at(-1)?.type).toBe('feed.bye')
    expect(sink.seqs).toEqual([])
  })

  test('a stream that was just being opened is not left open', async () => {
    await using at = await ground()
    const sink = new TestSink()
    const opening = at.open(sink)
    at.feed.close()
    await opening
    await settle()
    expect(sink.ended || sink.destroyed).toBe(true)
  })
})

/** A transcript holds what the reader is owed, in order, once; bookmarks tell nothing else. */
function expectWhole(
  sink: TestSink,
  {
    after,
    newest,
    fits = () => true,
  }: { after: number; newest: number; fits?: (seq: number) => boolean },
): void {
  expect(sink.seqs).toEqual(range(after + 1, newest).filter(fits))
  let next = after + 1
  for (const { type, seq } of sink.frames) {
    if (type.startsWith('job.')) next = seq + 1
    if (type !== 'feed.bookmark') continue
    // Everything up to the bookmark was sent or does not fit.
    expect(range(next, seq).filter(fits)).toEqual([])
    expect(seq).toBeGreaterThanOrEqual(next - 1)
  }
}

test('whatever happens in whatever order, each reader gets what it is owed, in order, once', async () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ act: fc.constant('append'), count: fc.nat(300) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        act: fc.constant('open'),
        back: fc.nat(2000),
        room: fc.constantFrom(1, 3000, 50_000, Infinity),
        filtered: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('drain'), which: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('leave'), which: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('advance'), ms: fc.nat(20_000) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('settle') }) },
  ) as fc.Arbitrary<Action>
  const isOdd = (seq: number): boolean => seq % 2 === 1

  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      await using at = await ground()
      const readers: { sink: TestSink; after: number; filtered: boolean; leave: () => void }[] = []
      let newest = 0
      const append = async (count: number) => {
        newest += count
        await at.append(count, (seq) => (isOdd(seq) ? ['odd'] : []))
      }
      for (const item of actions) {
        if (item.act === 'append') await append(item.count)
        if (item.act === 'settle') await settle(2)
        if (item.act === 'advance') await at.clock.advance(item.ms)
        if (item.act === 'open') {
          const { room, filtered } = item
          const after = Math.max(0, newest - item.back)
          const sink = new TestSink(room)
          const filter = filtered ? { tags: ['odd'] } : {}
          const leave = await at.open(sink, { after: String(after), filter })
          readers.push({ sink, after, filtered, leave })
        }
        if (item.act === 'drain') readers[item.which]?.sink.drain()
        if (item.act === 'leave') readers.splice(item.which, 1)[0]?.leave()
      }
      // A last event wakes whoever might have been forgotten; nobody may need it, though.
      for (const { sink } of readers) await drainAll(sink)
      for (const { sink, after, filtered } of readers) {
        expectWhole(sink, { after, newest, fits: filtered ? isOdd : () => true })
      }
    }),
    { numRuns: 60 },
  )
})

type Action =
  | { readonly act: 'append'; readonly count: number }
  | {
      readonly act: 'open'
      readonly back: number
      readonly room: number
      readonly filtered: boolean
    }
  | { readonly act: 'drain' | 'leave'; readonly which: number }
  | { readonly act: 'advance'; readonly ms: number }
  | { readonly act: 'settle' }
