import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advance as advanceBy } from '../../src/core/advance.ts'
import type { Advance } from '../../src/core/advance.ts'
import { forgetful } from '../../src/core/memory.ts'
import { jobStatuses } from '../../src/core/job.ts'
import type { Job, JobState, JobStatus, Message } from '../../src/core/job.ts'
import type { FailureKind, Observation, Snapshot } from '../../src/core/observation.ts'
import { aJob, aSeenStage, aSnapshot, aStage, noon } from '../helpers/builders.ts'
import { anyJson, anyText } from './arbitraries.ts'

const policy = { lostAfterMs: 60_000, stallAfterMs: 7_200_000 }

/** One look, with nothing in mind of earlier ones. */
function advance(job: Job, observation: Observation, now: number): Omit<Advance, 'memory'> {
  const { job: next, drafts } = advanceBy(job, forgetful, observation, now, policy)
  return { job: next, drafts }
}

const before = noon - 60_000

/** A look at the document of a running job, or of one that looks finished. */
function seen(fields: Partial<Snapshot> = {}): Observation {
  const { status = 'EXECUTING' } = fields
  const endedAt = ends.includes(status) ? noon : null
  return { outcome: 'seen', snapshot: aSnapshot({ status, rawStatus: status, endedAt, ...fields }) }
}
const ends: readonly JobStatus[] = ['COMPLETED', 'FAILED', 'CANCELLED']

function failedWith(failure: FailureKind): Observation {
  return { outcome: 'failed', failure, detail: 'HTTP 503', retryAfterMs: null }
}
const missing: Observation = { outcome: 'missing', detail: 'HTTP 404' }

/** A job after looks that showed this much of it. */
function knownAs(fields: Partial<Snapshot> = {}): Job {
  return advance(aJob(), seen(fields), before).job
}

function typesOf(job: Job, look: Observation): string[] {
  return advance(job, look, noon).drafts.map(({ type }) => type)
}

function says(...texts: string[]): readonly Message[] {
  return texts.map((text) => ({ text, level: null, at: null }))
}

describe('the first sight of a job', () => {
  test.each<[JobStatus, string, JobState]>([
    ['SUBMITTED', 'job.submitted', 'active'],
    ['EXECUTING', 'job.executing', 'active'],
    ['CANCELLING', 'job.cancelling', 'active'],
    ['UNAVAILABLE', 'job.unavailable', 'active'],
    ['OTHER', 'job.status.other', 'active'],
    ['CANCELLED', 'job.cancelled', 'ended'],
    ['FAILED', 'job.failed', 'ended'],
    ['COMPLETED', 'job.completed', 'ended'],
  ])('as %s is one %s event, and the job is then %s', (status, type, state) => {
    const { job, drafts } = advance(aJob(), seen({ status }), noon)
    expect(drafts).toEqual([
      { type, change: { kind: 'status', from: null, to: status, rawTo: status } },
    ])
    expect(job).toMatchObject({ status, state, polledAt: noon, changedAt: noon })
  })

  test('brings its stages and messages along without events of their own', () => {
    const look = seen({
      stages: [aSeenStage('validating', 'completed'), aSeenStage('store', 'running')],
      messages: says('Started.'),
      result: { early: true },
    })
    const { job, drafts } = advance(aJob(), look, noon)
    expect(drafts.map(({ type }) => type)).toEqual(['job.executing'])
    expect(job.stages.map(({ name }) => name)).toEqual(['validating', 'store'])
    expect(job.messages).toEqual(says('Started.'))
    expect(job.result).toEqual({ early: true })
  })

  test('takes over what the document tells', () => {
    const look = seen({
      name: 'editService',
      operation: '/gis/admin/services/Parks.MapServer/edit',
      resource: 'Parks',
      username: 'siteadmin',
      requestId: 'r-9',
      startedAt: noon - 5000,
      updatedAt: noon - 10,
    })
    expect(advance(aJob({ label: 'mine', tags: ['t'] }), look, noon).job).toMatchObject({
      name: 'editService',
      operation: '/gis/admin/services/Parks.MapServer/edit',
      resource: 'Parks',
      username: 'siteadmin',
      requestId: 'r-9',
      startedAt: noon - 5000,
      endedAt: null,
      updatedAt: noon - 10,
      label: 'mine',
      tags: ['t'],
    })
  })

  test('may come after looks that failed', () => {
    const unseen = aJob()
    expect(advance(unseen, missing, before)).toEqual({ job: unseen, drafts: [] })
    expect(typesOf(unseen, seen())).toEqual(['job.executing'])
  })
})

describe('a change of status', () => {
  const running = jobStatuses.filter((status) => !ends.includes(status))
  const typeByStatus: Record<JobStatus, string> = {
    SUBMITTED: 'job.submitted',
    EXECUTING: 'job.executing',
    CANCELLING: 'job.cancelling',
    CANCELLED: 'job.cancelled',
    FAILED: 'job.failed',
    COMPLETED: 'job.completed',
    UNAVAILABLE: 'job.unavailable',
    OTHER: 'job.status.other',
  }
  const pairs = running.flatMap((from) =>
    jobStatuses.filter((to) => to !== from).map((to): [JobStatus, JobStatus] => [from, to]),
  )

  test.each(pairs)('from %s to %s is one event', (from, to) => {
    const { job, drafts } = advance(knownAs({ status: from }), seen({ status: to }), noon)
    expect(drafts).toEqual([
      { type: typeByStatus[to], change: { kind: 'status', from, to, rawTo: to } },
    ])
    expect(job.state).toBe(running.includes(to) ? 'active' : 'ended')
    expect(job).toMatchObject({ status: to, changedAt: noon, polledAt: noon })
  })

  test.each(running)('is not made by seeing %s again', (status) => {
    const known = knownAs({ status })
    expect(advance(known, seen({ status }), noon)).toEqual({ job: known, drafts: [] })
  })

  test('between two words that are none of the seven is an event', () => {
    const known = knownAs({ status: 'OTHER', rawStatus: 'PAUSED' })
    expect(
      advance(known, seen({ status: 'OTHER', rawStatus: 'HIBERNATING' }), noon).drafts,
    ).toEqual([
      {
        type: 'job.status.other',
        change: { kind: 'status', from: 'OTHER', to: 'OTHER', rawTo: 'HIBERNATING' },
      },
    ])
  })

  test.each([
    ['EXECUTING', 'Executing', 'EXECUTING'],
    ['OTHER', 'On Hold', 'ON HOLD'],
    ['OTHER', 'On Hold', 'on_hold'],
  ] as const)('is not made by spelling %s otherwise (%s → %s)', (status, first, second) => {
    const known = knownAs({ status, rawStatus: first })
    const { job, drafts } = advance(known, seen({ status, rawStatus: second }), noon)
    expect(drafts).toEqual([])
    expect(job.rawStatus).toBe(second)
  })
})

describe('an end', () => {
  const known = knownAs()

  test.each<[string, Partial<Snapshot>, string, Partial<Job>]>([
    ['COMPLETED', { status: 'COMPLETED' }, 'job.completed', { outcome: 'success', reason: null }],
    [
      'COMPLETED with warnings',
      { status: 'COMPLETED', result: { status: 'success with warnings' } },
      'job.completed',
      { outcome: 'warning', reason: null },
    ],
    [
      'COMPLETED with a stage that warns',
      { status: 'COMPLETED', stages: [aSeenStage('copy', 'warning')] },
      'job.completed',
      { outcome: 'warning', reason: null },
    ],
    [
      'COMPLETED with a result that says error',
      { status: 'COMPLETED', result: { status: 'error', messages: ['No licence.'] } },
      'job.failed',
      { outcome: 'error', reason: 'No licence.', status: 'COMPLETED' },
    ],
    [
      'COMPLETED without success',
      { status: 'COMPLETED', result: { success: false }, messages: says('Disk full.') },
      'job.failed',
      { outcome: 'error', reason: 'Disk full.', status: 'COMPLETED' },
    ],
    [
      'FAILED with a message',
      { status: 'FAILED', messages: says('Disk full.') },
      'job.failed',
      { outcome: 'error', reason: 'Disk full.' },
    ],
    [
      'FAILED without a word',
      { status: 'FAILED' },
      'job.failed',
      { outcome: 'error', reason: null },
    ],
    ['CANCELLED', { status: 'CANCELLED' }, 'job.cancelled', { outcome: 'cancelled' }],
  ])('that is %s', (_, fields, type, expected) => {
    const { job, drafts } = advance(known, seen(fields), noon)
    const { status = 'EXECUTING' } = fields
    expect(drafts.at(-1)).toEqual({
      type,
      change: { kind: 'status', from: 'EXECUTING', to: status, rawTo: status },
    })
    expect(job).toMatchObject({ state: 'ended', ...expected })
  })

  test('that is TIMED OUT is a failure in which the word of the upstream is kept', () => {
    const look = seen({ status: 'FAILED', rawStatus: 'TIMED OUT' })
    const { job, drafts } = advance(known, look, noon)
    expect(drafts).toEqual([
      {
        type: 'job.failed',
        change: { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'TIMED OUT' },
      },
    ])
    expect(job).toMatchObject({ status: 'FAILED', rawStatus: 'TIMED OUT', outcome: 'error' })
  })

  test('that is a failure names the failed stage when nothing else says why', () => {
    const look = seen({ status: 'FAILED', stages: [aSeenStage('object_store', 'failed')] })
    expect(advance(known, look, noon).job.reason).toContain('object_store')
  })

  test('takes over the time that the upstream gives for it', () => {
    const look = seen({ status: 'COMPLETED', endedAt: noon - 3 })
    expect(advance(known, look, noon).job.endedAt).toBe(noon - 3)
  })
})

describe('the events of one look', () => {
  test('are the stages in their order, those that are gone, messages, and the status', () => {
    const known = knownAs({
      stages: [
        aSeenStage('gone', 'running'),
        aSeenStage('one', 'running'),
        aSeenStage('two', 'pending'),
      ],
      messages: says('a'),
    })
    const look = seen({
      status: 'FAILED',
      stages: [
        aSeenStage('two', 'failed'),
        aSeenStage('one', 'completed'),
        aSeenStage('three', 'pending'),
      ],
      messages: says('a', 'b', 'c'),
    })
    const { drafts } = advance(known, look, noon)
    expect(
      drafts.map(({ type, change }) => [type, 'stage' in change ? change.stage : null]),
    ).toEqual([
      ['job.stage.changed', 'two'],
      ['job.stage.changed', 'one'],
      ['job.stage.changed', 'three'],
      ['job.stage.changed', 'gone'],
      ['job.message.added', null],
      ['job.failed', null],
    ])
  })

  test('hold at most one status', () => {
    const known = knownAs({ status: 'SUBMITTED' })
    expect(typesOf(known, seen({ status: 'COMPLETED' }))).toEqual(['job.completed'])
  })
})

describe('messages', () => {
  test('that grew are one event with what was added and how much', () => {
    const known = knownAs({ messages: says('a') })
    const look = seen({ messages: [...says('a', 'a'), { text: 'b', level: 'WARN', at: noon }] })
    expect(advance(known, look, noon).drafts).toEqual([
      {
        type: 'job.message.added',
        change: {
          kind: 'messages',
          added: [
            { text: 'a', level: null, at: null },
            { text: 'b', level: 'WARN', at: '2026-01-05T12:00:00.000Z' },
          ],
          count: 2,
        },
      },
    ])
  })

  test('that grew by very many are counted all, while the event names the last ones', () => {
    const texts = Array.from({ length: 500 }, (_, i) => `message ${i}`)
    const [draft] = advance(knownAs(), seen({ messages: says(...texts) }), noon).drafts
    if (draft?.change.kind !== 'messages') throw new Error('no messages event')
    expect(draft.change.count).toBe(500)
    expect(draft.change.added.length).toBeLessThanOrEqual(20)
    expect(draft.change.added.at(-1)?.text).toBe('message 499')
  })

  test('in a shorter list are no event, and the list is then the shorter one', () => {
    const known = knownAs({ messages: says('a', 'b') })
    const { job, drafts } = advance(known, seen({ messages: says('b') }), noon)
    expect(drafts).toEqual([])
    expect(job.messages).toEqual(says('b'))
  })

  test('are kept when a document has none', () => {
    const known = knownAs({ messages: says('a') })
    expect(advance(known, seen({ messages: null }), noon)).toEqual({ job: known, drafts: [] })
  })
})

describe('stages', () => {
  const listed = [aSeenStage('a', 'completed'), aSeenStage('b', 'running')]
  const known = knownAs({ stages: listed })

  test('are kept when a document says nothing about them', () => {
    expect(advance(known, seen({ stages: null }), noon)).toEqual({ job: known, drafts: [] })
  })

  test('are gone when the list is empty', () => {
    const { job, drafts } = advance(known, seen({ stages: [] }), noon)
    expect(drafts.map(({ change }) => change)).toEqual([
      { kind: 'stage', stage: 'a', occurrence: 1, from: 'completed', to: null, rawTo: null },
      { kind: 'stage', stage: 'b', occurrence: 1, from: 'running', to: null, rawTo: null },
    ])
    expect(job.stages).toEqual([])
  })

  test.each<[string, Snapshot['stages']]>([
    ['nothing', null],
    ['an empty list', []],
    ['another list', [aSeenStage('c', 'failed')]],
  ])('are kept while the job is UNAVAILABLE and the document has %s', (_, stages) => {
    const { job, drafts } = advance(known, seen({ status: 'UNAVAILABLE', stages }), noon)
    expect(drafts.map(({ type }) => type)).toEqual(['job.unavailable'])
    expect(job.stages).toEqual(known.stages)
  })

  test('go on after UNAVAILABLE from where they were before it', () => {
    const away = advance(known, seen({ status: 'UNAVAILABLE', stages: null }), before + 1).job
    const look = seen({ stages: [aSeenStage('a', 'completed'), aSeenStage('b', 'completed')] })
    expect(typesOf(away, look)).toEqual(['job.stage.changed', 'job.executing'])
    expect(advance(away, look, noon).drafts[0]?.change).toMatchObject({
      stage: 'b',
      from: 'running',
      to: 'completed',
    })
  })
})

describe('a look that tells nothing new', () => {
  const known = knownAs({ stages: [aSeenStage('a', 'running')], messages: says('m') })
  const same: Partial<Snapshot> = { stages: [aSeenStage('a', 'running')], messages: says('m') }

  test('leaves the very same job, so that nothing is written', () => {
    const step = advance(known, seen(same), noon)
    expect(step.job).toBe(known)
    expect(step.drafts).toEqual([])
  })

  test('may leave out what was told before, which is then kept', () => {
    const full = knownAs({ name: 'n', resource: 'r', startedAt: noon })
    const look = seen({
      name: null,
      operation: null,
      resource: null,
      username: null,
      requestId: null,
      startedAt: null,
    })
    expect(advance(full, look, noon).job).toMatchObject({
      name: 'n',
      operation: '/gis/admin/services/Parks.MapServer/edit',
      resource: 'r',
      username: 'siteadmin',
      requestId: 'r-1',
      startedAt: noon,
    })
  })
})

describe('what makes no event is still shown after the next look', () => {
  const known = knownAs({ stages: [aSeenStage('a', 'running')] })

  test.each<[string, Partial<Snapshot>, Partial<Job>]>([
    ['another updatedtime', { updatedAt: noon + 500 }, { updatedAt: noon + 500 }],
    ['an updatedtime that went back', { updatedAt: noon - 500 }, { updatedAt: noon - 500 }],
    [
      'the result of a running job',
      { result: { pods: 3 } },
      { result: { pods: 3 }, resultBytes: 10 },
    ],
    [
      'a respelled state',
      { stages: [{ ...aSeenStage('a', 'running'), rawState: 'IN_PROGRESS' }] },
      { stages: [aStage('a', 'running', { rawState: 'IN_PROGRESS', startedAt: before })] },
    ],
    ['a name', { name: 'editService' }, { name: 'editService' }],
  ])('%s', (_, change, shown) => {
    const stages = [aSeenStage('a', 'running')]
    const { job, drafts } = advance(known, seen({ stages, ...change }), noon)
    expect(drafts).toEqual([])
    expect(job).not.toBe(known)
    expect(job).toMatchObject({ ...shown, changedAt: before, polledAt: noon })
  })
})

describe('no job event comes from', () => {
  test.each<[string, Observation]>([
    ['an outage', failedWith('transient')],
    ['a throttled look', failedWith('throttled')],
    ['a refused token', failedWith('auth')],
    ['a missing privilege', failedWith('denied')],
    ['nonsense', failedWith('protocol')],
    ['a job that is not found', missing],
  ])('%s', (_, look) => {
    for (const job of [aJob(), knownAs(), knownAs({ status: 'UNAVAILABLE' })]) {
      const step = advance(job, look, noon)
      expect(step.job).toBe(job)
      expect(step.drafts).toEqual([])
    }
  })
})

test.each<[JobState, string, Observation]>([
  ['stopped', 'another status', seen({ status: 'CANCELLING' })],
  ['stopped', 'an end', seen({ status: 'FAILED' })],
  ['stopped', 'an outage', failedWith('transient')],
  ['stopped', 'a job that is not found', missing],
])('a job that is %s is left as it is by %s', (state, _, look) => {
  const job = { ...knownAs({ status: 'EXECUTING' }), state }
  const step = advance(job, look, noon)
  expect(step.job).toBe(job)
  expect(step.drafts).toEqual([])
})

describe('the result', () => {
  /** A text whose JSON has exactly so many bytes. */
  function ofBytes(bytes: number, char = 'x'): string {
    const text = char.repeat(Math.floor((bytes - 2) / Buffer.byteLength(char)))
    return text.padEnd(text.length + bytes - 2 - Buffer.byteLength(text), 'x')
  }

  test.each<[string, unknown, number]>([
    ['16 KiB', ofBytes(16_384), 16_384],
    ['16 KiB of two-byte characters', ofBytes(16_384, 'é'), 16_384],
    ['16 KiB of three-byte characters', ofBytes(16_384, '漢'), 16_384],
    ['16 KiB of four-byte characters', ofBytes(16_384, '🗺'), 16_384],
    ['a few bytes', { ok: true }, 11],
    ['false', false, 5],
  ])('of up to 16 KiB is kept: %s', (_, result, bytes) => {
    const { job } = advance(aJob(), seen({ status: 'COMPLETED', result }), noon)
    expect(job.result).toEqual(result)
    expect(job.resultBytes).toBe(bytes)
  })

  test.each<[string, unknown, number]>([
    ['one byte more', ofBytes(16_385), 16_385],
    ['fewer characters but more bytes', ofBytes(30_000, '漢'), 30_000],
    ['a megabyte', ofBytes(1_000_000), 1_000_000],
  ])('of more than 16 KiB is left out, with its size told: %s', (_, result, bytes) => {
    const { job } = advance(aJob(), seen({ status: 'COMPLETED', result }), noon)
    expect(job.result).toBeNull()
    expect(job.resultBytes).toBe(bytes)
  })

  test('has the size of its JSON in bytes, whatever characters are in it', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, anyJson), (result) => {
        const { job } = advance(aJob(), seen({ result }), noon)
        const bytes = result === null ? 0 : Buffer.byteLength(JSON.stringify(result))
        expect(job.resultBytes).toBe(bytes)
      }),
    )
  })

  test.each([undefined, null])('that is %s has no size', (result) => {
    const { job } = advance(aJob(), seen({ status: 'COMPLETED', result }), noon)
    expect(job).toMatchObject({ result: null, resultBytes: 0 })
  })

  test('that is left out still decides the outcome', () => {
    const result = { status: 'error', messages: ['No licence.'], log: ofBytes(20_000) }
    const { job, drafts } = advance(aJob(), seen({ status: 'COMPLETED', result }), noon)
    expect(job).toMatchObject({ result: null, outcome: 'error', reason: 'No licence.' })
    expect(drafts[0]?.type).toBe('job.failed')
  })
})
