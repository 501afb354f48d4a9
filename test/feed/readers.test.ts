import Database from 'better-sqlite3'
import fc from 'fast-check'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cancel } from '../../src/clock.ts'
import { parseCursor } from '../../src/core/cursor.ts'
import type { EventDraft } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import type { EventFilter } from '../../src/core/plan.ts'
import { createFeed } from '../../src/feed.ts'
import type { FeedSink } from '../../src/feed-reader.ts'
import type { FeedRequest } from '../../src/feed.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { valueOf } from '../helpers/exposition.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** A frame as far as these tests look into it. */
interface SeenFrame {
  readonly type: string
  readonly seq: number
  readonly data: string
}

/** A socket that takes what it is given; one with little room wants a pause then, until it is drained. */
class TestSink implements FeedSink {
  readonly chunks: Buffer[] = []
  bytes = 0
  queuedBytes = 0
  ended = false
  destroyed = false
  isBlocked = false
  #listener = (): void => undefined
  #given = 0
  room: number

  constructor(room = Infinity) {
    this.room = room
  }

  write(chunk: Buffer): boolean {
    if (this.ended) throw new Error('a write after the end')
    this.chunks.push(chunk)
    this.bytes += chunk.length
    this.#given += chunk.length
    this.isBlocked = this.#given >= this.room
    if (this.isBlocked) this.queuedBytes += chunk.length
    return !this.isBlocked
  }

  get takenBytes(): number {
    return this.bytes - this.queuedBytes
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

  /** Takes a byte of what waits, and wants its pause still. */
  sip(): void {
    this.queuedBytes -= 1
  }

  /** Takes everything it has; false when it was not waiting for that. */
  drain(): boolean {
    if (!this.isBlocked) return false
    this.#given = 0
    this.queuedBytes = 0
    this.isBlocked = false
    this.#listener()
    return true
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** The blocks so far but the first, which is the `retry:`; every one must be whole. */
  get frames(): SeenFrame[] {
    if (this.text !== '' && !this.text.endsWith('\n\n')) throw new Error('half a frame was written')
    return this.text
      .split('\n\n')
      .slice(1, -1)
      .map((block) => {
        const [, seq = '', type = '', data = ''] =
          /^id: [0-9a-z]+-(\d+)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? []
        return { seq: Number(seq), type, data }
      })
  }

  get seqs(): number[] {
    return this.frames.filter(({ type }) => type.startsWith('job.')).map(({ seq }) => seq)
  }

  /** What it was told of events that are gone: the position asked from, and the one gone on from. */
  get gaps(): { asked: string; oldest: number | null; newest: number; seq: number }[] {
    return this.frames
      .filter(({ type }) => type === 'feed.gap')
      .map(({ seq, data }) => ({ ...(JSON.parse(data) as LogGap), seq }))
  }
}

interface LogGap {
  readonly asked: string
  readonly oldest: number | null
  readonly newest: number
}

/** Knows how many timers are waiting. */
class CountingClock extends FakeClock {
  waiting = 0

  override after(ms: number, fire: () => void): Cancel {
    this.waiting += 1
    let isWaiting = true
    const settled = (): void => {
      if (isWaiting) this.waiting -= 1
      isWaiting = false
    }
    const cancel = super.after(ms, () => {
      settled()
      fire()
    })
    return () => {
      settled()
      cancel()
    }
  }
}

const noTags: readonly string[] = []
const draft: EventDraft = {
  type: 'job.stage.changed',
  change: {
    ...{ kind: 'stage', stage: 'copying', occurrence: 1 },
    ...{ from: 'pending', to: 'running', rawTo: 'In Progress' },
  },
}

/** The feed on a real log, without HTTP: the test is the socket and the clock. */
async function ground({ isWoken = true } = {}) {
  const folder = await temporaryFolder()
  const clock = new CountingClock()
  const file = join(folder.path, 'test.db')
  const store = openSqliteStore({ file, overtakeMs: 1000, now: () => clock.now() })
  /** A connection of somebody else. */
  const stranger = new Database(file)
  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const feed = createFeed({ store, clock, random: () => 0.5, log, metrics })
  if (isWoken) {
    store.onCommit(() => {
      feed.wake()
    })
  }
  let newest = 0
  const jobsByTags = new Map<readonly string[], Job>()
  return {
    clock,
    feed,
    metrics,
    stranger,
    valueOf: async (name: string, labels: Record<string, string> = {}) =>
      valueOf(await metrics.text(), `jobwatch_sse_${name}`, labels),
    /** Deletes the events up to a seq. */
    prune(through: number) {
      stranger.prepare('DELETE FROM events WHERE seq <= ?').run(through)
    },
    /** Writes so many events of one job, which has these tags. */
    async append(count: number, tags = noTags) {
      let job = jobsByTags.get(tags)
      for (let rest = count; rest > 0;) {
        if (job === undefined) {
          const jobid = `bulk-${jobsByTags.size}`
          job = (await store.registerJob({ upstream: 'prod', jobid, tags }, clock.now())).job
          rest -= 1
        } else {
          const drafts = Array.from({ length: Math.min(rest, 200) }, () => draft)
          const look = { job, drafts, document: null, at: clock.now() }
          const result = await store.commitLook(look)
          if (result.outcome !== 'written') throw new Error('somebody else writes')
          job = result.job
          rest -= drafts.length
        }
        jobsByTags.set(tags, job)
      }
      newest += count
    },
    /** Writes so many events, each of a job of its own, named after its seq. */
    async appendEach(count: number, tagsOf: (seq: number) => readonly string[] = () => []) {
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
      stranger.close()
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
      await at.append(500, manyTags)
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
    await at.append(3000, manyTags)
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
    const { length } = sink.chunks
    await at.clock.advance(29_000)
    expect(sink.chunks).toHaveLength(length)
    await drainAll(sink)
    await at.clock.advance(15_000)
    expect(sink.frames.at(-1)).toMatchObject({ type: 'feed.bookmark', seq: 100 })
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
      await at.appendEach(9000, (seq) => (isEven(seq) ? ['even'] : []))
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
    await at.appendEach(6000, (seq) => (seq % 1999 === 0 ? ['rare'] : []))
    const sink = new TestSink()
    await at.open(sink, { after: '0', filter: { tags: ['rare'] } })
    await drainAll(sink)
    expect(sink.seqs).toEqual([1999, 3998, 5997])
    await at.clock.advance(15_000)
    expect(sink.frames.at(-1)).toMatchObject({ type: 'feed.bookmark', seq: 6000 })
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
  const { length } = sink.chunks
  await at.append(5)
  await at.clock.advance(60_000)
  expect(sink.chunks).toHaveLength(length)
})

test('streams, what they are sent and why they end are counted', async () => {
  await using at = await ground()
  await at.append(3)
  await at.open(new TestSink(2000), { after: '0' })
  await at.open(new TestSink(), { after: 'nonsense' })
  const leave = await at.open(new TestSink())
  expect(at.feed.readerCount).toBe(3)
  leave()
  leave()
  expect(at.feed.readerCount).toBe(2)
  // The first has little room and never drains.
  await at.clock.advance(31_000)
  expect(at.feed.readerCount).toBe(1)
  at.clock.jump(12 * 3_600_000)
  await at.clock.advance(1000)
  expect(at.feed.readerCount).toBe(0)
  await at.open(new TestSink())
  at.feed.close()
  leave()
  expect(at.feed.readerCount).toBe(0)
  expect(await at.valueOf('events_sent_total')).toBe(6)
  expect(await at.valueOf('resets_total')).toBe(1)
  for (const reason of ['left', 'stalled', 'expired', 'stopping']) {
    expect(await at.valueOf('disconnects_total', { reason }), reason).toBe(1)
  }
})

describe('a reader whose socket takes nothing', () => {
  test('is cut off after 30 s and resumes from its last frame without loss', async () => {
    await using at = await ground()
    await at.append(600)
    const stuck = new TestSink(1)
    await at.open(stuck, { after: '0' })
    await settle()
    stuck.drain()
    await settle()
    expect(stuck.seqs).toEqual(range(1, 256))
    await at.clock.advance(30_000)
    expect(stuck.destroyed).toBe(false)
    await at.clock.advance(1000)
    expect(stuck.destroyed).toBe(true)
    expect(at.feed.readerCount).toBe(0)

    const again = new TestSink()
    await at.open(again, { after: '256' })
    await settle()
    expect([...stuck.seqs, ...again.seqs]).toEqual(range(1, 600))
  })

  test('but for a byte now and then is left alone', async () => {
    await using at = await ground()
    await at.append(600)
    const slow = new TestSink(1)
    await at.open(slow, { after: '0' })
    await settle()
    slow.drain()
    await settle()
    for (let round = 0; round < 10; round += 1) {
      await at.clock.advance(29_000)
      slow.sip()
    }
    expect(slow.destroyed).toBe(false)
    await drainAll(slow)
    expect(slow.seqs).toEqual(range(1, 600))
  })

  test('is left alone while nothing waits for it', async () => {
    await using at = await ground()
    const quiet = new TestSink()
    await at.open(quiet)
    await at.clock.advance(600_000)
    expect(quiet.destroyed).toBe(false)
    expect(quiet.frames).toHaveLength(1 + 40)
  })
})

describe('a log that is pruned while it is read', () => {
  /** One that has got the first page of 3000 events and waits for its socket. */
  async function openBehind(at: Awaited<ReturnType<typeof ground>>, filter: EventFilter = {}) {
    await at.appendEach(3000, (seq) => (seq % 2 === 0 ? ['even'] : []))
    const sink = new TestSink(1)
    await at.open(sink, { after: '0', filter })
    await settle()
    sink.drain()
    await settle()
    return sink
  }

  test('tells a reader that is behind of the gap, and goes on with what is kept', async () => {
    await using at = await ground()
    const sink = await openBehind(at)
    expect(sink.seqs).toEqual(range(1, 256))
    at.prune(2000)
    await drainAll(sink)
    expect(sink.seqs).toEqual([...range(1, 256), ...range(2001, 3000)])
    const asked = expect.stringMatching(/^[0-9a-f]+-256$/) as string
    expect(sink.gaps).toEqual([{ asked, oldest: 2001, newest: 3000, seq: 2000 }])
    expect(sink.frames[257]).toMatchObject({ type: 'feed.gap' })
    expect(await at.valueOf('resets_total')).toBe(1)
  })

  test('does so under a filter, which might have let the pruned ones through', async () => {
    await using at = await ground()
    const isEven = (seq: number): boolean => seq % 2 === 0
    const sink = await openBehind(at, { tags: ['even'] })
    expect(sink.seqs).toEqual(range(1, 512).filter(isEven))
    at.prune(2000)
    await drainAll(sink)
    expect(sink.seqs).toEqual([...range(1, 512), ...range(2001, 3000)].filter(isEven))
    expect(sink.gaps).toMatchObject([{ oldest: 2001, newest: 3000, seq: 2000 }])
  })

  test('does so to a reader of one job, and of nothing that fits', async () => {
    await using at = await ground()
    await at.appendEach(3000)
    const sink = new TestSink(1)
    await at.open(sink, { after: '10', filter: { jobids: ['j-2500'] } })
    await settle()
    at.prune(2000)
    await drainAll(sink)
    expect(sink.seqs).toEqual([2500])
    expect(sink.gaps).toMatchObject([{ oldest: 2001, newest: 3000, seq: 2000 }])
  })

  test('down to nothing is a gap up to the newest event', async () => {
    await using at = await ground()
    const sink = await openBehind(at)
    at.prune(3000)
    await drainAll(sink)
    expect(sink.gaps).toMatchObject([{ oldest: null, newest: 3000, seq: 3000 }])
    await at.append(2)
    await drainAll(sink)
    expect(sink.seqs).toEqual([...range(1, 256), 3001, 3002])
  })

  test('again and again is a gap each time', async () => {
    await using at = await ground()
    const sink = await openBehind(at)
    for (const through of [1000, 2000]) {
      at.prune(through)
      sink.drain()
      await settle()
    }
    await drainAll(sink)
    const kept = [...range(1, 256), ...range(1001, 1256), ...range(2001, 3000)]
    expect(sink.seqs).toEqual(kept)
    expect(sink.gaps.map(({ asked, seq }) => [asked.split('-')[1], seq])).toEqual([
      ['256', 1000],
      ['1256', 2000],
    ])
  })

  test('before the ring had taken it in is a gap to everyone', async () => {
    await using at = await ground({ isWoken: false })
    const sinks = [new TestSink(), new TestSink()]
    for (const sink of sinks) await at.open(sink)
    await at.append(10)
    at.prune(6)
    at.feed.wake()
    await settle()
    for (const sink of sinks) {
      expect(sink.seqs).toEqual([7, 8, 9, 10])
      expect(sink.gaps).toMatchObject([{ oldest: 7, newest: 10, seq: 6 }])
    }
  })
})

describe('a failure', () => {
  test('of one socket is that of its stream alone', async () => {
    await using at = await ground()
    class BrokenSink extends TestSink {
      override write(chunk: Buffer): boolean {
        if (this.chunks.length > 0) throw new Error('broken')
        return super.write(chunk)
      }
    }
    const sinks = [new BrokenSink(), new TestSink(), new BrokenSink(), new TestSink()]
    for (const sink of sinks) await at.open(sink)
    await at.append(3)
    await settle()
    for (const sink of sinks) {
      const isBroken = sink instanceof BrokenSink
      expect(sink.destroyed).toBe(isBroken)
      expect(sink.seqs).toEqual(isBroken ? [] : [1, 2, 3])
    }
    expect(at.feed.readerCount).toBe(2)
    expect(await at.valueOf('disconnects_total', { reason: 'failed' })).toBe(2)
  })

  test('of the database cuts off who reads from it, and delays the others until it is over', async () => {
    await using at = await ground({ isWoken: false })
    await at.append(600)
    const behind = new TestSink(1)
    const live = new TestSink()
    await at.open(behind, { after: '0' })
    await at.open(live)
    await settle()
    await at.append(3)
    at.stranger.exec('ALTER TABLE events RENAME TO elsewhere')
    behind.drain()
    at.feed.wake()
    await settle()
    expect(behind.destroyed).toBe(true)
    expect([live.destroyed, live.seqs]).toEqual([false, []])
    at.stranger.exec('ALTER TABLE elsewhere RENAME TO events')
    await at.clock.advance(1000)
    expect(live.seqs).toEqual([601, 602, 603])
  })
})

describe('a crowd of readers', () => {
  const count = 2000

  async function openCrowd(at: Awaited<ReturnType<typeof ground>>) {
    const sinks = Array.from({ length: count }, () => new TestSink())
    for (const sink of sinks) await at.open(sink)
    return sinks
  }

  /** How many sinks had got something beyond hello when the event loop first turned. */
  function gotBefore(sinks: readonly TestSink[]): Promise<number> {
    return new Promise((resolve) => {
      setImmediate(() => {
        resolve(sinks.filter(({ chunks }) => chunks.length > 1).length)
      })
    })
  }

  test('shares one timer, and one serialised frame of each event', async () => {
    await using at = await ground()
    const sinks = await openCrowd(at)
    expect(at.clock.waiting).toBe(1)
    await at.append(1)
    await settle()
    expect(new Set(sinks.map(({ chunks }) => chunks.at(-1))).size).toBe(1)
    expect(sinks[0]?.seqs).toEqual([1])
  })

  test('gets all that a wake-up brings in one write, which is made once for all of them', async () => {
    await using at = await ground({ isWoken: false })
    const sinks = await openCrowd(at)
    await settle()
    await at.appendEach(3)
    at.feed.wake()
    await settle()
    expect(sinks[0]?.seqs).toEqual([1, 2, 3])
    for (const { chunks } of sinks) expect(chunks).toHaveLength(2)
    expect(new Set(sinks.map(({ chunks }) => chunks[1])).size).toBe(1)
    expect(await at.valueOf('events_sent_total')).toBe(3 * count)
  })

  test('with filters gets what each of them lets through', async () => {
    await using at = await ground()
    const filters = [{}, { tags: ['even'] }, { jobids: ['j-2'] }, { tags: ['none'] }]
    const sinks = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const sink = new TestSink()
        await at.open(sink, { filter: filters[n % filters.length] ?? {} })
        return sink
      }),
    )
    await at.appendEach(4, (seq) => (seq % 2 === 0 ? ['even'] : []))
    await settle()
    for (const [n, sink] of sinks.entries()) {
      expect(sink.seqs).toEqual([[1, 2, 3, 4], [2, 4], [2], []][n % filters.length])
    }
  })

  test('does not hold up the event loop when its bookmarks are due together', async () => {
    await using at = await ground()
    const turns: Promise<number>[] = []
    let sinks: readonly TestSink[] = []
    class WatchingSink extends TestSink {
      override write(chunk: Buffer): boolean {
        turns.push(gotBefore(sinks))
        return super.write(chunk)
      }
    }
    await at.open(new WatchingSink())
    sinks = await openCrowd(at)
    await at.clock.advance(15_000)
    expect(await turns.at(-1)).toBeLessThan(count)
    for (const sink of sinks) {
      expect(sink.frames.at(-1)).toMatchObject({ type: 'feed.bookmark', seq: 0 })
    }
  })

  test('does not hold up the event loop when the daemon stops', async () => {
    await using at = await ground()
    const sinks = await openCrowd(at)
    const firstTurn = gotBefore(sinks)
    at.feed.close()
    expect(await firstTurn).toBeLessThan(count)
    await settle()
    expect(at.feed.readerCount).toBe(0)
    for (const sink of sinks) {
      expect(sink.ended).toBe(true)
      expect(sink.frames.map(({ type }) => type)).toEqual(['feed.hello', 'feed.bye'])
    }
  })

  test('that comes and goes leaves nothing behind', async () => {
    await using at = await ground()
    for (let round = 0; round < 5; round += 1) {
      const leaves = await Promise.all(
        Array.from({ length: 1000 }, () => at.open(new TestSink(), { after: '0' })),
      )
      expect(at.feed.readerCount).toBe(1000)
      await at.append(1)
      for (const leave of leaves) leave()
    }
    expect(at.feed.readerCount).toBe(0)
    expect(at.feed.lowestCursor).toBeNull()
    await at.clock.advance(1000)
    expect(at.clock.waiting).toBe(0)
  })
})

test('what waits in the sockets, and how far the slowest reader has come, is known', async () => {
  await using at = await ground()
  expect([at.feed.queuedBytes, at.feed.lowestCursor]).toEqual([0, null])
  await at.append(600)
  const slow = new TestSink(1)
  await at.open(slow, { after: '0' })
  await at.open(new TestSink())
  await settle()
  slow.drain()
  await settle()
  expect(slow.queuedBytes).toBeGreaterThan(0)
  expect([at.feed.queuedBytes, at.feed.lowestCursor]).toEqual([slow.queuedBytes, 256])
  await drainAll(slow)
  expect([at.feed.queuedBytes, at.feed.lowestCursor]).toEqual([0, 600])
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
    expect(live.frames.at(-1)).toMatchObject({ type: 'feed.bye', seq: 5 })
    const position = behind.seqs.at(-1) ?? 0
    expect(behind.frames.at(-1)).toMatchObject({ type: 'feed.bye', seq: position })
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

/**
 * A transcript holds what the reader is owed, in order, once, but for what it was told is gone;
 * nothing else is skipped, by bookmarks neither.
 */
function expectWhole(
  sink: TestSink,
  {
    after,
    newest,
    fits = () => true,
  }: { after: number; newest: number; fits?: (seq: number) => boolean },
): void {
  let position = after
  const expectNothingSkipped = (upTo: number): void => {
    expect(upTo).toBeGreaterThanOrEqual(position)
    expect(range(position + 1, upTo).filter(fits)).toEqual([])
  }
  for (const { type, seq, data } of sink.frames.slice(1)) {
    if (type === 'feed.gap') {
      const { asked, oldest } = JSON.parse(data) as LogGap
      expectNothingSkipped(Number(asked.split('-').at(-1)))
      expect(seq).toBe(oldest === null ? newest : oldest - 1)
      expect(seq).toBeGreaterThan(position)
    } else if (type === 'feed.bookmark') {
      expectNothingSkipped(seq)
    } else {
      expect(fits(seq)).toBe(true)
      expectNothingSkipped(seq - 1)
    }
    position = seq
  }
  // One that took nothing for too long was cut off, and comes back for the rest.
  if (!sink.destroyed) expect(range(position + 1, newest).filter(fits)).toEqual([])
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
    { weight: 1, arbitrary: fc.record({ act: fc.constant('prune'), kept: fc.nat(1500) }) },
  ) as fc.Arbitrary<Action>
  const isOdd = (seq: number): boolean => seq % 2 === 1

  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      await using at = await ground()
      const readers: { sink: TestSink; after: number; filtered: boolean; leave: () => void }[] = []
      let newest = 0
      const append = async (count: number) => {
        newest += count
        await at.appendEach(count, (seq) => (isOdd(seq) ? ['odd'] : []))
      }
      for (const item of actions) {
        if (item.act === 'append') await append(item.count)
        if (item.act === 'settle') await settle(2)
        if (item.act === 'prune') at.prune(newest - item.kept)
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
  | { readonly act: 'prune'; readonly kept: number }
  | { readonly act: 'settle' }
