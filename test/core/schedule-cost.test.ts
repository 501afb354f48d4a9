import { expect, test } from 'vitest'
import {
  adaptive,
  fixedAsPromptAs,
  mixOfJobs,
  seeded,
  simulate,
} from '../../bench/schedule-mix.mjs'
import { nextPollAt, usualGap } from '../../src/core/schedule.ts'

const policy = { intervalMs: 5000, maxIntervalMs: 20_000 }

/** A mix of short jobs, jobs of minutes and jobs of hours, and what it costs to see how they end. */
function aMix(seed: number) {
  const random = seeded(seed)
  const jobs = mixOfJobs(random)
  return { jobs, ours: simulate(jobs, adaptive({ nextPollAt, usualGap }, policy, random)) }
}

test.each([1, 2, 3, 4, 5])(
  'a fixed interval that sees changes as soon costs twice the requests (mix %i)',
  (seed) => {
    const { jobs, ours } = aMix(seed)
    const fixed = fixedAsPromptAs(jobs, ours.delayP50)
    expect(fixed.requests / ours.requests).toBeGreaterThanOrEqual(2)
  },
)

test.each([1, 2, 3, 4, 5])('nearly every end is seen within the longest pause (mix %i)', (seed) => {
  expect(aMix(seed).ours.endDelayP95).toBeLessThanOrEqual(policy.maxIntervalMs)
})

test('looks at a job of 20 s, at one that changes twice a minute, and at one of two hours that seldom does', () => {
  const steady = () => 0.5
  const looksAt = (changes: number[]) =>
    simulate([changes], adaptive({ nextPollAt, usualGap }, policy, steady)).requests
  const minute = 60_000
  expect(looksAt([20_000])).toBe(4)
  expect(looksAt(everyMs(minute / 2, 5 * minute))).toBe(57)
  expect(looksAt(everyMs(10 * minute, 120 * minute))).toBe(372)
})

function everyMs(gapMs: number, lengthMs: number): number[] {
  return Array.from({ length: lengthMs / gapMs }, (_, n) => (n + 1) * gapMs)
}
