/** A job as the census counts it; the flags are kept by the census alone. */
export interface Counted {
  /** Was seen, and is neither ended nor lost. */
  isPresent: boolean
  /** Was unknown to the upstream at the last look. */
  isMissing: boolean
}

const minMissing = 3

/**
 * Counts how many of an upstream's running jobs are missing at once. When it is most of them, the
 * upstream has lost its memory, as during a restore, rather than each job its existence: such misses
 * are held against the upstream for `holdMs`. What is still missing then is taken at its word.
 */
export class Census {
  readonly #holdMs: number
  #present = 0
  #missing = 0
  #since: number | null = null

  constructor(holdMs: number) {
    this.#holdMs = holdMs
  }

  /** In words, how many are missing. */
  get words(): string {
    return `${this.#missing} of ${this.#present} running jobs are unknown at once`
  }

  /** A job is there. */
  present(job: Counted): void {
    if (!job.isPresent) this.#present += 1
    if (job.isMissing) this.#missing -= 1
    job.isPresent = true
    job.isMissing = false
    this.#judge(null)
  }

  /** A job is missing; true when that is the upstream's trouble. */
  missing(job: Counted, now: number): boolean {
    // One that was never seen cannot have gone.
    if (!job.isPresent) return false
    if (!job.isMissing) this.#missing += 1
    job.isMissing = true
    this.#judge(now)
    return this.holds(now)
  }

  /** True while misses are the upstream's trouble. */
  holds(now: number): boolean {
    return this.#since !== null && now - this.#since < this.#holdMs
  }

  /** A job counts no longer: it ended, is lost, or is not watched any more. */
  leaves(job: Counted): void {
    if (job.isPresent) this.#present -= 1
    if (job.isMissing) this.#missing -= 1
    job.isPresent = false
    job.isMissing = false
    this.#judge(null)
  }

  #judge(now: number | null): void {
    const isMost = this.#missing >= minMissing && this.#missing * 2 > this.#present
    if (!isMost) this.#since = null
    else this.#since ??= now
  }
}
