import type { Database } from 'better-sqlite3'
import { statSync } from 'node:fs'
import { StoreLost } from '../store.ts'

/**
 * Knows whether the database is still this daemon's. The lock keeps a second daemon off the same file;
 * this notices what no lock can: a volume that was copied or a machine that was resumed while another
 * one went on, and a file that was replaced while it was open.
 */
export class Owner {
  readonly #selectStart
  readonly #touch
  readonly #file: string
  readonly #identity: string
  readonly #start: number

  constructor(db: Database, file: string) {
    this.#selectStart = db.prepare<[], number>('SELECT start FROM owner WHERE id = 1').pluck()
    this.#touch = db.prepare<[number]>('UPDATE owner SET checked_at = ? WHERE id = 1')
    this.#file = file
    this.#identity = identityOf(file)
    db.prepare('UPDATE owner SET start = start + 1 WHERE id = 1').run()
    this.#start = this.#selectStart.get() ?? 0
  }

  /** Throws in a transaction of somebody who no longer owns the database. */
  assertStart(): void {
    const start = this.#selectStart.get()
    if (start === this.#start) return
    throw new StoreLost(
      `another jobwatch has taken over the database ${this.#file} (its start ${String(start)}, ` +
        `this one's ${this.#start}): nothing more is written`,
    )
  }

  /** Throws when the file is no longer the one that was opened. */
  assertFile(): void {
    if (identityOf(this.#file) === this.#identity) return
    throw new StoreLost(
      `the database ${this.#file} was removed or replaced while it was open: start again on what is there`,
    )
  }

  /** Writes something that changes nothing, to see whether anything can be written. */
  touch(now: number): void {
    this.#touch.run(now)
  }
}

/** Stays the same as long as the name means the same file. */
function identityOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true })
  return stats === undefined ? 'none' : `${stats.dev}/${stats.ino}`
}
