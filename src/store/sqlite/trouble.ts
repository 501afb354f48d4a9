import { AppError } from '../../core/errors.ts'
import { StoreLost, StoreUnwritable } from '../store.ts'

/**
 * What an error of SQLite means. `unwritable` may pass: somebody else holds the file, or there is no
 * room. `lost` does not: after a sync that failed nobody knows what is on disk (a retry may succeed
 * although the data are gone), and what cannot be read cannot be relied on. Null: an error of ours.
 */
function troubleOf(code: string): 'unwritable' | 'lost' | null {
  if (/^SQLITE_(BUSY|LOCKED|FULL|CANTOPEN|NOMEM|PERM|PROTOCOL)/.test(code)) return 'unwritable'
  if (code === 'SQLITE_READONLY_DBMOVED') return 'lost'
  if (/^SQLITE_(READONLY|IOERR_(WRITE|TRUNCATE|SHM\w*|NOMEM|LOCK|BLOCKED))/.test(code)) {
    return 'unwritable'
  }
  return /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(code) ? 'lost' : null
}

/** The error as those who use the store are told of it. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error && 'code' in error)) return error
  switch (troubleOf(String(error.code))) {
    case 'unwritable':
      return new StoreUnwritable(`the database cannot be written: ${wordsOf(error)}`, error)
    case 'lost':
      return new StoreLost(`the database can no longer be relied on: ${wordsOf(error)}`, error)
    case null:
      return error
  }
}

function wordsOf(error: Error & { code?: unknown }): string {
  return `${error.message} (${String(error.code)})`
}
