import type { Database } from 'better-sqlite3'
import { isUrgent } from '../../core/delivery.ts'
import type { EventHead } from '../../core/event.ts'
import { compileFilter } from '../../core/plan.ts'
import type { PlannedEndpoint } from '../../core/plan.ts'
import { newWebhookSecret } from '../../ids.ts'
import type {
  AttemptRecord,
  Backlog,
  ConfiguredEndpoint,
  Delivery,
  StoredEndpoint,
} from '../store.ts'
import type { EventLog } from './log.ts'
import type { EventRow } from './rows.ts'

export type Plan = (event: EventHead, endpoints: readonly PlannedEndpoint[]) => readonly number[]

interface EndpointRow {
  readonly id: number
  readonly name: string
  readonly secret: string | null
  readonly paused_until: number | null
}

type DueRow = EventRow & {
  readonly id: number
  readonly attempt_count: number
}

/** Where a delivery stands in line: those of one endpoint and job go out in order of seq. */
interface Lane {
  readonly endpointId: number
  readonly jobid: string | null
  readonly upstream: string | null
}

/** Endpoints, deliveries and attempts in the database. What writes must run in a unit of the writer. */
export class Outbox {
  readonly #log: EventLog
  readonly #plan: Plan
  readonly #overtakeMs: number
  #planned: readonly PlannedEndpoint[] = []
  readonly #sql

  constructor(db: Database, log: EventLog, plan: Plan, overtakeMs: number) {
    this.#log = log
    this.#plan = plan
    this.#overtakeMs = overtakeMs
    this.#sql = prepareStatements(db)
  }

  /** Writes the deliveries that events owe. One behind an unfinished one of its lane has no time yet. */
  owe(events: readonly EventHead[], now: number): void {
    for (const event of events) {
      for (const endpointId of this.#plan(event, this.#planned)) {
        const { seq, type, upstream, jobid } = event
        const lane = { endpointId, jobid, upstream }
        const isBlocked = this.#sql.selectBlocker.get(lane) !== undefined
        const dueAt = isBlocked ? (isUrgent(type) ? now + this.#overtakeMs : null) : now
        this.#sql.insertDelivery.run({ ...lane, seq, type, dueAt, now })
      }
    }
  }

  /** Makes the configured endpoints the ones that events are planned for. */
  sync(configured: readonly ConfiguredEndpoint[], now: number): readonly StoredEndpoint[] {
    const names = new Set(configured.map(({ name }) => name))
    for (const { id, name } of this.#sql.selectEndpoints.all()) {
      if (names.has(name)) continue
      this.#sql.removeEndpoint.run(now, id)
      this.#sql.cancelPending.run(now, id)
    }
    const stored = configured.map((endpoint) => this.#syncOne(endpoint, now))
    this.#planned = configured.flatMap(({ name, filter }) => {
      const id = stored.find((endpoint) => endpoint.name === name)?.id
      return id === undefined ? [] : [{ id, matches: compileFilter(filter) }]
    })
    return stored
  }

  #syncOne({ name, needsSecret }: ConfiguredEndpoint, now: number): StoredEndpoint {
    const row = this.#sql.selectEndpoint.get(name)
    const secret = needsSecret ? (row?.secret ?? newWebhookSecret()) : null
    if (row === undefined) {
      const { lastInsertRowid } = this.#sql.insertEndpoint.run(name, secret, now)
      return { id: Number(lastInsertRowid), name, secret, pausedUntil: null }
    }
    if (row.secret !== secret) this.#sql.setSecret.run(secret, row.id)
    return { id: row.id, name, secret, pausedUntil: row.paused_until }
  }

  due(endpointId: number, now: number, limit: number): readonly Delivery[] {
    return this.#sql.selectDue.all(endpointId, now, limit).map((row) => ({
      id: row.id,
      endpointId,
      attemptCount: row.attempt_count,
      event: this.#log.event(row),
    }))
  }

  nextDueAt(endpointId: number, after: number): number | null {
    return this.#sql.selectNextDue.get(endpointId, after) ?? null
  }

  backlog(maxCounted: number): Backlog {
    return {
      pending: this.#sql.countPending.get(maxCounted) ?? 0,
      oldestAt: this.#sql.selectOldestPending.get() ?? null,
    }
  }

  record({ deliveryId, endpointId, result, after, now }: AttemptRecord): void {
    const lane = this.#sql.selectPending.get(deliveryId)
    // Cancelled meanwhile: the attempt is still a fact, the delivery's state is settled.
    const number = (lane?.attemptCount ?? this.#sql.selectAttemptCount.get(deliveryId) ?? 0) + 1
    this.#sql.insertAttempt.run({
      deliveryId,
      number,
      at: result.at,
      durationMs: result.durationMs,
      status: result.status,
      error: result.error,
      answer: result.answer,
    })
    this.#sql.countAttempt.run(number, deliveryId)
    if (after.pauseUntil !== null) this.#sql.pauseEndpoint.run(after.pauseUntil, endpointId)
    if (lane === undefined) return
    if (after.state === 'pending') {
      this.#sql.reschedule.run(after.dueAt, deliveryId)
    } else {
      this.#sql.finish.run(after.state, now, deliveryId)
      this.#sql.releaseNext.run({ ...lane, now })
    }
  }
}

function prepareStatements(db: Database) {
  return {
    selectBlocker: db.prepare<[Lane]>(
      `SELECT 1 FROM deliveries
        WHERE state = 'pending' AND endpoint_id = @endpointId
          AND jobid IS @jobid AND upstream IS @upstream LIMIT 1`,
    ),
    insertDelivery: db.prepare<
      [Lane & { seq: number; type: string; dueAt: number | null; now: number }]
    >(
      `INSERT INTO deliveries (endpoint_id, seq, type, upstream, jobid, state, due_at, created_at)
       VALUES (@endpointId, @seq, @type, @upstream, @jobid, 'pending', @dueAt, @now)`,
    ),
    selectEndpoints: db.prepare<[], EndpointRow>(
      `SELECT id, name, secret, paused_until FROM endpoints
        WHERE removed_at IS NULL AND origin = 'config'`,
    ),
    selectEndpoint: db.prepare<[string], EndpointRow>(
      `SELECT id, name, secret, paused_until FROM endpoints WHERE removed_at IS NULL AND name = ?`,
    ),
    insertEndpoint: db.prepare<[string, string | null, number]>(
      `INSERT INTO endpoints (name, origin, secret, created_at) VALUES (?, 'config', ?, ?)`,
    ),
    setSecret: db.prepare<[string | null, number]>('UPDATE endpoints SET secret = ? WHERE id = ?'),
    removeEndpoint: db.prepare<[number, number]>(
      'UPDATE endpoints SET removed_at = ?, secret = NULL WHERE id = ?',
    ),
    cancelPending: db.prepare<[number, number]>(
      `UPDATE deliveries SET state = 'cancelled', due_at = NULL, finished_at = ?
        WHERE state = 'pending' AND endpoint_id = ?`,
    ),
    pauseEndpoint: db.prepare<[number, number]>(
      'UPDATE endpoints SET paused_until = max(coalesce(paused_until, 0), ?) WHERE id = ?',
    ),
    selectDue: db.prepare<[number, number, number], DueRow>(
      `SELECT d.id, d.attempt_count, e.seq, e.type, e.upstream, e.jobid, e.tags, e.text
         FROM deliveries AS d JOIN events AS e ON e.seq = d.seq
        WHERE d.state = 'pending' AND d.endpoint_id = ? AND d.due_at <= ?
        ORDER BY d.due_at, d.id LIMIT ?`,
    ),
    selectNextDue: db
      .prepare<[number, number], number>(
        `SELECT due_at FROM deliveries
          WHERE state = 'pending' AND endpoint_id = ? AND due_at > ?
          ORDER BY due_at LIMIT 1`,
      )
      .pluck(),
    countPending: db
      .prepare<[number], number>(
        `SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'pending' LIMIT ?)`,
      )
      .pluck(),
    selectOldestPending: db
      .prepare<[], number | null>(`SELECT min(created_at) FROM deliveries WHERE state = 'pending'`)
      .pluck(),
    selectPending: db.prepare<[number], Lane & { attemptCount: number }>(
      `SELECT endpoint_id AS endpointId, jobid, upstream, attempt_count AS attemptCount
         FROM deliveries WHERE id = ? AND state = 'pending'`,
    ),
    selectAttemptCount: db
      .prepare<[number], number>('SELECT attempt_count FROM deliveries WHERE id = ?')
      .pluck(),
    insertAttempt: db.prepare<
      [
        {
          deliveryId: number
          number: number
          at: number
          durationMs: number
          status: number | null
          error: string | null
          answer: string | null
        },
      ]
    >(
      `INSERT INTO attempts (delivery_id, number, at, duration_ms, status, error, answer)
       VALUES (@deliveryId, @number, @at, @durationMs, @status, @error, @answer)`,
    ),
    countAttempt: db.prepare<[number, number]>(
      'UPDATE deliveries SET attempt_count = ? WHERE id = ?',
    ),
    reschedule: db.prepare<[number | null, number]>(
      'UPDATE deliveries SET due_at = ? WHERE id = ?',
    ),
    finish: db.prepare<[string, number, number]>(
      'UPDATE deliveries SET state = ?, due_at = NULL, finished_at = ? WHERE id = ?',
    ),
    // Only one that was never tried is waiting for its turn; any other keeps its own schedule.
    releaseNext: db.prepare<[Lane & { now: number }]>(
      `UPDATE deliveries SET due_at = @now
        WHERE attempt_count = 0 AND (due_at IS NULL OR due_at > @now)
          AND id = (SELECT id FROM deliveries
                     WHERE state = 'pending' AND endpoint_id = @endpointId
                       AND jobid IS @jobid AND upstream IS @upstream
                     ORDER BY seq LIMIT 1)`,
    ),
  }
}
