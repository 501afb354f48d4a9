import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { advance } from '../../src/core/advance.ts'
import type { Advance } from '../../src/core/advance.ts'
import { forgetful } from '../../src/core/memory.ts'
import { toSnapshot } from '../../src/upstream/enterprise-admin/document.ts'
import { aJob } from '../helpers/builders.ts'

/*
 * What the replay of the traces through the daemon (test/e2e/traces.test.ts) cannot show: every step
 * on the way, and looks that come more often than anything changes.
 */

const policy = { lostAfterMs: 60_000, stallAfterMs: 7_200_000 }
const startedAt = 1_760_000_000_000

interface Entry {
  readonly afterMs: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Looks at a job so many times at each entry of its trace; one list of steps per entry. */
function play(name: string, times = 1): readonly (readonly Advance[])[] {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url)
  const entries = JSON.parse(readFileSync(file, 'utf8')) as readonly Entry[]
  let step: Advance = { job: aJob({ watchedAt: startedAt }), memory: forgetful, drafts: [] }
  return entries.map(({ afterMs, body }) =>
    Array.from({ length: times }, (_, look) => {
      const at = startedAt + afterMs + look * 50
      const snapshot = toSnapshot(body, at)
      if (snapshot === null) throw new Error(`${name}: no job document`)
      step = advance(step.job, step.memory, { outcome: 'seen', snapshot }, at, policy)
      return step
    }),
  )
}

test('02: stages have the times at which they were seen to begin and end', () => {
  const job = play('02-success-stages-appended').at(-1)?.[0]?.job
  expect(job?.stages[1]).toMatchObject({
    name: 'set_read_only',
    startedAt: startedAt + 23_000,
    endedAt: startedAt + 43_000,
  })
})

test('04: a job that is being cancelled is active until it is CANCELLED', () => {
  const states = play('04-cancel-with-rollback').map(([step]) => step?.job.state)
  expect(states).toEqual([...Array<string>(5).fill('active'), 'ended'])
})

test('06: while a job is unavailable its stages and facts are kept', () => {
  const [first, ...unavailable] = play('06-unavailable-in-between').slice(0, 3)
  for (const [step] of unavailable) {
    const stages = first?.[0]?.job.stages
    expect(step?.job).toMatchObject({ state: 'active', stages, startedAt })
    expect(step?.job.name).toBe('editContainerRegistry')
  }
})

test('11: updatedtime in any unit is a time of the job or nothing', () => {
  const times = play('11-updatedtime-odd-units').map(([step]) => step?.job.updatedAt ?? null)
  expect(times.map((time) => (time === null ? null : time - startedAt))).toEqual([
    ...[1005, 5000, 10_000],
    ...[15_000, null, 25_000],
  ])
})

test('14: of a very large result only the size is kept', () => {
  const job = play('14-very-large-result').at(-1)?.[0]?.job
  expect(JSON.stringify(job).length).toBeLessThan(2000)
})

test.each([
  '01-success-stages-prelisted',
  '03-failure-in-stage',
  '06-unavailable-in-between',
  '10-updatedtime-backwards',
  '13-unicode-names',
])('looking again at an unchanged document tells nothing new: %s', (name) => {
  for (const looks of play(name, 3)) {
    const [first, ...again] = looks
    expect(again.flatMap(({ drafts }) => drafts)).toEqual([])
    // After the end only the looks that are left are counted.
    const last = again.at(-1)
    expect({ ...last?.job, looksLeft: 0 }).toEqual({ ...first?.job, looksLeft: 0 })
    if (first?.job.state === 'active') expect(last?.job).toBe(first.job)
  }
})
