import Database from 'better-sqlite3'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '../../core/errors.ts'

/** One writing connection waits no longer than this for a stranger (a backup tool, a shell). */
const busyTimeoutMs = 250
const oldestSafeVersion = '3.51.3'

/**
 * Opens the database file with the settings that the promises rest on. WAL with `synchronous=FULL`:
 * with NORMAL a power cut could take back an event that a receiver already has, and its number
 * would be given again.
 */
export function openDatabase(file: string): Database.Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const db = new Database(file, { timeout: busyTimeoutMs })
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('journal_size_limit = 67108864')
    assertSafe(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function assertSafe(db: Database.Database): void {
  const version = db.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? ''
  // Before 3.51.3 two connections that checkpoint at once can corrupt a WAL (sqlite.org/wal.html#walresetbug).
  if (version.localeCompare(oldestSafeVersion, 'en', { numeric: true }) < 0) {
    throw new AppError('sqlite_too_old', `SQLite ${version} is older than ${oldestSafeVersion}`)
  }
  // better-sqlite3 falls back to NORMAL at the first use of a WAL file unless told otherwise, so
  // what counts is what the setting is after that use.
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
  const synchronous: unknown = db.pragma('synchronous', { simple: true })
  const journalMode: unknown = db.pragma('journal_mode', { simple: true })
  if (synchronous !== 2 || journalMode !== 'wal') {
    throw new AppError(
      'database_unsafe',
      `The database is not durable: synchronous is ${String(synchronous)} (2 is needed), ` +
        `journal_mode is ${String(journalMode)} (wal is needed)`,
    )
  }
}
