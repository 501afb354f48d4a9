import type { Clock } from './clock.ts'
import { advance, judgedFrom } from './core/advance.ts'
import type { LifePolicy } from './core/advance.ts'
import { jitter } from './core/backoff.ts'
import type { Random } from './core/backoff.ts'
import { Census } from './core/census.ts'
import { DueHeap } from './core/heap.ts'
import type { Job, JobState } from './core/job.ts'
import { forgetful } from './core/memory.ts'
import type { Failed, Observation, Problem } from './core/observation.ts'
import { nextPollAt } from './core/schedule.ts'
import type { PollPolicy } from './core/schedule.ts'
import type { Gate } from './gate.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { PolledJob, Store } from './store/store.ts'
import type { Look, Upstream } from './upstream/upstream.ts'
import { noteProblem, noteSuccess, watchedJob } from './watched-job.ts'
import type { WatchedJob } from './watched-job.ts'

export interface PollingPolicy extends PollPolicy, LifePolicy {
  /** Looks that wait for their turn or are under way, at most. */
  readonly concurrency: number
}

export interface PollerDeps {
  readonly store: Pick<Store, 'listPolled' | 'findJob' | 'commitLook'>
  readonly upstream: Upstream
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
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
  /**
   * Looks at a job at once and from then on whenever it is due; known ones keep their schedule, and
   * one that was seen already is looked at after an interval.
   */
  watch(job: PolledJob, how?: { readonly seenAlready?: boolean }): void
  unwatch(jobId: number): void
  /**
   * Looks at a job now, whatever its schedule or the health of the upstream say. Resolves when the
   * look is taken in, or at once while the upstream wants to be left alone (`Retry-After`).
   */
  pollNow(job: PolledJob): Promise<void>
  statusOf(jobId: number): PollStatus | null
  /** How many active jobs are watched here. */
  readonly activeCount: number
  /** Begins no more looks; resolves when those in flight are done. */
  stop(): Promise<void>
}

const startPageSize = 1000
const unconfirmed = 'COMPLETED, but the document does not look finished: looking again'
/** A commit that met a changed job is tried again with the job as it is now. */
const maxCommitTries = 5
/** Jobs that are passed over before others have the event loop. */
const skipsPerTurn = 500
const jitterFraction = 0.1
/** For so many times `lostAfter`, jobs that go missing together are the upstream's trouble. */
const holdFactor = 10

/**
 * The schedule is a heap; the gate's queue, which keeps concurrency and rate, never holds more than
 * can be in flight. A job is in the heap or in the queue, never in both, so one request at a time is
 * made for it. While the gate is shut the jobs' times still come round, and are passed over.
 */
export function createPoller(
  { store, upstream, gate, clock, random, log, metrics }: PollerDeps,
  policy: PollingPolicy,
): Poller {
  const entries = new Map<number, WatchedJob>()
  const schedule = new DueHeap<WatchedJob>()
  const census = new Census(policy.lostAfterMs * holdFactor)
  const longestMs = Math.max(policy.intervalMs, policy.maxIntervalMs)
  let inLine = 0
  let activeCount = 0
  let cancelTimer = (): void => undefined
  const stopping = new AbortController()
  const isStopped = (): boolean => stopping.signal.aborted

  /** Begins the looks that are due, as far as there is room, and sets the timer for the next. */
  function pump(): void {
    cancelTimer()
    let skips = 0
    while (!isStopped() && inLine < policy.concurrency) {
      const entry = schedule.peek()
      if (entry === undefined) return
      const now = clock.now()
      const isProbe = gate.probeAt !== null && gate.probeAt <= now
      if (entry.dueAt > now && !isProbe) {
        const wakeAt = Math.min(entry.dueAt, gate.probeAt ?? Infinity)
        cancelTimer = clock.after(wakeAt - now, pump)
        return
      }
      schedule.remove(entry)
      if (gate.admits(now)) {
        begin(entry, { urgency: 'watched', isProbe })
        continue
      }
      passOver(entry)
      skips += 1
      if (skips === skipsPerTurn) {
        cancelTimer = clock.after(0, pump)
        return
      }
    }
  }

  function begin(entry: WatchedJob, how: { urgency: 'asked' | 'watched'; isProbe: boolean }): void {
    inLine += 1
    gate
      .run(() => look(entry, how.isProbe), how.urgency)
      .catch((error: unknown) => {
        logCrash(error, entry)
      })
      .finally(() => {
        inLine -= 1
        pump()
      })
  }

  /** A job whose time comes while the upstream is not asked: only its own patience is looked at. */
  function passOver(entry: WatchedJob): void {
    const now = clock.now()
    if (entry.state !== 'active' || now < entry.judgedFrom) {
      comeBack(entry, () => now + jitter(longestMs, jitterFraction, random))
      return
    }
    inLine += 1
    commit(entry, notAsked, null, now)
      .catch((error: unknown) => {
        logCrash(error, entry)
      })
      .finally(() => {
        inLine -= 1
        comeBack(entry, () => clock.now() + jitter(longestMs, jitterFraction, random))
        pump()
      })
  }

  async function look(entry: WatchedJob, isProbe: boolean): Promise<void> {
    if (!isWatched(entry) || isStopped()) return
    const { askers } = entry
    entry.askers = null
    // The gate may have been shut while this look waited for its turn.
    if (gate.probeAt !== null && askers === null && !isProbe) {
      passOver(entry)
      return
    }
    // A probe may come early, and who asks does not wait for the job's time.
    if (askers === null && !isProbe) {
      const lagMs = Math.max(0, clock.now() - entry.dueAt)
      metrics.pollLag.observe({ upstream: upstream.name }, lagMs / 1000)
    }
    let retryAfterMs: number | null = null
    try {
      const seen = await upstream.fetchJob(entry.jobid, isPlain(entry) ? entry.fingerprint : null)
      const now = clock.now()
      const weighed = weigh(entry, seen, now)
      await (weighed.outcome === 'failed' ? gate.failed(weighed, now) : gate.worked(now))
      // Stopped, or stopped and watched anew, while the request was under way.
      if (isWatched(entry)) retryAfterMs = await takeIn(entry, weighed, now)
    } catch (error) {
      // Ours, not the upstream's: the document was not taken in, so the next look sees it again.
      entry.failures += 1
      failed(entry, 'protocol', 'the answer could not be taken in; the log says why', clock.now())
      logCrash(error, entry)
    } finally {
      comeBack(entry, (now) => {
        const { confirming } = entry.memory
        return nextPollAt({ ...entry, confirming }, policy, { now, random, retryAfterMs })
      })
      askers?.forEach((done) => {
        done()
      })
    }
  }

  /** Schedules the next look; at once for those who asked meanwhile. */
  function comeBack(entry: WatchedJob, when: (now: number) => number | null): void {
    if (!isWatched(entry) || isStopped()) return
    if (entry.askers !== null) {
      begin(entry, { urgency: 'asked', isProbe: false })
      return
    }
    const dueAt = when(clock.now())
    if (dueAt === null) forget(entry)
    else schedule.schedule(entry, dueAt)
  }

  function isWatched(entry: WatchedJob): boolean {
    return entries.get(entry.id) === entry
  }

  /** True while an unchanged document means that nothing at all is to be done. */
  function isPlain({ state, memory, judgedFrom: from }: WatchedJob): boolean {
    return state === 'active' && memory.confirming === 0 && clock.now() < from
  }

  /** A miss among many is no word about this job: it is held against the upstream. */
  function weigh(entry: WatchedJob, seen: Look, now: number): Look {
    if (entry.state === 'ended' || seen.outcome === 'failed') return seen
    if (seen.outcome !== 'missing') {
      census.present(entry)
      return seen
    }
    if (!census.missing(entry, now)) return seen
    entry.memory = { ...entry.memory, misses: null }
    const detail = `${census.words}: ${seen.detail}`
    return { outcome: 'failed', failure: 'transient', detail, retryAfterMs: null }
  }

  /** Writes what a look changed; returns how long the upstream wants to be left alone. */
  async function takeIn(entry: WatchedJob, seen: Look, now: number): Promise<number | null> {
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
      setState(entry, job.state)
      entry.looksLeft = job.looksLeft
      entry.judgedFrom = judgedFrom(job, policy)
      entry.quiet = drafts.length > 0 ? 0 : entry.quiet + 1
      return
    }
    throw new Error(`the job changed ${maxCommitTries} times while one look was written`)
  }

  function setState(entry: WatchedJob, state: JobState): void {
    if (entry.state === state) return
    if (entry.state === 'active') activeCount -= 1
    if (state === 'active') activeCount += 1
    else census.leaves(entry)
    entry.state = state
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

  function logCrash(error: unknown, { jobid }: WatchedJob): void {
    log.error({ err: error, upstream: upstream.name, jobid }, 'poller.look_crashed')
  }

  function add(job: PolledJob, dueAt: number): WatchedJob {
    const entry = watchedJob(job, dueAt)
    entries.set(job.id, entry)
    if (job.state === 'active') {
      activeCount += 1
      if (job.status !== null) census.present(entry)
    }
    return entry
  }

  function forget(entry: WatchedJob): void {
    schedule.remove(entry)
    if (entries.get(entry.id) === entry) entries.delete(entry.id)
    if (entry.state === 'active') activeCount -= 1
    census.leaves(entry)
    release(entry)
  }

  function release(entry: WatchedJob): void {
    const { askers } = entry
    entry.askers = null
    askers?.forEach((done) => {
      done()
    })
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
          const dueAt = firstLookAt(job, now)
          schedule.schedule(add(job, dueAt), dueAt)
        }
        const last = page.at(-1)
        if (last === undefined || page.length < startPageSize) break
        afterId = last.id
        await nextTurn()
      }
      pump()
    },
    watch(job, { seenAlready = false } = {}) {
      const known = entries.get(job.id)
      if (known?.state === job.state) {
        // Its deadline may be another one now.
        known.judgedFrom = 0
        return
      }
      // What is in flight for the old entry is then not taken in.
      if (known !== undefined) forget(known)
      const dueAt = clock.now() + (seenAlready ? policy.intervalMs : 0)
      schedule.schedule(add(job, dueAt), dueAt)
      pump()
    },
    unwatch(jobId) {
      const entry = entries.get(jobId)
      if (entry) forget(entry)
    },
    pollNow(job) {
      if (gate.isPaused || isStopped()) return Promise.resolve()
      upstream.retryToken()
      const known = entries.get(job.id)
      const entry = known ?? add(job, clock.now())
      const done = new Promise<void>((resolve) => {
        entry.askers = [...(entry.askers ?? []), resolve]
      })
      // One that is in line or under way comes back to those who ask meanwhile.
      if (known?.slot !== -1) {
        schedule.remove(entry)
        begin(entry, { urgency: 'asked', isProbe: false })
      }
      return done
    },
    statusOf(jobId) {
      const entry = entries.get(jobId)
      if (entry === undefined) return null
      const { polledAt, problem, slot, dueAt } = entry
      return { polledAt, problem, nextPollAt: slot === -1 ? null : dueAt }
    },
    get activeCount() {
      return activeCount
    },
    async stop() {
      stopping.abort()
      cancelTimer()
      for (const entry of entries.values()) release(entry)
      await gate.stop()
    },
  }
}

const notAsked: Failed = {
  outcome: 'failed',
  failure: 'transient',
  detail: 'the upstream is not asked while it is down',
  retryAfterMs: null,
}

/** Lets others have the event loop between pages. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
