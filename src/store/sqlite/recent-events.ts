import type { LoggedEvent } from '../../core/event.ts'

const maxEvents = 1000
const maxCharacters = 4_000_000

/**
 * The newest events as they were written, in order and without a hole: who reads or delivers is mostly
 * near the head of the log, and need not have read back what was just written.
 */
export class RecentEvents {
  #events: LoggedEvent[] = []
  #characters = 0

  /** The seq of the newest one; undefined while there is none. */
  get newest(): number | undefined {
    return this.#events.at(-1)?.seq
  }

  push(event: LoggedEvent): void {
    this.#events.push(event)
    this.#characters += event.text.length
    while (this.#events.length > maxEvents || this.#characters > maxCharacters) {
      this.#characters -= this.#events.shift()?.text.length ?? 0
    }
  }

  find(seq: number): LoggedEvent | undefined {
    return this.#events[this.#indexOf(seq)]
  }

  /** All after a seq; null when some of them are no longer here. */
  after(seq: number): readonly LoggedEvent[] | null {
    const index = this.#indexOf(seq + 1)
    return index < 0 ? null : this.#events.slice(index)
  }

  /** To be called when events in the database are no longer what they were: rolled back, or pruned. */
  clear(): void {
    this.#events = []
    this.#characters = 0
  }

  /** Negative for one that is older than all of these, or of which nothing can be said. */
  #indexOf(seq: number): number {
    const [first] = this.#events
    return first === undefined ? -1 : seq - first.seq
  }
}
