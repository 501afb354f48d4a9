import Database from 'better-sqlite3'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { noon } from '../helpers/builders.ts'
import { Child } from './child.ts'
import { overtakeMs, seededRandom, temporaryFolder, textOf, upTo } from './harness.ts'

type Said =
  { readonly jobid: string; readonly seqs: readonly number[] } | { readonly delivered: number }

const rounds = 15
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

test(
  `a store killed in the middle of its writing has kept all it acknowledged (SEED=${seed})`,
  { timeout: 120_000 },
  async () => {
    const random = seededRandom(seed)
    const file = join(temporaryFolder(), 'jobwatch.db')
    const acknowledged = new Map<number, string>()
    const delivered = new Set<number>()

    for (const round of upTo(rounds)) {
      const child = new Child('write-bursts.mjs', file, String(round))
      const lines = Math.floor(random() ** 2 * 1500)
      for (let n = 0; n <= lines; n += 1) take(await child.line())
      await child.kill()
      // What it said before it died counts too.
      for (let last = await child.line(); last !== null; last = await child.line()) take(last)
      expect(await child.errors()).toBe('')
      await check()
    }
    expect(acknowledged.size).toBeGreaterThan(rounds)

    function take(line: string | null): void {
      if (line === null) throw new Error('the child ended by itself')
      // Its last line may be cut off.
      if (!line.endsWith('}')) return
      const said = JSON.parse(line) as Said
      if ('delivered' in said) delivered.add(said.delivered)
      else for (const seq of said.seqs) acknowledged.set(seq, said.jobid)
    }

    async function check(): Promise<void> {
      const store = openSqliteStore({ file, overtakeMs, now: () => noon })
      try {
        await checkLog(store, acknowledged)
      } finally {
        await store.close()
      }
      checkTables(file, delivered)
    }
  },
)

/** Every acknowledged event is there once, numbers have no hole, and each job knows its last event. */
async function checkLog(store: Store, acknowledged: ReadonlyMap<number, string>): Promise<void> {
  const lastOf = new Map<string, number>()
  let seq = 0
  for (let isDone = false; !isDone;) {
    const { events, through, newest } = await store.readEvents({
      ...{ after: seq, limit: 1000, filter: {} },
    })
    for (const event of events) {
      seq += 1
      expect(event.seq).toBe(seq)
      const jobid = event.jobid ?? ''
      expect(textOf(event).data.previousSeq).toBe(lastOf.get(jobid) ?? null)
      expect(acknowledged.get(seq) ?? jobid).toBe(jobid)
      lastOf.set(jobid, seq)
    }
    isDone = through === newest
    if (isDone) expect(seq).toBe(newest)
  }
  expect(Math.max(0, ...acknowledged.keys())).toBeLessThanOrEqual(seq)

  const { jobs, next } = await store.listJobs({ limit: 100_000, before: null })
  expect(next).toBeNull()
  expect(jobs).toHaveLength(lastOf.size)
  for (const job of jobs) {
    expect(job.lastSeq).toBe(lastOf.get(job.jobid))
    const document = await store.readDocument(job)
    if (document !== null) expect(JSON.parse(document)).toMatchObject({ jobid: job.jobid })
  }
}

/** What no method of the store shows: a delivery for each event that is owed, and for no other. */
function checkTables(file: string, delivered: ReadonlySet<number>): void {
  const db = new Database(file, { readonly: true })
  try {
    const count = (sql: string): number => db.prepare<[], number>(sql).pluck().get() ?? -1
    const faults = {
      integrity: db.pragma('integrity_check', { simple: true }),
      references: db.pragma('foreign_key_check'),
      // The endpoints exist before the first event and want everything, or every change of a stage.
      eventsOwedToNobody: count(`
        SELECT count(*) FROM events AS e JOIN endpoints AS p
         WHERE (p.name = 'all' OR e.type = 'job.stage.changed')
           AND 1 <> (SELECT count(*) FROM deliveries WHERE endpoint_id = p.id AND seq = e.seq)`),
      deliveriesOfNothing: count(`
        SELECT count(*) FROM deliveries AS d LEFT JOIN events AS e ON e.seq = d.seq
          LEFT JOIN endpoints AS p ON p.id = d.endpoint_id
         WHERE e.seq IS NULL OR p.id IS NULL
            OR (p.name = 'stages' AND e.type <> 'job.stage.changed')`),
      uncountedAttempts: count(`
        SELECT count(*) FROM deliveries AS d
         WHERE attempt_count <> (SELECT count(*) FROM attempts WHERE delivery_id = d.id)
            OR (state = 'delivered') <> (attempt_count = 1)`),
      // The first pending one of each endpoint and job has a time, the others have none.
      brokenLanes: count(`
        SELECT count(*) FROM deliveries AS d
         WHERE state = 'pending'
           AND (due_at IS NOT NULL) <>
               (seq = (SELECT min(seq) FROM deliveries WHERE state = 'pending'
                          AND endpoint_id = d.endpoint_id AND jobid = d.jobid))`),
      forgottenDeliveries: [...delivered].filter(
        (seq) =>
          db
            .prepare(
              `SELECT 1 FROM deliveries AS d JOIN endpoints AS p ON p.id = d.endpoint_id
                WHERE p.name = 'all' AND d.seq = ? AND d.state = 'delivered'`,
            )
            .get(seq) === undefined,
      ),
    }
    expect(faults).toEqual({
      ...{ integrity: 'ok', references: [], forgottenDeliveries: [] },
      ...{ eventsOwedToNobody: 0, deliveriesOfNothing: 0, uncountedAttempts: 0, brokenLanes: 0 },
    })
  } finally {
    db.close()
  }
}
