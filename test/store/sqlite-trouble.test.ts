import Database from 'better-sqlite3'
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { toStoreError } from '../../src/store/sqlite/trouble.ts'
import type { Store, StoreLost } from '../../src/store/store.ts'
import { noon } from '../helpers/builders.ts'
import { Ground, overtakeMs, someDrafts, temporaryFolder } from './harness.ts'

function open(file: string): Store {
  const store = openSqliteStore({ file, overtakeMs, now: () => noon })
  onTestFinished(() => store.close().catch(() => undefined))
  return store
}

/** A store with an event or two, closed; its file. */
async function aFile(): Promise<string> {
  const ground = await Ground.create(({ place, now }) =>
    openSqliteStore({ file: join(place, 'jobwatch.db'), overtakeMs, now }),
  )
  await ground.register('j-1')
  await ground.look({ upstream: 'prod', jobid: 'j-1' }, someDrafts(50))
  await ground.store.close()
  return join(ground.place, 'jobwatch.db')
}

const registration = { upstream: 'prod', jobid: 'j-2' }

describe('what an error of SQLite means', () => {
  test.each([
    ['SQLITE_BUSY', 'database_unwritable'],
    ['SQLITE_BUSY_SNAPSHOT', 'database_unwritable'],
    ['SQLITE_FULL', 'database_unwritable'],
    ['SQLITE_IOERR_WRITE', 'database_unwritable'],
    ['SQLITE_IOERR_SHMSIZE', 'database_unwritable'],
    ['SQLITE_READONLY', 'database_unwritable'],
    ['SQLITE_CANTOPEN', 'database_unwritable'],
    ['SQLITE_IOERR_FSYNC', 'database_lost'],
    ['SQLITE_IOERR_READ', 'database_lost'],
    ['SQLITE_IOERR_SHORT_READ', 'database_lost'],
    ['SQLITE_CORRUPT', 'database_lost'],
    ['SQLITE_CORRUPT_INDEX', 'database_lost'],
    ['SQLITE_NOTADB', 'database_lost'],
    ['SQLITE_READONLY_DBMOVED', 'database_lost'],
  ])('%s: %s', (code, meaning) => {
    const error = Object.assign(new Error('as SQLite says'), { code })
    const told = toStoreError(error) as StoreLost
    expect(told.code).toBe(meaning)
    expect(told.message).toContain(`as SQLite says (${code})`)
    expect(told.cause).toBe(error)
  })

  test('an error of ours stays what it is', () => {
    for (const error of [
      new Error('a bug'),
      Object.assign(new Error('unique'), { code: 'SQLITE_CONSTRAINT_UNIQUE' }),
    ]) {
      expect(toStoreError(error)).toBe(error)
    }
  })
})

describe('a store whose database another one has taken over', () => {
  test('writes nothing more and says so, whatever the lock says', async () => {
    const file = await aFile()
    const store = open(file)
    const lost: StoreLost[] = []
    store.onLost((error) => lost.push(error))
    await store.registerJob(registration, noon)
    // As a second machine does that has the same volume: no lock reaches it.
    const other = new Database(file)
    other.prepare('UPDATE owner SET start = start + 1').run()
    await expect(store.registerJob({ upstream: 'prod', jobid: 'j-3' }, noon)).rejects.toMatchObject(
      {
        code: 'database_lost',
      },
    )
    expect(lost).toMatchObject([{ message: expect.stringMatching(/taken over/) as string }])
    expect(other.prepare('SELECT count(*) FROM jobs').pluck().get()).toBe(2)
    other.close()
    expect(await store.findJob(registration)).not.toBeNull()
  })

  test('each start is one of its own', async () => {
    const file = await aFile()
    await open(file).close()
    const store = open(file)
    await store.registerJob(registration, noon)
    await store.checkWritable()
  })
})

test('a file that is replaced or removed while it is open is noticed', async () => {
  for (const change of [
    (file: string) => copyOver(file),
    (file: string) => renameSync(file, `${file}.gone`),
  ]) {
    const file = await aFile()
    const store = open(file)
    const lost: StoreLost[] = []
    store.onLost((error) => lost.push(error))
    await store.checkWritable()
    change(file)
    await expect(store.checkWritable()).rejects.toMatchObject({ code: 'database_lost' })
    expect(lost).toHaveLength(1)
  }
})

/** As a restore does that does not stop the daemon first. */
function copyOver(file: string): void {
  copyFileSync(file, `${file}.new`)
  renameSync(`${file}.new`, file)
}

test('a store that somebody else holds refuses in words, and goes on once it is free', async () => {
  const file = await aFile()
  const store = open(file)
  await store.assertWritable()
  const stranger = new Database(file)
  stranger.exec('BEGIN IMMEDIATE')
  await expect(store.registerJob(registration, noon)).rejects.toMatchObject({
    code: 'database_unwritable',
    message: expect.stringMatching(/cannot be written.*locked/) as string,
  })
  await expect(store.assertWritable()).rejects.toMatchObject({ code: 'database_unwritable' })
  await expect(store.checkWritable()).rejects.toMatchObject({ code: 'database_unwritable' })
  stranger.exec('ROLLBACK')
  stranger.close()
  await store.assertWritable()
  expect(await store.registerJob(registration, noon)).toMatchObject({ began: true })
})

describe('a file that is not ours', () => {
  test.each([
    ['of another program', (db: Database.Database) => db.exec('CREATE TABLE theirs (n)')],
    ['with the mark of another', (db: Database.Database) => db.pragma('application_id = 7')],
  ])('%s is refused and left as it was', (_, make) => {
    const file = join(temporaryFolder(), 'theirs.db')
    const db = new Database(file)
    make(db)
    db.exec('CREATE TABLE IF NOT EXISTS theirs (n)')
    db.close()
    const before = readFileSync(file)
    expect(() => open(file)).toThrow(/another program/)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('or no database at all is refused and left as it was', () => {
    const file = join(temporaryFolder(), 'notes.txt')
    writeFileSync(file, 'x'.repeat(5000))
    expect(() => open(file)).toThrow(/cannot be opened: file is not a database/)
    expect(readFileSync(file, 'utf8')).toBe('x'.repeat(5000))
  })
})

test('a damaged file is refused with what to do, and left as it was', async () => {
  const file = await aFile()
  const whole = readFileSync(file)
  // A page in the middle, as a disk loses one.
  writeFileSync(file, whole.fill(0xa5, 4096 * 6, 4096 * 7))
  const before = readFileSync(file)
  expect(() => open(file)).toThrow(/damaged.*restore a backup|cannot be opened/)
  expect(readFileSync(file).equals(before)).toBe(true)
})

test('what turns out damaged while it is read ends the daemon, and is no answer', async () => {
  const file = await aFile()
  const store = open(file)
  const lost: StoreLost[] = []
  store.onLost((error) => lost.push(error))
  await store.checkWritable()
  const pages = readFileSync(file)
  writeFileSync(file, pages.fill(0xa5, 4096))
  const reads = await Promise.allSettled([
    store.readEvents({ after: 0, limit: 100, filter: {} }),
    store.listJobs({ limit: 10, before: null, text: undefined }),
  ])
  const failed = reads.filter(({ status }) => status === 'rejected')
  // What is in SQLite's own memory is still answered from there.
  expect(lost.length).toBe(failed.length)
})
