import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Checkpoints } from '../../src/store/sqlite/checkpoints.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { temporaryFolder, upTo } from './harness.ts'

/** A database with a table to fill, and its checkpoints; `moved` settles after the next one. */
function aDatabase() {
  const db = openDatabase(join(temporaryFolder(), 'blobs.db'))
  onTestFinished(() => {
    db.close()
  })
  let count = 0
  let tell = (): void => undefined
  const moved = new Promise<void>((resolve) => {
    tell = resolve
  })
  const checkpoints = new Checkpoints(db, {
    afterCheckpoint: () => {
      count += 1
      tell()
    },
    onFailed: (error) => {
      throw error
    },
  })
  db.exec('CREATE TABLE blobs (bytes BLOB) STRICT')
  const insert = db.prepare('INSERT INTO blobs (bytes) VALUES (zeroblob(100000))')
  const log = db.prepare<[], { log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)')
  return {
    db,
    checkpoints,
    moved,
    count: () => count,
    log: () => log.get(),
    /** Each of these is a transaction of about 25 pages. */
    write: (transactions: number): void => {
      upTo(transactions).forEach(() => insert.run())
    },
  }
}

test('no commit moves the log of writes into the file, however long it is', () => {
  const { write, log } = aDatabase()
  write(200)
  expect(log()?.log).toBeGreaterThan(4000)
  expect(log()?.checkpointed).toBe(0)
})

test('a long one is moved in a turn of its own, once, and then begins anew', async () => {
  const { write, checkpoints, moved, count, log } = aDatabase()
  write(200)
  checkpoints.consider()
  checkpoints.consider()
  expect(log()?.checkpointed).toBe(0)
  await moved
  expect(count()).toBe(1)
  expect(log()?.checkpointed).toBe(log()?.log)
  write(1)
  expect(log()?.log).toBeLessThan(100)
})

test('a short one is left alone', async () => {
  const { write, checkpoints, moved, count } = aDatabase()
  write(1)
  checkpoints.consider()
  write(200)
  checkpoints.consider()
  await moved
  expect(count()).toBe(1)
})

test('nothing is moved once the database is closed', async () => {
  const { db, write, checkpoints, count } = aDatabase()
  write(200)
  checkpoints.consider()
  db.close()
  // Timers fire in the order in which they were set.
  await sleep(1)
  expect(count()).toBe(0)
})
