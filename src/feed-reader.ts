import { nextTurn } from './clock.ts'
import { positionAfter, positionId } from './core/cursor.ts'
import type { Epoch, LogBounds, LogEnds } from './core/cursor.ts'
import { controlFrame, eventFrame, retryFrame } from './core/frame.ts'
import { compileFilter } from './core/plan.ts'
import type { EventFilter, EventMatcher } from './core/plan.ts'
import { joined } from './frame-ring.ts'
import type { FramePage, FrameRing } from './frame-ring.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'

/** Where a reader's frames go: a socket, seen from the feed. */
export interface FeedSink {
  /** False when the socket wants a pause; `onDrain` then says when it is over. */
  write(chunk: Buffer): boolean
  onDrain(listener: () => void): void
  /** Ends the stream after what was written. */
  end(): void
  /** Cuts the connection at once. */
  destroy(): void
  /** Bytes that were written and that the socket has yet to take. */
  readonly queuedBytes: number
  /** Bytes that it has taken; grows, if only by now and then, while it takes any. */
  readonly takenBytes: number
}

export interface ReaderDeps {
  readonly store: Pick<Store, 'readEvents'>
  readonly ring: FrameRing
  readonly metrics: Metrics
  /** So many events were written. */
  readonly onSent: (count: number) => void
  /** The log could not be read or the socket not be written to: nothing more will come. */
  readonly onFailed: (reader: FeedReader, error: unknown) => void
}

export interface ReaderOptions {
  readonly sink: FeedSink
  readonly filter: EventFilter
  readonly epochs: readonly Epoch[]
  /** Everything after this seq is owed. */
  readonly after: number
  readonly openedTick: number
  /** When the stream is old enough to be closed, epoch ms. */
  readonly endsAt: number
}

/** What a page holds at most; the event that goes beyond is the last one. */
export const pageLimits = { maxFrames: 256, maxBytes: 262_144 }
const maxAskedLength = 64
const maxQuietSeconds = 30

/**
 * One stream: a cursor over the log.
 *
 *   flowing  it is where the ring reaches, and gets what comes when it comes
 *   reading  it is further behind, and gets a page of the database after the other
 *   blocked  its socket wants a pause; when that is over it goes on from its cursor
 *   over     nothing is written any more
 *
 * So a slow reader is late, costs a page of memory at most, and loses nothing.
 */
export class FeedReader {
  readonly openedTick: number
  readonly endsAt: number
  readonly #sink: FeedSink
  readonly #filter: EventFilter
  readonly #matches: EventMatcher
  readonly #epochs: readonly Epoch[]
  readonly #deps: ReaderDeps
  #cursor: number
  #isReading = false
  #isBlocked = false
  #isOver = false
  #takenBytes = 0
  #quietSeconds = 0

  constructor(
    { sink, filter, epochs, after, openedTick, endsAt }: ReaderOptions,
    deps: ReaderDeps,
  ) {
    this.#sink = sink
    this.#filter = filter
    this.#matches = compileFilter(filter)
    this.#epochs = epochs
    this.#cursor = after
    this.openedTick = openedTick
    this.endsAt = endsAt
    this.#deps = deps
    sink.onDrain(() => {
      this.#isBlocked = false
      this.serve()
    })
  }

  /** Everything up to here was written or filtered out. */
  get cursor(): number {
    return this.#cursor
  }

  get queuedBytes(): number {
    return this.#sink.queuedBytes
  }

  /** Writes what every stream begins with; `asked` is a cursor after which events are gone, or null. */
  greet(bounds: LogBounds, { retryMs, asked }: { retryMs: number; asked: string | null }): void {
    const { newest, oldest } = bounds
    const epoch = bounds.epochs.at(-1)?.epoch ?? ''
    const hello = { epoch, newest: oldest === null ? 0 : newest, oldest }
    const frames = [retryFrame(retryMs), this.#control('feed.hello', hello)]
    if (asked !== null) frames.push(this.#gap(asked.slice(0, maxAskedLength), bounds))
    this.#try(() => {
      this.#write(Buffer.from(frames.join('')))
    })
  }

  /** Writes what the reader is owed, as far as its socket goes along. */
  serve(): void {
    if (this.#isReading || this.#isBlocked) return
    this.#try(() => {
      if (!this.#writeFromRing()) this.#readOn().catch(this.#fail)
    })
  }

  /** Says how far it has come, unless frames wait for it. */
  bookmark(): void {
    if (this.#isBlocked) return
    this.#try(() => {
      this.#writeControl('feed.bookmark', { seq: this.#cursor })
    })
  }

  /** To be asked every second: true once the socket has taken nothing of what waits for it for 30 s. */
  isStalled(): boolean {
    const { queuedBytes, takenBytes } = this.#sink
    const isQuiet = queuedBytes > 0 && takenBytes === this.#takenBytes
    this.#takenBytes = takenBytes
    this.#quietSeconds = isQuiet ? this.#quietSeconds + 1 : 0
    return this.#quietSeconds >= maxQuietSeconds
  }

  /** Ends the stream on a whole frame: on a goodbye, if it is to have one. */
  end({ goodbye }: { goodbye: boolean }): void {
    this.#try(() => {
      if (goodbye) this.#writeControl('feed.bye', { seq: this.#cursor })
      this.#sink.end()
    })
    this.leave()
  }

  cut(): void {
    this.leave()
    this.#sink.destroy()
  }

  /** The connection is gone, or about to be. */
  leave(): void {
    this.#isOver = true
  }

  /** Serves a reader that the ring reaches; false when it is too far behind for that. */
  #writeFromRing(): boolean {
    const { ring } = this.#deps
    while (this.#cursor < ring.head) {
      if (this.#cursor < ring.start) return false
      this.#writeEvents(ring.page(this.#cursor, this.#matches))
      if (this.#isBlocked) break
    }
    return true
  }

  async #readOn(): Promise<void> {
    const { store } = this.#deps
    this.#isReading = true
    try {
      while (this.#canReadOn()) {
        const page = await store.readEvents({
          after: this.#cursor,
          limit: pageLimits.maxFrames,
          maxBytes: pageLimits.maxBytes,
          filter: this.#filter,
        })
        if (this.#isOver) return
        // What the reader was owed may have been pruned before it came to that.
        const { after, gap } = positionAfter(this.#cursor, page)
        if (gap) this.#tellGap(after, page)
        const frames = page.events.map((event) => Buffer.from(eventFrame(event)))
        this.#writeEvents({ ...joined(frames), through: page.through })
        await nextTurn()
      }
    } finally {
      this.#isReading = false
    }
    // The ring may have moved on meanwhile, and nobody calls a reader that is busy again.
    this.serve()
  }

  #canReadOn(): boolean {
    return !this.#isOver && !this.#isBlocked && this.#cursor < this.#deps.ring.start
  }

  #tellGap(after: number, bounds: LogEnds): void {
    const asked = this.#id
    this.#cursor = after
    this.#write(Buffer.from(this.#gap(asked, bounds)))
  }

  #gap(asked: string, { oldest, newest }: LogEnds): string {
    this.#deps.metrics.sseResets.inc()
    return this.#control('feed.gap', { asked, oldest, newest })
  }

  #writeEvents({ bytes, count, through }: FramePage): void {
    this.#cursor = through
    if (count === 0) return
    this.#write(bytes)
    this.#deps.onSent(count)
  }

  #writeControl(type: string, data: object): void {
    this.#write(Buffer.from(this.#control(type, data)))
  }

  #control(type: string, data: object): string {
    return controlFrame(type, this.#id, data)
  }

  get #id(): string {
    return positionId(this.#cursor, { epochs: this.#epochs })
  }

  #write(chunk: Buffer): void {
    this.#isBlocked = !this.#sink.write(chunk)
  }

  /** One reader's trouble is nobody else's. */
  #try(work: () => void): void {
    if (this.#isOver) return
    try {
      work()
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #fail = (error: unknown): void => {
    this.leave()
    this.#deps.onFailed(this, error)
  }
}
