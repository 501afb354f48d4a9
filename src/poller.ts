import { nextTurn } from './clock.ts'
import type { Clock } from './clock.ts'
import { jitter } from './core/backoff.ts'
import type { Random } from './core/backoff.ts'
import { DueHeap } from './core/heap.ts'
import type { Problem } from './core/observation.ts'
import { nextPollAt } from './core/schedule.ts'
import type { PollPolicy } from './core/schedule.ts'
import type { Gate } from './gate.ts'
import type { Logger } from './log.ts'
import type { Looks } from './looks.ts'
import type { Metrics } from './metrics.ts'
import type { PolledJob, Store } from './store/store.ts'
import type { Upstream } from './upstream/upstream.ts'
import { watchedJob } from './watched-job.ts'
import type { WatchedJob } from './watched-job.ts'

export interface PollingPolicy extends PollPolicy {
  /** Looks that wait for their turn or are under way, at most. */
  readonly concurrency: number
}

export interface PollerDeps {
  readonly store: Pick<Store, 'listPolled'>
  readonly upstream: Pick<Upstream, 'name' | 'retryToken'>
  readonly looks: Looks
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

/** Has the jobs of one upstream looked at when they are due. */
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
  /** Begins no more looks; resolves when those in flight are done. */
  stop(): Promise<void>
}

const startPageSize = 1000
/** Jobs that are passed over before others have the event loop. */
const skipsPerTurn = 500
const jitterFraction = 0.1

interface Turn {
  readonly urgency: 'asked' | 'watched'
  /** Made to see whether the upstream is back. */
  readonly isProbe: boolean
}

/**
 * The schedule is a heap; the gate's queue, which keeps concurrency and rate, never holds more than
 * can be in flight. A job is in the heap or in line, never both, so one request at a time is made for
 * it. While the gate is shut the jobs' times still come round, and are passed over.
 */
export function createPoller(
  { store, upstream, looks, gate, clock, random, log, metrics }: PollerDeps,
  policy: PollingPolicy,
): Poller {
  const entries = new Map<number, WatchedJob>()
  const schedule = new DueHeap<WatchedJob>()
  const longestMs = Math.max(policy.intervalMs, policy.maxIntervalMs)
  let inLine = 0
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
      // A probe is made by whichever job is next.
      const probeAt = gate.isPaused ? null : gate.probeAt
      const isProbe = probeAt !== null && probeAt <= now
      if (entry.dueAt > now && !isProbe) {
        const wakeAt = Math.min(entry.dueAt, probeAt ?? Infinity)
        cancelTimer = clock.after(wakeAt - now, pump)
        return
      }
      schedule.remove(entry)
      if (gate.admits(now)) {
        begin(entry, { urgency: 'watched', isProbe })
        continue
      }
      if (looks.isPatient(entry)) wait(entry)
      else getInLine(entry, passOver(entry))
      skips += 1
      if (skips === skipsPerTurn) {
        cancelTimer = clock.after(0, pump)
        return
      }
    }
  }

  function begin(entry: WatchedJob, turn: Turn): void {
    getInLine(
      entry,
      gate.run(() => look(entry, turn), turn.urgency),
    )
  }

  /** Keeps a job's place until its turn is over. */
  function getInLine(entry: WatchedJob, turn: Promise<unknown>): void {
    inLine += 1
    turn
      .catch((error: unknown) => {
        const { jobid } = entry
        log.error({ err: error, upstream: upstream.name, jobid }, 'poller.turn_crashed')
      })
      .finally(() => {
        inLine -= 1
        pump()
      })
  }

  async function look(entry: WatchedJob, { isProbe }: Turn): Promise<void> {
    if (!isWatched(entry) || isStopped()) return
    const { askers } = entry
    entry.askers = null
    // The gate may have been shut while this look waited for its turn.
    if (gate.probeAt !== null && askers === null && !isProbe) {
      await passOver(entry)
      return
    }
    // A probe may come early, and who asks does not wait for the job's time.
    if (askers === null && !isProbe) {
      const lagMs = Math.max(0, clock.now() - entry.dueAt)
      metrics.pollLag.observe({ upstream: upstream.name }, lagMs / 1000)
    }
    const hadEnded = entry.state === 'ended'
    await looks.take(entry, {
      isWatched: () => isWatched(entry),
      isAsked: askers !== null,
    })
    if (gate.probeAt !== null && entry.state === 'active') wait(entry)
    else if (askers !== null && hadEnded && entry.state === 'ended') comeBackAsPlanned(entry)
    else comeBack(entry, (now) => nextAt(entry, now))
    for (const done of askers ?? []) done()
  }

  /** A job whose time comes while the upstream is not asked: only its own patience is looked at. */
  async function passOver(entry: WatchedJob): Promise<void> {
    if (!looks.isPatient(entry)) await looks.judge(entry)
    wait(entry)
  }

  function nextAt(entry: WatchedJob, now: number): number | null {
    const { state, looksLeft, quiet, failures, changedAt, gapMs, memory } = entry
    const { confirming } = memory
    const history = { state, looksLeft, confirming, quiet, failures, changedAt, gapMs }
    return nextPollAt(history, policy, { now, random })
  }

  /** A look that was asked for moves none of those that are made after an end. */
  function comeBackAsPlanned(entry: WatchedJob): void {
    const { dueAt, looksLeft } = entry
    comeBack(entry, (now) => (looksLeft === 0 ? null : Math.max(now, dueAt)))
  }

  /**
   * While the upstream is away its probes are spread by the gate, and not by a job's own failures:
   * when it is back every job shall be looked at soon.
   */
  function wait(entry: WatchedJob): void {
    // A job is lost after a time of nothing but misses, and now there is a time without a look.
    if (entry.memory.misses !== null) entry.memory = { ...entry.memory, misses: null }
    comeBack(entry, (now) => now + jitter(longestMs, jitterFraction, random))
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

  function add(job: PolledJob, dueAt: number): WatchedJob {
    const entry = watchedJob(job, dueAt)
    entries.set(job.id, entry)
    looks.enters(entry, job.status !== null)
    return entry
  }

  function forget(entry: WatchedJob): void {
    schedule.remove(entry)
    entries.delete(entry.id)
    looks.leaves(entry)
    release(entry)
  }

  /** Lets go of those who wait for a look that will not be made. */
  function release(entry: WatchedJob): void {
    const { askers } = entry
    entry.askers = null
    for (const done of askers ?? []) done()
  }

  /** After a restart active jobs are due within an interval; the others keep their slow pace. */
  function firstLookAt({ state, looksLeft }: PolledJob, now: number): number {
    if (state === 'active') return now + Math.floor(random() * policy.intervalMs)
    const fresh = { confirming: 0, quiet: 0, failures: 0, changedAt: null, gapMs: null }
    return nextPollAt({ state, looksLeft, ...fresh }, policy, { now, random }) ?? now
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
    async stop() {
      stopping.abort()
      cancelTimer()
      for (const entry of entries.values()) release(entry)
      await gate.stop()
    },
  }
}
