import { describe, expect, test } from 'vitest'
import { jobView, titleOf } from '../../src/core/job.ts'
import type { Job, StageState } from '../../src/core/job.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'

function viewOf(fields: Partial<Job>, { at = noon + 60_000, maxMessages = 20 } = {}) {
  return jobView(aJob(fields), { at, maxMessages })
}

describe('the title of a job is', () => {
  const operation = '/arcgis/admin/services/FireWatchWeather.MapServer/edit'
  const named = { name: 'editService', resource: 'FireWatchWeather.MapServer', operation }

  test.each<[string, Partial<Job>, string]>([
    ['its label first', { ...named, label: 'Nightly deploy' }, 'Nightly deploy'],
    ['else name and resource', named, 'editService FireWatchWeather.MapServer'],
    ['else the name alone', { name: 'upgrade', operation }, 'upgrade'],
    ['else the tail of the operation', { operation }, 'edit services/FireWatchWeather.MapServer'],
    [
      'the tail also with a folder',
      { operation: '/gis/admin/services/Sub/Fire.MapServer/start' },
      'start services/Sub/Fire.MapServer',
    ],
    [
      'the tail also with a slash at the end',
      { operation: '/gis/admin/system/upgrades/upgrade/' },
      'upgrade system/upgrades',
    ],
    ['the verb alone when there is no more', { operation: '/gis/admin/configure' }, 'configure'],
    ['else the jobid', {}, 'j-1'],
    ['the jobid when the operation says nothing', { operation: '/' }, 'j-1'],
  ])('%s', (_, fields, title) => {
    expect(titleOf(aJob(fields))).toBe(title)
    expect(viewOf(fields).title).toBe(title)
  })
})

describe('what a job shows', () => {
  test('of its stages are the first 200, while progress counts all', () => {
    const stages = Array.from({ length: 250 }, (_, i) =>
      aStage(`stage ${i}`, i < 230 ? 'completed' : 'pending'),
    )
    const view = viewOf({ stages })
    expect(view.stages).toHaveLength(200)
    expect(view.stages[0]?.name).toBe('stage 0')
    expect(view.stages[199]?.name).toBe('stage 199')
    expect(view.progress).toEqual({ done: 230, total: 250 })
  })

  test.each<[StageState, number]>([
    ['completed', 1],
    ['warning', 1],
    ['skipped', 1],
    ['pending', 0],
    ['running', 0],
    ['failed', 0],
    ['cancelled', 0],
    ['rolling_back', 0],
    ['rolled_back', 0],
    ['unknown', 0],
  ])('as progress counts a stage that is %s as done %i times', (state, done) => {
    expect(viewOf({ stages: [aStage('x', state)] }).progress).toEqual({ done, total: 1 })
  })

  test.each([
    ['the last 20 in an answer', 20, 'message 5'],
    ['the last 3 in an event', 3, 'message 22'],
  ])('of its messages are %s, while the count is of all', (_, maxMessages, first) => {
    const messages = Array.from({ length: 25 }, (_unused, i) => ({
      text: `message ${i}`,
      level: null,
      at: null,
    }))
    const view = viewOf({ messages }, { maxMessages })
    expect(view.messages).toHaveLength(maxMessages)
    expect(view.messages[0]?.text).toBe(first)
    expect(view.messages.at(-1)?.text).toBe('message 24')
    expect(view.messageCount).toBe(25)
  })

  test('as times are RFC 3339 in UTC with milliseconds, or null', () => {
    const view = viewOf({
      startedAt: noon + 1,
      endedAt: noon + 1000,
      updatedAt: null,
      changedAt: noon,
      watchedAt: noon,
      messages: [{ text: 'm', level: 'INFO', at: noon + 12 }],
      stages: [aStage('s', 'running', { startedAt: noon })],
    })
    expect(view).toMatchObject({
      startedAt: '2026-01-05T12:00:00.001Z',
      endedAt: '2026-01-05T12:00:01.000Z',
      updatedAt: null,
      changedAt: '2026-01-05T12:00:00.000Z',
      watchedAt: '2026-01-05T12:00:00.000Z',
      messages: [{ text: 'm', level: 'INFO', at: '2026-01-05T12:00:00.012Z' }],
      stages: [{ startedAt: '2026-01-05T12:00:00.000Z', endedAt: null }],
    })
  })

  test('as stallAfter is a duration or null', () => {
    expect(viewOf({ stallAfterMs: 5_400_000 }).stallAfter).toBe('90m')
    expect(viewOf({}).stallAfter).toBeNull()
  })

  test('as result is what is kept of it, null while there is none', () => {
    expect(viewOf({ result: { ok: true }, resultBytes: 11 })).toMatchObject({
      result: { ok: true },
      resultBytes: 11,
    })
    expect(viewOf({ result: undefined })).toMatchObject({ result: null, resultBytes: 0 })
  })
})

describe('the duration of a job', () => {
  test('is null while its start is unknown', () => {
    expect(viewOf({ status: 'EXECUTING' }).durationMs).toBeNull()
    expect(viewOf({ status: 'EXECUTING', endedAt: noon }).durationMs).toBeNull()
  })

  test('reaches to the look while it runs', () => {
    const job: Partial<Job> = { status: 'EXECUTING', startedAt: noon, changedAt: noon }
    expect(viewOf(job, { at: noon + 5003 }).durationMs).toBe(5003)
    expect(viewOf({ ...job, status: 'UNAVAILABLE' }, { at: noon + 9000 }).durationMs).toBe(9000)
  })

  test('reaches to its end once it has ended', () => {
    const job: Partial<Job> = {
      status: 'COMPLETED',
      state: 'ended',
      startedAt: noon,
      endedAt: noon + 42_007,
      changedAt: noon + 45_000,
    }
    expect(viewOf(job, { at: noon + 900_000 }).durationMs).toBe(42_007)
  })

  test('does not grow after an end whose time the upstream does not tell', () => {
    const job: Partial<Job> = {
      status: 'FAILED',
      state: 'ended',
      startedAt: noon,
      changedAt: noon + 45_000,
    }
    expect(viewOf(job, { at: noon + 900_000 }).durationMs).toBe(45_000)
  })

  test('is never negative, however wrong the clocks are', () => {
    expect(viewOf({ status: 'EXECUTING', startedAt: noon + 99_000 }).durationMs).toBe(0)
    expect(viewOf({ status: 'FAILED', startedAt: noon, endedAt: noon - 5 }).durationMs).toBe(0)
  })
})

describe('a deadline', () => {
  test('that is a time is shown as it is', () => {
    expect(viewOf({ deadline: { atMs: noon + 7_200_000 } }).deadline).toBe(
      '2026-01-05T14:00:00.000Z',
    )
  })

  test('that is a duration counts from the start', () => {
    const deadline = { afterMs: 7_200_000 }
    expect(viewOf({ deadline, startedAt: noon - 3_600_000 }).deadline).toBe(
      '2026-01-05T13:00:00.000Z',
    )
    expect(viewOf({ deadline, startedAt: null }).deadline).toBeNull()
  })

  test('is null when there is none', () => {
    expect(viewOf({ startedAt: noon }).deadline).toBeNull()
  })

  test.each<[string, Job['deadline']]>([
    ['a duration', { afterMs: 104_000_000 * 86_400_000 }],
    ['a time', { atMs: Date.parse('9999-12-31T23:59:59-23:59') }],
  ])('that is %s beyond what RFC 3339 can write is the last moment it can', (_, deadline) => {
    expect(viewOf({ deadline, startedAt: noon }).deadline).toBe('9999-12-31T23:59:59.999Z')
  })
})
