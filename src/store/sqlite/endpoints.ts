import type { Database } from 'better-sqlite3'
import { isSigned, rotationOverlapMs } from '../../core/endpoint.ts'
import type { EndpointSpec } from '../../core/endpoint.ts'
import type { EndpointHealth } from '../../core/endpoint-state.ts'
import { activeSince } from '../../core/endpoint-state.ts'
import type { EventHead } from '../../core/event.ts'
import { compileFilter, plan } from '../../core/plan.ts'
import type { PlannedEndpoint } from '../../core/plan.ts'
import type { Secret } from '../../core/secret.ts'
import { newWebhookSecret } from '../../ids.ts'
import type { StoredEndpoint } from '../store.ts'
import { endpointColumns, fromSpec, toStoredEndpoint } from './endpoint-rows.ts'
import type { EndpointRow } from './endpoint-rows.ts'

/** An endpoint that events are planned for. */
export interface PlannedFolding extends PlannedEndpoint {
  readonly fold: boolean
}

/**
 * The endpoints in the database, together with what the configuration says of its own. What writes
 * must run in a unit of the writer.
 */
export class EndpointTable {
  readonly #sql
  /** By name. */
  #configured: ReadonlyMap<string, EndpointSpec> = new Map()
  /** Null: to be made from the rows when it is next asked for. */
  #planned: readonly PlannedFolding[] | null = []

  constructor(db: Database) {
    this.#sql = prepareStatements(db)
  }

  /** Those that events are owed to. */
  get planned(): readonly PlannedFolding[] {
    return (this.#planned ??= this.#plannedNow())
  }

  /** Has it made anew: the rows were changed, or a change of them was rolled back. */
  forgetPlanned(): void {
    this.#planned = null
  }

  /** All endpoints, the configured ones first and in their order, then by name. */
  all(): readonly StoredEndpoint[] {
    const stored = this.#sql.selectAll.all().map((row) => this.#toStored(row))
    const order = [...this.#configured.keys()]
    const configured = order.flatMap((name) => stored.filter(({ spec }) => spec.name === name))
    return [...configured, ...stored.filter(({ origin }) => origin === 'api')]
  }

  find(id: number): StoredEndpoint | null {
    const row = this.#sql.selectById.get(id)
    return row === undefined ? null : this.#toStored(row)
  }

  /** Makes these the configured endpoints. Returns the ids of those that are removed thereby. */
  sync(configured: readonly EndpointSpec[], now: number): readonly number[] {
    this.#configured = new Map(configured.map((spec) => [spec.name, spec]))
    const gone = this.#sql.selectAll
      .all()
      .filter(({ name, origin }) => (origin === 'config') !== this.#configured.has(name))
      .map(({ id }) => id)
    for (const id of gone) this.#sql.remove.run(now, id)
    for (const spec of configured) this.#syncOne(spec, now)
    this.forgetPlanned()
    return gone
  }

  #syncOne(spec: EndpointSpec, now: number): void {
    const row = this.#sql.selectByName.get(spec.name)
    // A configured secret stays in the configuration.
    const isMade = isSigned(spec) && spec.secret === null
    const secret = isMade ? (row?.secret ?? newWebhookSecret()) : null
    if (row === undefined) {
      this.#insert({ name: spec.name, origin: 'config', definition: null, secret }, now)
    } else if (row.secret !== secret) {
      this.#sql.setSecret.run({ id: row.id, secret, oldSecret: null, oldSecretUntil: null })
    }
  }

  /** Null when the name is taken. */
  add(spec: EndpointSpec, now: number): StoredEndpoint | null {
    if (this.#sql.selectByName.get(spec.name) !== undefined) return null
    const given = spec.secret?.reveal() ?? null
    const secret = isSigned(spec) ? (given ?? newWebhookSecret()) : null
    const id = this.#insert(
      { name: spec.name, origin: 'api', definition: fromSpec(spec), secret },
      now,
    )
    this.forgetPlanned()
    return this.#known(id)
  }

  #insert(
    endpoint: Pick<EndpointRow, 'name' | 'origin' | 'definition' | 'secret'>,
    now: number,
  ): number {
    const lastSeq = this.#sql.selectLastSeq.get(endpoint.name) ?? null
    return Number(this.#sql.insert.run({ ...endpoint, lastSeq, now }).lastInsertRowid)
  }

  /** Like the others that change one, null when there is none of that id. */
  change(id: number, spec: EndpointSpec): StoredEndpoint | null {
    const before = this.find(id)
    this.#sql.setDefinition.run(fromSpec(spec), id)
    // It was the old receiver that asked for silence.
    if (before?.spec.url?.reveal() !== spec.url?.reveal()) this.#sql.clearPause.run(id)
    this.forgetPlanned()
    return this.find(id)
  }

  remove(id: number, now: number): void {
    this.#sql.remove.run(now, id)
    this.forgetPlanned()
  }

  /** False for one that is disabled or gone. */
  isPlanned(id: number): boolean {
    return this.planned.some((planned) => planned.id === id)
  }

  /** Whether an event is owed to an endpoint by its own filter. */
  wants(id: number, event: EventHead): boolean {
    return (
      plan(
        event,
        this.planned.filter((planned) => planned.id === id),
      ).length > 0
    )
  }

  /** The ids of those that nothing is delivered to, as far as something may be pending for them. */
  idsWithoutDeliveries(): readonly number[] {
    return this.#sql.selectWithoutDeliveries.all()
  }

  setHealth(id: number, health: EndpointHealth): StoredEndpoint {
    this.#sql.setHealth.run({ id, ...health })
    // Most attempts change nothing about who is delivered to.
    if (this.isPlanned(id) !== (health.state !== 'disabled')) this.forgetPlanned()
    return this.#known(id)
  }

  enable(id: number, now: number): StoredEndpoint | null {
    const endpoint = this.find(id)
    if (endpoint?.health.state !== 'disabled') return endpoint
    this.#sql.clearPause.run(id)
    return this.setHealth(id, activeSince(now))
  }

  rotate(id: number, secret: Secret, now: number): StoredEndpoint | null {
    const endpoint = this.find(id)
    if (endpoint === null) return null
    const oldSecret = endpoint.secret?.reveal() ?? null
    const oldSecretUntil = oldSecret === null ? null : now + rotationOverlapMs
    this.#sql.setSecret.run({ id, secret: secret.reveal(), oldSecret, oldSecretUntil })
    return this.find(id)
  }

  pause(id: number, until: number): void {
    this.#sql.pause.run(until, id)
  }

  noteDelivered(id: number, now: number): void {
    this.#sql.setDelivered.run(now, id)
  }

  /** The seq of the endpoint's last own event; null before the first. */
  lastSeqOf(id: number): number | null {
    return this.#sql.selectLastSeqById.get(id) ?? null
  }

  setLastSeq(id: number, seq: number): void {
    this.#sql.setLastSeq.run(seq, id)
  }

  #known(id: number): StoredEndpoint {
    const endpoint = this.find(id)
    if (endpoint === null) throw new Error(`no endpoint has the id ${id}`)
    return endpoint
  }

  #plannedNow(): readonly PlannedFolding[] {
    return this.all()
      .filter(({ health }) => health.state !== 'disabled')
      .map(({ id, spec: { name, fold, filter } }) => ({
        id,
        name,
        fold,
        matches: compileFilter(filter),
      }))
  }

  #toStored(row: EndpointRow): StoredEndpoint {
    return toStoredEndpoint(row, this.#configured.get(row.name))
  }
}

function prepareStatements(db: Database) {
  const columns = endpointColumns.join(', ')
  return {
    selectAll: db.prepare<[], EndpointRow>(
      `SELECT ${columns} FROM endpoints WHERE removed_at IS NULL ORDER BY name`,
    ),
    selectByName: db.prepare<[string], EndpointRow>(
      `SELECT ${columns} FROM endpoints WHERE removed_at IS NULL AND name = ?`,
    ),
    selectById: db.prepare<[number], EndpointRow>(
      `SELECT ${columns} FROM endpoints WHERE removed_at IS NULL AND id = ?`,
    ),
    selectWithoutDeliveries: db
      .prepare<[], number>(
        `SELECT id FROM endpoints WHERE (removed_at IS NOT NULL OR state = 'disabled')
            AND EXISTS (SELECT 1 FROM deliveries
                         WHERE state = 'pending' AND endpoint_id = endpoints.id)`,
      )
      .pluck(),
    selectLastSeq: db
      .prepare<[string], number | null>(
        'SELECT last_seq FROM endpoints WHERE name = ? ORDER BY id DESC LIMIT 1',
      )
      .pluck(),
    selectLastSeqById: db
      .prepare<[number], number | null>('SELECT last_seq FROM endpoints WHERE id = ?')
      .pluck(),
    insert: db.prepare<
      [
        Pick<EndpointRow, 'name' | 'origin' | 'definition' | 'secret'> & {
          lastSeq: number | null
          now: number
        },
      ]
    >(
      `INSERT INTO endpoints (name, origin, definition, secret, last_seq, created_at, since)
       VALUES (@name, @origin, @definition, @secret, @lastSeq, @now, @now)`,
    ),
    setDefinition: db.prepare<[string, number]>(
      'UPDATE endpoints SET definition = ? WHERE id = ? AND removed_at IS NULL',
    ),
    setSecret: db.prepare<
      [
        {
          id: number
          secret: string | null
          oldSecret: string | null
          oldSecretUntil: number | null
        },
      ]
    >(
      `UPDATE endpoints SET secret = @secret, old_secret = @oldSecret,
         old_secret_until = @oldSecretUntil WHERE id = @id`,
    ),
    setHealth: db.prepare<[EndpointHealth & { id: number }]>(
      `UPDATE endpoints SET state = @state, since = @since, reason = @reason,
         failures = @failures, failures_since = @failuresSince WHERE id = @id`,
    ),
    pause: db.prepare<[number, number]>(
      'UPDATE endpoints SET paused_until = max(coalesce(paused_until, 0), ?) WHERE id = ?',
    ),
    clearPause: db.prepare<[number]>('UPDATE endpoints SET paused_until = NULL WHERE id = ?'),
    setDelivered: db.prepare<[number, number]>(
      'UPDATE endpoints SET last_delivered_at = ? WHERE id = ?',
    ),
    setLastSeq: db.prepare<[number, number]>('UPDATE endpoints SET last_seq = ? WHERE id = ?'),
    // What was secret about it goes with it.
    remove: db.prepare<[number, number]>(
      `UPDATE endpoints SET removed_at = ?, secret = NULL, old_secret = NULL, definition = NULL
        WHERE id = ?`,
    ),
  }
}
