import type { Database } from 'better-sqlite3'

/**
 * How long the log of writes may become, in pages. More than SQLite's own 1000: pages that change again
 * and again are copied into the file less often.
 */
const maxPages = 4000

export interface CheckpointHooks {
  readonly afterCheckpoint: (durationMs: number) => void
  /** What was written stays in the log; after the next commit it is tried again. */
  readonly onFailed: (error: unknown) => void
}

/**
 * Moves what was written from the log of writes into the database file, in a turn of its own. Left to
 * itself SQLite does so within the commit that finds the log long, which then takes several times as
 * long as any other.
 */
export class Checkpoints {
  readonly #db: Database
  readonly #hooks: CheckpointHooks
  readonly #selectLog
  #isScheduled = false

  constructor(db: Database, hooks: CheckpointHooks) {
    this.#db = db
    this.#hooks = hooks
    db.pragma('wal_autocheckpoint = 0')
    // Tells how long the log is, and does nothing about it.
    this.#selectLog = db.prepare<[], { log: number }>('PRAGMA wal_checkpoint(NOOP)')
  }

  /** To be called after each commit. */
  consider(): void {
    if (this.#isScheduled) return
    this.#try(() => {
      if ((this.#selectLog.get()?.log ?? 0) < maxPages) return
      this.#isScheduled = true
      // An immediate would run in one go with the next commit, which is one as well.
      setTimeout(() => {
        this.#isScheduled = false
        this.#try(() => this.#run())
      })
    })
  }

  #run(): void {
    if (!this.#db.open) return
    const begunAt = performance.now()
    this.#db.pragma('wal_checkpoint(PASSIVE)')
    this.#hooks.afterCheckpoint(performance.now() - begunAt)
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#hooks.onFailed(error)
    }
  }
}
