import type { Database } from 'better-sqlite3'
import { isFoldable, isUrgent } from '../../core/delivery.ts'
import type { DeliveryState } from '../../core/delivery.ts'
import type { EventHead, LoggedEvent } from '../../core/event.ts'
import type { PlannedEndpoint } from '../../core/plan.ts'
import type { AttemptRecord, Backlog, Delivery } from '../store.ts'
import type { PlannedFolding } from './endpoints.ts'
import type { EventLog } from './log.ts'
import type { EventRow } from './rows.ts'

export type Plan = <T extends PlannedEndpoint>(event: EventHead, endpoints: readonly T[]) => T[]

interface DeliveryRow {
  readonly id: number
  readonly seq: number
  readonly endpoint_id: number
  readonly state: string
  readonly attempt_count: number
  readonly by_hand_count: number
  readonly created_at: number
  readonly is_foldable: number
  readonly is_replay: number
}

/** Where a delivery stands in line: those of one endpoint and job go out in order of seq. */
interface Lane {
  readonly endpointId: number
  readonly jobid: string | null
  readonly upstream: string | null
}

/** So many deliveries are settled in one unit, so that none holds the others up. */
const sliceSize = 500
const maxLeftOut = 20

/** Deliveries and attempts in the database. What writes must run in a unit of the writer. */
export class Outbox {
  readonly #log: EventLog
  readonly #plan: Plan
  readonly #overtakeMs: number
  readonly #planned: () => readonly PlannedFolding[]
  readonly #sql

  constructor(
    db: Database,
    {
      log,
      plan,
      overtakeMs,
      planned,
    }: {
      log: EventLog
      plan: Plan
      overtakeMs: number
      /** The endpoints that events are owed to at the moment. */
      planned: () => readonly PlannedFolding[]
    },
  ) {
    this.#log = log
    this.#plan = plan
    this.#overtakeMs = overtakeMs
    this.#planned = planned
    this.#sql = prepareStatements(db)
  }

  /** Writes the deliveries that events owe. One behind an unfinished one of its lane has no time yet. */
  owe(events: readonly EventHead[], now: number): void {
    for (const event of events) {
      for (const endpoint of this.#plan(event, this.#planned())) {
        this.#insert(event, { endpointId: endpoint.id, now, fold: endpoint.fold, isReplay: false })
      }
    }
  }

  /** Owes an endpoint a past event anew. */
  oweAnew(event: EventHead, endpointId: number, now: number): void {
    this.#insert(event, { endpointId, now, fold: false, isReplay: true })
  }

  #insert(
    { seq, type, upstream, jobid }: EventHead,
    {
      endpointId,
      now,
      fold,
      isReplay,
    }: { endpointId: number; now: number; fold: boolean; isReplay: boolean },
  ): void {
    const lane = { endpointId, jobid, upstream }
    const isBlocked = this.#sql.selectBlocker.get({ ...lane, seq }) !== undefined
    this.#sql.insertDelivery.run({
      ...lane,
      seq,
      type,
      dueAt: isBlocked ? (isUrgent(type) ? now + this.#overtakeMs : null) : now,
      isFoldable: fold && isFoldable(type) ? 1 : 0,
      isReplay: isReplay ? 1 : 0,
      now,
    })
  }

  /** The highest id that a delivery has; 0 without any. */
  newestId(): number {
    return this.#sql.selectNewestId.get() ?? 0
  }

  /** Cancels a slice of what is pending for an endpoint up to a delivery; false when nothing is left. */
  cancelSome(endpointId: number, through: number, now: number): boolean {
    return this.#sql.cancelSome.run(now, endpointId, through, sliceSize).changes === sliceSize
  }

  due(endpointId: number, now: number, limit: number): readonly Delivery[] {
    return this.#sql.selectDue.all(endpointId, now, limit).map((row) => this.#toDelivery(row))
  }

  take(id: number): Delivery | null {
    const row = this.#sql.selectOne.get(id)
    return row === undefined ? null : this.#toDelivery(row)
  }

  #toDelivery(row: DeliveryRow): Delivery {
    return {
      id: row.id,
      endpointId: row.endpoint_id,
      state: row.state as DeliveryState,
      attemptCount: row.attempt_count,
      byHandCount: row.by_hand_count,
      createdAt: row.created_at,
      isFoldable: row.is_foldable === 1,
      isReplay: row.is_replay === 1,
      event: this.#log.get(row.seq),
    }
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

  countPendingOf(endpointId: number, maxCounted: number): number {
    return this.#sql.countPendingOf.get(endpointId, maxCounted) ?? 0
  }

  /**
   * Leaves a delivery out together with the foldable ones that follow it, up to the one that tells
   * what is so by then: the next that may not be left out, else the last of the lane, else one that
   * has gone out already. False when there is none.
   */
  fold(id: number, now: number): boolean {
    const lane = this.#sql.selectPending.get(id)
    if (lane?.isFoldable !== 1) return false
    const survivor =
      this.#sql.selectNextKept.get(lane) ??
      this.#sql.selectLast.get(lane) ??
      this.#sql.selectLaterDelivered.get(lane)
    if (survivor === undefined) return false
    this.#sql.supersede.run({ ...lane, by: survivor.id, until: survivor.seq, now })
    // What those that are left out now were to tell besides goes on to the survivor.
    this.#sql.handOn.run(survivor.id, survivor.id)
    this.#sql.releaseNext.run({ ...lane, now })
    return true
  }

  /** The newest events left out in favour of a delivery, oldest first, and how many there are. */
  leftOut(id: number): { leftOut: readonly LoggedEvent[]; leftOutCount: number } {
    const rows = this.#sql.selectLeftOut.all(id, maxLeftOut)
    return {
      leftOut: rows.map((row) => this.#log.event(row)).reverse(),
      leftOutCount: rows.length < maxLeftOut ? rows.length : (this.#sql.countLeftOut.get(id) ?? 0),
    }
  }

  record({ deliveryId, result, after, isByHand, now }: AttemptRecord): void {
    const before = this.#sql.selectTried.get(deliveryId)
    if (before === undefined) throw new Error(`there is no delivery ${deliveryId}`)
    const number = before.attemptCount + 1
    const { at, durationMs, status, error, answer } = result
    this.#sql.insertAttempt.run({ deliveryId, number, at, durationMs, status, error, answer })
    const counts = { deliveryId, number, byHand: isByHand ? 1 : 0 }
    const isPending = before.state === 'pending'
    // Settled meanwhile: the attempt is still a fact, but what was settled stays.
    if (after.state === 'unchanged' || !(isPending || isByHand)) this.#sql.count.run(counts)
    else if (after.state === 'pending') {
      this.#sql.reschedule.run({ ...counts, dueAt: after.dueAt })
    } else {
      this.#sql.finish.run({ ...counts, state: after.state, now })
      if (isPending) this.#sql.releaseNext.run({ ...before, now })
    }
  }
}

/** A delivery, as `#toDelivery` reads it. */
const deliveryColumns =
  'id, endpoint_id, seq, state, attempt_count, by_hand_count, created_at, is_foldable, is_replay'

interface Place {
  readonly id: number
  readonly seq: number
}

/** The attempts of a delivery with the latest one. */
interface Counts {
  readonly deliveryId: number
  readonly number: number
  /** 1 when somebody asked for it, else 0. */
  readonly byHand: number
}
const counted = 'attempt_count = @number, by_hand_count = by_hand_count + @byHand'

function prepareStatements(db: Database) {
  return {
    selectBlocker: db.prepare<[Lane & { seq: number }]>(
      `SELECT 1 FROM deliveries
        WHERE state = 'pending' AND endpoint_id = @endpointId
          AND jobid IS @jobid AND upstream IS @upstream AND seq < @seq LIMIT 1`,
    ),
    insertDelivery: db.prepare<
      [
        Lane & {
          seq: number
          type: string
          dueAt: number | null
          isFoldable: number
          isReplay: number
          now: number
        },
      ]
    >(
      `INSERT INTO deliveries (endpoint_id, seq, type, upstream, jobid, state, due_at,
                               is_foldable, is_replay, created_at)
       VALUES (@endpointId, @seq, @type, @upstream, @jobid, 'pending', @dueAt,
               @isFoldable, @isReplay, @now)`,
    ),
    selectNewestId: db.prepare<[], number | null>('SELECT max(id) FROM deliveries').pluck(),
    cancelSome: db.prepare<[number, number, number, number]>(
      `UPDATE deliveries SET state = 'cancelled', due_at = NULL, finished_at = ?
        WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_pending_by_job
                      WHERE state = 'pending' AND endpoint_id = ? AND id <= ? LIMIT ?)`,
    ),
    selectDue: db.prepare<[number, number, number], DeliveryRow>(
      `SELECT ${deliveryColumns} FROM deliveries
        WHERE state = 'pending' AND endpoint_id = ? AND due_at <= ?
        ORDER BY due_at, id LIMIT ?`,
    ),
    selectOne: db.prepare<[number], DeliveryRow>(
      `SELECT ${deliveryColumns} FROM deliveries WHERE id = ?`,
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
      .prepare<[], number>(
        `SELECT created_at FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT 1`,
      )
      .pluck(),
    countPendingOf: db
      .prepare<[number, number], number>(
        `SELECT count(*) FROM (SELECT 1 FROM deliveries
                                WHERE state = 'pending' AND endpoint_id = ? LIMIT ?)`,
      )
      .pluck(),
    selectPending: db.prepare<[number], Lane & { seq: number; isFoldable: number }>(
      `SELECT endpoint_id AS endpointId, jobid, upstream, seq, is_foldable AS isFoldable
         FROM deliveries WHERE id = ? AND state = 'pending'`,
    ),
    selectNextKept: db.prepare<[Lane & { seq: number }], Place>(
      `SELECT id, seq FROM deliveries
        WHERE state = 'pending' AND endpoint_id = @endpointId
          AND jobid IS @jobid AND upstream IS @upstream AND seq > @seq AND is_foldable = 0
        ORDER BY seq LIMIT 1`,
    ),
    selectLast: db.prepare<[Lane & { seq: number }], Place>(
      `SELECT id, seq FROM deliveries
        WHERE state = 'pending' AND endpoint_id = @endpointId
          AND jobid IS @jobid AND upstream IS @upstream AND seq > @seq
        ORDER BY seq DESC LIMIT 1`,
    ),
    selectLaterDelivered: db.prepare<[Lane & { seq: number }], Place>(
      `SELECT id, seq FROM deliveries INDEXED BY deliveries_by_job
        WHERE jobid = @jobid AND endpoint_id = @endpointId AND upstream IS @upstream
          AND seq > @seq AND state = 'delivered'
        ORDER BY id DESC LIMIT 1`,
    ),
    supersede: db.prepare<[Lane & { seq: number; until: number; by: number; now: number }]>(
      `UPDATE deliveries
          SET state = 'superseded', superseded_by = @by, due_at = NULL, finished_at = @now
        WHERE state = 'pending' AND endpoint_id = @endpointId
          AND jobid IS @jobid AND upstream IS @upstream
          AND seq >= @seq AND seq < @until AND is_foldable = 1`,
    ),
    handOn: db.prepare<[number, number]>(
      `UPDATE deliveries SET superseded_by = ?
        WHERE superseded_by IN (SELECT id FROM deliveries WHERE superseded_by = ?)`,
    ),
    selectLeftOut: db.prepare<[number, number], EventRow>(
      `SELECT e.seq, e.type, e.upstream, e.jobid, e.tags, e.endpoint, e.text
         FROM deliveries AS d JOIN events AS e ON e.seq = d.seq
        WHERE d.superseded_by = ? ORDER BY d.id DESC LIMIT ?`,
    ),
    countLeftOut: db
      .prepare<[number], number>('SELECT count(*) FROM deliveries WHERE superseded_by = ?')
      .pluck(),
    selectTried: db.prepare<[number], Lane & { state: string; attemptCount: number }>(
      `SELECT endpoint_id AS endpointId, jobid, upstream, state, attempt_count AS attemptCount
         FROM deliveries WHERE id = ?`,
    ),
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
    count: db.prepare<[Counts]>(`UPDATE deliveries SET ${counted} WHERE id = @deliveryId`),
    reschedule: db.prepare<[Counts & { dueAt: number | null }]>(
      `UPDATE deliveries SET ${counted}, due_at = @dueAt WHERE id = @deliveryId`,
    ),
    finish: db.prepare<[Counts & { state: string; now: number }]>(
      `UPDATE deliveries SET ${counted}, state = @state, due_at = NULL, finished_at = @now
        WHERE id = @deliveryId`,
    ),
    // Without a time, or never tried, it is waiting for its turn; any other keeps its own schedule.
    releaseNext: db.prepare<[Lane & { now: number }]>(
      `UPDATE deliveries SET due_at = @now
        WHERE (due_at IS NULL OR (attempt_count = 0 AND due_at > @now))
          AND id = (SELECT id FROM deliveries
                     WHERE state = 'pending' AND endpoint_id = @endpointId
                       AND jobid IS @jobid AND upstream IS @upstream
                     ORDER BY seq LIMIT 1)`,
    ),
  }
}
