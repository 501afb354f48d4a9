import { describe, expect, test } from 'vitest'
import { advance, judgedFrom } from '../../src/core/advance.ts'
import type { Advance, LifePolicy } from '../../src/core/advance.ts'
import type { Job } from '../../src/core/job.ts'
import { forgetful } from '../../src/core/memory.ts'
import type { Observation, Snapshot } from '../../src/core/observation.ts'
import { aJob, aSeenStage, aSnapshot, noon } from '../helpers/builders.ts'

const second = 1000
const minute = 60_000
const day = 86_400_000
const policy: LifePolicy = { lostAfterMs: minute, stallAfterMs: 120 * minute }
const missing: Observation = { outcome: 'missing', detail: 'HTTP 404' }
const away: Observation = {
  outcome: 'failed',
  failure: 'transient',
  detail: 'HTTP 503',
  retryAfterMs: null,
}

function seen(fields: Partial<Snapshot> = {}): Observation {
  const { status = 'EXECUTING' } = fields
  return { outcome: 'seen', snapshot: aSnapshot({ rawStatus: status, ...fields }) }
}
const running = seen()
const completed = seen({ status: 'COMPLETED', endedAt: noon + minute })
const tooEarly = seen({ status: 'COMPLETED' })

/** Plays looks at given moments, in seconds after noon; returns each step. */
function live(
  job: Job,
  looks: readonly (readonly [number, Observation])[],
  by = policy,
): Advance[] {
  let step: Advance = { job, memory: forgetful, drafts: [] }
  return looks.map(([atSeconds, look]) => {
    step = advance(step.job, step.memory, look, noon + atSeconds * second, by)
    return step
  })
}

function types(steps: readonly Advance[]): string[][] {
  return steps.map(({ drafts }) => drafts.map(({ type }) => type))
}

describe('an end that is said too early', () => {
  test('is told when the fourth look says so still', () => {
    const steps = live(aJob(), [
      [0, running],
      [5, tooEarly],
      [10, tooEarly],
      [20, tooEarly],
      [50, tooEarly],
    ])
    expect(types(steps)).toEqual([['job.executing'], [], [], [], ['job.completed']])
    expect(steps.slice(1, 4).every(({ job }) => job === steps[0]?.job)).toBe(true)
  })

  test('is told at once when the document comes to look finished', () => {
    const steps = live(aJob(), [
      [0, running],
      [5, tooEarly],
      [10, completed],
    ])
    expect(types(steps)).toEqual([['job.executing'], [], ['job.completed']])
  })

  test('was never told when the job runs on, and the next end is confirmed anew', () => {
    const steps = live(aJob(), [
      [0, tooEarly],
      [5, running],
      [10, tooEarly],
      [15, tooEarly],
      [25, tooEarly],
      [55, tooEarly],
    ])
    expect(types(steps)).toEqual([[], ['job.executing'], [], [], [], ['job.completed']])
  })

  test('is also one in which a stage still runs, and is told with its stages in the end', () => {
    const stages = [aSeenStage('copy', 'running')]
    const look = seen({ status: 'COMPLETED', endedAt: noon, stages })
    const before = seen({ stages: [aSeenStage('copy', 'pending')] })
    const steps = live(aJob(), [
      [0, before],
      [5, look],
      [10, look],
      [20, look],
      [50, look],
    ])
    expect(types(steps)).toEqual([
      ['job.executing'],
      [],
      [],
      [],
      ['job.stage.changed', 'job.completed'],
    ])
  })

  test('costs failed looks nothing', () => {
    const steps = live(aJob(), [
      [0, running],
      [5, tooEarly],
      [10, away],
      [15, away],
      [20, tooEarly],
      [30, tooEarly],
      [60, tooEarly],
    ])
    expect(types(steps).flat()).toEqual(['job.executing', 'job.completed'])
    expect(types(steps)[6]).toEqual(['job.completed'])
  })

  test.each(['FAILED', 'CANCELLED'] as const)('is never %s, which is told at once', (status) => {
    const steps = live(aJob(), [
      [0, running],
      [5, seen({ status })],
    ])
    expect(types(steps)[1]).toEqual([`job.${status.toLowerCase()}`])
  })
})

describe('a job that is missing', () => {
  test('is lost after three misses and a minute, whichever comes later', () => {
    const quickly = live(aJob(), [
      [0, running],
      [5, missing],
      [6, missing],
      [7, missing],
      [64, missing],
      [65, missing],
    ])
    expect(types(quickly)).toEqual([['job.executing'], [], [], [], [], ['job.lost']])
    const slowly = live(aJob(), [
      [0, running],
      [100, missing],
      [200, missing],
      [300, missing],
    ])
    expect(types(slowly)).toEqual([['job.executing'], [], [], ['job.lost']])
    expect(slowly[3]?.drafts[0]?.change).toEqual({
      kind: 'presence',
      since: '2026-01-05T12:01:40.000Z',
    })
    expect(slowly[3]?.job).toMatchObject({ state: 'lost', status: 'EXECUTING' })
  })

  test('is not lost when it was seen in between', () => {
    const steps = live(aJob(), [
      [0, running],
      [50, missing],
      [100, missing],
      [110, running],
      [150, missing],
      [200, missing],
    ])
    expect(types(steps).flat()).toEqual(['job.executing'])
  })

  test('does not become one by looks that failed', () => {
    const steps = live(aJob(), [
      [0, running],
      [100, away],
      [200, away],
      [300, away],
      [400, away],
    ])
    expect(types(steps).flat()).toEqual(['job.executing'])
  })

  test('from the beginning is lost with no status', () => {
    const steps = live(aJob(), [
      [0, missing],
      [40, missing],
      [80, missing],
    ])
    expect(types(steps)).toEqual([[], [], ['job.lost']])
    expect(steps[2]?.job).toMatchObject({ state: 'lost', status: null })
  })

  test('is found before what changed meanwhile is told', () => {
    const stages = (state: 'pending' | 'completed') => [aSeenStage('copy', state)]
    const steps = live(aJob(), [
      [0, seen({ stages: stages('pending') })],
      [100, missing],
      [200, missing],
      [300, missing],
      [400, seen({ status: 'FAILED', stages: stages('completed') })],
    ])
    expect(types(steps)[4]).toEqual(['job.found', 'job.stage.changed', 'job.failed'])
    expect(steps[4]?.job).toMatchObject({ state: 'ended', lostSince: null })
  })

  test('is found even when nothing else changed', () => {
    const steps = live(aJob(), [
      [0, running],
      [100, missing],
      [200, missing],
      [300, missing],
      [400, running],
    ])
    expect(types(steps)[4]).toEqual(['job.found'])
    expect(steps[4]?.job.state).toBe('active')
  })

  test('for seven days is watched no longer', () => {
    const lost = aJob({ state: 'lost', status: 'EXECUTING', lostSince: noon })
    const [before, after] = live(lost, [
      [(7 * day) / second - 1, missing],
      [(7 * day) / second, missing],
    ])
    expect(before?.drafts).toEqual([])
    expect(after?.drafts).toEqual([
      { type: 'job.unwatched', change: { kind: 'registry', by: 'lost' } },
    ])
    expect(after?.job.state).toBe('stopped')
  })
})

describe('a job that has ended', () => {
  test('is looked at twice more, whatever is answered then', () => {
    for (const look of [completed, missing, away]) {
      const steps = live(aJob(), [
        [0, completed],
        [30, look],
        [130, look],
      ])
      expect(types(steps)).toEqual([['job.completed'], [], []])
      expect(steps.map(({ job }) => job.looksLeft)).toEqual([2, 1, 0])
      expect(steps[2]?.job.state).toBe('ended')
    }
  })

  test('and runs again is reopened', () => {
    const steps = live(aJob(), [
      [0, completed],
      [30, running],
      [40, completed],
    ])
    expect(types(steps)).toEqual([['job.completed'], ['job.reopened'], ['job.completed']])
    expect(steps[1]?.drafts[0]?.change).toMatchObject({ from: 'COMPLETED', to: 'EXECUTING' })
    expect(steps[1]?.job).toMatchObject({ state: 'active', outcome: null, looksLeft: 0 })
    expect(steps[2]?.job.looksLeft).toBe(2)
  })

  test('and shows another end tells that end, even under the same word', () => {
    const error = seen({ status: 'COMPLETED', endedAt: noon + minute, result: { status: 'error' } })
    const steps = live(aJob(), [
      [0, completed],
      [30, error],
      [130, seen({ status: 'CANCELLED' })],
    ])
    expect(types(steps)).toEqual([['job.completed'], ['job.failed'], ['job.cancelled']])
    expect(steps[1]?.drafts[0]?.change).toMatchObject({ from: 'COMPLETED', to: 'COMPLETED' })
  })
})

test('an id that comes back with a new start time is reopened, with no events of its stages', () => {
  const first = seen({ stages: [aSeenStage('copy', 'completed')] })
  const again = seen({ startedAt: noon + minute, stages: [aSeenStage('copy', 'running')] })
  const steps = live(aJob(), [
    [0, first],
    [100, again],
  ])
  expect(types(steps)).toEqual([['job.executing'], ['job.reopened']])
  expect(steps[1]?.job.startedAt).toBe(noon + minute)
})

describe('a job that should be done', () => {
  test('by a moment is overdue once after it', () => {
    const job = aJob({ deadline: { atMs: noon + 10 * second } })
    const steps = live(job, [
      [0, running],
      [10, running],
      [11, running],
      [12, running],
    ])
    expect(types(steps)).toEqual([['job.executing'], [], ['job.overdue'], []])
    expect(steps[2]?.drafts[0]?.change).toEqual({
      kind: 'deadline',
      deadline: '2026-01-05T12:00:10.000Z',
    })
  })

  test('so long after its start is overdue from that start on, also while it cannot be seen', () => {
    const job = aJob({ deadline: { afterMs: 10 * second } })
    const steps = live(job, [
      [0, running],
      [20, away],
    ])
    expect(types(steps)).toEqual([['job.executing'], ['job.overdue']])
  })

  test('and has ended is not overdue', () => {
    const job = aJob({ deadline: { atMs: noon + 10 * second } })
    expect(
      types(
        live(job, [
          [0, running],
          [11, completed],
          [41, completed],
        ]),
      ).flat(),
    ).toEqual(['job.executing', 'job.completed'])
  })

  test('is held against it only from then on', () => {
    const job = aJob({ deadline: { atMs: noon + 10 * second } })
    const [step] = live(job, [[0, running]])
    expect(step && judgedFrom(step.job, policy)).toBe(noon + 10 * second)
  })
})

describe('a job without a change', () => {
  test('is stalled once, and resumed before the change that ends it', () => {
    const hours = 2 * 3600
    const steps = live(aJob(), [
      [0, running],
      [hours - 1, running],
      [hours, running],
      [hours + 60, running],
      [hours + 120, seen({ status: 'CANCELLING' })],
    ])
    expect(types(steps)).toEqual([
      ['job.executing'],
      [],
      ['job.stalled'],
      [],
      ['job.resumed', 'job.cancelling'],
    ])
    for (const index of [2, 4]) {
      expect(steps[index]?.drafts[0]?.change).toEqual({
        kind: 'stall',
        since: '2026-01-05T12:00:00.000Z',
      })
    }
  })

  test('of its own patience stalls by that', () => {
    const steps = live(aJob({ stallAfterMs: 10 * second }), [
      [0, running],
      [10, away],
    ])
    expect(types(steps)).toEqual([['job.executing'], ['job.stalled']])
  })

  test('that has ended, is lost or was stopped does not stall', () => {
    const late = 86_400
    for (const state of ['ended', 'lost', 'stopped'] as const) {
      const job = aJob({ state, status: 'COMPLETED', changedAt: noon, lostSince: noon })
      expect(types(live(job, [[late, missing]])).flat()).toEqual([])
    }
  })
})

test('a stalled job that is lost has not resumed', () => {
  const hours = 2 * 3600
  const steps = live(aJob(), [
    [0, running],
    [hours, running],
    [hours + 100, missing],
    [hours + 200, missing],
    [hours + 300, missing],
    [hours + 400, seen({ status: 'CANCELLING' })],
  ])
  expect(types(steps).slice(1)).toEqual([
    ['job.stalled'],
    [],
    [],
    ['job.lost'],
    ['job.found', 'job.cancelling'],
  ])
})

test('another end that is said too early is confirmed as well, that of another run included', () => {
  const failed = seen({ status: 'FAILED', endedAt: noon })
  const anotherRun = seen({ status: 'COMPLETED', startedAt: noon + minute })
  for (const look of [tooEarly, anotherRun]) {
    const steps = live(aJob(), [
      [0, failed],
      [30, look],
      [35, look],
      [45, look],
      [75, look],
    ])
    expect(types(steps).slice(1, 4)).toEqual([[], [], []])
    expect(types(steps)[4]).toHaveLength(1)
  }
})

test('a job that is watched anew has all its patience again', () => {
  const job = aJob({ status: 'EXECUTING', changedAt: noon - day, watchedAt: noon })
  expect(types(live(job, [[1, running]])).flat()).toEqual([])
  expect(judgedFrom(job, policy)).toBe(noon + policy.stallAfterMs)
})

test('a result that is nested too deeply to be written is left out, and the end is told', () => {
  let result: unknown = []
  for (let depth = 0; depth < 20_000; depth += 1) result = [result]
  const [step] = live(aJob(), [[0, seen({ status: 'COMPLETED', endedAt: noon, result })]])
  expect(step?.drafts.map(({ type }) => type)).toEqual(['job.completed'])
  expect(step?.job.result).toBeNull()
})

describe('what is no other run', () => {
  const start = (ms: number, status: Snapshot['status']) => seen({ status, startedAt: noon + ms })

  test('is a job that is given its start when it begins', () => {
    const steps = live(aJob(), [
      [0, start(0, 'SUBMITTED')],
      [5, start(4000, 'EXECUTING')],
      [10, seen({ status: 'COMPLETED', startedAt: noon + 4000, endedAt: noon + 9000 })],
    ])
    expect(types(steps).flat()).toEqual(['job.submitted', 'job.executing', 'job.completed'])
    expect(steps[1]?.job.startedAt).toBe(noon + 4000)
  })

  test('is the same start told in seconds', () => {
    const steps = live(aJob(), [
      [0, start(123, 'EXECUTING')],
      [5, start(0, 'EXECUTING')],
      [10, start(2000, 'EXECUTING')],
    ])
    expect(types(steps)).toEqual([['job.executing'], [], ['job.reopened']])
  })
})

test('an end that comes to be called by another word is told as that end', () => {
  const failed = (rawStatus: string) => seen({ status: 'FAILED', rawStatus, endedAt: noon })
  const steps = live(aJob(), [
    [0, failed('FAILED')],
    [30, failed('TIMED OUT')],
    [60, failed('timed_out')],
  ])
  expect(types(steps)).toEqual([['job.failed'], ['job.failed'], []])
  expect(steps[1]?.drafts[0]?.change).toMatchObject({
    from: 'FAILED',
    to: 'FAILED',
    rawTo: 'TIMED OUT',
  })
})

test('a failed look in between begins the time of nothing but misses anew', () => {
  const steps = live(aJob(), [
    [0, running],
    [5, missing],
    [10, away],
    [70, missing],
    [75, missing],
    [80, missing],
    [130, missing],
  ])
  expect(types(steps)).toEqual([['job.executing'], [], [], [], [], [], ['job.lost']])
  expect(steps.at(-1)?.drafts[0]?.change).toMatchObject({ since: '2026-01-05T12:01:10.000Z' })
})

describe('stages that a result lists', () => {
  const result = (...names: string[]) =>
    seen({ stagesOf: 'result', stages: names.map((name) => aSeenStage(name, 'completed')) })

  test('are the job’s where its progress had none', () => {
    const steps = live(aJob(), [
      [0, running],
      [5, result('copy')],
    ])
    expect(types(steps)[1]).toEqual(['job.stage.changed'])
  })

  test('take none of those away that its progress had', () => {
    const progress = seen({
      stages: [aSeenStage('copy', 'running'), aSeenStage('check', 'pending')],
    })
    const steps = live(aJob(), [
      [0, progress],
      [5, result('report')],
      [10, result('copy', 'check')],
    ])
    expect(types(steps).slice(1)).toEqual([[], ['job.stage.changed', 'job.stage.changed']])
    expect(steps[1]?.job.stages.map(({ name }) => name)).toEqual(['copy', 'check'])
  })
})

test('messages that an unavailable job does not show are not new when it shows them again', () => {
  const messages = [{ text: 'copied', level: null, at: null }]
  const steps = live(aJob(), [
    [0, seen({ messages })],
    [5, seen({ status: 'UNAVAILABLE', messages: [] })],
    [10, seen({ messages })],
  ])
  expect(types(steps)).toEqual([['job.executing'], ['job.unavailable'], ['job.executing']])
})
