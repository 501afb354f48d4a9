import type { Database } from 'better-sqlite3'
import { durationMs, typicalOf } from '../../core/job.ts'
import type { Job } from '../../core/job.ts'
import { Latest } from './latest.ts'

const keptRuns = 10
const maxRecent = 1000
/** An operation that is named by more text than this is none. */
const maxOperationLength = 1000

/** How long operations took, by upstream and operation. What writes must run in a unit of the writer. */
export class RunTable {
  readonly #recent = new Latest<number | null>(maxRecent)
  readonly #selectDurations
  readonly #put
  readonly #prune

  constructor(db: Database) {
    this.#selectDurations = db
      .prepare<[string, string], number>(
        'SELECT duration_ms FROM runs WHERE upstream = ? AND operation = ?',
      )
      .pluck()
    this.#put = db.prepare<[string, string, string, number, number]>(
      `INSERT INTO runs (upstream, operation, jobid, ended_at, duration_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (upstream, operation, jobid)
       DO UPDATE SET ended_at = excluded.ended_at, duration_ms = excluded.duration_ms`,
    )
    this.#prune = db.prepare<[{ upstream: string; operation: string; kept: number }]>(
      `DELETE FROM runs WHERE upstream = @upstream AND operation = @operation AND jobid IN
         (SELECT jobid FROM runs WHERE upstream = @upstream AND operation = @operation
           ORDER BY ended_at DESC, jobid LIMIT -1 OFFSET @kept)`,
    )
  }

  /** The job with the usual duration of its operation. */
  withTypical(job: Job): Job {
    const { upstream, operation } = job
    if (!isKept(operation)) return job
    const typicalDurationMs = this.#typicalOf(upstream, operation)
    return job.typicalDurationMs === typicalDurationMs ? job : { ...job, typicalDurationMs }
  }

  #typicalOf(upstream: string, operation: string): number | null {
    const name = nameOf(upstream, operation)
    const recent = this.#recent.get(name)
    if (recent !== undefined) return recent
    const typical = typicalOf(this.#selectDurations.all(upstream, operation))
    this.#recent.put(name, typical)
    return typical
  }

  /** To be called when written runs were rolled back. */
  forgetRecent(): void {
    this.#recent.clear()
  }

  /** Takes in a job that ended well: a failed or cancelled one does not say how long it takes. */
  add(job: Job): void {
    const { upstream, jobid, operation, outcome, endedAt, changedAt } = job
    const isRun = outcome === 'success' || outcome === 'warning'
    const at = endedAt ?? changedAt
    if (!isRun || !isKept(operation) || at === null) return
    const ranMs = durationMs(job, at)
    if (ranMs === null) return
    this.#put.run(upstream, operation, jobid, at, ranMs)
    this.#prune.run({ upstream, operation, kept: keptRuns })
    this.#recent.delete(nameOf(upstream, operation))
  }
}

function isKept(operation: string | null): operation is string {
  return (operation?.length ?? Infinity) <= maxOperationLength
}

function nameOf(upstream: string, operation: string): string {
  return `${upstream}\n${operation}`
}
