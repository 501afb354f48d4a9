import type { Database, Statement } from 'better-sqlite3'
import { sliceMs } from '../../clock.ts'
import type { Job, JobKey } from '../../core/job.ts'
import type { PolledJob, JobPosition, JobQuery } from '../store.ts'
import { fromJob, jobColumns, searchable, toJob } from './rows.ts'
import type { JobRow } from './rows.ts'
import { Latest } from './latest.ts'
import { RunTable } from './runs.ts'

const maxRecent = 1000
/** A search looks at so many rows at most before it lets others have the event loop. */
const windowSize = 500
/** The filters that have an index, the one that most likely leaves the fewest jobs first. */
const indexedFilters = ['status', 'state', 'upstream'] as const
type IndexedFilter = (typeof indexedFilters)[number]

/** The registry of jobs in the database. What writes must run in a unit of the writer. */
export class JobTable {
  readonly #db: Database
  readonly #runs: RunTable
  /** Jobs as they were written last: one that changes goes on to change. */
  readonly #recent = new Latest<Job>(maxRecent)
  readonly #listStatements = new Map<string, Statement<unknown[], JobRow>>()
  readonly #selectByKey
  readonly #selectById
  readonly #selectRevision
  readonly #selectPolled
  readonly #selectIsKept
  readonly #insert
  readonly #update
  readonly #updateInPlace
  readonly #putDocument
  readonly #selectDocument

  constructor(db: Database) {
    this.#db = db
    this.#runs = new RunTable(db)
    const columns = ['id', ...jobColumns].join(', ')
    this.#selectByKey = db.prepare<[string, string], JobRow>(
      `SELECT ${columns} FROM jobs WHERE jobid = ? AND upstream = ?`,
    )
    this.#selectById = db.prepare<[string], JobRow>(
      `SELECT ${columns} FROM jobs WHERE jobid = ? ORDER BY id LIMIT 100`,
    )
    this.#selectRevision = db
      .prepare<[number], number>('SELECT revision FROM jobs WHERE id = ?')
      .pluck()
    this.#selectPolled = db.prepare<[number, number], PolledJob>(
      `SELECT id, upstream, jobid, state, status, looks_left AS looksLeft
         FROM jobs INDEXED BY jobs_polled
        WHERE (state IN ('active', 'lost') OR looks_left > 0) AND id > ? ORDER BY id LIMIT ?`,
    )
    this.#selectIsKept = db.prepare<[string, string]>(
      'SELECT 1 FROM jobs WHERE jobid = ? AND upstream = ?',
    )
    this.#insert = db.prepare<[Omit<JobRow, 'id'>]>(
      `INSERT INTO jobs (${jobColumns.join(', ')})
       VALUES (${jobColumns.map((column) => `@${column}`).join(', ')})`,
    )
    const isNext = 'id = @id AND revision = @revision - 1'
    this.#update = db.prepare<[JobRow]>(
      `UPDATE jobs SET ${assignments(jobColumns)} WHERE ${isNext}`,
    )
    // SQLite writes every index anew that has a column which is named here, changed or not.
    const unindexed = jobColumns.filter((column) => !indexedColumns.has(column))
    this.#updateInPlace = db.prepare<[JobRow]>(
      `UPDATE jobs SET ${assignments(unindexed)}
        WHERE ${isNext} AND state = @state AND status IS @status
          AND looks_left = @looks_left AND watched_at = @watched_at`,
    )
    this.#putDocument = db.prepare<[number, string]>(
      `INSERT INTO documents (job_id, text) VALUES (?, ?)
       ON CONFLICT (job_id) DO UPDATE SET text = excluded.text`,
    )
    this.#selectDocument = db
      .prepare<[string, string], string>(
        `SELECT d.text FROM documents AS d JOIN jobs AS j ON j.id = d.job_id
          WHERE j.jobid = ? AND j.upstream = ?`,
      )
      .pluck()
  }

  /** To be called when written jobs are gone: rolled back, or pruned. */
  forgetRecent(): void {
    this.#recent.clear()
    this.#runs.forgetRecent()
  }

  find(key: JobKey): Job | null {
    const recent = this.#recent.get(nameOf(key))
    if (recent !== undefined) return this.#runs.withTypical(recent)
    const row = this.#selectByKey.get(key.jobid, key.upstream)
    return row === undefined ? null : this.#toJob(row)
  }

  findById(jobid: string): readonly Job[] {
    return this.#selectById.all(jobid).map((row) => this.#toJob(row))
  }

  /** Those of the ids under which the upstream has no job here. */
  unknownOf(upstream: string, jobids: readonly string[]): readonly string[] {
    return jobids.filter((jobid) => this.#selectIsKept.get(jobid, upstream) === undefined)
  }

  /** Takes in how long a job ran that has ended; the job comes back with what is usual now. */
  noteRun(job: Job): Job {
    if (job.state === 'ended') this.#runs.add(job)
    return this.#runs.withTypical(job)
  }

  #toJob(row: JobRow): Job {
    return this.#runs.withTypical(toJob(row))
  }

  revisionOf(job: Job): number | null {
    return this.#recent.get(nameOf(job))?.revision ?? this.#selectRevision.get(job.id) ?? null
  }

  listPolled(afterId: number, limit: number): readonly PolledJob[] {
    return this.#selectPolled.all(afterId, limit)
  }

  /** Writes a new job; its number is given here. */
  insert(job: Job): Job {
    const { lastInsertRowid } = this.#insert.run(fromJob(job))
    return this.#noted({ ...job, id: Number(lastInsertRowid) })
  }

  /** Writes a job whose revision is one more than the stored one; null when it is not. */
  update(job: Job): Job | null {
    const row = { id: job.id, ...fromJob(job) }
    // Most looks change nothing that an index is about.
    const isWritten =
      this.#updateInPlace.run(row).changes === 1 || this.#update.run(row).changes === 1
    return isWritten ? this.#noted(job) : null
  }

  #noted(job: Job): Job {
    this.#recent.put(nameOf(job), job)
    return job
  }

  putDocument(jobId: number, text: string): void {
    this.#putDocument.run(jobId, text)
  }

  document({ jobid, upstream }: JobKey): string | null {
    return this.#selectDocument.get(jobid, upstream) ?? null
  }

  /**
   * The next jobs of a list, newest first, and where it goes on, null when nothing is left; as many
   * as can be read before others have the event loop. One filter picks the index; what the others ask
   * for is sought row by row, since a statement that looked for a rare combination would hold the
   * event loop until it had found one.
   */
  window(
    { status, state, upstream, tag, text, limit }: JobQuery,
    before: JobPosition | null,
  ): { jobs: readonly Job[]; last: JobPosition | null } {
    const asked = { status, state, upstream }
    const [leading, ...others] = indexedFilters.filter((column) => asked[column] !== undefined)
    const isSearch = others.length > 0 || tag !== undefined || text !== undefined
    const size = isSearch ? windowSize : limit
    const needle = text === undefined ? undefined : searchable(text)
    const matches = (row: JobRow) =>
      others.every((column) => row[column] === asked[column]) &&
      (needle === undefined || row.search.includes(needle)) &&
      (tag === undefined || (JSON.parse(row.tags) as string[]).includes(tag))
    const rows = this.#listStatement(leading, before !== null).iterate({
      ...asked,
      watchedAt: before?.watchedAt,
      id: before?.id,
      size,
    })
    const jobs: Job[] = []
    const until = performance.now() + sliceMs
    let examined = 0
    for (const row of rows) {
      if (matches(row)) jobs.push(this.#toJob(row))
      examined += 1
      // The rest of the window is left to the next one, should these have been large.
      if (examined === size || jobs.length === limit || performance.now() >= until) {
        return { jobs, last: { watchedAt: row.watched_at, id: row.id } }
      }
    }
    return { jobs, last: null }
  }

  #listStatement(filter: IndexedFilter | undefined, goesOn: boolean): Statement<unknown[], JobRow> {
    const conditions = filter === undefined ? [] : [`${filter} = @${filter}`]
    if (goesOn) conditions.push('(watched_at, id) < (@watchedAt, @id)')
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
    const sql = `SELECT id, ${jobColumns.join(', ')} FROM jobs ${where}
                  ORDER BY watched_at DESC, id DESC LIMIT @size`
    const known = this.#listStatements.get(sql)
    if (known) return known
    const statement = this.#db.prepare<unknown[], JobRow>(sql)
    this.#listStatements.set(sql, statement)
    return statement
  }
}

/** What no other job is called; no id of a job has a slash. */
function nameOf({ upstream, jobid }: JobKey): string {
  return `${jobid}/${upstream}`
}

/** Columns that an index is about; the two that name a job never change. */
const indexedColumns: ReadonlySet<string> = new Set([
  'upstream',
  'jobid',
  'state',
  'status',
  'looks_left',
  'watched_at',
])

function assignments(columns: readonly string[]): string {
  return columns.map((column) => `${column} = @${column}`).join(', ')
}
