import { setTimeout as pause } from 'node:timers/promises'
import { isCut, openFeed } from '../feed/reader.ts'
import type { Random } from './random.ts'
import type { Trail } from './trail.ts'
import { now, sha } from './trace.ts'

export interface ReaderOptions {
  readonly name: string
  /** Asked anew for each connection: where the feed is then. */
  readonly url: () => string
  readonly token: string
  readonly type: string
  readonly from: 'beginning' | 'now'
  /** `slow` takes its time over every frame, `restless` leaves again and again. */
  readonly manners: 'good' | 'slow' | 'restless'
  readonly random: Random
  readonly trail: Trail
}

/** Reads the feed until it is told to stop, and goes on where it was whenever that breaks. */
export class Reader {
  readonly #options: ReaderOptions
  readonly #stopping = new AbortController()
  readonly #done: Promise<void>
  #isHealed = false
  /** The id of the last frame. */
  position: string | null

  constructor(options: ReaderOptions) {
    this.#options = options
    this.position = options.from === 'beginning' ? '' : null
    this.#done = this.#readOn()
  }

  /** From now on it reads as fast as it can. */
  heal(): void {
    this.#isHealed = true
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  async #readOn(): Promise<void> {
    const { signal } = this.#stopping
    const isStopping = (): boolean => signal.aborted
    for (let number = 1; !isStopping(); number += 1) {
      try {
        await this.#readSegment(number, signal)
      } catch (error) {
        if (!isCut(error) && !isHalf(error) && !isStopping()) throw error
      }
      await pause(this.#options.random.between(20, 200))
    }
  }

  async #readSegment(number: number, signal: AbortSignal): Promise<void> {
    const { name, url, token, type, manners, random, trail } = this.#options
    const cursor = this.position === '' ? 'e-0' : this.position
    const query = this.position === '' ? '&after=0' : ''
    const at = now()
    using feed = await openFeed(`${url()}/v1/events/stream?type=${type}${query}`, {
      headers: {
        authorization: `Bearer ${token}`,
        ...(this.position !== null && this.position !== '' && { 'last-event-id': this.position }),
      },
      keepsText: false,
    })
    // Otherwise there is nothing to read, and it has to come again.
    if (feed.status !== 200) return
    trail.write({ kind: 'segment', at, reader: name, number, cursor, type })
    const close = (): void => feed.close()
    signal.addEventListener('abort', close, { once: true })
    const patience = manners === 'restless' ? random.int(5, 200) : Infinity
    try {
      for (let read = 0; read < patience || this.#isHealed; read += 1) {
        const frame = await feed.next()
        if (frame === null || signal.aborted) break
        if (frame.event === null) continue
        const text = frame.data ?? ''
        const of = { reader: name, number, id: frame.id, event: frame.event, sha: sha(text) }
        trail.write({ kind: 'frame', at: now(), ...of })
        this.position = frame.id ?? this.position
        if (manners === 'slow' && !this.#isHealed) await pause(5)
      }
    } finally {
      signal.removeEventListener('abort', close)
    }
  }
}

/** A cut amid a frame. */
function isHalf(error: unknown): boolean {
  return error instanceof Error && /ended within a frame|aborted|socket hang up/.test(error.message)
}
