import type { Counted } from './core/census.ts'
import { forgetful } from './core/memory.ts'
import type { Due } from './core/heap.ts'
import type { JobKey, JobState } from './core/job.ts'
import type { Memory } from './core/memory.ts'
import type { Problem } from './core/observation.ts'
import { usualGap } from './core/schedule.ts'
import type { PolledJob } from './store/store.ts'

/** A watched job in memory. Mutable, since there may be a hundred thousand of them. */
export interface WatchedJob extends JobKey, Due, Counted {
  readonly id: number
  state: JobState
  looksLeft: number
  memory: Memory
  /** Until then a look that shows nothing new needs no job to be read. */
  judgedFrom: number
  fingerprint: string | null
  quiet: number
  failures: number
  /** When a look last changed the job, and how long it usually goes without: how often to look. */
  changedAt: number | null
  gapMs: number | null
  polledAt: number | null
  problem: Problem | null
  /** Those who asked for a look and wait for its end. */
  askers: (() => void)[] | null
}

/** A job as it begins to be watched in this process. */
export function watchedJob(
  { id, upstream, jobid, state, looksLeft }: PolledJob,
  dueAt: number,
): WatchedJob {
  return {
    id,
    upstream,
    jobid,
    state,
    looksLeft,
    memory: forgetful,
    // Known once the job has been read.
    judgedFrom: 0,
    fingerprint: null,
    quiet: 0,
    failures: 0,
    changedAt: null,
    gapMs: null,
    polledAt: null,
    problem: null,
    askers: null,
    isPresent: false,
    isMissing: false,
    dueAt,
    slot: -1,
  }
}

/** Notes when a job changed last, and how long it goes without a change. */
export function noteChange(job: WatchedJob, before: number | null, changedAt: number | null): void {
  job.changedAt = changedAt
  if (before === null || changedAt === null || changedAt <= before) return
  job.gapMs = usualGap(job.gapMs, changedAt - before)
}

/** Notes a look that worked; true when the one before it had not. */
export function noteSuccess(job: WatchedJob, now: number): boolean {
  const hasRecovered = job.problem !== null
  job.polledAt = now
  job.failures = 0
  job.problem = null
  return hasRecovered
}

/** Notes a look that failed; true when it failed in another way than the one before it. */
export function noteProblem(
  job: WatchedJob,
  kind: Problem['kind'],
  detail: string,
  now: number,
): boolean {
  const { problem } = job
  job.polledAt = now
  job.problem = {
    kind,
    detail,
    since: problem?.since ?? now,
    attempts: (problem?.attempts ?? 0) + 1,
  }
  return problem?.kind !== kind
}
