import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { PrunePosition, Pruned } from '../../src/store/store.ts'
import { Ground, aDraft, anEndpoint, minute } from './harness.ts'
import type { OpenStore } from './harness.ts'

// What was written last is kept in memory too. It must never be another thing than what is stored.

const fileIn = (place: string) => join(place, 'jobwatch.db')
const open: OpenStore = ({ place, overtakeMs, now }) =>
  openSqliteStore({ file: fileIn(place), overtakeMs, now })
const key = { upstream: 'prod', jobid: 'j-1' }

/** A statement of another connection, as a shell would run it. */
function run(place: string, sql: string): void {
  const db = new Database(fileIn(place))
  db.exec(sql)
  db.close()
}

test('what a transaction wrote that failed is not shown, and its numbers are given anew', async () => {
  const ground = await Ground.create(open)
  const endpointId = await ground.syncOne(anEndpoint('ops'))
  const before = await ground.register('j-1')
  // Fails after the events of the look were written.
  run(
    ground.place,
    `CREATE TRIGGER refuse BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'no'); END`,
  )
  await expect(ground.look(key, [aDraft()])).rejects.toThrow('no')
  expect(await ground.find(key)).toEqual(before)
  expect((await ground.events()).map(({ type }) => type)).toEqual(['job.watched'])
  expect(await ground.newest()).toBe(1)

  run(ground.place, 'DROP TRIGGER refuse')
  const after = await ground.look(key, [aDraft('job.executing')])
  expect(after).toMatchObject({ revision: before.revision + 1, lastSeq: 2 })
  const due = await ground.due(endpointId)
  expect(due.map(({ event }) => event)).toEqual((await ground.events()).slice(0, 1))
})

test('a bad unit takes nothing of those with it that shared its transaction', async () => {
  const ground = await Ground.create(open)
  await ground.register('j-1')
  run(
    ground.place,
    `CREATE TRIGGER refuse BEFORE INSERT ON jobs WHEN new.jobid = 'bad'
       BEGIN SELECT RAISE(ABORT, 'no'); END`,
  )
  const settled = await Promise.allSettled(
    ['j-2', 'bad', 'j-3'].map((jobid) => ground.register(jobid)),
  )
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect((await ground.events()).map(({ jobid }) => jobid)).toEqual(['j-1', 'j-2', 'j-3'])
  for (const jobid of ['j-2', 'j-3']) {
    const [event] = await ground.events({ jobids: [jobid] })
    expect(await ground.find({ ...key, jobid })).toMatchObject({ lastSeq: event?.seq })
  }
})

test('a job that was pruned is not known any more', async () => {
  const ground = await Ground.create(open)
  await ground.register('j-1')
  await ground.look(key, [aDraft('job.completed')], {
    state: 'ended',
    status: 'COMPLETED',
    looksLeft: 0,
    changedAt: ground.now,
  })
  const before = ground.now + minute
  let from: PrunePosition | null = null
  do {
    const pruned: Pruned = await ground.store.prune({ what: 'jobs', before, from })
    from = pruned.next
  } while (from !== null)
  expect(await ground.store.findJob(key)).toBeNull()
})

/** What is asked of the database until something has settled, by the first word of the statements. */
async function statementsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const db = new Database(':memory:')
  const statement = Object.getPrototypeOf(db.prepare('SELECT 1')) as Database.Statement
  db.close()
  const ways = ['run', 'get', 'all', 'iterate'] as const
  const spies = ways.map((way) => vi.spyOn(statement, way))
  await work()
  const asked: Record<string, number> = {}
  for (const { mock } of spies) {
    for (const { source } of mock.contexts as Database.Statement[]) {
      const [word = ''] = source.trim().split(/\s/)
      asked[word] = (asked[word] ?? 0) + 1
    }
  }
  vi.restoreAllMocks()
  return asked
}

/** The transaction's own: who owns the database, the newest seq and how long the log is when it is over. */
const transaction = { BEGIN: 1, COMMIT: 1, SELECT: 2, PRAGMA: 1 }

test('a look at a job that changes costs three rows to write, and the newest seq to read', async () => {
  const ground = await Ground.create(open)
  await ground.register('j-1')
  await ground.look(key, [aDraft()])
  const cost = await statementsOf(() => ground.look(key, [aDraft()]))
  // The event and the document; the job.
  expect(cost).toEqual({ ...transaction, SELECT: transaction.SELECT + 1, INSERT: 2, UPDATE: 1 })
})

test('an event costs each endpoint that wants it one row, and one look at what is before it', async () => {
  const ground = await Ground.create(open)
  await ground.sync(anEndpoint('a'), anEndpoint('b'), anEndpoint('c', { types: ['job.failed'] }))
  await ground.register('j-1')
  await ground.look(key, [aDraft()])
  const cost = await statementsOf(() => ground.look(key, [aDraft()]))
  const { SELECT } = transaction
  expect(cost).toEqual({ ...transaction, SELECT: SELECT + 1 + 2, INSERT: 2 + 2, UPDATE: 1 })
})

test('an attempt that is taken costs its own row, and three that follow from it', async () => {
  const ground = await Ground.create(open)
  const endpointId = await ground.syncOne(anEndpoint('ops'))
  await ground.register('j-1')
  const cost = await statementsOf(() => ground.deliver(endpointId, 1))
  // Read: what is due, the delivery, the endpoint. Written: the delivery, the next one of its job, when
  // the endpoint last took something.
  const { SELECT } = transaction
  expect(cost).toEqual({ ...transaction, SELECT: SELECT + 3, INSERT: 1, UPDATE: 3 })
})
