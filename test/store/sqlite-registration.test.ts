import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { writeJobs } from '../../bench/registration-rows.mjs'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { migrate, readMigrations } from '../../src/store/sqlite/migrate.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { noon } from '../helpers/builders.ts'
import { overtakeMs, temporaryFolder } from './harness.ts'

const fileIn = (place: string) => join(place, 'jobwatch.db')

function someJobs(count: number) {
  return Array.from({ length: count }, (_, n) => ({ upstream: `u-${n % 2}`, jobid: `j-${n}` }))
}

/** How often statements are run while new jobs are registered with one call. */
async function statementsFor(count: number) {
  const store = openSqliteStore({ file: fileIn(temporaryFolder()), overtakeMs, now: () => noon })
  onTestFinished(() => store.close())
  const db = new Database(':memory:')
  const statement = Object.getPrototypeOf(db.prepare('SELECT 1')) as Database.Statement
  db.close()
  const spies = (['run', 'get', 'all'] as const).map((way) => vi.spyOn(statement, way))
  const registered = await store.registerJobs(someJobs(count), noon)
  expect(registered.every(({ began }) => began)).toBe(true)
  const [run = 0, get = 0, all = 0] = spies.map(({ mock }) => mock.calls.length)
  vi.restoreAllMocks()
  return { writes: run, reads: get + all }
}

test('a new job costs two rows to write and three to look for, and nothing else', async () => {
  const few = await statementsFor(100)
  const many = await statementsFor(300)
  expect((many.writes - few.writes) / 200).toBe(2)
  expect((many.reads - few.reads) / 200).toBe(3)
})

test('jobs that are registered together share one transaction', async () => {
  const store = openSqliteStore({ file: fileIn(temporaryFolder()), overtakeMs, now: () => noon })
  onTestFinished(() => store.close())
  const commits: number[] = []
  store.onCommit(({ types }) => commits.push(types.length))
  await store.registerJobs(someJobs(500), noon)
  expect(commits).toEqual([500])
})

/** What is left of registrations, without the word that event ids begin with. */
function rowsOf(file: string) {
  const db = new Database(file)
  onTestFinished(() => {
    db.close()
  })
  const epoch = db.prepare<[], string>('SELECT epoch FROM epochs').pluck().get() ?? 'bare'
  const events = db.prepare<[], { text: string }>('SELECT * FROM events ORDER BY seq').all()
  return {
    jobs: db.prepare('SELECT * FROM jobs ORDER BY id').all(),
    events: events.map((row) => ({ ...row, text: row.text.replace(`"${epoch}-`, '"bare-') })),
    deliveries: db.prepare('SELECT * FROM deliveries').all(),
    documents: db.prepare('SELECT * FROM documents').all(),
  }
}

test('the bare loop that the registration is measured against writes the very same rows', async () => {
  const jobs = someJobs(3)
  const ours = fileIn(temporaryFolder())
  const store = openSqliteStore({ file: ours, overtakeMs, now: () => noon })
  await store.registerJobs(jobs, noon)
  await store.close()

  const bare = fileIn(temporaryFolder())
  const db = openDatabase(bare)
  migrate(db, readMigrations(), noon)
  writeJobs(db, jobs, { epoch: 'bare', now: () => noon })
  db.close()

  expect(rowsOf(bare)).toEqual(rowsOf(ours))
})
