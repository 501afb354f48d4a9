import { eventFrame } from './core/frame.ts'
import type { EventHead, LoggedEvent } from './core/event.ts'
import type { EventMatcher } from './core/plan.ts'

/** Frames in order that a filter lets pass, and the seq up to which nothing else is owed. */
export interface FramePage {
  readonly bytes: Buffer
  readonly count: number
  readonly through: number
}

/** A page, and what it is the answer to. */
interface AskedPage extends FramePage {
  readonly after: number
  readonly matches: EventMatcher
}

export interface RingLimits {
  readonly maxFrames: number
  readonly maxBytes: number
}

interface Frame extends EventHead {
  readonly bytes: Buffer
}

/** The newest part of the log as frames that were serialised once, shared by all readers near it. */
export class FrameRing {
  readonly #limits: RingLimits
  readonly #pageLimits: RingLimits
  /** The one that was asked for last: most readers have the same position and no filter. */
  #page: AskedPage | null = null
  #frames: Frame[] = []
  #bytes = 0
  #start = 0
  #head = 0

  constructor(limits: RingLimits, pageLimits: RingLimits) {
    this.#limits = limits
    this.#pageLimits = pageLimits
  }

  /** It holds every event after this seq … */
  get start(): number {
    return this.#start
  }

  /** … up to this one. */
  get head(): number {
    return this.#head
  }

  /** Empties it, so that it goes on after `seq`. */
  reset(seq: number): void {
    this.#page = null
    this.#frames = []
    this.#bytes = 0
    this.#start = seq
    this.#head = seq
  }

  /** Takes in the events that follow the head, the last of the log up to `through`. */
  append(events: readonly LoggedEvent[], through: number): void {
    this.#page = null
    for (const event of events) {
      const bytes = Buffer.from(eventFrame(event))
      const { seq, type, upstream, jobid, tags } = event
      this.#frames.push({ seq, type, upstream, jobid, tags, bytes })
      this.#bytes += bytes.length
    }
    this.#head = through
    while (this.#bytes > this.#limits.maxBytes || this.#frames.length > this.#limits.maxFrames) {
      const oldest = this.#frames.shift()
      if (oldest === undefined) break
      this.#bytes -= oldest.bytes.length
      this.#start = oldest.seq
    }
  }

  /** The next frames after a seq that is not before the start. */
  page(after: number, matches: EventMatcher): FramePage {
    if (this.#page?.after !== after || this.#page.matches !== matches) {
      this.#page = { after, matches, ...this.#newPage(after, matches) }
    }
    return this.#page
  }

  #newPage(after: number, matches: EventMatcher): FramePage {
    const { maxFrames, maxBytes } = this.#pageLimits
    const frames: Buffer[] = []
    let bytes = 0
    let through = Math.max(after, this.#head)
    for (let i = this.#indexAfter(after); i < this.#frames.length; i += 1) {
      const frame = this.#frames[i]
      if (frame === undefined) break
      if (!matches(frame)) continue
      frames.push(frame.bytes)
      bytes += frame.bytes.length
      if (frames.length === maxFrames || bytes >= maxBytes) {
        through = frame.seq
        break
      }
    }
    return { ...joined(frames), through }
  }

  /** The place of the first frame after a seq, by halving. */
  #indexAfter(seq: number): number {
    let low = 0
    let high = this.#frames.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#frames[middle]?.seq ?? Infinity) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Frames as one piece; a single one is not copied. */
export function joined(frames: readonly Buffer[]): Omit<FramePage, 'through'> {
  const [first] = frames
  const bytes = first !== undefined && frames.length === 1 ? first : Buffer.concat(frames)
  return { bytes, count: frames.length }
}
