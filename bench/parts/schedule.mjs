// What the schedule of looks costs the upstream, beside a fixed interval that sees changes as soon.
import { nextPollAt, usualGap } from '../../dist/core/schedule.js'
import { each, line } from '../report.mjs'
import { adaptive, fixedAsPromptAs, mixOfJobs, seeded, simulate } from '../schedule-mix.mjs'

export const about = 'requests of a mix of jobs until all ends are seen, simulated, a mix a round'

/** What a configuration that says nothing gets. */
const policy = { intervalMs: 5000, maxIntervalMs: 20_000 }

export function run({ rounds }) {
  const readings = Array.from({ length: rounds }, (_, round) => reading(round + 1))
  return [
    line('requests of the fixed interval / ours', each(readings, 'ratio'), { atLeast: 2 }),
    line('an end seen, p95', each(readings, 'endDelayP95', 1e-3), { unit: 's', atMost: 20 }),
    line('a change seen, p50', each(readings, 'delayP50', 1e-3), { unit: 's' }),
    line('the fixed interval', each(readings, 'intervalMs', 1e-3), { unit: 's' }),
    line('requests', each(readings, 'requests')),
  ]
}

function reading(seed) {
  const random = seeded(seed)
  const jobs = mixOfJobs(random)
  const ours = simulate(jobs, adaptive({ nextPollAt, usualGap }, policy, random))
  const fixed = fixedAsPromptAs(jobs, ours.delayP50)
  return { ...ours, intervalMs: fixed.intervalMs, ratio: fixed.requests / ours.requests }
}
