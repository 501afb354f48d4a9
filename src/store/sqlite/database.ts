import Database from 'better-sqlite3'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { AppError } from '../../core/errors.ts'

/** One writing connection waits no longer than this for a stranger (a backup tool, a shell). */
const busyTimeoutMs = 250
const oldestSafeVersion = '3.51.3'
/** `jobw`: what tells the file from those of other programs (sqlite.org/fileformat.html, 1.3.15). */
export const applicationId = 0x6a6f6277
/** A check of everything takes about half a second for so much; more is left to backups. */
const maxCheckedBytes = 1_073_741_824

/**
 * Opens the database file with the settings that the promises rest on. WAL with `synchronous=FULL`:
 * with NORMAL a power cut could take back an event that a receiver already has, and its number
 * would be given again.
 */
export function openDatabase(file: string): Database.Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const db = new Database(file, { timeout: busyTimeoutMs })
  try {
    assertOurs(db, file)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('journal_size_limit = 67108864')
    // What a statement may have to put back is little, and needs no file.
    db.pragma('temp_store = MEMORY')
    // The secret of an endpoint that was removed must not be left in the file.
    db.pragma('secure_delete = ON')
    assertSafe(db)
    assertWhole(db, file)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Refuses, having written nothing, what some other program keeps in the file. */
function assertOurs(db: Database.Database, file: string): void {
  const id: unknown = db.pragma('application_id', { simple: true })
  if (id === applicationId) return
  const tables = db
    .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'table'`)
    .pluck()
    .all()
  if (id === 0 && (tables.length === 0 || tables.includes('migrations'))) return
  throw new AppError(
    'database_foreign',
    `${file} is the database of another program: name a file of its own for jobwatch`,
  )
}

/** Refuses a file that is damaged: going on would spread it, and backups would carry it on. */
function assertWhole(db: Database.Database, file: string): void {
  const pages = Number(db.pragma('page_count', { simple: true }))
  const pageBytes = Number(db.pragma('page_size', { simple: true }))
  if (pages * pageBytes > maxCheckedBytes) return
  const found = String(db.pragma('quick_check(1)', { simple: true })).replace(/\s+/g, ' ')
  if (found === 'ok') return
  throw new AppError(
    'database_damaged',
    `The database ${file} is damaged (${found}): restore a backup; the file was left as it is`,
  )
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
