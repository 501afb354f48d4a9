import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stageStates } from '../../src/core/job.ts'
import type { JobInEvent } from '../../src/http/schemas.ts'
import { ganttOf } from '../../src/web/gantt.ts'
import { noon } from '../helpers/builders.ts'
import { isoAt } from './answers.ts'

type Stage = JobInEvent['stages'][number]

function stage(state: Stage['state'], from: number | null, to: number | null): Stage {
  return {
    name: 'copying',
    occurrence: 1,
    state,
    rawState: state,
    startedAt: from === null ? null : isoAt(noon + from),
    endedAt: to === null ? null : isoAt(noon + to),
  }
}

function job(stages: readonly Stage[], from: number | null = 0, to: number | null = null) {
  const time = (ms: number | null) => (ms === null ? null : isoAt(noon + ms))
  return { stages: [...stages], startedAt: time(from), endedAt: time(to) }
}

describe('the chart of stages', () => {
  test('has each bar where the stage ran, beside the others', () => {
    const chart = ganttOf(
      job([stage('completed', 0, 25), stage('completed', 25, 75), stage('running', 75, null)]),
      noon + 100,
    )
    expect(chart?.bars).toEqual([
      { from: 0, to: 0.25, isOpen: false },
      { from: 0.25, to: 0.75, isOpen: false },
      { from: 0.75, to: 1, isOpen: false },
    ])
    expect(chart).toMatchObject({ fromMs: noon, toMs: noon + 100 })
  })

  test('has no bar for a stage that has not begun', () => {
    const chart = ganttOf(job([stage('running', 0, null), stage('pending', null, null)]), noon + 9)
    expect(chart?.bars[1]).toBeNull()
  })

  test('begins a stage that ran before the first look with its job, and says it is not known', () => {
    const chart = ganttOf(job([stage('completed', null, 40)], 0, 100), noon + 999)
    expect(chart?.bars).toEqual([{ from: 0, to: 0.4, isOpen: true }])
  })

  test('lets what runs grow until its job has ended', () => {
    const chart = ganttOf(job([stage('running', 0, null)], 0, 50), noon + 999)
    expect(chart?.toMs).toBe(noon + 50)
  })

  test('is none for a job of which no time is known', () => {
    expect(ganttOf(job([stage('pending', null, null)], null), noon)).toBeNull()
    expect(ganttOf(job([]), noon)).toBeNull()
  })

  test('shows a job that was over at once', () => {
    expect(ganttOf(job([stage('completed', 0, 0)], 0, 0), noon)?.bars).toEqual([
      { from: 0, to: 0, isOpen: false },
    ])
  })

  test('keeps every bar within its track, whatever clocks say', () => {
    const moment = fc.option(fc.integer({ min: -1000, max: 1000 }))
    const stages = fc.array(
      fc.tuple(fc.constantFrom(...stageStates), moment, moment).map((parts) => stage(...parts)),
    )
    fc.assert(
      fc.property(stages, moment, moment, fc.integer({ min: -1000, max: 1000 }), (...given) => {
        const [all, from, to, now] = given
        const chart = ganttOf(job(all, from, to), noon + now)
        for (const bar of chart?.bars ?? []) {
          if (bar === null) continue
          expect(bar.from).toBeGreaterThanOrEqual(0)
          expect(bar.to).toBeGreaterThanOrEqual(bar.from)
          expect(bar.to).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})
