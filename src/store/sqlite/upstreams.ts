import type { Database } from 'better-sqlite3'
import type { StoredUpstream } from '../store.ts'

/** How upstreams are, in the database. What writes must run in a unit of the writer. */
export class UpstreamTable {
  readonly #select
  readonly #selectLastSeq
  readonly #put

  constructor(db: Database) {
    this.#select = db.prepare<[string], StoredUpstream>(
      `SELECT name, state, since, last_success_at AS lastSuccessAt FROM upstreams WHERE name = ?`,
    )
    this.#selectLastSeq = db
      .prepare<[string], number | null>('SELECT last_seq FROM upstreams WHERE name = ?')
      .pluck()
    this.#put = db.prepare<[StoredUpstream & { lastSeq: number | null }]>(
      `INSERT INTO upstreams (name, state, since, last_success_at, last_seq)
       VALUES (@name, @state, @since, @lastSuccessAt, @lastSeq)
       ON CONFLICT (name) DO UPDATE SET state = excluded.state, since = excluded.since,
         last_success_at = excluded.last_success_at, last_seq = excluded.last_seq`,
    )
  }

  find(name: string): StoredUpstream | null {
    return this.#select.get(name) ?? null
  }

  /** The seq of the upstream's last own event; null before the first. */
  lastSeqOf(name: string): number | null {
    return this.#selectLastSeq.get(name) ?? null
  }

  put(upstream: StoredUpstream, lastSeq: number | null): void {
    this.#put.run({ ...upstream, lastSeq })
  }
}
