import { exponential, jitter } from './backoff.ts'
import type { Random } from './backoff.ts'
import type { JobState } from './job.ts'

export interface PollPolicy {
  /** The pause while something changes. */
  readonly intervalMs: number
  /** The longest pause when nothing does. */
  readonly maxIntervalMs: number
}

/** How the last looks of a job went, and what is being waited for. */
export interface PollHistory {
  readonly state: JobState
  /** Looks that are still to be made after the end. */
  readonly looksLeft: number
  /** Looks in a row that showed an end which is not believed yet. */
  readonly confirming: number
  /** Looks in a row that showed no change. */
  readonly quiet: number
  /** Looks in a row that failed. */
  readonly failures: number
  /** When the last change was seen, epoch ms; null when none was. */
  readonly changedAt: number | null
  /** How long the job usually goes without a change (`usualGap`); null while that is not known. */
  readonly gapMs: number | null
}

const growth = 1.5
/** So many looks there are, about, from one change of a job to the next … */
const looksPerGap = 20
/** … until so many in a row have shown none: then it has become another kind of job. */
const patientLooks = 10
const jitterFraction = 0.1
/** During an outage a job is looked at no less often than this many longest pauses. */
const maxBackoffPauses = 3

/** Pauses, in intervals: between the looks that confirm an end, and between those after one. */
const confirmingPauses = [1, 2, 6]
const pausesAfterEnd = [6, 20]

/** How long a job usually goes without a change, after one that came `gapMs` after the one before it. */
export function usualGap(before: number | null, gapMs: number): number {
  return before === null ? gapMs : (before + gapMs) / 2
}

/**
 * When to look next, epoch ms; null when never. While a job runs: after `interval` while something
 * changes, stretching to `maxInterval` when nothing does, doubling after failures. How soon it
 * stretches depends on the job: one that changes often is looked at often until it no longer does, one
 * that seldom changes is left alone again after the look that follows a change.
 */
export function nextPollAt(
  history: PollHistory,
  policy: PollPolicy,
  { now, random }: { now: number; random: Random },
): number | null {
  const pause = pauseMs(history, policy, now)
  if (pause === null) return null
  return now + jitter(pause, jitterFraction, random)
}

function pauseMs(
  history: PollHistory,
  { intervalMs, maxIntervalMs }: PollPolicy,
  now: number,
): number | null {
  const { state, looksLeft, confirming, failures } = history
  const longest = Math.max(intervalMs, maxIntervalMs)
  const isConfirming = confirming > 0 && failures === 0 && state !== 'stopped'
  if (isConfirming) return (confirmingPauses[confirming - 1] ?? 1) * intervalMs
  switch (state) {
    case 'stopped':
      return null
    case 'ended': {
      const pauses = pausesAfterEnd.at(-looksLeft)
      return looksLeft === 0 || pauses === undefined ? null : pauses * intervalMs
    }
    case 'lost':
      return failures > 0 ? exponential(failures, longest, longest * maxBackoffPauses) : longest
    case 'active':
      if (failures > 0) return exponential(failures, intervalMs, longest * maxBackoffPauses)
      return Math.min(longest, stretchedMs(history, intervalMs, now))
  }
}

function stretchedMs(
  { quiet, gapMs, changedAt }: PollHistory,
  intervalMs: number,
  now: number,
): number {
  if (quiet === 0 || changedAt === null || gapMs === null) return grownMs(quiet, intervalMs)
  const byGap = Math.max(gapMs, now - changedAt) / looksPerGap
  return Math.max(byGap, grownMs(quiet - patientLooks, intervalMs))
}

function grownMs(steps: number, intervalMs: number): number {
  return intervalMs * growth ** Math.min(Math.max(steps, 0), 64)
}
