import Database from 'better-sqlite3'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventFilter } from '../../src/core/plan.ts'
import { Secret } from '../../src/core/secret.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { noon } from '../helpers/builders.ts'
import {
  Ground,
  aDraft,
  anAnswer,
  anEndpoint,
  minute,
  overtakeMs,
  seqs,
  temporaryFolder,
  textOf,
  upTo,
} from './harness.ts'
import type { OpenStore } from './harness.ts'
import { runStoreContract } from './store-contract.ts'

const fileIn = (place: string) => join(place, 'jobwatch.db')

const open: OpenStore = ({ place, overtakeMs, now }) =>
  openSqliteStore({ file: fileIn(place), overtakeMs, now })

runStoreContract('the SQLite store', open)

/** A second connection to the database of a store that is open, as a shell would have it. */
function stranger(file: string): Database.Database {
  const db = new Database(file)
  onTestFinished(() => {
    db.close()
  })
  return db
}

describe('the SQLite database', () => {
  const key = { upstream: 'prod', jobid: 'j-1' }

  test('is opened with a write-ahead log that is synced at every commit, and foreign keys', () => {
    const db = openDatabase(fileIn(temporaryFolder()))
    onTestFinished(() => {
      db.close()
    })
    const setting = (name: string) => db.pragma(name, { simple: true })
    expect(setting('journal_mode')).toBe('wal')
    expect(setting('foreign_keys')).toBe(1)
    expect(setting('synchronous')).toBe(2)
    db.exec('CREATE TABLE numbers (n INTEGER) STRICT; INSERT INTO numbers VALUES (1)')
    // 2 is FULL, also after the first use, at which better-sqlite3 would fall back to NORMAL.
    expect(setting('synchronous')).toBe(2)
  })

  test('that cannot be durable is refused', () => {
    expect(() => openDatabase(':memory:')).toThrow(/wal is needed/)
  })

  test('of a store is in WAL mode, and in one file once the store is closed', async () => {
    const place = temporaryFolder()
    const store = await open({ place, overtakeMs: minute, now: () => noon })
    await store.registerJob(key, noon)
    await store.close()
    // Bytes 18 and 19 of the header: 2 stands for WAL (sqlite.org/fileformat2.html).
    expect([...readFileSync(fileIn(place)).subarray(18, 20)]).toEqual([2, 2])
    const db = new Database(fileIn(place), { readonly: true })
    expect(db.prepare('SELECT count(*) FROM events').pluck().get()).toBe(1)
    db.close()
  })

  test('keeps each attempt with what came of it', async () => {
    const place = temporaryFolder()
    const store = await open({ place, overtakeMs: minute, now: () => noon })
    onTestFinished(() => store.close())
    const [endpoint] = await store.syncEndpoints([anEndpoint('ops')], noon)
    const endpointId = endpoint?.id ?? 0
    await store.registerJob(key, noon)
    const [delivery] = await store.readDue({ endpointId, now: noon, limit: 1 })
    const deliveryId = delivery?.id ?? 0
    const failed = { verdict: 'retry', status: null, error: 'timeout', answer: null } as const
    await store.recordAttempt({
      ...{ deliveryId, endpointId, isByHand: false, now: noon + 15_000 },
      result: anAnswer({ ...failed, at: noon, durationMs: 15_000 }),
      after: { state: 'pending', dueAt: noon + minute, pauseUntil: null },
    })
    await store.recordAttempt({
      ...{ deliveryId, endpointId, isByHand: false, now: noon + minute },
      result: anAnswer({ at: noon + minute, answer: 'grüezi' }),
      after: { state: 'delivered', dueAt: null, pauseUntil: null },
    })

    const db = stranger(fileIn(place))
    expect(db.prepare('SELECT * FROM attempts ORDER BY number').all()).toEqual([
      {
        ...{ delivery_id: deliveryId, number: 1, at: noon, duration_ms: 15_000 },
        ...{ status: null, error: 'timeout', answer: null },
      },
      {
        ...{ delivery_id: deliveryId, number: 2, at: noon + minute, duration_ms: 12 },
        ...{ status: 204, error: null, answer: 'grüezi' },
      },
    ])
    expect(db.prepare('SELECT * FROM deliveries').all()).toMatchObject([
      { state: 'delivered', attempt_count: 2, due_at: null, finished_at: noon + minute },
    ])
  })

  test('keeps the deliveries of an endpoint that is gone as cancelled', async () => {
    const place = temporaryFolder()
    const store = await open({ place, overtakeMs: minute, now: () => noon })
    onTestFinished(() => store.close())
    await store.syncEndpoints([anEndpoint('ops', {}, { format: 'webhook' })], noon)
    await store.registerJob(key, noon)
    await store.stopJob(key, noon)
    await store.syncEndpoints([], noon + minute)
    const db = stranger(fileIn(place))
    const rows = db.prepare('SELECT state, due_at, finished_at FROM deliveries').all()
    expect(rows).toEqual(
      Array(2).fill({ state: 'cancelled', due_at: null, finished_at: noon + minute }),
    )
    // Nobody needs its secret any more.
    expect(db.prepare('SELECT secret FROM endpoints').pluck().all()).toEqual([null])
  })

  test.each(['ABORT', 'ROLLBACK'])(
    'owes events to the endpoints that it has, also after changes that failed (%s)',
    async (how) => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      const db = stranger(fileIn(ground.place))
      for (const table of ['endpoints', 'events']) {
        db.exec(`CREATE TRIGGER full_${table} AFTER INSERT ON ${table}
                 BEGIN SELECT raise(${how}, 'the disk is full'); END`)
      }
      const { store, now } = ground
      await expect(store.addEndpoint(anEndpoint('hook'), now)).rejects.toThrow()
      await expect(store.disableEndpoint(id, 'by hand', now)).rejects.toThrow()
      for (const table of ['endpoints', 'events']) db.exec(`DROP TRIGGER full_${table}`)
      expect(await store.listEndpoints()).toMatchObject([{ id, health: { state: 'active' } }])
      await ground.register('j-1')
      expect(await ground.dueSeqs(id)).toEqual([1])
    },
  )

  test('a job that was forgotten and is registered anew goes on with its previousSeq', async () => {
    const ground = await Ground.create(open)
    const place = ground.place
    await ground.register('j-1', { upstream: 'dev' })
    await ground.register('j-1')
    const { id } = await ground.look(key, [aDraft('job.executing')])
    await ground.register('j-2')
    await ground.store.close()
    const db = stranger(fileIn(place))
    db.prepare('DELETE FROM documents WHERE job_id = ?').run(id)
    db.prepare('DELETE FROM jobs WHERE id = ?').run(id)
    db.close()

    await ground.reopen()
    const { job, began } = await ground.store.registerJob(key, noon)
    expect(began).toBe(true)
    expect(job).toMatchObject({ status: null, lastSeq: 5 })
    const last = (await ground.events()).at(-1)
    expect(last && textOf(last).data.previousSeq).toBe(3)
  })

  test('never gives a seq twice, not even when the newest events are gone', async () => {
    const ground = await Ground.create(open)
    await ground.register('j-1')
    await ground.look(key, [aDraft(), aDraft()])
    await ground.store.close()
    const db = stranger(fileIn(ground.place))
    db.exec('DELETE FROM events WHERE seq > 0')
    db.close()
    await ground.reopen()
    expect(await ground.store.readBounds()).toMatchObject({ newest: 3, oldest: null })
    await ground.register('j-2')
    expect(await ground.store.readBounds()).toMatchObject({ newest: 4, oldest: 4 })
    const page = await ground.store.readEvents({ after: 0, limit: 10, filter: {} })
    expect(page.events.map(({ seq }) => seq)).toEqual([4])
    expect(page.oldest).toBe(4)
    const tail = await ground.store.readTail({ through: null, limit: 10, filter: {} })
    expect(tail).toMatchObject({ events: [{ seq: 4 }], newest: 4, oldest: 4 })
  })

  test('a page says where the log begins by now, whoever prunes it meanwhile', async () => {
    const ground = await Ground.create(open)
    for (const jobid of ['j-1', 'j-2']) await ground.register(jobid)
    await ground.look(key, [aDraft(), aDraft()])
    const pageFor = (filter: EventFilter) =>
      ground.store.readEvents({ after: 1, limit: 10, filter })
    const db = stranger(fileIn(ground.place))
    db.exec('DELETE FROM events WHERE seq < 4')
    for (const filter of [{}, { jobids: ['j-1'] }]) {
      const page = await pageFor(filter)
      expect(seqs(page.events)).toEqual([4])
      expect(page).toMatchObject({ through: 4, newest: 4, oldest: 4 })
    }
    db.exec('DELETE FROM events')
    db.close()
    expect(await pageFor({})).toEqual({ events: [], through: 4, newest: 4, oldest: null })
  })

  test('an event keeps the epoch under which its seq was given', async () => {
    const ground = await Ground.create(open)
    await ground.register('j-1')
    await ground.register('j-2')
    await ground.store.close()
    const db = stranger(fileIn(ground.place))
    db.prepare('INSERT INTO epochs (first_seq, epoch, begun_at) VALUES (3, ?, ?)').run('fresh', 1)
    db.close()
    await ground.reopen()
    await ground.register('j-3')
    const [first] = (await ground.store.readBounds()).epochs
    const events = await ground.events()
    expect(events.map(({ id }) => id)).toEqual([
      `${first?.epoch}-1`,
      `${first?.epoch}-2`,
      'fresh-3',
    ])
    expect(events.map((event) => textOf(event).id)).toEqual(events.map(({ id }) => id))
  })

  test('is not held by a list that has to look for its jobs', async () => {
    const ground = await Ground.create(open)
    await ground.register('rare', { upstream: 'dev' })
    await Promise.all(upTo(2500).map((n) => ground.register(`j-${n}`)))
    let turns = 0
    let isDone = false
    const turn = (): void => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    const filters = { state: 'active', upstream: 'dev' } as const
    const { jobs } = await ground.store.listJobs({ ...filters, limit: 10, before: null })
    isDone = true
    expect(jobs.map(({ jobid }) => jobid)).toEqual(['rare'])
    expect(turns).toBeGreaterThanOrEqual(4)
  })

  test('that a stranger has locked is not writable, and is again afterwards', async () => {
    const ground = await Ground.create(open)
    const db = stranger(fileIn(ground.place))
    db.exec('BEGIN IMMEDIATE')
    await expect(ground.store.checkWritable()).rejects.toMatchObject({
      code: 'database_unwritable',
      cause: { code: 'SQLITE_BUSY' },
    })
    // Reading goes on.
    expect(await ground.store.findJob(key)).toBeNull()
    db.exec('ROLLBACK')
    await ground.store.checkWritable()
  })
})

test('the secret of an endpoint that was removed is in no file any more', async () => {
  const place = temporaryFolder()
  const file = join(place, 'jobwatch.db')
  const store = openSqliteStore({ file, overtakeMs, now: () => noon })
  const canary = 'whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5'
  const spec = anEndpoint('hook', {}, { format: 'webhook', secret: new Secret(canary) })
  const added = await store.addEndpoint(spec, noon)
  if (added === null) throw new Error('there was none of this name')
  const holdsIt = () =>
    readdirSync(place)
      // Whoever opens the lock and closes it again gives it back.
      .filter((name) => !name.endsWith('.lock'))
      .some((name) => readFileSync(join(place, name)).includes(canary))
  expect(holdsIt()).toBe(true)
  await store.removeEndpoint(added.id, noon)
  await store.close()
  expect(holdsIt()).toBe(false)
})
