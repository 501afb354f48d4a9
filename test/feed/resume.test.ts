import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createFeed } from '../../src/feed.ts'
import type { FeedSink } from '../../src/feed-reader.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import { temporaryFolder } from '../store/harness.ts'

/** What the database does while it is watched. */
interface Work {
  statements: number
  rows: number
}

/** Counts what all statements of better-sqlite3 do from now on. */
function watchStatements(): Work {
  const work: Work = { statements: 0, rows: 0 }
  const db = new Database(':memory:')
  const prototype = Object.getPrototypeOf(db.prepare('SELECT 1')) as Database.Statement
  db.close()
  function counted(result: unknown): unknown {
    if (Array.isArray(result)) work.rows += result.length
    else if (isIterable(result)) return countedRows(result)
    else if (result !== undefined) work.rows += 1
    return result
  }
  function* countedRows(rows: Iterable<unknown>) {
    for (const row of rows) {
      work.rows += 1
      yield row
    }
  }
  for (const name of ['get', 'all', 'iterate', 'run'] as const) {
    const original = Reflect.get(prototype, name) as (...values: unknown[]) => unknown
    Reflect.set(prototype, name, function (this: unknown, ...values: unknown[]) {
      work.statements += 1
      const result = original.apply(this, values)
      return name === 'run' ? result : counted(result)
    })
    onTestFinished(() => {
      Reflect.set(prototype, name, original)
    })
  }
  return work
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

/** What a reader costs that comes back at the head of a log of so many events, and gets the next one. */
async function resumeAtHead(eventCount: number, work: Work): Promise<{ seen: Work; text: string }> {
  const clock = new FakeClock()
  const file = join(temporaryFolder(), 'test.db')
  const store = openSqliteStore({ file, overtakeMs: 1000, now: () => clock.now() })
  const register = (jobid: string) =>
    store.registerJob({ upstream: 'prod', jobid, tags: [] }, clock.now())
  await register('first')
  const stranger = new Database(file)
  stranger
    .prepare(
      `WITH RECURSIVE n (seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?)
       INSERT INTO events (seq, type, upstream, jobid, tags, text)
       SELECT n.seq, type, upstream, jobid, tags, text FROM n, events AS e WHERE e.seq = 1`,
    )
    .run(eventCount)
  stranger.close()

  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const feed = createFeed({ store, clock, random: () => 0.5, log, metrics })
  const chunks: Buffer[] = []
  const sink: FeedSink = {
    write: (chunk) => chunks.push(chunk) > 0,
    onDrain: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
    queuedBytes: 0,
    takenBytes: 0,
  }
  const before = { ...work }
  const from = { kind: 'seq', seq: eventCount } as const
  await feed.open({ from, asked: String(eventCount), filter: {} }, sink)
  await settle()
  const seen = {
    statements: work.statements - before.statements,
    rows: work.rows - before.rows,
  }
  await register('next')
  feed.wake()
  await settle()
  feed.close()
  await store.close()
  return { seen, text: Buffer.concat(chunks).toString() }
}

test('to resume at the head costs the same few statements and rows however long the log is', async () => {
  const work = watchStatements()
  const short = await resumeAtHead(10, work)
  const long = await resumeAtHead(20_000, work)
  // The ends of the log twice, and a page that is empty, read in a transaction.
  expect(short.seen).toEqual({ statements: 7, rows: 4 })
  expect(long.seen).toEqual(short.seen)
  expect(long.text).toContain('-20001\nevent: job.watched\n')
  expect(long.text).not.toContain('-20000\nevent: job.')
})
