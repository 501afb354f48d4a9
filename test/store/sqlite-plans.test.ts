import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { deliveryStates } from '../../src/core/delivery.ts'
import { jobStates, jobStatuses } from '../../src/core/job.ts'
import { plan } from '../../src/core/plan.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { JobTable } from '../../src/store/sqlite/jobs.ts'
import { DeliveryList } from '../../src/store/sqlite/deliveries.ts'
import { EndpointTable } from '../../src/store/sqlite/endpoints.ts'
import { EventLog } from '../../src/store/sqlite/log.ts'
import { migrate, readMigrations } from '../../src/store/sqlite/migrate.ts'
import { Outbox } from '../../src/store/sqlite/outbox.ts'
import { Pruning } from '../../src/store/sqlite/pruning.ts'
import { UpstreamTable } from '../../src/store/sqlite/upstreams.ts'
import { noon } from '../helpers/builders.ts'
import { overtakeMs, temporaryFolder } from './harness.ts'

interface Planned {
  readonly sql: string
  readonly steps: readonly string[]
}

/** Every statement that the tables prepare, with the plan that SQLite makes for it. */
function plansOfAll(): readonly Planned[] {
  const db = openDatabase(join(temporaryFolder(), 'jobwatch.db'))
  onTestFinished(() => {
    db.close()
  })
  migrate(db, readMigrations(), noon)

  const prepare = db.prepare.bind(db)
  const prepared = new Set<string>()
  db.prepare = (sql: string) => {
    prepared.add(sql)
    return prepare(sql)
  }
  const log = new EventLog(db, noon)
  const jobs = new JobTable(db)
  const endpoints = new EndpointTable(db)
  new Outbox(db, { log, plan, overtakeMs, planned: () => endpoints.planned })
  const deliveries = new DeliveryList(db)
  db.exec(`INSERT INTO endpoints (id, name, origin, created_at) VALUES (1, 'ops', 'config', 1)`)
  new UpstreamTable(db)
  new Pruning(db)
  // The lists are prepared when they are first asked for.
  for (const state of [undefined, jobStates[0]]) {
    for (const status of [undefined, jobStatuses[0]]) {
      for (const upstream of [undefined, 'prod']) {
        for (const before of [null, { watchedAt: noon, id: 1 }]) {
          jobs.window({ state, status, upstream, limit: 10, before }, before)
        }
      }
    }
  }
  for (const endpoint of [undefined, 'ops']) {
    for (const state of [undefined, deliveryStates[0]]) {
      for (const seq of [undefined, 1]) {
        for (const jobid of [undefined, 'j-1']) {
          for (const before of [null, 1]) {
            deliveries.window({ endpoint, state, seq, jobid, limit: 10, before }, before)
          }
        }
      }
    }
  }
  return [...prepared].map((sql) => {
    const names = [...sql.matchAll(/@(\w+)/g)].map(([, name = '']) => [name, null] as const)
    const places = (sql.match(/\?/g) ?? []).map(() => null)
    const values: unknown[] = names.length > 0 ? [Object.fromEntries(names)] : places
    const rows = prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    return { sql: sql.replace(/\s+/g, ' '), steps: rows.map(({ detail }) => detail) }
  })
}

/** The plan of the one statement that holds these words. */
function planOf(plans: readonly Planned[], words: RegExp): readonly string[] {
  const found = plans.filter(({ sql }) => words.test(sql))
  expect(found.map(({ sql }) => sql)).toHaveLength(1)
  return found[0]?.steps ?? []
}

/** Why a step may go through a whole table or sort. */
const allowed: readonly (readonly [statement: RegExp, step: RegExp])[] = [
  // One row per table with AUTOINCREMENT: three.
  [/FROM sqlite_sequence WHERE name = 'events'/, /^SCAN sqlite_sequence$/],
  // One row per restored backup, read once at the start.
  [/FROM epochs ORDER BY first_seq/, /^SCAN epochs$/],
  // One row per endpoint: read when one is changed or asked for, not with each event.
  [/FROM endpoints WHERE removed_at IS NULL ORDER BY name$/, /^SCAN endpoints USING INDEX/],
  // Likewise, at the start.
  [/^SELECT id FROM endpoints WHERE \(removed_at IS NOT NULL OR/, /^SCAN endpoints$/],
  // The jobs of one id: one row per upstream.
  [/FROM jobs WHERE jobid = \? ORDER BY id LIMIT/, /^USE TEMP B-TREE FOR ORDER BY$/],
  // The runs of one operation: eleven rows at most.
  [/^DELETE FROM runs/, /^USE TEMP B-TREE FOR ORDER BY$/],
  // The number of pending deliveries, for the metrics: an index of those alone, up to a LIMIT.
  [
    /^SELECT count\(\*\) FROM \(SELECT 1 FROM deliveries WHERE state = 'pending' .*LIMIT \?\)$/,
    /^SCAN (deliveries USING COVERING INDEX deliveries_pending|\(subquery-1\)$)/,
  ],
  // The list of all deliveries walks along their numbers, and ends at its LIMIT.
  [/FROM deliveries AS d JOIN endpoints .* d\.endpoint_id ORDER BY d\.id DESC LIMIT/, /^SCAN d$/],
  // The oldest events, up to a LIMIT.
  [/AS time FROM events ORDER BY seq LIMIT \?$/, /^SCAN events$/],
  // The list of all jobs walks along the index that gives its order, and ends at its LIMIT.
  [/FROM jobs ORDER BY watched_at DESC, id DESC LIMIT/, /^SCAN jobs USING INDEX jobs_by_watched$/],
]

test('no statement reads a whole table, and none sorts', () => {
  const plans = plansOfAll()
  expect(plans.length).toBeGreaterThan(30)
  const faults = plans.flatMap(({ sql, steps }) =>
    steps
      .filter((step) => /SCAN|TEMP B-TREE/.test(step) && !step.startsWith('SCALAR SUBQUERY'))
      .filter((step) => !allowed.some(([statement, is]) => statement.test(sql) && is.test(step)))
      .map((step) => `${step}: ${sql}`),
  )
  expect(faults).toEqual([])
})

test('the outbox finds what is due, what comes next and what blocks by index', () => {
  const plans = plansOfAll()
  expect(planOf(plans, /due_at <= \? ORDER BY/)).toEqual([
    'SEARCH deliveries USING INDEX deliveries_due (endpoint_id=? AND due_at<?)',
  ])
  expect(planOf(plans, /due_at > \? ORDER BY due_at LIMIT 1/)).toEqual([
    'SEARCH deliveries USING COVERING INDEX deliveries_due (endpoint_id=? AND due_at>?)',
  ])
  const lane =
    'SEARCH deliveries USING COVERING INDEX deliveries_pending_by_job (endpoint_id=? AND jobid=? AND upstream=?)'
  // `IS` and not `=`, for events of no job.
  expect(planOf(plans, /^SELECT 1 FROM deliveries .* jobid IS @jobid AND upstream IS/)).toEqual([
    lane.replace(')', ' AND seq<?)'),
  ])
  expect(planOf(plans, /^UPDATE deliveries SET due_at = @now .* ORDER BY seq LIMIT 1/)).toEqual([
    'SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)',
    'SCALAR SUBQUERY 1',
    lane,
  ])
})

test('what is pending for one endpoint is counted and cancelled by an index of what is pending', () => {
  const plans = plansOfAll()
  const own = 'SEARCH deliveries USING COVERING INDEX deliveries_pending_by_job (endpoint_id=?)'
  expect(planOf(plans, /SET state = 'cancelled'/)).toContain(own)
  expect(planOf(plans, /^SELECT count.* AND endpoint_id = \? LIMIT/)).toContain(own)
  expect(planOf(plans, /^SELECT max\(id\) FROM deliveries/)).toEqual(['SEARCH deliveries'])
})

test('the oldest pending delivery is found by index', () => {
  expect(planOf(plansOfAll(), /^SELECT created_at FROM deliveries/)).toEqual([
    'SEARCH deliveries USING INDEX deliveries_by_state (state=?)',
  ])
})

test('what folds, what was left out, and each list of deliveries is found by index', () => {
  const plans = plansOfAll()
  for (const words of [
    /AND is_foldable = 0 ORDER BY seq LIMIT 1/,
    /AND seq > @seq ORDER BY seq DESC/,
  ]) {
    expect(planOf(plans, words)[0]).toMatch(
      /^SEARCH deliveries USING INDEX deliveries_pending_by_job \(endpoint_id=\? AND jobid=\? AND upstream=\? AND seq>\?\)|COVERING INDEX deliveries_pending_by_job/,
    )
  }
  expect(planOf(plans, /AND state = 'delivered' ORDER BY id/)[0]).toMatch(
    /INDEX deliveries_by_job \(jobid=\?/,
  )
  expect(planOf(plans, /^SELECT e\..* WHERE d\.superseded_by = \?/)[0]).toBe(
    'SEARCH d USING INDEX deliveries_superseded (superseded_by=?)',
  )
  const lists = plans.filter(({ sql }) => sql.includes('ORDER BY d.id DESC LIMIT @size'))
  for (const [column, index] of [
    ['seq', 'deliveries_by_seq'],
    ['jobid', 'deliveries_by_job'],
    ['endpoint_id', 'deliveries_by_endpoint'],
    ['state', 'deliveries_by_state'],
  ] as const) {
    const filtered = lists.filter(({ sql }) => sql.includes(`d.${column} = @`))
    expect(filtered).toHaveLength(2)
    for (const { steps } of filtered) {
      expect(steps.join()).toContain(`SEARCH d USING INDEX ${index} (${column}=?`)
    }
  }
})

test('the log finds what comes after a seq, its ends and the events of a job by index', () => {
  const plans = plansOfAll()
  expect(planOf(plans, /FROM events WHERE seq > \? ORDER BY seq LIMIT/)).toEqual([
    'SEARCH events USING INTEGER PRIMARY KEY (rowid>?)',
  ])
  expect(planOf(plans, /^SELECT min\(seq\) FROM events/)).toEqual(['SEARCH events'])
  expect(planOf(plans, /FROM events WHERE seq <= \? ORDER BY seq DESC LIMIT/)).toEqual([
    'SEARCH events USING INTEGER PRIMARY KEY (rowid<?)',
  ])
  expect(planOf(plans, /FROM events WHERE jobid = \? AND seq <= \? ORDER BY seq DESC/)).toEqual([
    'SEARCH events USING INDEX events_by_job (jobid=? AND rowid<?)',
  ])
  expect(planOf(plans, /^SELECT type FROM events WHERE seq > \?/)).toEqual([
    'SEARCH events USING INTEGER PRIMARY KEY (rowid>?)',
  ])
  expect(planOf(plans, /FROM events WHERE jobid = \? AND seq > \?/)).toEqual([
    'SEARCH events USING INDEX events_by_job (jobid=? AND rowid>?)',
  ])
  expect(planOf(plans, /FROM events WHERE jobid = \? AND upstream = \?/)).toEqual([
    'SEARCH events USING INDEX events_by_job (jobid=?)',
  ])
})

test('the registry finds a job, those to be looked at and each list by index', () => {
  const plans = plansOfAll()
  expect(planOf(plans, /^SELECT id, .* FROM jobs WHERE jobid = \? AND upstream = \?/)).toEqual([
    'SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (jobid=? AND upstream=?)',
  ])
  expect(planOf(plans, /^SELECT 1 FROM jobs WHERE jobid = \? AND upstream = \?/)).toEqual([
    'SEARCH jobs USING COVERING INDEX sqlite_autoindex_jobs_1 (jobid=? AND upstream=?)',
  ])
  expect(planOf(plans, /AND id > \? ORDER BY id LIMIT/)).toEqual([
    'SEARCH jobs USING INDEX jobs_polled (id>?)',
  ])
  const lists = plans.filter(({ sql }) => /FROM jobs .*ORDER BY watched_at DESC, id DESC/.test(sql))
  for (const column of ['state', 'status', 'upstream']) {
    const filtered = lists.filter(({ sql }) => sql.includes(`${column} = @${column}`))
    expect(filtered.length).toBeGreaterThan(0)
    for (const { sql, steps } of filtered) {
      expect(steps, sql).toHaveLength(1)
      expect(steps[0], sql).toMatch(/^SEARCH jobs USING INDEX jobs_by_\w+ \(\w+=\?/)
    }
  }
})
