import { nextTurn } from './clock.ts'
import type { Cancel, Clock } from './clock.ts'
import type { Random } from './core/backoff.ts'
import { positionAfter, resolveCursor } from './core/cursor.ts'
import type { Cursor, LogBounds, Position } from './core/cursor.ts'
import type { EventFilter } from './core/plan.ts'
import { FeedReader, pageLimits } from './feed-reader.ts'
import type { FeedSink } from './feed-reader.ts'
import { FrameRing } from './frame-ring.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'

/** What a reader asks for. */
export interface FeedRequest {
  /**
   * Where to go on from: a cursor, `live` for what comes from now on, or `unreadable` for a text
   * that is no cursor and has to be answered in the stream.
   */
  readonly from: Cursor | 'live' | 'unreadable'
  /** The cursor as it was asked, for the gap notice. */
  readonly asked: string
  readonly filter: EventFilter
}

export interface FeedDeps {
  readonly store: Pick<Store, 'readBounds' | 'readEvents'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
}

/** Says that a reader's connection is gone. */
export type Leave = () => void

/** The Server-Sent Events view of the log (contract, section 7). */
export interface Feed {
  /** Opens a stream; call the answer when the connection is gone. */
  open(request: FeedRequest, sink: FeedSink): Promise<Leave>
  /** Says that there may be new events. A hint: they are found without it, a little later. */
  wake(): void
  readonly isClosing: boolean
  /** How many streams are open. */
  readonly readerCount: number
  /** Bytes that were written to streams and that their sockets have yet to take. */
  readonly queuedBytes: number
  /** The seq up to which the reader that is furthest behind has come; null while nobody reads. */
  readonly lowestCursor: number | null
  /** Says goodbye on every stream and ends it on a whole frame. */
  close(): void
}

/** Frames kept in memory for the readers that are near the head. */
const ringLimits = { maxFrames: 4096, maxBytes: 4_194_304 }
/** Readers that are seen to before others have the event loop. */
const readersPerSlice = 500
const bookmarkSeconds = 15
const maxAgeMs = 12 * 3_600_000

/** Why a stream ended. */
type Ending = 'left' | 'stalled' | 'expired' | 'stopping' | 'failed'

/**
 * Knows who reads, and calls the readers when there is something for them. Those near the head are
 * served from a ring of frames that were serialised once, the others from the database.
 */
export function createFeed({ store, clock, random, log, metrics }: FeedDeps): Feed {
  const readers = new Set<FeedReader>()
  const ring = new FrameRing(ringLimits, pageLimits)
  const readerDeps = { store, ring, metrics, onSent, onFailed }
  let uncounted = 0
  let isFilling = false
  let isWoken = false
  let isClosing = false
  let tick = 0
  let cancelTick: Cancel | null = null

  function wake(): void {
    isWoken = true
    void fill()
  }

  /** Takes new events into the ring and serves the readers; one run at a time. Never rejects. */
  async function fill(): Promise<void> {
    if (isFilling) return
    isFilling = true
    try {
      while (isWoken && !isClosing && readers.size > 0) {
        isWoken = false
        const { maxFrames: limit, maxBytes } = pageLimits
        const page = await store.readEvents({ after: ring.head, limit, maxBytes, filter: {} })
        const { after, gap } = positionAfter(ring.head, page)
        // The ring has no holes: a reader that has not come so far finds this one in the database.
        if (gap) ring.reset(after)
        const begunAt = performance.now()
        ring.append(page.events, page.through)
        await forEachReader((reader) => {
          reader.serve()
        }, begunAt)
        if (page.through === page.newest) continue
        isWoken = true
        await nextTurn()
      }
    } catch (error) {
      log.error({ err: error }, 'feed.fill_failed')
      // The next tick tries again.
      isWoken = true
    } finally {
      isFilling = false
    }
  }

  /**
   * Letting others have the event loop in between. What is done to a reader must not throw, nor mind
   * that the reader has left meanwhile.
   */
  async function forEachReader(
    see: (reader: FeedReader) => void,
    begunAt = performance.now(),
  ): Promise<void> {
    let seen = 0
    let since = begunAt
    for (const reader of [...readers]) {
      see(reader)
      seen += 1
      if (seen % readersPerSlice > 0) continue
      metrics.noteStretch('readers', performance.now() - since)
      await nextTurn()
      since = performance.now()
    }
    if (seen % readersPerSlice > 0) metrics.noteStretch('readers', performance.now() - since)
  }

  /** What is sent to many readers in one go is counted once, before anybody else has their turn. */
  function onSent(count: number): void {
    if (uncounted === 0) queueMicrotask(countSent)
    uncounted += count
  }

  function countSent(): void {
    metrics.sseEventsSent.inc(uncounted)
    uncounted = 0
  }

  function remove(reader: FeedReader, reason: Ending): void {
    if (!readers.delete(reader)) return
    reader.leave()
    metrics.sseDisconnects.inc({ reason })
  }

  function onFailed(reader: FeedReader, error: unknown): void {
    log.error({ err: error }, 'feed.stream_failed')
    remove(reader, 'failed')
    reader.cut()
  }

  function startTicking(): void {
    cancelTick ??= clock.after(1000, onTick)
  }

  /** Every second: bookmarks for those whose turn it is, and the end of what is stuck or old. */
  function onTick(): void {
    tick += 1
    cancelTick = null
    if (readers.size > 0) startTicking()
    const now = clock.now()
    const current = tick
    void forEachReader((reader) => {
      if (reader.isStalled()) {
        remove(reader, 'stalled')
        reader.cut()
      } else if (now >= reader.endsAt) {
        reader.end({ goodbye: false })
        remove(reader, 'expired')
      } else if ((current - reader.openedTick) % bookmarkSeconds === 0) {
        reader.bookmark()
      }
    })
    // A wake-up may have been lost, or have come to nothing.
    if (isWoken || tick % bookmarkSeconds === 0) wake()
  }

  return {
    async open({ from, asked, filter }, sink) {
      const bounds = await store.readBounds()
      if (isClosing) {
        sink.destroy()
        return () => undefined
      }
      // Nobody was reading, so nobody kept the ring up to date: it begins anew at the head.
      if (readers.size === 0 && !isFilling) ring.reset(bounds.newest)
      const { after, gap } = startOf(from, bounds)
      const endsAt = clock.now() + maxAgeMs * (1 - 0.1 * random())
      const { epochs } = bounds
      const reader = new FeedReader(
        { sink, filter, epochs, after, openedTick: tick, endsAt },
        readerDeps,
      )
      readers.add(reader)
      startTicking()
      const retryMs = 1000 + Math.floor(random() * 4000)
      reader.greet(bounds, { retryMs, asked: gap ? asked : null })
      // Serves this reader, and takes in what was committed since the bounds were read.
      reader.serve()
      wake()
      return () => {
        remove(reader, 'left')
      }
    },
    wake,
    get isClosing() {
      return isClosing
    },
    get readerCount() {
      return readers.size
    },
    get queuedBytes() {
      return [...readers].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)
    },
    get lowestCursor() {
      let lowest: number | null = null
      for (const { cursor } of readers) lowest = Math.min(lowest ?? cursor, cursor)
      return lowest
    },
    close() {
      isClosing = true
      cancelTick?.()
      void forEachReader((reader) => {
        reader.end({ goodbye: true })
        remove(reader, 'stopping')
      })
    },
  }
}

function startOf(from: FeedRequest['from'], bounds: LogBounds): Position {
  if (from === 'live') return { after: bounds.newest, gap: false }
  return resolveCursor(from === 'unreadable' ? null : from, bounds)
}
