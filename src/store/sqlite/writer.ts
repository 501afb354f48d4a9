import type { Database, Statement } from 'better-sqlite3'

interface Unit {
  readonly run: () => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** How long one transaction may go on taking units in; the event loop stands still meanwhile. */
const sliceMs = 8

/**
 * The one queue through which everything is written. Units that come while the writer is busy share
 * a transaction, and with it the one sync to disk that costs; each has a savepoint, so that one bad
 * unit fails alone. A unit's promise settles after the commit.
 */
export class Writer {
  readonly #db: Database
  readonly #afterCommit: (durationMs: number) => void
  readonly #afterRollback: () => void
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #savepoint: Statement
  readonly #release: Statement
  readonly #rollbackUnit: Statement
  #units: Unit[] = []
  #scheduled = false

  /** `afterRollback` is for those that remember what units wrote, in part or whole in vain. */
  constructor(
    db: Database,
    afterCommit: (durationMs: number) => void,
    afterRollback: () => void = () => undefined,
  ) {
    this.#db = db
    this.#afterCommit = afterCommit
    this.#afterRollback = afterRollback
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#savepoint = db.prepare('SAVEPOINT unit')
    this.#release = db.prepare('RELEASE unit')
    this.#rollbackUnit = db.prepare('ROLLBACK TO unit')
  }

  /** Runs `unit`, which must be synchronous, in the next transaction. */
  write<T>(unit: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#units.push({ run: unit, resolve, reject })
      this.#schedule()
    })
  }

  /** Writes what is waiting, now. */
  flush(): void {
    while (this.#units.length > 0) this.#commitSlice()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#commitSlice()
      if (this.#units.length > 0) this.#schedule()
    })
  }

  #commitSlice(): void {
    const taken: Unit[] = []
    const settle: (() => void)[] = []
    const begunAt = performance.now()
    try {
      this.#begin.run()
      const until = performance.now() + sliceMs
      do {
        const unit = this.#units.shift()
        if (unit === undefined) break
        taken.push(unit)
        settle.push(this.#run(unit))
      } while (performance.now() < until)
      this.#commit.run()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      this.#afterRollback()
      // Nothing of this transaction exists. When it could not even begin, another process holds the
      // file: everyone is told at once, since each further try would hold the event loop up again.
      if (taken.length === 0) taken.push(...this.#units.splice(0))
      for (const { reject } of taken) reject(error)
      return
    }
    const durationMs = performance.now() - begunAt
    for (const done of settle) done()
    this.#afterCommit(durationMs)
  }

  #run(unit: Unit): () => void {
    this.#savepoint.run()
    try {
      const value = unit.run() as never
      this.#release.run()
      return () => {
        unit.resolve(value)
      }
    } catch (error) {
      // SQLite itself ends the transaction on a full disk: then all its units have failed.
      if (!this.#db.inTransaction) throw error
      this.#rollbackUnit.run()
      this.#release.run()
      this.#afterRollback()
      return () => {
        unit.reject(error)
      }
    }
  }
}
