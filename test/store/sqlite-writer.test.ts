import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { Writer } from '../../src/store/sqlite/writer.ts'
import { settle } from '../helpers/fake-clock.ts'
import { temporaryFolder, upTo } from './harness.ts'

/** A writer over a table of numbers; `ran` is every statement that SQLite has run, in order. */
function aWriter() {
  const file = join(temporaryFolder(), 'numbers.db')
  openDatabase(file).close()
  const ran: string[] = []
  const db = new Database(file, { verbose: (sql) => ran.push(String(sql)), timeout: 20 })
  onTestFinished(() => {
    db.close()
  })
  db.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT) STRICT')
  const insert = db.prepare<[number, string | null]>('INSERT INTO numbers (n, text) VALUES (?, ?)')
  let commits = 0
  const writer = new Writer(db, {
    afterCommit: () => {
      commits += 1
    },
  })
  return {
    db,
    file,
    writer,
    count: (sql: string) => ran.filter((text) => text === sql).length,
    commits: () => commits,
    put: (n: number, text: string | null = null) =>
      writer.write(() => Number(insert.run(n, text).lastInsertRowid)),
    numbers: () => db.prepare<[], number>('SELECT n FROM numbers ORDER BY n').pluck().all(),
  }
}

test('units that come in one turn share a transaction and settle with their own values', async () => {
  const { put, numbers, count, commits } = aWriter()
  expect(await Promise.all(upTo(50).map((n) => put(n)))).toEqual(upTo(50))
  // One, unless the machine was so busy that a slice was over before they were.
  expect(count('BEGIN IMMEDIATE')).toBeLessThan(10)
  expect(commits()).toBe(count('COMMIT'))
  expect(numbers()).toEqual(upTo(50))
})

test('units run in the order in which they came, also across transactions', async () => {
  const { put, writer } = aWriter()
  const order: number[] = []
  const unit = (n: number) =>
    writer.write(() => {
      order.push(n)
      // Long enough for a slice to end in between.
      for (const until = performance.now() + 1; performance.now() < until;);
    })
  await Promise.all([...upTo(30).map(unit), put(1), ...upTo(5).map((n) => unit(30 + n))])
  expect(order).toEqual(upTo(35))
})

test('a unit that fails fails alone, with its own error and without a trace', async () => {
  const { db, put, writer, numbers } = aWriter()
  const insert = db.prepare('INSERT INTO numbers (n) VALUES (?)')
  const results = await Promise.allSettled([
    put(1),
    writer.write(() => {
      insert.run(100)
      insert.run(101)
      throw new Error('the unit is bad')
    }),
    put(1),
    put(2),
  ])
  expect(results.map(({ status }) => status)).toEqual([
    ...['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  ])
  expect(results[1]).toMatchObject({ reason: { message: 'the unit is bad' } })
  expect(results[2]).toMatchObject({ reason: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } })
  expect(numbers()).toEqual([1, 2])
})

test('a promise settles only when its transaction is committed', async () => {
  const { file, put } = aWriter()
  const reader = new Database(file, { readonly: true })
  onTestFinished(() => {
    reader.close()
  })
  const isThere = (n: number) =>
    reader.prepare('SELECT 1 FROM numbers WHERE n = ?').get(n) !== undefined
  const seen = await Promise.all(upTo(20).map((n) => put(n).then(() => isThere(n))))
  expect(seen).toEqual(Array(20).fill(true))
})

test('a long queue is cut, and others have the event loop in between', async () => {
  const { writer, count } = aWriter()
  let turns = 0
  let isDone = false
  const turn = (): void => {
    turns += 1
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  const unit = () =>
    writer.write(() => {
      for (const until = performance.now() + 5; performance.now() < until;);
    })
  await Promise.all(upTo(20).map(unit))
  isDone = true
  expect(count('COMMIT')).toBeGreaterThanOrEqual(5)
  expect(turns).toBeGreaterThanOrEqual(5)
})

test('while a stranger holds the database units are refused, and afterwards they are written', async () => {
  const { file, put, numbers, commits, count } = aWriter()
  const stranger = new Database(file)
  onTestFinished(() => {
    stranger.close()
  })
  stranger.exec('BEGIN IMMEDIATE')
  const refused = await Promise.allSettled([put(1), put(2)])
  expect(refused).toMatchObject(
    Array(2).fill({ status: 'rejected', reason: { cause: { code: 'SQLITE_BUSY' } } }),
  )
  expect(count('COMMIT')).toBe(0)
  stranger.exec('ROLLBACK')
  expect(await put(3)).toBe(3)
  expect(numbers()).toEqual([3])
  expect(commits()).toBe(1)
})

test('on a full disk units are refused, none is half written, and with room again it goes on', async () => {
  const { db, put, numbers } = aWriter()
  const pages = Number(db.pragma('page_count', { simple: true }))
  db.pragma(`max_page_count = ${pages + 4}`)
  const results = await Promise.allSettled(upTo(20).map((n) => put(n, 'x'.repeat(2000))))
  const written = upTo(20).filter((n) => results[n - 1]?.status === 'fulfilled')
  expect(numbers()).toEqual(written)
  expect(written.length).toBeLessThan(20)
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'database_unwritable', cause: { code: 'SQLITE_FULL' } },
  })
  expect(db.inTransaction).toBe(false)

  db.pragma('max_page_count = 1000000')
  await Promise.all(upTo(3).map((n) => put(100 + n, 'x'.repeat(2000))))
  expect(numbers()).toEqual([...written, 101, 102, 103])
})

test('a transaction that cannot be committed refuses its units and leaves nothing', async () => {
  const { db, put, writer, numbers, commits } = aWriter()
  db.exec(`
    CREATE TABLE owners (n INTEGER PRIMARY KEY REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)`)
  db.pragma('foreign_keys = ON')
  const unit = writer.write(() =>
    db.exec('INSERT INTO numbers (n) VALUES (50)').exec('INSERT INTO owners (n) VALUES (99)'),
  )
  const [bad, neighbour] = await Promise.allSettled([unit, put(1)])
  expect(bad).toMatchObject({ reason: { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' } })
  expect(numbers()).toEqual(neighbour.status === 'fulfilled' ? [1] : [])
  expect(commits()).toBe(neighbour.status === 'fulfilled' ? 1 : 0)
  expect(await put(3)).toBe(3)
  expect(numbers()).toContain(3)
})

test('flush writes what waits, and a writer without a database refuses', async () => {
  const { db, put, writer, numbers } = aWriter()
  const waiting = Promise.allSettled([put(1), put(2)])
  writer.flush()
  expect(numbers()).toEqual([1, 2])
  expect(await waiting).toMatchObject([{ value: 1 }, { value: 2 }])
  db.close()
  await expect(put(3)).rejects.toThrow()
  await settle()
})
