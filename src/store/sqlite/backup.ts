import Database from 'better-sqlite3'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
} from 'node:fs'
import { rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { AppError, UsageError } from '../../core/errors.ts'
import { newEpoch } from '../../ids.ts'

/** What a copy holds. */
export interface Backup {
  /** Where it is, as an absolute path. */
  readonly file: string
  readonly bytes: number
  readonly newestSeq: number
  readonly jobs: number
}

/**
 * Writes a consistent copy of a database, also while a daemon works on it. The copy goes on under an
 * epoch of its own: what a daemon on it and the one on the original write from now on never has the
 * same ids. It is made under another name in the same folder and takes the place of `target`, should
 * there be such a file, only when it is whole, checked and on disk. `now` is epoch ms.
 */
export function backUp(database: string, target: string, now: number): Backup {
  if (!existsSync(database)) {
    throw new AppError('database_missing', `There is no database ${database} to back up`)
  }
  const file = resolve(target)
  refuseOwnFiles(database, file)
  const partial = join(dirname(file), `.${basename(file)}.partial`)
  try {
    rmSync(partial, { force: true })
    copy(database, partial)
    const { newestSeq, jobs } = finish(partial, now)
    chmodSync(partial, 0o600)
    sync(partial)
    const bytes = statSync(partial).size
    renameSync(partial, file)
    syncFolder(dirname(file))
    return { file, bytes, newestSeq, jobs }
  } catch (error) {
    rmSync(partial, { force: true })
    if (error instanceof AppError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError('backup_failed', `No backup was written to ${file}: ${reason}`, {
      cause: error,
    })
  }
}

/** A backup over the database itself, or over what belongs to it, would be its end. */
function refuseOwnFiles(database: string, target: string): void {
  const own = realpathSync(database)
  const aim = existsSync(target) ? realpathSync(target) : target
  if (['', '-wal', '-shm', '-journal', '.lock'].some((suffix) => aim === own + suffix)) {
    throw new UsageError(
      'backup_refused',
      `${target} belongs to the database itself: name another file`,
    )
  }
  if (existsSync(aim) && !statSync(aim).isFile()) {
    throw new UsageError('backup_refused', `${target} is no file: name the file to write to`)
  }
}

function copy(database: string, partial: string): void {
  const db = new Database(database, { readonly: true, fileMustExist: true, timeout: 5000 })
  try {
    db.prepare('VACUUM INTO ?').run(partial)
  } finally {
    db.close()
  }
}

function finish(partial: string, now: number): Pick<Backup, 'newestSeq' | 'jobs'> {
  const db = new Database(partial, { fileMustExist: true })
  try {
    const isWhole = db.pragma('integrity_check(1)', { simple: true }) === 'ok'
    if (!isWhole)
      throw new AppError('backup_failed', 'The copy is not whole: the database is damaged')
    const newestSeq =
      db
        .prepare<[], number>(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`)
        .pluck()
        .get() ?? 0
    // An epoch under which nothing was written yet has given no id that anyone could know.
    db.prepare('INSERT OR REPLACE INTO epochs (first_seq, epoch, begun_at) VALUES (?, ?, ?)').run(
      newestSeq + 1,
      newEpoch(),
      now,
    )
    const jobs = db.prepare<[], number>('SELECT count(*) FROM jobs').pluck().get() ?? 0
    return { newestSeq, jobs }
  } finally {
    db.close()
  }
}

function sync(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The new name is on disk only with its folder; Windows has no such thing. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
