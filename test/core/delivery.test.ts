import fc from 'fast-check'
import { expect, test } from 'vitest'
import { afterAttempt, isFoldable, isUrgent, unchanged } from '../../src/core/delivery.ts'
import type { AttemptResult } from '../../src/core/delivery.ts'
import { eventTypes } from '../../src/core/event.ts'
import { noon } from '../helpers/builders.ts'
import { always, anyRandom } from './arbitraries.ts'

/** 5s, 30s, 2m: three retries, four attempts. */
const scheduleMs = [5000, 30_000, 120_000]

function anAttempt(fields: Partial<AttemptResult> = {}): AttemptResult {
  return {
    verdict: 'retry',
    at: noon,
    durationMs: 12,
    status: 500,
    error: 'status',
    answer: 'no',
    detail: 'answered 500: no',
    retryAfterMs: null,
    ...fields,
  }
}

function after(failedBefore: number, result: AttemptResult, random = 0.5) {
  return afterAttempt(failedBefore, result, { scheduleMs }, { now: noon, random: always(random) })
}

test.each([0, 2, 3])('a delivery that is taken after %i failed attempts is delivered', (failed) => {
  const taken = anAttempt({ verdict: 'delivered', status: 204, error: null })
  expect(after(failed, taken)).toEqual({ state: 'delivered', dueAt: null, pauseUntil: null })
})

test('each failed attempt is followed by the pause that the schedule has for it', () => {
  const pauses = [0, 1, 2].map((failedBefore) => after(failedBefore, anAttempt()))
  expect(pauses).toEqual([
    { state: 'pending', dueAt: noon + 5000, pauseUntil: null },
    { state: 'pending', dueAt: noon + 30_000, pauseUntil: null },
    { state: 'pending', dueAt: noon + 120_000, pauseUntil: null },
  ])
})

test('after the last retry a delivery has failed', () => {
  expect(after(3, anAttempt())).toEqual({ state: 'failed', dueAt: null, pauseUntil: null })
  expect(after(50, anAttempt())).toEqual({ state: 'failed', dueAt: null, pauseUntil: null })
})

test('without a schedule the first failed attempt is the last', () => {
  const surroundings = { now: noon, random: always(0.5) }
  expect(afterAttempt(0, anAttempt(), { scheduleMs: [] }, surroundings).state).toBe('failed')
})

test('a pause is spread by a fifth to both sides', () => {
  expect(after(1, anAttempt(), 0).dueAt).toBe(noon + 24_000)
  expect(after(1, anAttempt(), 0.25).dueAt).toBe(noon + 27_000)
  fc.assert(
    fc.property(fc.nat({ max: 2 }), anyRandom, (failedBefore, random) => {
      const pause = (after(failedBefore, anAttempt(), random).dueAt ?? 0) - noon
      const planned = scheduleMs[failedBefore] ?? 0
      expect(pause).toBeGreaterThanOrEqual(0.8 * planned)
      expect(pause).toBeLessThanOrEqual(1.2 * planned)
    }),
  )
})

test.each(['timeout', 'dns', 'connect', 'tls', 'reset'] as const)(
  'an attempt without an answer (%s) is retried like a refused one',
  (error) => {
    const result = anAttempt({ status: null, error, answer: null })
    expect(after(0, result)).toEqual({ state: 'pending', dueAt: noon + 5000, pauseUntil: null })
  },
)

test.each([429, 503])('Retry-After on %i pauses the whole endpoint', (status) => {
  const result = anAttempt({ status, retryAfterMs: 60_000 })
  expect(after(0, result)).toMatchObject({ state: 'pending', pauseUntil: noon + 60_000 })
})

test.each([429, 503])('%i without Retry-After pauses nobody', (status) => {
  expect(after(0, anAttempt({ status })).pauseUntil).toBeNull()
})

test.each([400, 404, 500, 502, 504])(
  'Retry-After on %i is the least pause of this delivery and of no other',
  (status) => {
    const patient = anAttempt({ status, retryAfterMs: 60_000 })
    expect(after(0, patient, 0)).toEqual({
      state: 'pending',
      dueAt: noon + 60_000,
      pauseUntil: null,
    })
    const hasty = anAttempt({ status, retryAfterMs: 1000 })
    expect(after(1, hasty).dueAt).toBe(noon + 30_000)
  },
)

test('the endpoint is left alone also when the delivery that was told so is given up', () => {
  const result = anAttempt({ status: 503, retryAfterMs: 60_000 })
  expect(after(3, result)).toEqual({ state: 'failed', dueAt: null, pauseUntil: noon + 60_000 })
})

test.each([0, 3])('what is not understood is not sent again, after %i attempts', (failed) => {
  const refused = anAttempt({ verdict: 'refused', status: 400, retryAfterMs: 60_000 })
  expect(after(failed, refused)).toEqual({ state: 'failed', dueAt: null, pauseUntil: null })
})

test.each([0, 3])('a delivery to an endpoint that is gone is cancelled, after %i attempts', (n) => {
  const gone = anAttempt({ verdict: 'endpoint_dead', status: 410, retryAfterMs: 60_000 })
  expect(after(n, gone)).toEqual({ state: 'cancelled', dueAt: null, pauseUntil: null })
})

test('a failed attempt by hand changes nothing', () => {
  expect(unchanged).toEqual({ state: 'unchanged', dueAt: null, pauseUntil: null })
})

const kept = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.lost',
  'job.overdue',
  'job.stalled',
  'job.reopened',
  'upstream.down',
  'upstream.up',
  'upstream.denied',
  'endpoint.failing',
  'endpoint.disabled',
  'endpoint.recovered',
  'jobwatch.test',
]

test.each([...eventTypes, 'jobwatch.test'])(
  '%s may be left out unless it ends, alarms, reopens or is about no job',
  (type) => {
    expect(isFoldable(type)).toBe(!kept.includes(type))
  },
)

test.each([
  ['job.completed', true],
  ['job.failed', true],
  ['job.cancelled', true],
  ['job.lost', true],
  ['job.overdue', true],
  ['job.stalled', true],
  ['job.submitted', false],
  ['job.executing', false],
  ['job.cancelling', false],
  ['job.unavailable', false],
  ['job.status.other', false],
  ['job.stage.changed', false],
  ['job.message.added', false],
  ['job.found', false],
  ['job.watched', false],
  ['job.reopened', false],
  ['upstream.down', false],
  ['endpoint.disabled', false],
])('%s may overtake an earlier event of its job: %s', (type, expected) => {
  expect(isUrgent(type)).toBe(expected)
})
