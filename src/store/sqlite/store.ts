import type { Database } from 'better-sqlite3'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { nextTurn } from '../../clock.ts'
import { AppError } from '../../core/errors.ts'
import type { EventDraft } from '../../core/event.ts'
import type { Job } from '../../core/job.ts'
import { isEnd, unseenJob } from '../../core/job.ts'
import { plan } from '../../core/plan.ts'
import type {
  Commit,
  DeliveryPage,
  DeliveryQuery,
  DeliveryRecord,
  JobPage,
  JobQuery,
  JobSettings,
  LookCommit,
  LookResult,
  Registered,
  Registration,
  Store,
  StoredUpstream,
  UpstreamCommit,
} from '../store.ts'
import { StoreLost } from '../store.ts'
import { Checkpoints } from './checkpoints.ts'
import { openDatabase } from './database.ts'
import { DeliveryList } from './deliveries.ts'
import { createEndpointVerbs } from './endpoint-verbs.ts'
import { EndpointTable } from './endpoints.ts'
import { JobTable } from './jobs.ts'
import { takeLock } from './lock.ts'
import { EventLog } from './log.ts'
import { migrate, readMigrations } from './migrate.ts'
import { Outbox } from './outbox.ts'
import { Owner } from './owner.ts'
import { Pruning } from './pruning.ts'
import { toStoreError } from './trouble.ts'
import { UpstreamTable } from './upstreams.ts'
import { Writer } from './writer.ts'

export interface SqliteStoreOptions {
  readonly file: string
  /** How long an event that ends or alarms waits for an earlier one of its job, in ms. */
  readonly overtakeMs: number
  readonly now: () => number
  /** Hears how long each transaction and each page held the event loop up. */
  readonly onStretch?: (what: 'commit' | 'page', durationMs: number) => void
}

/** Opens the database file, brings its schema up to date and keeps others off it until `close`. */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  try {
    return openLocked(options)
  } catch (error) {
    if (error instanceof AppError || !(error instanceof Error && 'code' in error)) throw error
    // SQLite does not say which file it means.
    throw new AppError(
      'database_unusable',
      `The database ${options.file} cannot be opened: ${error.message}`,
      { cause: error },
    )
  }
}

function openLocked(options: SqliteStoreOptions): Store {
  const { file } = options
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const unlock = takeLock(file)
  try {
    const db = openDatabase(file)
    try {
      return createStore(db, options, unlock)
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    unlock()
    throw error
  }
}

function createStore(
  db: Database,
  { file, overtakeMs, now, onStretch }: SqliteStoreOptions,
  unlock: () => void,
): Store {
  migrate(db, readMigrations(), now())
  const owner = new Owner(db, file)
  const log = new EventLog(db, now())
  const jobs = new JobTable(db)
  const endpoints = new EndpointTable(db)
  const outbox = new Outbox(db, { log, plan, overtakeMs, planned: () => endpoints.planned })
  const deliveries = new DeliveryList(db)
  const upstreams = new UpstreamTable(db)
  const pruning = new Pruning(db)
  const listeners: ((commit: Commit) => void)[] = []
  let announced = log.newest()
  const lostListeners: ((error: StoreLost) => void)[] = []
  const writer = new Writer(db, {
    afterCommit: (durationMs) => {
      onStretch?.('commit', durationMs)
      checkpoints.consider()
      announce(durationMs)
    },
    afterRollback: () => {
      endpoints.forgetPlanned()
      forgetRecent()
    },
    guard: () => {
      owner.assertStart()
    },
    onLost: tellLost,
  })

  const checkpoints = new Checkpoints(db, {
    afterCheckpoint: (durationMs) => onStretch?.('commit', durationMs),
    onFailed: (cause) => {
      const error = toStoreError(cause)
      if (error instanceof StoreLost) tellLost(error)
    },
  })

  /** Tells the listeners of the events that a commit wrote, if it wrote any. */
  function announce(durationMs: number): void {
    const newest = log.newest()
    if (newest === announced) return
    const types = log.typesAfter(announced)
    announced = newest
    for (const listener of listeners) listener({ types, durationMs })
  }

  function forgetRecent(): void {
    log.forgetRecent()
    jobs.forgetRecent()
  }

  function tellLost(error: StoreLost): void {
    for (const listener of lostListeners) listener(error)
  }

  /** SQLite answers at once; the interface leaves room for databases that do not. */
  async function answer<T>(read: () => T): Promise<T> {
    try {
      return await Promise.resolve(read())
    } catch (cause) {
      const error = toStoreError(cause)
      if (error instanceof StoreLost) tellLost(error)
      throw error
    }
  }

  function page<T>(read: () => T): T {
    const begunAt = performance.now()
    const found = read()
    onStretch?.('page', performance.now() - begunAt)
    return found
  }

  /** After a write that failed only another one tells; else it is enough that one can begin. */
  async function checkWritable(): Promise<void> {
    try {
      owner.assertFile()
    } catch (error) {
      if (error instanceof StoreLost) tellLost(error)
      throw error
    }
    const { isTroubled } = writer
    await writer.write(() => {
      if (isTroubled) owner.touch(now())
    })
  }

  const endpointVerbs = createEndpointVerbs({ writer, log, endpoints, outbox })

  /** Writes events and the deliveries they owe; the job then knows the last of them. */
  function append(job: Job, drafts: readonly EventDraft[], at: number): Job {
    if (drafts.length === 0) return job
    const told = jobs.noteRun(job)
    const heads = log.append(told, drafts, at)
    outbox.owe(heads, at)
    return { ...told, lastSeq: heads.at(-1)?.seq ?? told.lastSeq }
  }

  function write(job: Job, drafts: readonly EventDraft[], at: number): Job | null {
    const next = { ...job, revision: job.revision + 1 }
    return jobs.update(append(next, drafts, at))
  }

  function register(registration: Registration, at: number): Registered {
    const known = jobs.find(registration)
    if (known === null) {
      const { upstream, jobid } = registration
      const fresh = {
        ...withSettings(unseenJob(registration, at), registration),
        revision: 1,
        lastSeq: log.lastOfJob(jobid, upstream),
      }
      return { job: jobs.insert(append(fresh, [watchedDraft], at)), began: true }
    }
    // Of a job that was recorded in silence nobody has heard yet.
    const isSilent = known.state === 'ended' && known.lastSeq === null
    if (known.state === 'stopped' || known.state === 'lost' || isSilent) {
      const watched = watchedAnew(withSettings(known, registration), at)
      return { job: mustWrite(write(watched, [watchedDraft], at)), began: true }
    }
    return { job: change(known, registration, at), began: false }
  }

  function change(known: Job, settings: JobSettings, at: number): Job {
    const changed = withSettings(known, settings)
    const isSame = JSON.stringify(changed) === JSON.stringify(known)
    return isSame ? known : mustWrite(write(changed, [], at))
  }

  function stop(known: Job | null, at: number): boolean {
    if (known === null || known.state === 'stopped') return false
    mustWrite(write({ ...known, state: 'stopped', looksLeft: 0 }, [unwatchedDraft], at))
    return true
  }

  function commitLook({ job, drafts, document, at }: LookCommit): LookResult {
    // First the revision: nothing of the look may be written for a job that was changed meanwhile.
    if (jobs.revisionOf(job) !== job.revision) return { outcome: 'conflict' }
    const written = mustWrite(write(job, drafts, at))
    if (document !== null && drafts.length > 0) jobs.putDocument(job.id, document)
    return { outcome: 'written', job: written }
  }

  function recordDiscovered({ job, drafts, document, at }: LookCommit): Job | null {
    if (jobs.find(job) !== null) return null
    const lastSeq = log.lastOfJob(job.jobid, job.upstream)
    const fresh = { ...job, revision: 1, polledAt: at, changedAt: at, lastSeq }
    const recorded = jobs.insert(
      drafts.length > 0 ? append(fresh, drafts, at) : jobs.noteRun(fresh),
    )
    if (document !== null) jobs.putDocument(recorded.id, document)
    return recorded
  }

  function commitUpstream({ draft, at, ...upstream }: UpstreamCommit): StoredUpstream {
    const { name } = upstream
    let lastSeq = upstreams.lastSeqOf(name)
    if (draft !== null) {
      const heads = log.appendOfUpstream(name, lastSeq, [draft], at)
      outbox.owe(heads, at)
      lastSeq = heads.at(-1)?.seq ?? lastSeq
    }
    upstreams.put(upstream, lastSeq)
    return upstream
  }

  async function listJobs(query: JobQuery): Promise<JobPage> {
    const newest = log.newest()
    const found: Job[] = []
    let before = query.before
    for (;;) {
      // One more than a page has, to know whether another follows.
      const limit = query.limit + 1 - found.length
      const window = page(() => jobs.window({ ...query, limit }, before))
      found.push(...window.jobs)
      if (found.length > query.limit || window.last === null) break
      before = window.last
      await nextTurn()
    }
    const listed = found.slice(0, query.limit)
    const last = listed.at(-1)
    const hasMore = found.length > query.limit && last !== undefined
    return {
      jobs: listed,
      next: hasMore ? { watchedAt: last.watchedAt, id: last.id } : null,
      newest,
    }
  }

  async function listDeliveries(query: DeliveryQuery): Promise<DeliveryPage> {
    const found: DeliveryRecord[] = []
    let before = query.before
    for (;;) {
      // One more than a page has, to know whether another follows.
      const window = page(() => deliveries.window({ ...query, limit: query.limit + 1 }, before))
      found.push(...window.deliveries)
      if (found.length > query.limit || window.last === null) break
      before = window.last
      await nextTurn()
    }
    const listed = found.slice(0, query.limit)
    return {
      deliveries: listed,
      next: found.length > query.limit ? (listed.at(-1)?.id ?? null) : null,
    }
  }

  return {
    registerJob: (registration, at) => writer.write(() => register(registration, at)),
    registerJobs: (registrations, at) =>
      writer.write(() => registrations.map((registration) => register(registration, at))),
    updateJob: (key, settings, at) =>
      writer.write(() => {
        const known = jobs.find(key)
        return known === null ? null : change(known, settings, at)
      }),
    stopJob: (key, at) => writer.write(() => stop(jobs.find(key), at)),
    commitLook: (look) => writer.write(() => commitLook(look)),
    findJob: (key) => answer(() => jobs.find(key)),
    findJobsById: (jobid) => answer(() => jobs.findById(jobid)),
    listJobs,
    readDocument: (key) => answer(() => jobs.document(key)),
    listPolled: ({ afterId, limit }) => answer(() => page(() => jobs.listPolled(afterId, limit))),
    unknownJobids: ({ upstream, jobids }) => answer(() => jobs.unknownOf(upstream, jobids)),
    recordDiscovered: (look) => writer.write(() => recordDiscovered(look)),
    findUpstream: (name) => answer(() => upstreams.find(name)),
    commitUpstream: (commit) => writer.write(() => commitUpstream(commit)),
    readBounds: () => answer(() => log.bounds()),
    readEvents: (query) => answer(() => page(() => log.read(query))),
    readTail: (query) => answer(() => page(() => log.readTail(query))),
    ...endpointVerbs,
    listEndpoints: () => answer(() => endpoints.all()),
    countPending: ({ endpointId, maxCounted }) =>
      answer(() => outbox.countPendingOf(endpointId, maxCounted)),
    // What is pending for one that is disabled is about to be cancelled.
    readDue: ({ endpointId, now: at, limit }) =>
      answer(() => (endpoints.isPlanned(endpointId) ? outbox.due(endpointId, at, limit) : [])),
    nextDueAt: ({ endpointId, after }) => answer(() => outbox.nextDueAt(endpointId, after)),
    fold: (deliveryId, at) => writer.write(() => outbox.fold(deliveryId, at)),
    readPresent: ({ id, event }) =>
      answer(() => {
        const { upstream, jobid } = event
        const job = upstream === null || jobid === null ? null : jobs.find({ upstream, jobid })
        return { job, ...outbox.leftOut(id) }
      }),
    listDeliveries,
    findDelivery: (id) => answer(() => deliveries.find(id)),
    takeDelivery: (id) => answer(() => outbox.take(id)),
    readBacklog: ({ maxCounted }) => answer(() => outbox.backlog(maxCounted)),
    onCommit(listener) {
      listeners.push(listener)
    },
    onLost(listener) {
      lostListeners.push(listener)
    },
    checkWritable,
    assertWritable: () => (writer.isTroubled ? checkWritable() : Promise.resolve()),
    prune: (query) =>
      writer.write(() => {
        forgetRecent()
        return pruning.prune(query)
      }),
    close: () =>
      answer(() => {
        if (!db.open) return
        try {
          writer.flush()
          db.pragma('wal_checkpoint(TRUNCATE)')
        } finally {
          // On a full disk the log of writes stays beside the file, and is taken in at the next start.
          db.close()
          unlock()
        }
      }),
  }
}

const watchedDraft: EventDraft = {
  type: 'job.watched',
  change: { kind: 'registry', by: 'api' },
}
const unwatchedDraft: EventDraft = {
  type: 'job.unwatched',
  change: { kind: 'registry', by: 'api' },
}

/** Watching begins anew: what was told of the time before counts no longer, an old end included. */
function watchedAnew(job: Job, at: number): Job {
  const unseen = { status: null, rawStatus: null, outcome: null, reason: null }
  return {
    ...job,
    ...(isEnd(job.status) && unseen),
    state: 'active',
    stalledSince: null,
    lostSince: null,
    isOverdue: false,
    watchedAt: at,
  }
}

/** What is given takes the place of what was; what is left out stays. */
function withSettings(job: Job, { label, tags, stallAfterMs, deadline }: JobSettings): Job {
  return {
    ...job,
    ...(label !== undefined && { label }),
    ...(tags !== undefined && { tags }),
    ...(stallAfterMs !== undefined && { stallAfterMs }),
    ...(deadline !== undefined && {
      deadline,
      isOverdue: job.isOverdue && isDeadlineOf(job, deadline),
    }),
  }
}

/** A job is overdue for one deadline; any other can be missed in its turn. */
function isDeadlineOf(job: Job, deadline: Job['deadline']): boolean {
  return JSON.stringify(job.deadline) === JSON.stringify(deadline)
}

/** Inside a unit nobody else can have changed the row since it was read. */
function mustWrite(job: Job | null): Job {
  if (job === null) throw new Error('a job changed within the transaction that read it')
  return job
}
