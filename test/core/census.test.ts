import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Census } from '../../src/core/census.ts'
import type { Counted } from '../../src/core/census.ts'

const holdMs = 600_000

function jobs(count: number): Counted[] {
  return Array.from({ length: count }, () => ({ isPresent: false, isMissing: false }))
}

test('misses are the jobs’ own until most of them are missing at once', () => {
  const census = new Census(holdMs)
  const all = jobs(6)
  for (const job of all) census.present(job)
  expect(all.slice(0, 5).map((job) => census.missing(job, 0))).toEqual([
    ...[false, false, false],
    ...[true, true],
  ])
  expect(census.words).toBe('5 of 6 running jobs are unknown at once')
})

test('fewer than three, and what was never seen, say nothing about the upstream', () => {
  const census = new Census(holdMs)
  const [first, second, ...unseen] = jobs(10) as [Counted, Counted, ...Counted[]]
  census.present(first)
  census.present(second)
  expect([first, second, ...unseen].map((job) => census.missing(job, 0))).not.toContain(true)
})

test('what is still missing after the hold is the jobs’ own, until enough are back', () => {
  const census = new Census(holdMs)
  const all = jobs(3)
  for (const job of all) census.present(job)
  const missAll = (now: number) => all.map((job) => census.missing(job, now))
  missAll(0)
  expect(missAll(holdMs - 1)).toEqual([true, true, true])
  expect(missAll(holdMs)).toEqual([false, false, false])
  for (const job of all) census.present(job)
  missAll(2 * holdMs)
  expect(missAll(2 * holdMs + 1)).toEqual([true, true, true])
})

test('jobs that end, are lost or stopped count no longer', () => {
  const census = new Census(holdMs)
  const all = jobs(8)
  for (const job of all) census.present(job)
  for (const job of all.slice(0, 4)) census.leaves(job)
  expect(all.slice(4).map((job) => census.missing(job, 0))).toEqual([false, false, true, true])
})

test('whatever happens, it counts what its flags say', () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom('present', 'missing', 'leaves'), fc.nat({ max: 9 })),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(steps, (moves) => {
      const census = new Census(holdMs)
      const all = jobs(10)
      for (const [move, index] of moves) {
        const job = all[index]
        if (job === undefined) continue
        if (move === 'missing') census.missing(job, 0)
        else census[move](job)
        const missing = all.filter(({ isMissing }) => isMissing).length
        const present = all.filter(({ isPresent }) => isPresent).length
        expect(census.words).toBe(`${missing} of ${present} running jobs are unknown at once`)
        expect(all.some(({ isMissing, isPresent }) => isMissing && !isPresent)).toBe(false)
      }
    }),
  )
})
