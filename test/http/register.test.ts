import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { openFeed } from '../feed/reader.ts'
import { eventsOf, jobidsOf, jobOf, problemOf, wrongFieldsOf } from './answers.ts'

/** Registers nothing: no job and no event is there afterwards. */
async function expectNothingStored(app: TestApp): Promise<void> {
  expect(jobidsOf(await app.call('/v1/jobs'))).toEqual([])
  expect(eventsOf(await app.call('/v1/events'))).toMatchObject({ items: [], newest: 0 })
}

/** A second deployment, beside the one named prod. */
async function startWithTwoUpstreams() {
  const other = await startSimulator({ context: 'other' })
  const app = await startApp({
    config: (simulator: Simulator) => ({
      upstreams: [anUpstream('prod', simulator), anUpstream('test', other)],
    }),
  })
  return {
    ...app,
    other,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]()
      await other.close()
    },
  }
}

describe('by jobid', () => {
  test('a job is registered with 201, shown as it is, and there when asked for', async () => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { jobid: 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c' })
    expect(answer.status).toBe(201)
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
    expect(answer.json).toEqual({
      jobid: 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c',
      upstream: 'prod',
      state: 'active',
      title: 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c',
      status: null,
      rawStatus: null,
      outcome: null,
      reason: null,
      name: null,
      operation: null,
      resource: null,
      username: null,
      requestId: null,
      startedAt: null,
      endedAt: null,
      updatedAt: null,
      durationMs: null,
      stages: [],
      progress: { done: 0, total: 0 },
      messages: [],
      messageCount: 0,
      result: null,
      resultBytes: 0,
      label: null,
      tags: [],
      stallAfter: null,
      deadline: null,
      eta: null,
      typicalDurationMs: null,
      watchedAt: expect.stringMatching(time) as string,
      polledAt: null,
      changedAt: null,
      nextPollAt: null,
      lastSeq: 1,
      problem: null,
    })
    const shown = await app.call('/v1/jobs/sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c')
    expect(jobOf(shown)).toMatchObject({ state: 'active', lastSeq: 1 })
  })

  test('registering begins with a job.watched event that the registration caused', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1', label: 'Nightly', tags: ['a'] })
    const { items } = eventsOf(await app.call('/v1/events'))
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({
      type: 'job.watched',
      source: '/upstreams/prod/jobs/j1',
      subject: 'j1',
      data: {
        seq: 1,
        previousSeq: null,
        change: { kind: 'registry', by: 'api' },
        job: { label: 'Nightly', tags: ['a'], lastSeq: 1 },
      },
    })
  })

  test('a job that is registered already is answered with 200 and its settings brought up to date', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', {
      jobid: 'j1',
      label: 'one',
      tags: ['a', 'b'],
      stallAfter: '30m',
      deadline: '2026-12-01T18:00:00Z',
    })
    const again = await app.post('/v1/jobs', { jobid: 'j1', label: 'two' })
    expect(again.status).toBe(200)
    expect(jobOf(again)).toMatchObject({
      label: 'two',
      tags: ['a', 'b'],
      stallAfter: '30m',
      deadline: '2026-12-01T18:00:00.000Z',
    })
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject({ label: 'two', tags: ['a', 'b'] })
    expect(eventsOf(await app.call('/v1/events')).newest).toBe(1)
  })

  test('a registration that says nothing new leaves every setting as it was', async () => {
    await using app = await startApp()
    const first = await app.post('/v1/jobs', { jobid: 'j1', label: 'one', tags: ['a'] })
    const again = await app.post('/v1/jobs', { jobid: 'j1' })
    expect(again.status).toBe(200)
    expect(jobOf(again)).toMatchObject({ label: 'one', tags: ['a'] })
    expect(jobOf(again)['watchedAt']).toBe(jobOf(first)['watchedAt'])
  })

  test('any text comes back as it was sent, half a character included', async () => {
    await using app = await startApp()
    const settings = { label: 'half a \ud83d', tags: ['\udc00'] }
    await app.post('/v1/jobs', { jobid: 'j1', ...settings })
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject(settings)
  })

  test('null takes a label, a stall time and a deadline away, and an empty list the tags', async () => {
    await using app = await startApp()
    const settings = { label: 'one', tags: ['a'], stallAfter: '30m', deadline: '2h' }
    expect((await app.post('/v1/jobs', { jobid: 'j1', ...settings })).status).toBe(201)
    const none = { label: null, tags: [], stallAfter: null, deadline: null }
    expect(jobOf(await app.post('/v1/jobs', { jobid: 'j1', ...none }))).toMatchObject(none)
  })

  test('a job that was stopped is watched anew with 201', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1', label: 'one' })
    await app.call('/v1/jobs/j1', { method: 'DELETE' })
    const again = await app.post('/v1/jobs', { jobid: 'j1' })
    expect(again.status).toBe(201)
    expect(jobOf(again)).toMatchObject({ state: 'active', label: 'one' })
    const { items } = eventsOf(await app.call('/v1/events'))
    expect(items.map(({ type }) => type)).toEqual(['job.watched', 'job.unwatched', 'job.watched'])
    expect(items.map(({ data }) => data.previousSeq)).toEqual([null, 1, 2])
  })

  test('a hundred registrations of one job at once begin the watching once', async () => {
    await using app = await startApp()
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => app.post('/v1/jobs', { jobid: 'j1' })),
    )
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array<number>(99).fill(200), 201])
    expect(eventsOf(await app.call('/v1/events')).newest).toBe(1)
  })

  test('what was answered is on disk: a daemon that starts anew has it', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1', label: 'one', tags: ['a'], deadline: '2h' })
    await app.restart()
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject({ label: 'one', tags: ['a'] })
    expect((await app.post('/v1/jobs', { jobid: 'j1' })).status).toBe(200)
  })

  test('an id has 1 to 128 letters, digits, dashes or underscores, the first a letter or digit', async () => {
    await using app = await startApp()
    for (const jobid of ['a', '0', 'A-_9', 'x'.repeat(128)]) {
      expect((await app.post('/v1/jobs', { jobid })).status, jobid).toBe(201)
    }
  })

  test.each([
    '',
    '-a',
    '_a',
    'x'.repeat(129),
    '..',
    '.',
    'a/b',
    'a b',
    'a%2fb',
    'ä',
    'a\n',
    '\u0000',
  ])('the id %j is refused, since it could lead to another resource', async (jobid) => {
    await using app = await startApp()
    expect(wrongFieldsOf(await app.post('/v1/jobs', { jobid }))).toEqual(['jobid'])
    await expectNothingStored(app)
  })
})

describe('by URL', () => {
  test('the URL of a job names the job and its upstream', async () => {
    await using app = await startApp()
    const { root } = app.simulator
    const answer = await app.post('/v1/jobs', { url: `${root}/jobs/j1` })
    expect(answer.status).toBe(201)
    expect(jobOf(answer)).toMatchObject({ jobid: 'j1', upstream: 'prod' })
  })

  test.each([
    ['a query with a token', (root: string) => `${root}/jobs/j1?f=pjson&token=canary-4711`],
    ['a fragment', (root: string) => `${root}/jobs/j1#canary-4711`],
    ['a slash at its end', (root: string) => `${root}/jobs/j1/`],
    ['the host in capitals', (root: string) => `${root.replace('http', 'HTTP')}/jobs/j1`],
    ['blanks around it, as copied', (root: string) => `  ${root}/jobs/j1 \n`],
    ['a user and password', (root: string) => `${root.replace('//', '//me:canary-4711@')}/jobs/j1`],
  ])('%s in it does no harm and is not kept', async (_, urlOf) => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { url: urlOf(app.simulator.root) })
    expect(answer.status).toBe(201)
    expect(jobOf(answer).jobid).toBe('j1')
    const everything = [answer, await app.call('/v1/jobs'), await app.call('/v1/events')]
    for (const { text } of everything) expect(text).not.toContain('canary')
  })

  test('the host of a root may be written in any case', async () => {
    await using app = await startApp({
      config: () => ({
        upstreams: [{ name: 'prod', root: 'https://GIS.Example.com/arcgis/admin', auth: aToken }],
      }),
    })
    for (const [jobid, host] of [
      ['j1', 'gis.example.com'],
      ['j2', 'GIS.EXAMPLE.COM'],
      ['j3', 'gis.example.com:443'],
    ]) {
      const url = `https://${host}/arcgis/admin/jobs/${jobid}`
      expect(jobOf(await app.post('/v1/jobs', { url })).jobid).toBe(jobid)
    }
  })

  test.each([
    ['no URL', () => 'j1'],
    ['a path alone', () => '/gis/admin/jobs/j1'],
    ['another scheme', (root: string) => `${root.replace('http:', 'ftp:')}/jobs/j1`],
    ['another host', () => 'http://gis.example.com/gis/admin/jobs/j1'],
    ['another port', (root: string) => `${root.replace(/:\d+/, ':1')}/jobs/j1`],
    ['another root', (root: string) => `${root.replace('/gis/', '/gis2/')}/jobs/j1`],
    ['a root that merely begins so', (root: string) => `${root}istrator/jobs/j1`],
    ['the list of jobs', (root: string) => `${root}/jobs`],
    ['no job', (root: string) => `${root}/jobs/`],
    ['something else of the upstream', (root: string) => `${root}/services/j1`],
    ['an operation on a job', (root: string) => `${root}/jobs/j1/cancel`],
    ['dots that lead elsewhere', (root: string) => `${root}/jobs/../status`],
    ['encoded dots that lead elsewhere', (root: string) => `${root}/jobs/%2e%2e%2fstatus`],
    ['an encoded slash', (root: string) => `${root}/jobs/a%2Fb`],
    ['an encoded blank', (root: string) => `${root}/jobs/a%20b`],
    ['an id that is too long', (root: string) => `${root}/jobs/${'x'.repeat(129)}`],
    ['more than a URL can be', (root: string) => `${root}/jobs/j1?${'x'.repeat(10_000)}`],
  ])('%s is refused with 400', async (_, urlOf) => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { url: urlOf(app.simulator.root) })
    expect(wrongFieldsOf(answer)).toEqual(['url'])
    await expectNothingStored(app)
  })

  test('a URL and another jobid beside it are refused', async () => {
    await using app = await startApp()
    const url = `${app.simulator.root}/jobs/j1`
    expect(wrongFieldsOf(await app.post('/v1/jobs', { url, jobid: 'j2' }))).toEqual(['jobid'])
    await expectNothingStored(app)
  })

  test('a URL picks among several upstreams by its root', async () => {
    await using app = await startWithTwoUpstreams()
    const { simulator, other } = app
    const one = await app.post('/v1/jobs', { url: `${simulator.root}/jobs/j1` })
    expect(jobOf(one).upstream).toBe('prod')
    const two = await app.post('/v1/jobs', { url: `${other.root}/jobs/j1` })
    expect(two.status).toBe(201)
    expect(jobOf(two).upstream).toBe('test')
  })

  test('a URL of one upstream and the name of another are refused', async () => {
    await using app = await startWithTwoUpstreams()
    const url = `${app.other.root}/jobs/j1`
    const answer = await app.post('/v1/jobs', { url, upstream: 'prod' })
    expect(wrongFieldsOf(answer)).toEqual(['upstream'])
    expect((await app.post('/v1/jobs', { url, upstream: 'test' })).status).toBe(201)
  })
})

describe('by the answer to a submit', () => {
  test("Esri's answer is taken as it is, what it says besides ignored", async () => {
    await using app = await startApp()
    const { root } = app.simulator
    const answer = await app.post('/v1/jobs', {
      jobsUrl: `${root}/jobs/j1?f=json&token=canary-4711`,
      jobid: 'j1',
      status: 'SUBMITTED',
      code: 200,
      messages: [],
      result: { deep: [{ canary: 4711 }] },
    })
    expect(answer.status).toBe(201)
    expect(jobOf(answer)).toMatchObject({ jobid: 'j1', status: null })
    expect(answer.text).not.toContain('canary')
  })

  test('what a simulated operation answers can be posted on as it is', async () => {
    await using app = await startApp()
    const submitted = app.simulator.submit('backup')
    const answer = await app.post('/v1/jobs', submitted)
    expect(answer.status).toBe(201)
    expect(jobOf(answer).jobid).toBe(submitted.jobid)
  })

  test.each(['j2', '../evil', '', 5, null])(
    'jobsUrl wins over a jobid of %j beside it',
    async (jobid) => {
      await using app = await startApp()
      const jobsUrl = `${app.simulator.root}/jobs/j1`
      expect(jobOf(await app.post('/v1/jobs', { jobsUrl, jobid })).jobid).toBe('j1')
    },
  )

  test('our own keys may stand beside jobsUrl and are checked', async () => {
    await using app = await startApp()
    const jobsUrl = `${app.simulator.root}/jobs/j1`
    const wrong = await app.post('/v1/jobs', { jobsUrl, label: 5, tags: 'a', upstream: 'prod' })
    expect(wrongFieldsOf(wrong).sort()).toEqual(['label', 'tags'])
    await expectNothingStored(app)
    const right = await app.post('/v1/jobs', { jobsUrl, label: 'one', tags: ['a'] })
    expect(jobOf(right)).toMatchObject({ label: 'one', tags: ['a'] })
  })

  test.each([[null], [5], [''], ['jobs/j1'], [['http://x/jobs/j1']]])(
    'a jobsUrl of %j is refused',
    async (jobsUrl) => {
      await using app = await startApp()
      expect(wrongFieldsOf(await app.post('/v1/jobs', { jobsUrl, jobid: 'j1' }))).toEqual([
        'jobsUrl',
      ])
      await expectNothingStored(app)
    },
  )

  test('without jobsUrl an unknown key is refused by its name, status included', async () => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { jobid: 'j1', status: 'SUBMITTED', lable: 'x' })
    expect(wrongFieldsOf(answer).sort()).toEqual(['lable', 'status'])
    await expectNothingStored(app)
  })
})

describe('which upstream', () => {
  test('an upstream that does not exist is refused, and the refusal names those that do', async () => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { jobid: 'j1', upstream: 'nope' })
    expect(wrongFieldsOf(answer)).toEqual(['upstream'])
    expect(problemOf(answer).detail).toContain('prod')
    await expectNothingStored(app)
  })

  test('with two upstreams a jobid alone is not enough', async () => {
    await using app = await startWithTwoUpstreams()
    const answer = await app.post('/v1/jobs', { jobid: 'j1' })
    expect(wrongFieldsOf(answer)).toEqual(['upstream'])
    expect(problemOf(answer).detail).toMatch(/prod.*test/)
    expect((await app.post('/v1/jobs', { jobid: 'j1', upstream: 'test' })).status).toBe(201)
  })

  test('an id known at two upstreams is ambiguous until ?upstream= says which is meant', async () => {
    await using app = await startWithTwoUpstreams()
    await app.post('/v1/jobs', { jobid: 'j1', upstream: 'prod' })
    const second = await app.post('/v1/jobs', { jobid: 'j1', upstream: 'test' })
    expect(second.status).toBe(201)
    await app.post('/v1/jobs', { jobid: 'j2', upstream: 'test' })

    for (const path of ['/v1/jobs/j1', '/v1/jobs/j1/document']) {
      const answer = await app.call(path)
      expect(answer.status).toBe(409)
      expect(problemOf(answer).code).toBe('ambiguous_job')
      expect(problemOf(answer).detail).toMatch(/prod.*test/)
    }
    expect((await app.call('/v1/jobs/j1', { method: 'DELETE' })).status).toBe(409)

    expect(jobOf(await app.call('/v1/jobs/j2')).upstream).toBe('test')
    for (const upstream of ['prod', 'test']) {
      expect(jobOf(await app.call(`/v1/jobs/j1?upstream=${upstream}`)).upstream).toBe(upstream)
    }
    expect((await app.call('/v1/jobs/j2?upstream=prod')).status).toBe(404)

    const removed = await app.call('/v1/jobs/j1?upstream=test', { method: 'DELETE' })
    expect(removed.status).toBe(204)
    expect(jobOf(await app.call('/v1/jobs/j1?upstream=prod')).state).toBe('active')
    expect(jobOf(await app.call('/v1/jobs/j1?upstream=test')).state).toBe('stopped')
  })

  test('without any upstream there is nothing to watch, and the refusal says so', async () => {
    await using app = await startApp({ config: () => ({ upstreams: [] }) })
    const answer = await app.post('/v1/jobs', { jobid: 'j1' })
    expect(wrongFieldsOf(answer)).toEqual(['upstream'])
    const byUrl = await app.post('/v1/jobs', { url: 'http://gis.example.com/gis/admin/jobs/j1' })
    expect(wrongFieldsOf(byUrl)).toEqual(['url'])
  })
})

describe('settings', () => {
  test('a label has up to 200 characters and titles the job', async () => {
    await using app = await startApp()
    for (const [jobid, character] of [
      ['j1', 'x'],
      ['j2', 'ß'],
      ['j3', '🛰'],
    ] as const) {
      const label = character.repeat(200)
      const answer = await app.post('/v1/jobs', { jobid, label })
      expect(jobOf(answer)).toMatchObject({ label, title: label })
      const tooLong = await app.post('/v1/jobs', { jobid: 'j4', label: character.repeat(201) })
      expect(wrongFieldsOf(tooLong)).toEqual(['label'])
    }
  })

  test('there may be 50 tags of 100 characters', async () => {
    await using app = await startApp()
    const tags = Array.from({ length: 50 }, (_, index) =>
      `${index} ${'ж'.repeat(97)}`.slice(0, 100),
    )
    const answer = await app.post('/v1/jobs', { jobid: 'j1', tags })
    expect(jobOf(answer).tags).toEqual(tags)
    expect(jobOf(await app.call('/v1/jobs/j1')).tags).toEqual(tags)
  })

  test.each([
    ['51 of them', Array.from({ length: 51 }, String)],
    ['one of 101 characters', ['ok', 'x'.repeat(101)]],
    ['an empty one', ['']],
    ['a number', ['a', 5]],
    ['a text', 'nightly'],
    ['null', null],
    ['an object', { 0: 'a' }],
  ])('tags are refused: %s', async (_, tags) => {
    await using app = await startApp()
    const fields = wrongFieldsOf(await app.post('/v1/jobs', { jobid: 'j1', tags }))
    expect(fields).toHaveLength(1)
    expect(fields[0]).toMatch(/^tags(\.\d+)?$/)
    await expectNothingStored(app)
  })

  test.each([
    ['500ms', '500ms'],
    ['5s', '5s'],
    ['90m', '90m'],
    ['2h', '2h'],
    ['7d', '7d'],
    ['20ms', '20ms'],
  ])('stallAfter takes %s', async (stallAfter, shown) => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { jobid: 'j1', stallAfter })
    expect(jobOf(answer).stallAfter).toBe(shown)
  })

  test.each([
    '',
    '0s',
    '-5s',
    '5',
    '5 s',
    '5S',
    's',
    '1h30m',
    'PT5S',
    '1e3s',
    'Infinityms',
    5,
    true,
    {},
  ])('stallAfter refuses %j', async (stallAfter) => {
    await using app = await startApp()
    expect(wrongFieldsOf(await app.post('/v1/jobs', { jobid: 'j1', stallAfter }))).toEqual([
      'stallAfter',
    ])
    await expectNothingStored(app)
  })

  test.each([
    ['2026-12-01T18:00:00.000Z', '2026-12-01T18:00:00.000Z'],
    ['2026-12-01T18:00:00Z', '2026-12-01T18:00:00.000Z'],
    ['2026-12-01T20:00:00.250+02:00', '2026-12-01T18:00:00.250Z'],
    ['2026-12-01T18:00Z', '2026-12-01T18:00:00.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ])('a deadline of %s is that moment', async (deadline, shown) => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', { jobid: 'j1', deadline })
    expect(jobOf(answer).deadline).toBe(shown)
  })

  test('a deadline that is a duration counts from the start of the job', async () => {
    await using app = await startApp()
    const startedAt = Date.parse('2026-11-23T14:00:00.000Z')
    const document = { jobid: 'j1', status: 'EXECUTING', starttime: startedAt, endtime: 0 }
    app.simulator.addScript([document], { jobid: 'j1' })
    using feed = await openFeed(`${app.url}/v1/events/stream`)
    await feed.hello()
    const answer = await app.post('/v1/jobs', { jobid: 'j1', deadline: '2h' })
    expect(jobOf(answer).deadline).toBeNull()
    await feed.until('job.executing')
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject({
      startedAt: '2026-11-23T14:00:00.000Z',
      deadline: '2026-11-23T16:00:00.000Z',
    })
  })

  test.each([
    '',
    'tomorrow',
    '2026-12-01',
    '2026-12-01T18:00:00',
    '2026-13-01T18:00:00Z',
    '2026-02-30T18:00:00Z',
    '2026-12-01T25:00:00Z',
    '1764612000000',
    '-2h',
    '0h',
    // Longer than any calendar reaches: no time could ever be shown for it.
    '99999999d',
    1_764_612_000_000,
    {},
  ])('a deadline of %j is refused', async (deadline) => {
    await using app = await startApp()
    expect(wrongFieldsOf(await app.post('/v1/jobs', { jobid: 'j1', deadline }))).toEqual([
      'deadline',
    ])
    await expectNothingStored(app)
  })

  test('every wrong field is named at once', async () => {
    await using app = await startApp()
    const answer = await app.post('/v1/jobs', {
      jobid: '..',
      label: 5,
      tags: [''],
      stallAfter: 'soon',
      deadline: 'later',
    })
    expect(wrongFieldsOf(answer).sort()).toEqual([
      'deadline',
      'jobid',
      'label',
      'stallAfter',
      'tags.0',
    ])
  })
})

describe('bodies', () => {
  const json = { 'content-type': 'application/json' }

  test.each(['null', '[]', '[{"jobid":"j1"}]', '"j1"', '5', 'true', '{}', ''])(
    'the body %j registers nothing and is a 400',
    async (body) => {
      await using app = await startApp()
      const answer = await app.call('/v1/jobs', { method: 'POST', headers: json, body })
      expect(answer.status).toBe(400)
      expect(problemOf(answer).errors).toHaveLength(1)
      await expectNothingStored(app)
    },
  )

  test('a POST without any body, not even a content type, is a 400 here', async () => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs', { method: 'POST' })
    expect(answer.status).toBe(400)
    expect(problemOf(answer).errors).toHaveLength(1)
  })

  test.each([
    '{',
    '{"jobid":"j1"',
    "{'jobid':'j1'}",
    '{"jobid":"j1"}}',
    '{"jobid":j1}',
    'jobid=j1',
  ])('what is no JSON is a 400: %j', async (body) => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs', { method: 'POST', headers: json, body })
    expect(answer.status).toBe(400)
    expect(problemOf(answer).detail).toMatch(/JSON/)
    await expectNothingStored(app)
  })

  test.each([
    '{"jobid":"j1","__proto__":{"label":"x"}}',
    '{"jobid":"j1","__proto__":null}',
    '{"__proto__":{"jobid":"j1"}}',
    '{"jobsUrl":"x","__proto__":{"jobid":"j1"}}',
    '{"jobid":"j1","constructor":{"prototype":{"label":"x"}}}',
    '{"jobid":"j1","label":{"__proto__":{"toString":"x"}}}',
  ])('a body that reaches for the prototype is a 400: %s', async (body) => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs', { method: 'POST', headers: json, body })
    expect(answer.status).toBe(400)
    problemOf(answer)
    await expectNothingStored(app)
    expect({}).not.toHaveProperty('label')
  })

  test('no JSON whatever makes anything but a 400', async () => {
    await using app = await startApp()
    const value = fc.letrec((tie) => ({
      body: fc.oneof(fc.jsonValue(), tie('close')),
      // Right keys, wrong values.
      close: fc.dictionary(
        fc.constantFrom('url', 'jobsUrl', 'upstream', 'label', 'tags', 'stallAfter', 'deadline'),
        fc.jsonValue({ maxDepth: 2 }),
      ),
    })).body
    await fc.assert(
      fc.asyncProperty(value, async (body) => {
        const headers = { 'content-type': 'application/json' }
        const text = JSON.stringify(body)
        const answer = await app.call('/v1/jobs', { method: 'POST', headers, body: text })
        expect(answer.status).toBe(400)
        problemOf(answer)
      }),
      { numRuns: 300 },
    )
    await expectNothingStored(app)
  })
})

const aToken = { token: 'an-upstream-token' }

test('a URL of two upstreams with the same root asks which one is meant', async () => {
  await using app = await startApp({
    config: (simulator) => ({ upstreams: ['a', 'b'].map((name) => anUpstream(name, simulator)) }),
  })
  const url = `${app.simulator.root}/jobs/j1`
  const answer = await app.post('/v1/jobs', { url })
  expect(answer.status).toBe(400)
  expect(wrongFieldsOf(answer)).toEqual(['upstream'])
  expect(jobOf(await app.post('/v1/jobs', { url, upstream: 'b' })).upstream).toBe('b')
})
