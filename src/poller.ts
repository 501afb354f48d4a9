import PQueue from 'p-queue'
import type { Clock } from './clock.ts'
import { advance, judgedFrom } from './core/advance.ts'
import type { LifePolicy } from './core/advance.ts'
import type { Random } from './core/backoff.ts'
import { DueHeap } from './core/heap.ts'
import type { Job } from './core/job.ts'
import { forgetful } from './core/memory.ts'
import type { Observation, Problem } from './core/observation.ts'
import { nextPollAt } from './core/schedule.ts'
import type { PollPolicy } from './core/schedule.ts'
import type { Logger } from './log.ts'
import type { PolledJob, Store } from './store/store.ts'
import type { Look, Upstream } from './upstream/upstream.ts'
import { noteProblem, noteSuccess, watchedJob } from './watched-job.ts'
import type { WatchedJob } from './watched-job.ts'

export interface PollingPolicy extends PollPolicy, LifePolicy {
  /** Requests in flight, at most. */
  readonly concurrency: number
  /** Requests per second, at most, spread evenly. */
  readonly rate: number
}

export interface PollerDeps {
  readonly store: Pick<Store, 'listPolled' | 'findJob' | 'commitLook'>
  readonly upstream: Upstream
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** What is known of a job's polling; all of it is forgotten when the process ends. */
export interface PollStatus {
  readonly polledAt: number | null
  readonly nextPollAt: number | null
  readonly problem: Problem | null
}

/** Looks at the active jobs of one upstream when they are due. */
export interface Poller {
  /** Takes up all active jobs of the store, their first looks spread over an interval. */
  start(): Promise<void>
  /** Looks at a job at once and from then on whenever it is due; known ones keep their schedule. */
  watch(job: PolledJob): void
  unwatch(jobId: number): void
  statusOf(jobId: number): PollStatus | null
  /** Begins no more looks; resolves when those in flight are done. */
  stop(): Promise<void>
}

const startPageSize = 1000
const unconfirmed = 'COMPLETED, but the document does not look finished: looking again'
/** A commit that met a changed job is tried again with the job as it is now. */
const maxCommitTries = 5

/**
 * The schedule is a heap; the queue, which keeps concurrency and rate, never holds more than can be
 * in flight. A job is in the heap or in the queue, never in both, so one request at a time is made
 * for it.
 */
export function createPoller(
  { store, upstream, clock, random, log }: PollerDeps,
  policy: PollingPolicy,
): Poller {
  const entries = new Map<number, WatchedJob>()
  const schedule = new DueHeap<WatchedJob>()
  const queue = new PQueue({ concurrency: policy.concurrency, ...evenly(policy.rate) })
  let cancelTimer = (): void => undefined
  let cancelPause = (): void => undefined
  let pausedUntil = 0
  const stopping = new AbortController()
  const isStopped = (): boolean => stopping.signal.aborted

  /** Hands what is due to the queue, as far as it takes any, and sets the timer for the next. */
  function pump(): void {
    cancelTimer()
    if (isStopped()) return
    while (queue.size + queue.pending < policy.concurrency) {
      const entry = schedule.peek()
      if (entry === undefined) return
      const wait = entry.dueAt - clock.now()
      if (wait > 0) {
        cancelTimer = clock.after(wait, pump)
        return
      }
      schedule.remove(entry)
      queue
        .add(() => look(entry))
        .catch((error: unknown) => {
          log.error(
            { err: error, upstream: upstream.name, jobid: entry.jobid },
            'poller.look_crashed',
          )
        })
        .finally(pump)
    }
  }

  async function look(entry: WatchedJob): Promise<void> {
    if (isStopped() || entries.get(entry.id) !== entry) return
    let retryAfterMs: number | null = null
    try {
      const seen = await upstream.fetchJob(entry.jobid, isPlain(entry) ? entry.fingerprint : null)
      // Stopped, or stopped and watched anew, while the request was under way.
      if (entries.get(entry.id) !== entry) return
      retryAfterMs = await takeIn(entry, seen)
    } catch (error) {
      // Ours, not the upstream's: the document was not taken in, so the next look sees it again.
      entry.failures += 1
      failed(entry, 'protocol', 'the answer could not be taken in; the log says why', clock.now())
      log.error({ err: error, upstream: upstream.name, jobid: entry.jobid }, 'poller.look_crashed')
    } finally {
      const isWatched = entries.get(entry.id) === entry
      if (isWatched && !isStopped()) {
        const now = clock.now()
        const { confirming } = entry.memory
        const dueAt = nextPollAt({ ...entry, confirming }, policy, { now, random, retryAfterMs })
        if (dueAt === null) forget(entry)
        else schedule.schedule(entry, dueAt)
      }
    }
  }

  /** True while an unchanged document means that nothing at all is to be done. */
  function isPlain({ state, memory, judgedFrom: from }: WatchedJob): boolean {
    return state === 'active' && memory.confirming === 0 && clock.now() < from
  }

  /** Writes what a look changed; returns how long the upstream wants to be left alone. */
  async function takeIn(entry: WatchedJob, seen: Look): Promise<number | null> {
    const now = clock.now()
    switch (seen.outcome) {
      case 'same':
        worked(entry, now)
        entry.memory = forgetful
        entry.quiet += 1
        return null
      case 'seen':
        // An answer that says something ends the row of failures, whatever it says.
        entry.failures = 0
        await commit(entry, seen, seen.document, now)
        // An ended job keeps nothing in memory but its place in the schedule.
        entry.fingerprint = entry.state === 'active' ? seen.fingerprint : null
        if (entry.memory.confirming === 0) worked(entry, now)
        else failed(entry, 'unconfirmed', unconfirmed, now)
        return null
      case 'missing':
        entry.failures = 0
        await commit(entry, seen, null, now)
        // A job that ended is never lost: what is answered about it then means nothing.
        if (entry.state !== 'ended') failed(entry, 'missing', seen.detail, now)
        return null
      case 'failed':
        if (!isPlain(entry)) await commit(entry, seen, null, now)
        if (entry.state !== 'ended') failed(entry, seen.failure, seen.detail, now)
        entry.failures += 1
        if (seen.failure === 'throttled' && seen.retryAfterMs !== null) pause(seen.retryAfterMs)
        return seen.retryAfterMs
    }
  }

  async function commit(
    entry: WatchedJob,
    observation: Observation,
    document: string | null,
    now: number,
  ): Promise<void> {
    for (let attempt = 1; attempt <= maxCommitTries; attempt += 1) {
      const before = await store.findJob(entry)
      if (before === null || before.state === 'stopped') {
        forget(entry)
        return
      }
      const { job, memory, drafts } = advance(before, entry.memory, observation, now, policy)
      if (job !== before) {
        const result = await store.commitLook({ job, drafts, document, at: now })
        if (result.outcome === 'conflict') continue
        logChange(result.job, drafts.length)
      }
      entry.memory = memory
      entry.state = job.state
      entry.looksLeft = job.looksLeft
      entry.judgedFrom = judgedFrom(job, policy)
      entry.quiet = drafts.length > 0 ? 0 : entry.quiet + 1
      return
    }
    throw new Error(`the job changed ${maxCommitTries} times while one look was written`)
  }

  function worked(entry: WatchedJob, now: number): void {
    if (!noteSuccess(entry, now)) return
    log.info({ upstream: upstream.name, jobid: entry.jobid }, 'poller.look_recovered')
  }

  function failed(entry: WatchedJob, kind: Problem['kind'], detail: string, now: number): void {
    if (!noteProblem(entry, kind, detail, now)) return
    log.warn({ upstream: upstream.name, jobid: entry.jobid, kind, detail }, 'poller.look_failed')
  }

  function logChange(job: Job, events: number): void {
    if (events === 0) return
    const { jobid, status, state, lastSeq } = job
    log.info({ upstream: upstream.name, jobid, status, state, events, lastSeq }, 'job.changed')
  }

  /** `Retry-After` speaks for the whole upstream. */
  function pause(ms: number): void {
    const until = clock.now() + ms
    if (until <= pausedUntil) return
    pausedUntil = until
    queue.pause()
    cancelPause()
    cancelPause = clock.after(ms, () => queue.start())
  }

  function forget(entry: WatchedJob): void {
    schedule.remove(entry)
    entries.delete(entry.id)
  }

  function add(job: PolledJob, dueAt: number): void {
    const entry = watchedJob(job, dueAt)
    entries.set(job.id, entry)
    schedule.schedule(entry, dueAt)
  }

  /** After a restart active jobs are due within an interval; the others keep their slow pace. */
  function firstLookAt({ state, looksLeft }: PolledJob, now: number): number {
    if (state === 'active') return now + Math.floor(random() * policy.intervalMs)
    const history = { state, looksLeft, confirming: 0, quiet: 0, failures: 0 }
    return nextPollAt(history, policy, { now, random, retryAfterMs: null }) ?? now
  }

  return {
    async start() {
      let afterId = 0
      for (;;) {
        const page = await store.listPolled({ afterId, limit: startPageSize })
        const now = clock.now()
        for (const job of page) {
          if (job.upstream !== upstream.name || entries.has(job.id)) continue
          add(job, firstLookAt(job, now))
        }
        const last = page.at(-1)
        if (last === undefined || page.length < startPageSize) break
        afterId = last.id
        await nextTurn()
      }
      pump()
    },
    watch(job) {
      const known = entries.get(job.id)
      if (known?.state === job.state) {
        // Its deadline may be another one now.
        known.judgedFrom = 0
        return
      }
      // What is in flight for the old entry is then not taken in.
      if (known !== undefined) forget(known)
      add(job, clock.now())
      pump()
    },
    unwatch(jobId) {
      const entry = entries.get(jobId)
      if (entry) forget(entry)
    },
    statusOf(jobId) {
      const entry = entries.get(jobId)
      if (entry === undefined) return null
      const { polledAt, problem, slot, dueAt } = entry
      return { polledAt, problem, nextPollAt: slot === -1 ? null : dueAt }
    },
    async stop() {
      stopping.abort()
      cancelTimer()
      cancelPause()
      queue.clear()
      queue.start()
      await queue.onIdle()
    },
  }
}

/** Lets others have the event loop between pages. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/**
 * The rate as p-queue wants it. A whole second's worth at once would be a burst, so the interval is
 * cut as small as its timer can hold.
 */
function evenly(rate: number): { interval: number; intervalCap: number } {
  const intervalCap = Math.max(1, Math.floor(rate / 100))
  return { interval: (intervalCap * 1000) / rate, intervalCap }
}
