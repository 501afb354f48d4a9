const windowSeconds = 60

/** Counts what happens and says how often per second it did over the last minute. */
export class RateMeter {
  readonly #counts = new Array<number>(windowSeconds).fill(0)
  readonly #startedAt: number
  #newest: number

  constructor(now: number) {
    this.#startedAt = now
    this.#newest = secondOf(now)
  }

  note(now: number): void {
    this.#moveTo(now)
    const slot = this.#newest % windowSeconds
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
  }

  /** The mean of the last minute, or of the time since the start while that is shorter. */
  perSecond(now: number): number {
    this.#moveTo(now)
    const seconds = Math.min(windowSeconds, Math.max(1, (now - this.#startedAt) / 1000))
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    return Math.round((total / seconds) * 100) / 100
  }

  /** A clock that was set back leaves the newest second where it is. */
  #moveTo(now: number): void {
    const second = secondOf(now)
    const passed = Math.min(second - this.#newest, windowSeconds)
    for (let step = 1; step <= passed; step += 1) {
      this.#counts[(second - passed + step) % windowSeconds] = 0
    }
    if (passed > 0) this.#newest = second
  }
}

function secondOf(ms: number): number {
  return Math.floor(ms / 1000)
}
