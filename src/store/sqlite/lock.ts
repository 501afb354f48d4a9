import Database from 'better-sqlite3'
import { existsSync, realpathSync } from 'node:fs'
import { AppError } from '../../core/errors.ts'

/** Gives the lock back. */
export type Unlock = () => void

/**
 * Takes the lock that keeps a second daemon off the same database. It is a tiny SQLite file beside
 * it whose exclusive lock the kernel drops when the process dies, however it dies. It must never be
 * opened by other means: closing any descriptor of it would drop the lock
 * (sqlite.org/howtocorrupt.html, 2.2).
 */
export function takeLock(databaseFile: string): Unlock {
  // Beside the file itself: a link to it must not lead to another lock.
  const file = `${existsSync(databaseFile) ? realpathSync(databaseFile) : databaseFile}.lock`
  const db = new Database(file, { timeout: 0 })
  try {
    db.pragma('journal_mode = DELETE')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error
    throw new AppError(
      'database_in_use',
      `The database ${databaseFile} is in use by another jobwatch (it holds ${file}); ` +
        'stop that one, or give this one a database of its own',
    )
  }
  return () => {
    db.close()
  }
}
