import type { nextPollAt, PollPolicy, usualGap } from '../src/core/schedule.ts'

type Jobs = readonly (readonly number[])[]
type NextLook = (now: number, hasChanged: boolean) => number

export interface Cost {
  readonly requests: number
  readonly delayP50: number
  readonly endDelayP95: number
}

export function seeded(seed: number): () => number
export function mixOfJobs(random: () => number): Jobs
export function simulate(jobs: Jobs, scheduleOf: () => NextLook): Cost
export function adaptive(
  schedule: { nextPollAt: typeof nextPollAt; usualGap: typeof usualGap },
  policy: PollPolicy,
  random: () => number,
): () => NextLook
export function fixedAsPromptAs(jobs: Jobs, delayMs: number): Cost & { intervalMs: number }
