// What a schedule of looks costs the upstream and how late it sees changes, on a mix of jobs: simulated,
// so that nothing but the schedule counts.

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Numbers that look random, the same ones for the same seed (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * A mix of jobs, each as the moments of its changes in ms from its start, at which it is registered; the
 * last change is the end. 200 short jobs of which only the end is seen, 60 of minutes with 16 changes,
 * 20 of hours with a change about every ten minutes: on the minute, they would all be in step with an
 * interval that divides it.
 */
export function mixOfJobs(random) {
  const between = (low, high) => low + (high - low) * random()
  const many = (count, one) => Array.from({ length: count }, one)
  return [
    ...many(200, () => [between(8 * second, 28 * second)]),
    ...many(60, () => {
      const end = between(2 * minute, 12 * minute)
      return [...many(16, () => between(0, end)), end].sort((a, b) => a - b)
    }),
    ...many(20, () => {
      const end = between(hour, 4 * hour)
      const changes = []
      const gap = () => between(9 * minute, 11 * minute)
      for (let at = gap(); at < end; at += gap()) changes.push(at)
      return [...changes, end]
    }),
  ]
}

/**
 * Looks at the jobs until the end of each is seen. `scheduleOf()` makes the schedule of one job: it is
 * told the moment of a look and whether that showed something new, and says when the next one is. The
 * looks after an end are not counted: they are the same for every schedule.
 * @returns how many requests that took, and how late changes and ends were seen, in ms
 */
export function simulate(jobs, scheduleOf) {
  let requests = 0
  const delays = []
  const endDelays = []
  for (const changes of jobs) {
    const nextLook = scheduleOf()
    let seen = 0
    for (let at = 0; seen < changes.length;) {
      const before = seen
      for (; changes[seen] <= at; seen += 1) delays.push(at - changes[seen])
      if (seen === changes.length) endDelays.push(delays.at(-1))
      requests += 1
      // The first look shows the job itself.
      at = nextLook(at, at === 0 || seen > before)
    }
  }
  return { requests, delayP50: percentile(delays, 0.5), endDelayP95: percentile(endDelays, 0.95) }
}

/** A schedule of the daemon's own, made of its `nextPollAt` and `usualGap`. */
export function adaptive({ nextPollAt, usualGap }, policy, random) {
  return () => {
    const history = { state: 'active', looksLeft: 0, confirming: 0, failures: 0 }
    let quiet = 0
    let changedAt = null
    let gapMs = null
    return (now, hasChanged) => {
      quiet = hasChanged ? 0 : quiet + 1
      if (hasChanged) {
        if (changedAt !== null) gapMs = usualGap(gapMs, now - changedAt)
        changedAt = now
      }
      return nextPollAt({ ...history, quiet, changedAt, gapMs }, policy, { now, random })
    }
  }
}

/** What a fixed interval costs that sees half of all changes within `delayMs`. */
export function fixedAsPromptAs(jobs, delayMs) {
  let low = 0
  let high = 60 * second
  while (high - low > 1) {
    const middle = (low + high) / 2
    if (every(jobs, middle).delayP50 < delayMs) low = middle
    else high = middle
  }
  return { intervalMs: high, ...every(jobs, high) }
}

function every(jobs, intervalMs) {
  return simulate(jobs, () => (now) => now + intervalMs)
}

function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)]
}
