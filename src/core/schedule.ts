import { exponential, jitter } from './backoff.ts'
import type { Random } from './backoff.ts'

export interface PollPolicy {
  /** The pause while something changes. */
  readonly intervalMs: number
  /** The longest pause when nothing does. */
  readonly maxIntervalMs: number
}

/** How the last looks of a job went. */
export interface PollHistory {
  /** Looks in a row that showed no change. */
  readonly quiet: number
  /** Looks in a row that failed. */
  readonly failures: number
}

const growth = 1.5
const jitterFraction = 0.1
/** During an outage a job is looked at no less often than this many longest pauses. */
const maxBackoffPauses = 3

/**
 * When to look next, epoch ms: after `interval` while something changes, stretching to `maxInterval`
 * when nothing does, doubling after failures. The upstream's own wish (`retryAfterMs`) is a floor.
 */
export function nextPollAt(
  { quiet, failures }: PollHistory,
  { intervalMs, maxIntervalMs }: PollPolicy,
  { now, random, retryAfterMs }: { now: number; random: Random; retryAfterMs: number | null },
): number {
  const longest = Math.max(intervalMs, maxIntervalMs)
  const pause =
    failures > 0
      ? exponential(failures, intervalMs, longest * maxBackoffPauses)
      : Math.min(longest, intervalMs * growth ** Math.min(quiet, 64))
  return now + Math.max(jitter(pause, jitterFraction, random), retryAfterMs ?? 0)
}
