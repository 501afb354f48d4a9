import type { Clock } from './clock.ts'
import { advance, judgedFrom } from './core/advance.ts'
import type { LifePolicy } from './core/advance.ts'
import { Census } from './core/census.ts'
import type { Job, JobState } from './core/job.ts'
import { forgetful, isForgetful } from './core/memory.ts'
import type { Failed, Observation, Problem } from './core/observation.ts'
import type { Gate } from './gate.ts'
import type { Logger } from './log.ts'
import { StoreUnwritable } from './store/store.ts'
import type { Store } from './store/store.ts'
import type { Look, Upstream } from './upstream/upstream.ts'
import { noteChange, noteProblem, noteSuccess } from './watched-job.ts'
import type { WatchedJob } from './watched-job.ts'

export interface LooksDeps {
  readonly store: Pick<Store, 'findJob' | 'commitLook'>
  readonly upstream: Upstream
  readonly gate: Gate
  readonly clock: Clock
  readonly log: Logger
}

/** Looks at the jobs of one upstream, one at a time, and writes what they changed. */
export interface Looks {
  /** How many active jobs there are. */
  readonly activeCount: number
  /** Counts a job that begins to be watched; `isSeen` when it was seen before. */
  enters(job: WatchedJob, isSeen: boolean): void
  /** Counts a job no longer. */
  leaves(job: WatchedJob): void
  /**
   * Asks the upstream for a job and takes the answer in, unless the job is no longer watched then.
   * Never rejects.
   */
  take(job: WatchedJob, how: Taking): Promise<void>
  /** True while so many jobs are missing that no answer counts as the upstream's being well. */
  isHolding(): boolean
  /** True while nothing but an answer of the upstream can change a job. */
  isPatient(job: WatchedJob): boolean
  /** Holds a job against `stallAfter` and its deadline without asking the upstream. */
  judge(job: WatchedJob): Promise<void>
}

export interface Taking {
  readonly isWatched: () => boolean
  /** Somebody asked for this look: it is none of those that are made after an end. */
  readonly isAsked: boolean
}

const unconfirmed = 'COMPLETED, but the document does not look finished: looking again'
/** A commit that met a changed job is tried again with the job as it is now. */
const maxCommitTries = 5
/** For so many times `lostAfter`, jobs that go missing together are the upstream's trouble. */
const holdFactor = 10

export function createLooks(
  { store, upstream, gate, clock, log }: LooksDeps,
  policy: LifePolicy,
): Looks {
  const census = new Census(policy.lostAfterMs * holdFactor)
  let activeCount = 0

  /** True while an unchanged document means that nothing at all is to be done. */
  function isPlain({ state, memory, judgedFrom: from }: WatchedJob): boolean {
    return state === 'active' && isForgetful(memory) && clock.now() < from
  }

  /** A miss among many is no word about this job: it is held against the upstream. */
  function weigh(job: WatchedJob, seen: Look, now: number): Look {
    if (job.state === 'ended' || seen.outcome === 'failed') return seen
    if (seen.outcome !== 'missing') {
      census.present(job)
      return seen
    }
    if (!census.missing(job, now)) return seen
    job.memory = { ...job.memory, misses: null }
    const detail = `${census.words}: ${seen.detail}`
    return { outcome: 'failed', failure: 'transient', detail, retryAfterMs: null }
  }

  async function noteHealth(seen: Look, now: number): Promise<void> {
    if (seen.outcome === 'failed') await gate.failed(seen, now)
    // While most jobs are missing, that one more is says nothing good.
    else if (seen.outcome !== 'missing' || !census.holds(now)) await gate.worked(now)
  }

  /** Writes what a look changed. */
  async function takeIn(
    job: WatchedJob,
    seen: Look,
    { now, isAsked }: { now: number; isAsked: boolean },
  ): Promise<void> {
    switch (seen.outcome) {
      case 'same':
        worked(job, now)
        job.memory = forgetful
        job.quiet += 1
        return
      case 'seen':
        // An answer that says something ends the row of failures, whatever it says.
        job.failures = 0
        await commit(job, seen, { now, isAsked, document: seen.document })
        // An ended job keeps nothing in memory but its place in the schedule.
        job.fingerprint = job.state === 'active' ? seen.fingerprint : null
        if (job.memory.confirming === 0) worked(job, now)
        else failed(job, 'unconfirmed', unconfirmed, now)
        return
      case 'missing':
        job.failures = 0
        await commit(job, seen, { now, isAsked })
        // A job that ended is never lost: what is answered about it then means nothing.
        if (job.state !== 'ended') failed(job, 'missing', seen.detail, now)
        return
      case 'failed':
        if (!isPlain(job)) await commit(job, seen, { now, isAsked })
        if (job.state !== 'ended') failed(job, seen.failure, seen.detail, now)
        job.failures += 1
    }
  }

  async function commit(
    job: WatchedJob,
    observation: Observation,
    { now, isAsked, document = null }: { now: number; isAsked: boolean; document?: string | null },
  ): Promise<void> {
    for (let attempt = 1; attempt <= maxCommitTries; attempt += 1) {
      const before = await store.findJob(job)
      if (before === null || before.state === 'stopped') {
        setState(job, 'stopped')
        return
      }
      const { job: next, memory, drafts } = advance(before, job.memory, observation, now, policy)
      // Looks that are asked for are none of those that are still to be made after an end.
      const isExtra = isAsked && before.state === 'ended' && drafts.length === 0
      const after = isExtra ? { ...next, looksLeft: before.looksLeft } : next
      if (after !== before) {
        const result = await store.commitLook({ job: after, drafts, document, at: now })
        if (result.outcome === 'conflict') continue
        logChange(result.job, drafts.length)
      }
      job.memory = memory
      setState(job, after.state)
      job.looksLeft = after.looksLeft
      job.judgedFrom = judgedFrom(after, policy)
      job.quiet = drafts.length > 0 ? 0 : job.quiet + 1
      noteChange(job, before.changedAt, after.changedAt)
      return
    }
    throw new Error(`the job changed ${maxCommitTries} times while one look was written`)
  }

  function setState(job: WatchedJob, state: JobState): void {
    if (job.state === state) return
    if (job.state === 'active') activeCount -= 1
    if (state === 'active') activeCount += 1
    else census.leaves(job)
    job.state = state
  }

  function worked(job: WatchedJob, now: number): void {
    if (!noteSuccess(job, now)) return
    log.info({ upstream: upstream.name, jobid: job.jobid }, 'poller.look_recovered')
  }

  function failed(job: WatchedJob, kind: Problem['kind'], detail: string, now: number): void {
    if (!noteProblem(job, kind, detail, now)) return
    log.warn({ upstream: upstream.name, jobid: job.jobid, kind, detail }, 'poller.look_failed')
  }

  function logChange(job: Job, events: number): void {
    if (events === 0) return
    const { jobid, status, state, lastSeq } = job
    log.info({ upstream: upstream.name, jobid, status, state, events, lastSeq }, 'job.changed')
  }

  function logCrash(error: unknown, { jobid }: WatchedJob): void {
    // That nothing can be written is told once, and not by every look.
    if (error instanceof StoreUnwritable) return
    log.error({ err: error, upstream: upstream.name, jobid }, 'poller.look_crashed')
  }

  return {
    get activeCount() {
      return activeCount
    },
    enters(job, isSeen) {
      if (job.state !== 'active') return
      activeCount += 1
      if (isSeen) census.present(job)
    },
    leaves(job) {
      if (job.state === 'active') activeCount -= 1
      census.leaves(job)
    },
    isHolding: () => census.holds(clock.now()),
    async take(job, { isWatched, isAsked }) {
      try {
        const seen = await upstream.fetchJob(job.jobid, isPlain(job) ? job.fingerprint : null)
        const now = clock.now()
        // Stopped, or stopped and watched anew, while the request was under way: what is answered
        // still tells how the upstream is.
        const weighed = isWatched() ? weigh(job, seen, now) : seen
        await noteHealth(weighed, now)
        if (isWatched()) await takeIn(job, weighed, { now, isAsked })
      } catch (error) {
        // Ours, not the upstream's: the document was not taken in, so the next look sees it again.
        job.failures += 1
        const detail = 'the answer could not be taken in; the log says why'
        failed(job, 'protocol', detail, clock.now())
        logCrash(error, job)
      }
    },
    isPatient: ({ state, judgedFrom: from }) => state !== 'active' || clock.now() < from,
    judge: (job) =>
      commit(job, notAsked, { now: clock.now(), isAsked: false }).catch((error: unknown) => {
        logCrash(error, job)
      }),
  }
}

const notAsked: Failed = {
  outcome: 'failed',
  failure: 'transient',
  detail: 'the upstream is not asked while it is down',
  retryAfterMs: null,
}
