import { nextTurn } from './clock.ts'
import type { Clock, Cancel } from './clock.ts'
import type { Random } from './core/backoff.ts'
import { positionId, resolveCursor } from './core/cursor.ts'
import type { Cursor, Epoch } from './core/cursor.ts'
import { controlFrame, eventFrame, retryFrame } from './core/frame.ts'
import { compileFilter } from './core/plan.ts'
import type { EventFilter, EventMatcher } from './core/plan.ts'
import { FrameRing } from './frame-ring.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { EventPage, Store } from './store/store.ts'

/**
 * Where a reader's frames go: a socket, seen from the feed. One that takes nothing for too long
 * closes itself.
 */
export interface FeedSink {
  /** False when the socket wants a pause; `onDrain` then says when it is over. */
  write(chunk: Buffer | string): boolean
  onDrain(listener: () => void): void
  /** Ends the stream after what was written. */
  end(): void
  /** Cuts the connection at once. */
  destroy(): void
}

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

/** Says that a reader's connection is gone: its own doing, unless it took nothing for too long. */
export type Leave = (reason?: 'left' | 'stalled') => void

/** The Server-Sent Events view of the log (contract, section 7). */
export interface Feed {
  /** Opens a stream; call the answer when the connection is gone. */
  open(request: FeedRequest, sink: FeedSink): Promise<Leave>
  /** Says that there may be new events. A hint: they are found without it, a little later. */
  wake(): void
  readonly isClosing: boolean
  /** How many streams are open. */
  readonly readerCount: number
  /** Says goodbye on every stream and ends it on a whole frame. */
  close(): void
}

/** Frames kept in memory for the readers that are near the head. */
const maxRingBytes = 4_194_304
const maxRingFrames = 4096
const pageLimits = { maxFrames: 256, maxBytes: 262_144 }
/** Readers served before others have the event loop. */
const readersPerSlice = 500
const bookmarkSeconds = 15
const maxAgeMs = 12 * 3_600_000
const maxAskedLength = 64

/** Why a stream ended. */
type Ending = 'left' | 'stalled' | 'expired' | 'stopping' | 'failed'

interface Reader {
  readonly sink: FeedSink
  readonly filter: EventFilter
  readonly matches: EventMatcher
  /** Everything up to here was written or filtered out. */
  cursor: number
  /** The socket wants a pause. */
  isBlocked: boolean
  isBusy: boolean
  readonly openedTick: number
  readonly endsAt: number
}

/**
 * Each reader is a cursor over the log. Those near the head are served from a ring of frames that
 * were serialised once, the others from the database in pages, as their sockets drain: a slow
 * reader is late, costs no memory, and loses nothing.
 */
export function createFeed({ store, clock, random, log, metrics }: FeedDeps): Feed {
  const readers = new Set<Reader>()
  const ring = new FrameRing({ maxFrames: maxRingFrames, maxBytes: maxRingBytes })
  let epochs: readonly Epoch[] = []
  let isFilling = false
  let isWoken = false
  let isClosing = false
  let tick = 0
  let cancelTick: Cancel | null = null

  /** Takes new events into the ring and serves the readers; one run at a time. */
  function wake(): void {
    isWoken = true
    if (isFilling || isClosing || readers.size === 0) return
    isFilling = true
    fill()
      .catch((error: unknown) => {
        log.error({ err: error }, 'feed.fill_failed')
      })
      .finally(() => {
        isFilling = false
        if (isWoken) setImmediate(wake)
      })
  }

  async function fill(): Promise<void> {
    while (isWoken && !isClosing) {
      isWoken = false
      let page: EventPage
      do {
        page = await store.readEvents({
          after: ring.head,
          limit: pageLimits.maxFrames,
          maxBytes: pageLimits.maxBytes,
          filter: {},
        })
        ring.append(page.events, page.through)
        await serveAll()
      } while (page.through < page.newest && readers.size > 0)
    }
  }

  async function serveAll(): Promise<void> {
    let served = 0
    for (const reader of [...readers]) {
      serve(reader)
      served += 1
      if (served % readersPerSlice === 0) await nextTurn()
    }
  }

  /** Starts to write what the reader is owed, unless that is being done already. */
  function serve(reader: Reader): void {
    if (reader.isBusy || reader.isBlocked || !readers.has(reader)) return
    if (writeFromRing(reader)) return
    reader.isBusy = true
    writeFromStore(reader)
      .catch((error: unknown) => {
        log.error({ err: error }, 'feed.read_failed')
        remove(reader, 'failed')
        reader.sink.destroy()
      })
      .finally(() => {
        reader.isBusy = false
        // The head may have moved on while the last page was read.
        if (reader.cursor < ring.head) serve(reader)
      })
  }

  /** Serves a reader that the ring reaches; false when the reader is too far behind for that. */
  function writeFromRing(reader: Reader): boolean {
    while (reader.cursor < ring.head) {
      if (reader.cursor < ring.start) return false
      const { frames, through } = ring.page(reader.cursor, reader.matches, pageLimits)
      write(reader, frames, through)
      if (reader.isBlocked) break
    }
    return true
  }

  async function writeFromStore(reader: Reader): Promise<void> {
    while (readers.has(reader) && !reader.isBlocked && reader.cursor < ring.start) {
      const { events, through } = await store.readEvents({
        after: reader.cursor,
        limit: pageLimits.maxFrames,
        maxBytes: pageLimits.maxBytes,
        filter: reader.filter,
      })
      if (!readers.has(reader)) return
      write(
        reader,
        events.map((event) => Buffer.from(eventFrame(event))),
        through,
      )
      await nextTurn()
    }
  }

  function write(reader: Reader, frames: readonly Buffer[], through: number): void {
    reader.cursor = through
    const [first] = frames
    if (first === undefined) return
    const isFlowing = reader.sink.write(frames.length === 1 ? first : Buffer.concat(frames))
    reader.isBlocked = !isFlowing
    metrics.sseEventsSent.inc(frames.length)
  }

  function remove(reader: Reader, reason: Ending): void {
    if (readers.delete(reader)) metrics.sseDisconnects.inc({ reason })
  }

  function finish(reader: Reader, reason: Ending): void {
    remove(reader, reason)
    reader.sink.end()
  }

  /** Every second: bookmarks for those whose turn it is, and the end of the oldest streams. */
  function onTick(): void {
    tick += 1
    const now = clock.now()
    for (const reader of readers) {
      if (now >= reader.endsAt) finish(reader, 'expired')
      else if (!reader.isBlocked && (tick - reader.openedTick) % bookmarkSeconds === 0) {
        writeControl(reader, 'feed.bookmark', { seq: reader.cursor })
      }
    }
    // A wake-up may have been lost.
    if (tick % bookmarkSeconds === 0) wake()
    cancelTick = readers.size > 0 ? clock.after(1000, onTick) : null
  }

  function writeControl(reader: Reader, type: string, data: object): void {
    const frame = controlFrame(type, positionId(reader.cursor, { epochs }), data)
    reader.isBlocked = !reader.sink.write(frame)
  }

  return {
    async open({ from, asked, filter }, sink) {
      const bounds = await store.readBounds()
      if (isClosing) {
        sink.destroy()
        return () => undefined
      }
      epochs = bounds.epochs
      // Nobody was reading, so nobody kept the ring up to date: it begins anew at the head.
      if (readers.size === 0 && !isFilling) {
        ring.reset(bounds.newest)
      }
      const cursor = from === 'unreadable' ? null : from
      const { after, gap } =
        cursor === 'live' ? { after: bounds.newest, gap: false } : resolveCursor(cursor, bounds)
      const reader: Reader = {
        sink,
        filter,
        matches: compileFilter(filter),
        cursor: after,
        isBlocked: false,
        isBusy: false,
        openedTick: tick,
        endsAt: clock.now() + maxAgeMs * (1 - 0.1 * random()),
      }
      const { newest, oldest } = bounds
      const { epoch } = bounds.epochs.at(-1) ?? { epoch: '' }
      const id = positionId(after, bounds)
      sink.write(retryFrame(1000 + Math.floor(random() * 4000)))
      sink.write(
        controlFrame('feed.hello', id, { epoch, newest: oldest === null ? 0 : newest, oldest }),
      )
      if (gap) {
        metrics.sseResets.inc()
        const notice = { asked: asked.slice(0, maxAskedLength), oldest, newest }
        sink.write(controlFrame('feed.gap', id, notice))
      }
      sink.onDrain(() => {
        reader.isBlocked = false
        serve(reader)
      })
      readers.add(reader)
      cancelTick ??= clock.after(1000, onTick)
      // Serves this reader, and takes in what was committed since the bounds were read.
      serve(reader)
      wake()
      return (reason = 'left') => {
        remove(reader, reason)
      }
    },
    wake,
    get isClosing() {
      return isClosing
    },
    get readerCount() {
      return readers.size
    },
    close() {
      isClosing = true
      cancelTick?.()
      for (const reader of readers) {
        const { cursor } = reader
        reader.sink.write(controlFrame('feed.bye', positionId(cursor, { epochs }), { seq: cursor }))
        finish(reader, 'stopping')
      }
    },
  }
}
