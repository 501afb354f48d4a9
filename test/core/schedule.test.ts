import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextPollAt, usualGap } from '../../src/core/schedule.ts'
import type { PollHistory, PollPolicy } from '../../src/core/schedule.ts'
import { noon } from '../helpers/builders.ts'
import { always, anyRandom } from './arbitraries.ts'

const policy: PollPolicy = { intervalMs: 5000, maxIntervalMs: 20_000 }
const changing = { quiet: 0, failures: 0 }

function pauseAfter(
  history: Partial<PollHistory>,
  {
    random = 0.5,
    ...changed
  }: Partial<PollPolicy> & {
    random?: number
  } = {},
): number {
  const surroundings = { now: noon, random: always(random) }
  const running: PollHistory = {
    state: 'active',
    looksLeft: 0,
    confirming: 0,
    quiet: 0,
    failures: 0,
    changedAt: null,
    gapMs: null,
  }
  const at = nextPollAt({ ...running, ...history }, { ...policy, ...changed }, surroundings)
  return at === null ? Infinity : at - noon
}

test('a job that changes is looked at every interval', () => {
  expect(pauseAfter(changing)).toBe(5000)
})

test('the pause stretches while nothing changes and ends at the longest pause', () => {
  const pauses = [0, 1, 2, 3, 4, 5, 6, 50].map((quiet) => pauseAfter({ quiet, failures: 0 }))
  expect(pauses[0]).toBe(5000)
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b))
  expect(pauses[1]).toBeGreaterThan(5000)
  expect(pauses.at(-2)).toBe(20_000)
  expect(pauses.at(-1)).toBe(20_000)
})

test('a job that changes often is looked at every interval until it no longer does', () => {
  const pauses = [1, 30, 60, 200, 300, 1000].map((seconds) =>
    pauseAfter({ quiet: 9, gapMs: 30_000, changedAt: noon - seconds * 1000 }),
  )
  expect(pauses).toEqual([5000, 5000, 5000, 10_000, 15_000, 20_000])
})

test('a job that seldom changes is left alone again after one look', () => {
  const seldom = { gapMs: 600_000, changedAt: noon - 5000 }
  expect(pauseAfter({ quiet: 0, ...seldom })).toBe(5000)
  expect(pauseAfter({ quiet: 1, ...seldom })).toBe(20_000)
})

test('how often a job changes is learned from its changes, the last ones most', () => {
  expect(usualGap(null, 10_000)).toBe(10_000)
  expect(usualGap(10_000, 20_000)).toBe(15_000)
})

test('a pause is spread by a tenth to both sides', () => {
  expect(pauseAfter(changing, { random: 0 })).toBe(4500)
  expect(pauseAfter({ quiet: 50, failures: 0 }, { random: 0 })).toBe(18_000)
  expect(pauseAfter({ quiet: 50, failures: 0 }, { random: 0.999_999 })).toBe(22_000)
})

test('no history stretches the pause beyond the longest one and its tenth', () => {
  const policies = fc.record({
    intervalMs: fc.integer({ min: 1, max: 10 ** 7 }),
    maxIntervalMs: fc.integer({ min: 1, max: 10 ** 7 }),
  })
  const anyPace = fc.record({
    quiet: fc.nat(),
    gapMs: fc.option(fc.nat()),
    // The clock may have been set back since.
    changedAt: fc.option(fc.integer({ min: noon - 10 ** 9, max: noon + 10 ** 9 })),
  })
  fc.assert(
    fc.property(policies, anyPace, anyRandom, (anyPolicy, pace, random) => {
      const pause = pauseAfter({ ...pace, failures: 0 }, { ...anyPolicy, random })
      const longest = Math.max(anyPolicy.intervalMs, anyPolicy.maxIntervalMs)
      expect(pause).toBeGreaterThanOrEqual(Math.floor(0.9 * anyPolicy.intervalMs))
      expect(pause).toBeLessThanOrEqual(Math.ceil(1.1 * longest))
    }),
  )
})

test('an interval that is greater than the longest pause is kept', () => {
  expect(pauseAfter(changing, { intervalMs: 60_000 })).toBe(60_000)
  expect(pauseAfter({ quiet: 50, failures: 0 }, { intervalMs: 60_000 })).toBe(60_000)
})

test('failures double the pause', () => {
  const pauses = [1, 2, 3, 4].map((failures) => pauseAfter({ quiet: 0, failures }))
  expect(pauses).toEqual([5000, 10_000, 20_000, 40_000])
})

test('an outage of any length leaves the pause bounded', () => {
  const longest = pauseAfter({ quiet: 0, failures: 20 })
  expect(longest).toBeGreaterThanOrEqual(20_000)
  expect(longest).toBeLessThanOrEqual(300_000)
  expect(pauseAfter({ quiet: 0, failures: 1_000_000 })).toBe(longest)
})

test('an end that is not believed yet is looked at after 1, 2 and 6 intervals', () => {
  expect([1, 2, 3].map((confirming) => pauseAfter({ confirming }))).toEqual([5000, 10_000, 30_000])
})

test('after its end a job is looked at after 6 and 20 intervals, and then never', () => {
  const pauses = [2, 1, 0].map((looksLeft) => pauseAfter({ state: 'ended', looksLeft }))
  expect(pauses).toEqual([30_000, 100_000, Infinity])
  expect(pauseAfter({ state: 'ended', looksLeft: 2, failures: 9 })).toBe(30_000)
})

test('a lost job is looked at every maxInterval, a stopped one never', () => {
  expect(pauseAfter({ state: 'lost', quiet: 0 })).toBe(20_000)
  expect(pauseAfter({ state: 'stopped' })).toBe(Infinity)
})
