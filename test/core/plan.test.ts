import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventHead } from '../../src/core/event.ts'
import { compileFilter, plan } from '../../src/core/plan.ts'
import type { EventFilter } from '../../src/core/plan.ts'

function aHead(fields: Partial<EventHead> = {}): EventHead {
  return {
    seq: 7,
    type: 'job.failed',
    upstream: 'prod',
    jobid: 'j-1',
    tags: ['nightly', 'backup'],
    ...fields,
  }
}

/** An event that is about an upstream and no job. */
const upstreamDown = aHead({ type: 'upstream.down', jobid: null, tags: [] })
const endpointFailing = aHead({ type: 'endpoint.failing', upstream: null, jobid: null, tags: [] })

function passes(filter: EventFilter, head: EventHead): boolean {
  return compileFilter(filter)(head)
}

test.each([
  ['job.failed', 'job.failed', true],
  ['job.failed', 'job.faileds', false],
  ['job.failed', 'xjob.failed', false],
  ['job.failed', 'job.stage.failed', false],
  ['*', 'job.stage.changed', true],
  ['job.*', 'job.failed', true],
  ['job.*', 'job.stage.changed', true],
  ['job.*', 'job', false],
  ['job.*', 'jobs.failed', false],
  ['*.changed', 'job.stage.changed', true],
  ['job.*.changed', 'job.stage.changed', true],
  ['job.*ed', 'job.failed', true],
  ['job.*ed', 'job.lost', false],
  ['**', 'job.failed', true],
  ['job*failed', 'job.failed', true],
  ['upstream.*', 'upstream.down', true],
  ['upstream.*', 'job.failed', false],
  ['', 'job.failed', false],
  ['JOB.FAILED', 'job.failed', false],
])('the glob %j and the type %s match: %s', (glob, type, expected) => {
  expect(passes({ types: [glob] }, aHead({ type }))).toBe(expected)
})

test.each([
  ['job.failed', 'jobxfailed'],
  ['job.?ailed', 'job.failed'],
  ['job.[a-z]ailed', 'job.failed'],
  ['job.(failed|lost)', 'job.failed'],
  ['job.failed|job.lost', 'job.lost'],
  ['job.\\w*', 'job.failed'],
  ['^job.failed$', 'job.failed'],
  ['job.f+ailed', 'job.failed'],
  ['job.f{1}ailed', 'job.failed'],
])('in the glob %j only * stands for something else: it does not match %s', (glob, type) => {
  expect(passes({ types: [glob] }, aHead({ type }))).toBe(false)
})

test('a glob without * matches itself and nothing else, whatever characters it has', () => {
  const word = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !text.includes('*'))
  fc.assert(
    fc.property(word, word, (glob, type) => {
      expect(passes({ types: [glob] }, aHead({ type }))).toBe(glob === type)
    }),
  )
})

test('any of several globs is enough', () => {
  const filter = { types: ['job.lost', 'job.f*'] }
  expect(passes(filter, aHead())).toBe(true)
  expect(passes(filter, aHead({ type: 'job.executing' }))).toBe(false)
})

test.each<[string, EventFilter]>([
  ['absent', {}],
  ['undefined', { types: undefined, upstreams: undefined, tags: undefined, jobids: undefined }],
  ['empty', { types: [], upstreams: [], tags: [], jobids: [] }],
])('lists that are %s let everything through', (_, filter) => {
  for (const head of [aHead(), upstreamDown, endpointFailing, aHead({ tags: [] })]) {
    expect(passes(filter, head)).toBe(true)
  }
})

test.each<[EventFilter, boolean]>([
  [{ upstreams: ['prod'] }, true],
  [{ upstreams: ['test', 'prod'] }, true],
  [{ upstreams: ['test'] }, false],
  [{ upstreams: ['pro*'] }, false],
  [{ jobids: ['j-1'] }, true],
  [{ jobids: ['j-2', 'j-1'] }, true],
  [{ jobids: ['j-2'] }, false],
  [{ tags: ['nightly'] }, true],
  [{ tags: ['weekly', 'backup'] }, true],
  [{ tags: ['weekly'] }, false],
  [{ types: ['job.*'], upstreams: ['prod'], jobids: ['j-1'], tags: ['backup'] }, true],
  [{ types: ['job.*'], upstreams: ['prod'], jobids: ['j-1'], tags: ['weekly'] }, false],
  [{ types: ['job.lost'], upstreams: ['prod'], jobids: ['j-1'], tags: ['backup'] }, false],
])('%j lets the failure of j-1 at prod, tagged nightly and backup, through: %s', (filter, yes) => {
  expect(passes(filter, aHead())).toBe(yes)
})

test('a filter for a tag, a jobid or an upstream keeps out what has none', () => {
  expect(passes({ tags: ['nightly'] }, aHead({ tags: [] }))).toBe(false)
  expect(passes({ tags: ['nightly'] }, upstreamDown)).toBe(false)
  expect(passes({ jobids: ['j-1'] }, upstreamDown)).toBe(false)
  expect(passes({ upstreams: ['prod'] }, endpointFailing)).toBe(false)
  expect(passes({ upstreams: ['prod'] }, upstreamDown)).toBe(true)
})

test('an event is owed to each endpoint whose filter lets it through', () => {
  const endpoints = [
    { id: 1, name: 'all', matches: compileFilter({}) },
    { id: 2, name: 'lost', matches: compileFilter({ types: ['job.lost'] }) },
    { id: 3, name: 'backups', matches: compileFilter({ tags: ['backup'] }) },
  ]
  const [all, , backups] = endpoints
  expect(plan(aHead(), endpoints)).toEqual([all, backups])
  expect(plan(upstreamDown, endpoints)).toEqual([all])
  expect(plan(aHead(), [])).toEqual([])
})

test('an event about an endpoint is owed to every other one that wants it, never to that one', () => {
  const endpoints = ['ops', 'chat'].map((name, id) => ({ id, name, matches: compileFilter({}) }))
  expect(plan({ ...endpointFailing, endpoint: 'ops' }, endpoints)).toEqual([endpoints[1]])
})
