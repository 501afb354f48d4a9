import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  endpointEventEncoder,
  eventTypes,
  jobEventEncoder,
  testEvent,
} from '../../src/core/event.ts'
import type { Change, EventDraft } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'
import { anyJson, anyText } from './arbitraries.ts'

const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'

const runningJob = aJob({
  id: 77,
  revision: 12,
  jobid,
  status: 'EXECUTING',
  rawStatus: 'Executing',
  name: 'editContainerRegistry',
  operation: '/gis/admin/system/containerregistries/x1/edit',
  resource: 'default (id: x1)',
  username: 'siteadmin',
  requestId: 'e158',
  startedAt: noon,
  updatedAt: noon + 4000,
  stages: [
    aStage('validating', 'completed', { startedAt: noon, endedAt: noon + 1000 }),
    aStage('object_store', 'running', { rawState: 'In Progress', startedAt: noon + 1000 }),
  ],
  messages: ['one', 'two', 'three', 'four'].map((text) => ({ text, level: null, at: null })),
  tags: ['nightly'],
  stallAfterMs: 7_200_000,
  deadline: { afterMs: 3_600_000 },
  watchedAt: noon - 60_000,
  polledAt: noon + 5000,
  changedAt: noon + 5003,
  lastSeq: 1040,
})

const stageChange: EventDraft = {
  type: 'job.stage.changed',
  change: {
    kind: 'stage',
    stage: 'object_store',
    occurrence: 1,
    from: 'pending',
    to: 'running',
    rawTo: 'In Progress',
  },
}

function encode(
  job: Job,
  draft: EventDraft,
  seq = 1042,
  previousSeq: number | null = 1040,
): string {
  return jobEventEncoder({ job, at: noon + 5003 })(draft, { epoch: '7f3a9c', seq, previousSeq })
}

test('an event is CloudEvents 1.0 in JSON, with the change and the whole job in its data', () => {
  expect(JSON.parse(encode(runningJob, stageChange))).toEqual({
    specversion: '1.0',
    id: '7f3a9c-1042',
    source: `/upstreams/prod/jobs/${jobid}`,
    type: 'job.stage.changed',
    subject: jobid,
    time: '2026-01-05T12:00:05.003Z',
    datacontenttype: 'application/json',
    data: {
      seq: 1042,
      previousSeq: 1040,
      change: {
        kind: 'stage',
        stage: 'object_store',
        occurrence: 1,
        from: 'pending',
        to: 'running',
        rawTo: 'In Progress',
      },
      job: {
        jobid,
        upstream: 'prod',
        state: 'active',
        title: 'editContainerRegistry default',
        status: 'EXECUTING',
        rawStatus: 'Executing',
        outcome: null,
        reason: null,
        name: 'editContainerRegistry',
        operation: '/gis/admin/system/containerregistries/x1/edit',
        resource: 'default (id: x1)',
        username: 'siteadmin',
        requestId: 'e158',
        startedAt: '2026-01-05T12:00:00.000Z',
        endedAt: null,
        updatedAt: '2026-01-05T12:00:04.000Z',
        durationMs: 5003,
        stages: [
          {
            name: 'validating',
            occurrence: 1,
            state: 'completed',
            rawState: 'completed',
            startedAt: '2026-01-05T12:00:00.000Z',
            endedAt: '2026-01-05T12:00:01.000Z',
          },
          {
            name: 'object_store',
            occurrence: 1,
            state: 'running',
            rawState: 'In Progress',
            startedAt: '2026-01-05T12:00:01.000Z',
            endedAt: null,
          },
        ],
        progress: { done: 1, total: 2 },
        messages: [
          { text: 'two', level: null, at: null },
          { text: 'three', level: null, at: null },
          { text: 'four', level: null, at: null },
        ],
        messageCount: 4,
        result: null,
        resultBytes: 0,
        label: null,
        tags: ['nightly'],
        stallAfter: '2h',
        deadline: '2026-01-05T13:00:00.000Z',
        eta: null,
        typicalDurationMs: null,
        watchedAt: '2026-01-05T11:59:00.000Z',
        changedAt: '2026-01-05T12:00:05.003Z',
        lastSeq: 1042,
      },
    },
  })
})

test('the first event of a job has no previous one', () => {
  const { data } = JSON.parse(encode(runningJob, stageChange, 1, null)) as { data: object }
  expect(data).toMatchObject({ seq: 1, previousSeq: null, job: { lastSeq: 1 } })
})

test('the events of one look carry the same job but for its last seq', () => {
  const encodeNext = jobEventEncoder({ job: runningJob, at: noon + 5003 })
  const [first, second] = [1042, 1043].map((seq) => {
    const text = encodeNext(stageChange, { epoch: '7f3a9c', seq, previousSeq: seq - 1 })
    return (JSON.parse(text) as { data: { job: Record<string, unknown> } }).data.job
  })
  expect(first?.['lastSeq']).toBe(1042)
  expect(second?.['lastSeq']).toBe(1043)
  expect({ ...second, lastSeq: 1042 }).toEqual(first)
})

test('what only the poller and the store know is in no event', () => {
  const { job } = (JSON.parse(encode(runningJob, stageChange)) as { data: { job: object } }).data
  for (const field of ['polledAt', 'nextPollAt', 'problem', 'id', 'revision', 'stallAfterMs']) {
    expect(job).not.toHaveProperty(field)
  }
})

test('an event keeps hostile text as it is, on one line', () => {
  const name = 'a\r\nb\u2028c\u2029d\0e"\\f\u202eg'
  const text = encode(aJob({ name, status: 'EXECUTING' }), {
    type: 'job.stage.changed',
    change: { kind: 'stage', stage: name, occurrence: 2, from: null, to: 'failed', rawTo: name },
  })
  expect(text).not.toMatch(/[\r\n]/)
  const { data } = JSON.parse(text) as { data: unknown }
  expect(data).toMatchObject({ change: { stage: name, rawTo: name }, job: { name, title: name } })
})

test('an event with halves of surrogate pairs is the same after it went through UTF-8', () => {
  const name = 'x\ud800y\udfff'
  const text = encode(aJob({ name, status: 'EXECUTING' }), stageChange)
  const received = Buffer.from(text, 'utf8').toString('utf8')
  expect(received).toBe(text)
  expect(JSON.parse(received)).toMatchObject({ data: { job: { name } } })
})

test('an event about an endpoint names it as source and subject, and holds no job', () => {
  const change = {
    kind: 'endpoint',
    reason: 'answered 500: "no"',
    since: '2026-01-05T11:00:00.000Z',
    disablesAt: '2026-01-10T11:00:00.000Z',
  } as const
  const text = endpointEventEncoder('ops-slack', noon)(
    { type: 'endpoint.failing', change },
    { epoch: '7f3a9c', seq: 12, previousSeq: 9 },
  )
  expect(JSON.parse(text)).toEqual({
    specversion: '1.0',
    id: '7f3a9c-12',
    source: '/endpoints/ops-slack',
    type: 'endpoint.failing',
    subject: 'ops-slack',
    time: '2026-01-05T12:00:00.000Z',
    datacontenttype: 'application/json',
    data: { seq: 12, previousSeq: 9, change },
  })
})

test('the event that tries an endpoint out has no number, is about no job and names the endpoint', () => {
  const { text, ...event } = testEvent('ops', 'test-4f2a', noon)
  expect(event).toEqual({
    seq: 0,
    id: 'test-4f2a',
    type: 'jobwatch.test',
    upstream: null,
    jobid: null,
    tags: [],
  })
  expect(JSON.parse(text)).toMatchObject({
    specversion: '1.0',
    id: 'test-4f2a',
    source: '/endpoints/ops',
    type: 'jobwatch.test',
    subject: 'ops',
    time: '2026-01-05T12:00:00.000Z',
    datacontenttype: 'application/json',
    data: { seq: null, previousSeq: null },
  })
  expect(eventTypes).not.toContain('jobwatch.test')
})

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant('status' as const),
    from: fc.constantFrom(null, 'SUBMITTED' as const),
    to: fc.constantFrom('EXECUTING' as const, 'OTHER' as const),
    rawTo: anyText,
  }),
  fc.record({
    kind: fc.constant('stage' as const),
    stage: anyText,
    occurrence: fc.integer({ min: 1 }),
    from: fc.constantFrom(null, 'pending' as const),
    to: fc.constantFrom(null, 'running' as const),
    rawTo: fc.option(anyText),
  }),
  fc.record({
    kind: fc.constant('messages' as const),
    added: fc.array(fc.record({ text: anyText, level: fc.option(anyText), at: fc.constant(null) })),
    count: fc.nat(),
  }),
  fc.record({ kind: fc.constant('registry' as const), by: fc.constant('api' as const) }),
)

test('reading an event gives back its ids, its change and its job, whatever their texts', () => {
  const fields = fc.record({
    jobid: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/),
    name: fc.option(anyText),
    resource: fc.option(anyText),
    operation: fc.option(anyText),
    username: fc.option(anyText),
    requestId: fc.option(anyText),
    rawStatus: anyText,
    label: fc.option(anyText),
    reason: fc.option(anyText),
    tags: fc.array(anyText),
    result: anyJson,
  })
  const numbering = fc.record({
    epoch: fc.stringMatching(/^[0-9a-f]{6}$/),
    seq: fc.integer({ min: 1 }),
    previousSeq: fc.option(fc.integer({ min: 1 })),
  })
  fc.assert(
    fc.property(
      fields,
      anyChange,
      numbering,
      fc.constantFrom(...eventTypes),
      (job, change, n, type) => {
        const text = jobEventEncoder({ job: aJob(job), at: noon })({ type, change }, n)
        const event = JSON.parse(text) as Record<string, unknown>
        expect(event).toMatchObject({
          specversion: '1.0',
          id: `${n.epoch}-${n.seq}`,
          source: `/upstreams/prod/jobs/${job.jobid}`,
          subject: job.jobid,
          type,
        })
        const data = event['data'] as Record<string, unknown>
        expect(Object.keys(data)).toEqual(['seq', 'previousSeq', 'change', 'job'])
        expect(data['seq']).toBe(n.seq)
        expect(data['previousSeq']).toBe(n.previousSeq)
        expect(data['change']).toEqual(change)
        const asJson = JSON.parse(JSON.stringify({ ...job, lastSeq: n.seq })) as object
        expect(data['job']).toMatchObject(asJson)
      },
    ),
  )
})
