import { jitter } from './backoff.ts'
import type { Random } from './backoff.ts'

export const deliveryStates = ['pending', 'delivered', 'failed', 'superseded', 'cancelled'] as const
export type DeliveryState = (typeof deliveryStates)[number]

export const attemptErrors = [
  'timeout',
  'dns',
  'connect',
  'tls',
  'reset',
  'redirect',
  'status',
  'refused_address',
] as const
/** Why an attempt brought no answer, or an answer that is not taken. */
export type AttemptError = (typeof attemptErrors)[number]

/**
 * How a format judges an answer. `refused`: what was sent is not understood, and sending it again
 * would not help. `endpoint_dead`: the receiver says that nothing more will ever be taken.
 */
export type Verdict = 'delivered' | 'retry' | 'refused' | 'endpoint_dead'

/** What one attempt yielded. */
export interface AttemptResult {
  readonly verdict: Verdict
  /** When the attempt began, epoch ms. */
  readonly at: number
  readonly durationMs: number
  readonly status: number | null
  readonly error: AttemptError | null
  /** The first 4 KiB of the answer. */
  readonly answer: string | null
  /** What came of it in words, for people; holds no secret. */
  readonly detail: string
  readonly retryAfterMs: number | null
}

export interface RetryPolicy {
  /** The pause after the first, second, … failed attempt, in ms; after the last one it is given up. */
  readonly scheduleMs: readonly number[]
}

export interface AfterAttempt {
  readonly state: 'delivered' | 'failed' | 'pending' | 'cancelled' | 'unchanged'
  /** When to try again, epoch ms; null unless pending. */
  readonly dueAt: number | null
  /** Until when the endpoint asked for silence, epoch ms. */
  readonly pauseUntil: number | null
}

export const retryJitter = 0.2
/** No receiver can ask for more than a day. */
export const maxRetryAfterMs = 86_400_000

/**
 * What follows from an attempt. `failedBefore` counts the failed attempts before this one.
 * `Retry-After` on 429 and 503 speaks for the whole endpoint, on other answers it is the floor for
 * this delivery.
 */
export function afterAttempt(
  failedBefore: number,
  result: AttemptResult,
  { scheduleMs }: RetryPolicy,
  { now, random }: { now: number; random: Random },
): AfterAttempt {
  if (result.verdict === 'delivered') return { state: 'delivered', dueAt: null, pauseUntil: null }
  // The endpoint is disabled over it, and with that everything it is still owed is cancelled.
  if (result.verdict === 'endpoint_dead') {
    return { state: 'cancelled', dueAt: null, pauseUntil: null }
  }
  if (result.verdict === 'refused') return { state: 'failed', dueAt: null, pauseUntil: null }
  const asksForSilence = result.status === 429 || result.status === 503
  const { retryAfterMs } = result
  const pauseUntil = asksForSilence && retryAfterMs !== null ? now + retryAfterMs : null
  const pauseMs = scheduleMs[failedBefore]
  if (pauseMs === undefined) return { state: 'failed', dueAt: null, pauseUntil }
  const dueAt = now + Math.max(jitter(pauseMs, retryJitter, random), retryAfterMs ?? 0)
  return { state: 'pending', dueAt, pauseUntil }
}

/** What a failed attempt by hand leads to: nothing, the delivery stays as it was. */
export const unchanged = { state: 'unchanged', dueAt: null, pauseUntil: null } as const

const urgentTypes: ReadonlySet<string> = new Set([
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.lost',
  'job.overdue',
  'job.stalled',
])

/** Events that end or alarm: they wait for an earlier delivery of their job only so long. */
export function isUrgent(type: string): boolean {
  return urgentTypes.has(type)
}

/**
 * Events that a later one of the same job makes pointless, since it carries the job as it is by
 * then: all but those that end, alarm or reopen. What is about no job is always told.
 */
export function isFoldable(type: string): boolean {
  return type.startsWith('job.') && !isUrgent(type) && type !== 'job.reopened'
}
