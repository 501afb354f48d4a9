import type { Database, Statement } from 'better-sqlite3'
import { StoreLost, StoreUnwritable } from '../store.ts'
import { toStoreError } from './trouble.ts'

interface Unit {
  readonly run: () => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

export interface WriterHooks {
  readonly afterCommit: (durationMs: number) => void
  /** For those that remember what units wrote, in part or whole in vain. */
  readonly afterRollback?: () => void
  /** Runs first in every transaction; what it throws fails all its units. */
  readonly guard?: () => void
  /** The database can no longer be relied on. */
  readonly onLost?: (error: StoreLost) => void
}

/** How long one transaction may go on taking units in; the event loop stands still meanwhile. */
const sliceMs = 4

/**
 * The one queue through which everything is written. Units that come while the writer is busy share
 * a transaction, and with it the one sync to disk that costs. A unit's promise settles after the
 * commit. A bad unit fails alone: should one throw, the transaction is rolled back and done again with
 * a savepoint for each, for which SQLite sets aside every page that a unit touches. So a unit may run
 * twice, and must do nothing that a rollback does not undo.
 */
export class Writer {
  readonly #db: Database
  readonly #hooks: WriterHooks
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #savepoint: Statement
  readonly #release: Statement
  readonly #rollbackUnit: Statement
  #units: Unit[] = []
  #scheduled = false
  #isTroubled = false

  constructor(db: Database, hooks: WriterHooks) {
    this.#db = db
    this.#hooks = hooks
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#savepoint = db.prepare('SAVEPOINT unit')
    this.#release = db.prepare('RELEASE unit')
    this.#rollbackUnit = db.prepare('ROLLBACK TO unit')
  }

  /** Whether the last transaction could not be written. */
  get isTroubled(): boolean {
    return this.#isTroubled
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
    const begunAt = performance.now()
    const taken: Unit[] = []
    let settle: readonly (() => void)[]
    try {
      settle = this.#runTogether(taken) ?? this.#runEach(taken)
      this.#commit.run()
    } catch (cause) {
      this.#rollBack()
      const error = toStoreError(cause)
      this.#isTroubled = error instanceof StoreUnwritable
      if (error instanceof StoreLost) this.#hooks.onLost?.(error)
      // Nothing of this transaction exists. When it could not even begin, another process holds the
      // file: everyone is told at once, since each further try would hold the event loop up again.
      if (taken.length === 0) taken.push(...this.#units.splice(0))
      for (const { reject } of taken) reject(error)
      return
    }
    this.#isTroubled = false
    const durationMs = performance.now() - begunAt
    for (const done of settle) done()
    this.#hooks.afterCommit(durationMs)
  }

  /** Runs what is waiting as far as its time goes; null when it was rolled back for a unit's sake. */
  #runTogether(taken: Unit[]): (() => void)[] | null {
    const settle: (() => void)[] = []
    this.#beginGuarded()
    const until = performance.now() + sliceMs
    do {
      const unit = this.#units.shift()
      if (unit === undefined) break
      taken.push(unit)
      try {
        const value = unit.run() as never
        settle.push(() => unit.resolve(value))
      } catch (error) {
        // SQLite itself ends the transaction on a full disk: then all its units have failed.
        if (!this.#db.inTransaction) throw error
        this.#rollBack()
        return null
      }
    } while (performance.now() < until)
    return settle
  }

  /** Runs units each of which may fail for itself. */
  #runEach(units: readonly Unit[]): (() => void)[] {
    this.#beginGuarded()
    return units.map((unit) => this.#runGuarded(unit))
  }

  #runGuarded(unit: Unit): () => void {
    this.#savepoint.run()
    try {
      const value = unit.run() as never
      this.#release.run()
      return () => unit.resolve(value)
    } catch (error) {
      if (!this.#db.inTransaction) throw error
      this.#rollbackUnit.run()
      this.#release.run()
      this.#hooks.afterRollback?.()
      return () => unit.reject(error)
    }
  }

  #beginGuarded(): void {
    this.#begin.run()
    this.#hooks.guard?.()
  }

  #rollBack(): void {
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
    this.#hooks.afterRollback?.()
  }
}
