import type { Clock } from '../../src/clock.ts'

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** Time that passes only when the test says so. */
export class FakeClock implements Clock {
  #now: number
  readonly #timers = new Set<Timer>()

  constructor(now = Date.parse('2026-01-05T12:00:00.000Z')) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  /** How many timers have still to fire. */
  get timerCount(): number {
    return this.#timers.size
  }

  after(ms: number, fire: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), fire }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Lets time pass; timers fire in order, and what they start gets its turns in between. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      const [next] = due
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.fire()
    }
    this.#now = until
    await settle()
  }

  /** Moves the wall clock without letting anything fire, as an administrator's `date -s` would. */
  jump(ms: number): void {
    this.#now += ms
  }
}

/** Gives promises and the event loop enough turns to finish what needs no time. */
export async function settle(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}
