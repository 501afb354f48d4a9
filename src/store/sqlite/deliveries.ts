import type { Database, Statement } from 'better-sqlite3'
import type { Attempt, DeliveryQuery, DeliveryRecord, DeliveryWithAttempts } from '../store.ts'

/** A search looks at so many rows before it lets others have the event loop. */
const windowSize = 500

/** What is read of a delivery, with the name of its endpoint, which may be one that was removed. */
const columns = `d.id, d.endpoint_id AS endpointId, n.name AS endpoint, d.seq, d.type, d.jobid,
  d.state, d.attempt_count AS attemptCount, d.due_at AS nextAttemptAt, d.created_at AS createdAt,
  CASE d.state WHEN 'delivered' THEN d.finished_at END AS deliveredAt`

/** The filters that have an index, the one that most likely leaves the fewest deliveries first. */
const leads = {
  seq: 'd.seq = @seq',
  jobid: 'd.jobid = @jobid',
  endpointId: 'd.endpoint_id = @endpointId',
  state: 'd.state = @state',
} as const
type Lead = keyof typeof leads
const leadNames = Object.keys(leads) as Lead[]

/** Deliveries as people look at them. Reads only. */
export class DeliveryList {
  readonly #db: Database
  readonly #listStatements = new Map<string, Statement<unknown[], DeliveryRecord>>()
  readonly #selectOne
  readonly #selectAttempts
  readonly #selectIds

  constructor(db: Database) {
    this.#db = db
    this.#selectOne = db.prepare<[number], DeliveryRecord>(
      `SELECT ${columns} FROM deliveries AS d JOIN endpoints AS n ON n.id = d.endpoint_id
        WHERE d.id = ?`,
    )
    this.#selectAttempts = db.prepare<[number], Attempt>(
      `SELECT at, duration_ms AS durationMs, status, error, answer FROM attempts
        WHERE delivery_id = ? ORDER BY number`,
    )
    this.#selectIds = db
      .prepare<[string], number>('SELECT id FROM endpoints WHERE name = ? ORDER BY id')
      .pluck()
  }

  find(id: number): DeliveryWithAttempts | null {
    const delivery = this.#selectOne.get(id)
    if (delivery === undefined) return null
    return { ...delivery, attempts: this.#selectAttempts.all(id) }
  }

  /**
   * The next deliveries of a list, newest first, and where it goes on; `last` null when nothing is
   * left. One filter picks the index; what the others ask for is sought row by row.
   */
  window(
    query: DeliveryQuery,
    before: number | null,
  ): { deliveries: readonly DeliveryRecord[]; last: number | null } {
    const { endpoint, seq, jobid, state, limit } = query
    const ids = endpoint === undefined ? [] : this.#selectIds.all(endpoint)
    if (endpoint !== undefined && ids.length === 0) return { deliveries: [], last: null }
    // A name that was given again stands for several endpoints.
    const isOneEndpoint = ids.length === 1
    const asked = { seq, jobid, endpointId: isOneEndpoint ? ids[0] : undefined, state }
    const [lead, ...others] = leadNames.filter((name) => asked[name] !== undefined)
    const isSearch = others.length > 0 || ids.length > 1
    const size = isSearch ? windowSize : limit
    const rows = this.#listStatement(lead, before !== null).all({ ...asked, before, size })
    const found = rows.filter(
      (row) =>
        (endpoint === undefined || row.endpoint === endpoint) &&
        (seq === undefined || row.seq === seq) &&
        (jobid === undefined || row.jobid === jobid) &&
        (state === undefined || row.state === state),
    )
    const last = rows.length < size ? null : (rows.at(-1)?.id ?? null)
    return { deliveries: found.slice(0, limit), last }
  }

  #listStatement(lead: Lead | undefined, goesOn: boolean): Statement<unknown[], DeliveryRecord> {
    const conditions = [
      ...(lead === undefined ? [] : [leads[lead]]),
      ...(goesOn ? ['d.id < @before'] : []),
    ]
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
    const sql = `SELECT ${columns} FROM deliveries AS d JOIN endpoints AS n ON n.id = d.endpoint_id
                  ${where} ORDER BY d.id DESC LIMIT @size`
    const known = this.#listStatements.get(sql)
    if (known) return known
    const statement = this.#db.prepare<unknown[], DeliveryRecord>(sql)
    this.#listStatements.set(sql, statement)
    return statement
  }
}
