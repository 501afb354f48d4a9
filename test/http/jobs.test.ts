import { describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { anUpstream, quickPolling, startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { openFeed } from '../feed/reader.ts'
import { jobidsOf, jobOf, jobsOf, problemOf, wrongFieldsOf } from './answers.ts'

const startedAt = Date.parse('2026-11-23T14:00:00.000Z')

function aDocument(jobid: string, fields: object = {}) {
  return {
    jobid,
    status: 'EXECUTING',
    starttime: startedAt,
    updatedtime: startedAt + 1500,
    endtime: 0,
    operationURI: '/gis/admin/services/FireWatchWeather.MapServer/edit',
    username: 'siteadmin',
    requestID: 'r-1',
    ...fields,
  }
}

/** Registers a job whose document the simulated upstream serves, and waits for its first look. */
async function registerSeen(app: TestApp, jobid: string, ...documents: (object | string)[]) {
  const script = app.simulator.addScript(
    documents.map((body) => ({ httpStatus: 200, body })),
    { jobid },
  )
  using feed = await openFeed(`${app.url}/v1/events/stream?jobid=${jobid}`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid })
  await feed.events(2)
  return {
    /** Serves the next document and waits for the event it leads to. */
    async next() {
      using changes = await openFeed(`${app.url}/v1/events/stream?jobid=${jobid}`)
      await changes.hello()
      script.next()
      await changes.events(1)
    },
  }
}

describe('one job', () => {
  test('is shown with everything that the upstream said of it', async () => {
    await using app = await startApp()
    const stages = [
      { name: 'validating', state: 'completed' },
      { name: 'object_store', state: 'in progress' },
      { name: 'cleanup', state: 'pending' },
    ]
    await registerSeen(
      app,
      'j1',
      aDocument('j1', {
        name: 'editContainerRegistry',
        resource: { name: 'default (id: 7)' },
        messages: ['Copying 48 buckets.'],
        progress: { stages },
      }),
    )
    const job = jobOf(await app.call('/v1/jobs/j1'))
    expect(job).toMatchObject({
      jobid: 'j1',
      upstream: 'prod',
      state: 'active',
      title: 'editContainerRegistry default',
      status: 'EXECUTING',
      rawStatus: 'EXECUTING',
      outcome: null,
      reason: null,
      name: 'editContainerRegistry',
      operation: '/gis/admin/services/FireWatchWeather.MapServer/edit',
      resource: 'default (id: 7)',
      username: 'siteadmin',
      requestId: 'r-1',
      startedAt: '2026-11-23T14:00:00.000Z',
      endedAt: null,
      updatedAt: '2026-11-23T14:00:01.500Z',
      progress: { done: 1, total: 3 },
      messages: [{ text: 'Copying 48 buckets.' }],
      messageCount: 1,
      result: null,
      resultBytes: 0,
      lastSeq: 2,
      problem: null,
      stages: [
        { name: 'validating', occurrence: 1, state: 'completed', rawState: 'completed' },
        { name: 'object_store', occurrence: 1, state: 'running', rawState: 'in progress' },
        { name: 'cleanup', occurrence: 1, state: 'pending', rawState: 'pending' },
      ],
    })
    expect(job['durationMs']).toBe(Date.parse(job['polledAt'] as string) - startedAt)
  })

  test('has every time in RFC 3339, UTC, with milliseconds', async () => {
    await using app = await startApp()
    await registerSeen(
      app,
      'j1',
      aDocument('j1', { progress: { stages: [{ name: 'a', state: 'completed' }] } }),
    )
    await app.post('/v1/jobs', { jobid: 'j1', deadline: '2h' })
    const job = jobOf(await app.call('/v1/jobs/j1'))
    const times = timesIn(job)
    for (const name of [
      'startedAt',
      'updatedAt',
      'watchedAt',
      'polledAt',
      'changedAt',
      'deadline',
    ]) {
      expect(times.map(([key]) => key)).toContain(name)
    }
    for (const [key, time] of times) {
      expect(time, key).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    }
  })

  test('tells of a failed look until one works', async () => {
    // One look at a time: when the second job was seen, the first one had its look.
    await using app = await startApp({
      config: (simulator: Simulator) => ({
        upstreams: [
          { ...anUpstream('prod', simulator), polling: { ...quickPolling, concurrency: 1 } },
        ],
      }),
    })
    const script = app.simulator.addScript([{ httpStatus: 503, body: 'busy' }, aDocument('j1')], {
      jobid: 'j1',
    })
    await app.post('/v1/jobs', { jobid: 'j1' })
    await registerSeen(app, 'j2', aDocument('j2'))
    const failing = jobOf(await app.call('/v1/jobs/j1'))
    expect(failing).toMatchObject({ state: 'active', status: null })
    expect(failing['problem']).toEqual({
      kind: 'transient',
      detail: expect.stringMatching(/./) as string,
      since: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) as string,
      attempts: expect.any(Number) as number,
    })

    using feed = await openFeed(`${app.url}/v1/events/stream?jobid=j1`)
    await feed.hello()
    script.next()
    await feed.events(1)
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject({
      status: 'EXECUTING',
      problem: null,
    })
  })

  test('that is not registered is a 404 with a stable code', async () => {
    await using app = await startApp()
    for (const [method, path] of [
      ['GET', '/v1/jobs/unknown'],
      ['GET', '/v1/jobs/unknown/document'],
      ['GET', '/v1/jobs/unknown?upstream=prod'],
      ['DELETE', '/v1/jobs/unknown'],
    ] as const) {
      const answer = await app.call(path, { method })
      expect(answer.status).toBe(404)
      expect(problemOf(answer).code).toBe('job_not_found')
    }
  })

  test('cannot have an id that leads elsewhere', async () => {
    await using app = await startApp()
    for (const id of ['%2e%2e%2fstatus', 'a%20b', '-a', 'x'.repeat(129), 'x'.repeat(5000)]) {
      expect(wrongFieldsOf(await app.call(`/v1/jobs/${id}`))).toEqual(['jobid'])
    }
  })

  test('takes no query but upstream', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1' })
    for (const [method, path] of [
      ['GET', '/v1/jobs/j1?upstraem=prod'],
      ['GET', '/v1/jobs/j1/document?upstraem=prod'],
      ['DELETE', '/v1/jobs/j1?upstraem=prod'],
    ] as const) {
      expect(wrongFieldsOf(await app.call(path, { method }))).toEqual(['upstraem'])
    }
    expect(wrongFieldsOf(await app.call('/v1/jobs/j1?upstream=a&upstream=b'))).toEqual(['upstream'])
    expect(jobOf(await app.call('/v1/jobs/j1')).state).toBe('active')
  })
})

describe('stopping', () => {
  test('is answered with 204 and nothing, and keeps the history', async () => {
    await using app = await startApp()
    await registerSeen(app, 'j1', aDocument('j1'))
    const answer = await app.call('/v1/jobs/j1', { method: 'DELETE' })
    expect(answer.status).toBe(204)
    expect(answer.text).toBe('')
    expect(jobOf(await app.call('/v1/jobs/j1'))).toMatchObject({
      state: 'stopped',
      status: 'EXECUTING',
      nextPollAt: null,
      lastSeq: 3,
    })
    expect((await app.call('/v1/jobs/j1/document')).status).toBe(200)
    expect(jobidsOf(await app.call('/v1/jobs?state=stopped'))).toEqual(['j1'])
    using feed = await openFeed(`${app.url}/v1/events/stream?after=0`)
    const types = (await feed.events(3)).map(({ type }) => type)
    expect(types).toEqual(['job.watched', 'job.executing', 'job.unwatched'])
  })

  test('twice is no mistake and makes one event', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1' })
    for (let time = 0; time < 2; time += 1) {
      expect((await app.call('/v1/jobs/j1', { method: 'DELETE' })).status).toBe(204)
    }
    expect(jobOf(await app.call('/v1/jobs/j1')).lastSeq).toBe(2)
  })

  test('ends the looks at the job', async () => {
    const clock = new FakeClock()
    await using app = await startApp({ clock })
    await registerSeen(app, 'j1', aDocument('j1'))
    const looks = () => app.simulator.requests.jobs.get('j1') ?? 0
    await app.call('/v1/jobs/j1', { method: 'DELETE' })
    const before = looks()
    await clock.advance(60_000)
    expect(looks()).toBe(before)
  })

  test('one of a hundred leaves the others alone', async () => {
    await using app = await startApp()
    await registerMany(app, 100)
    await app.call('/v1/jobs/j-50', { method: 'DELETE' })
    expect(jobidsOf(await app.call('/v1/jobs?state=active'))).toHaveLength(99)
    expect(jobidsOf(await app.call('/v1/jobs?state=stopped'))).toEqual(['j-50'])
  })
})

describe('the document', () => {
  test('is what the upstream sent, byte for byte', async () => {
    await using app = await startApp()
    const document =
      '{ "status" : "EXECUTING",\r\n\t"jobid":"j1", "big": 12345678901234567890.10, "e":1E+2,' +
      ' "text": "\\u00e9é \\/ \u2028 🛰 \\ud83d", "status2":null, "a":1, "a":2 }\n'
    await registerSeen(app, 'j1', document)
    const answer = await app.call('/v1/jobs/j1/document')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    expect(answer.text).toBe(document)
  })

  test('is the one of the last change', async () => {
    await using app = await startApp()
    const job = await registerSeen(
      app,
      'j1',
      aDocument('j1', { status: 'SUBMITTED' }),
      aDocument('j1', { status: 'EXECUTING' }),
    )
    const status = async () =>
      (JSON.parse((await app.call('/v1/jobs/j1/document')).text) as { status: string }).status
    expect(await status()).toBe('SUBMITTED')
    await job.next()
    expect(await status()).toBe('EXECUTING')
  })

  test('is a 404 of its own before the first look', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'never-seen' })
    const answer = await app.call('/v1/jobs/never-seen/document')
    expect(answer.status).toBe(404)
    expect(problemOf(answer).code).not.toBe('job_not_found')
  })
})

describe('the list', () => {
  test('is empty at first and says that nothing follows', async () => {
    await using app = await startApp()
    expect(jobsOf(await app.call('/v1/jobs'))).toEqual({ items: [], next: null })
  })

  test('shows the newest first, each as it is shown alone', async () => {
    const clock = new FakeClock()
    await using app = await startApp({ clock })
    for (const jobid of ['a', 'b', 'c']) {
      await app.post('/v1/jobs', { jobid })
      await clock.advance(10)
    }
    const list = jobsOf(await app.call('/v1/jobs'))
    expect(list.items.map(({ jobid }) => jobid)).toEqual(['c', 'b', 'a'])
    for (const item of list.items) {
      expect(item).toEqual(jobOf(await app.call(`/v1/jobs/${item.jobid}`)))
    }
  })

  test('brings a job that is watched anew to the top', async () => {
    const clock = new FakeClock()
    await using app = await startApp({ clock })
    for (const jobid of ['a', 'b']) {
      await app.post('/v1/jobs', { jobid })
      await clock.advance(10)
    }
    await app.call('/v1/jobs/a', { method: 'DELETE' })
    await clock.advance(10)
    await app.post('/v1/jobs', { jobid: 'a' })
    expect(jobidsOf(await app.call('/v1/jobs'))).toEqual(['a', 'b'])
  })

  test('has a hundred items unless told otherwise, and between 1 and 1000', async () => {
    await using app = await startApp()
    const jobids = Array.from({ length: 1001 }, (_, index) => `j-${index}`)
    await Promise.all(jobids.map((jobid) => app.post('/v1/jobs', { jobid })))
    expect(jobidsOf(await app.call('/v1/jobs'))).toHaveLength(100)
    expect(jobidsOf(await app.call('/v1/jobs?limit=1'))).toHaveLength(1)
    expect(jobidsOf(await app.call('/v1/jobs?limit=1000'))).toHaveLength(1000)
    for (const limit of ['0', '-1', '1001', '1.5', 'all', '', 'NaN', '1e9', '5&limit=6']) {
      expect(wrongFieldsOf(await app.call(`/v1/jobs?limit=${limit}`)), limit).toEqual(['limit'])
    }
  })

  test.each([1, 7, 100])('is complete and without repeats in pages of %i', async (limit) => {
    // The clock stands still: all have the same watchedAt.
    await using app = await startApp({ clock: new FakeClock() })
    await registerMany(app, 30)
    expect((await pages(app, `limit=${limit}`)).flat()).toEqual(newestFirst(30))
  })

  test('says that nothing follows on the last page, even when that one is full', async () => {
    await using app = await startApp()
    await registerMany(app, 4)
    const first = jobsOf(await app.call('/v1/jobs?limit=2'))
    const second = jobsOf(await app.call(`/v1/jobs?limit=2&cursor=${first.next ?? ''}`))
    expect(second.items).toHaveLength(2)
    expect(second.next).toBeNull()
  })

  test('stays complete when jobs are registered and stopped between the pages', async () => {
    await using app = await startApp()
    await registerMany(app, 30)
    const first = jobsOf(await app.call('/v1/jobs?limit=10'))
    await app.post('/v1/jobs', { jobid: 'newcomer' })
    await app.call('/v1/jobs/j-5', { method: 'DELETE' })
    const rest = (await pages(app, 'limit=10', first.next)).flat()
    const all = [...first.items.map(({ jobid }) => jobid), ...rest]
    expect(all).toEqual(newestFirst(30))
  })

  test.each(['garbage', '', 'MTIz', '%00', '5', '0.0', 'e30', 'x'.repeat(300)])(
    'refuses the cursor %j, which no answer has given',
    async (cursor) => {
      await using app = await startApp()
      await registerMany(app, 2)
      expect(wrongFieldsOf(await app.call(`/v1/jobs?cursor=${cursor}`))).toEqual(['cursor'])
    },
  )

  test('refuses a filter that it does not know, and values that cannot be', async () => {
    await using app = await startApp()
    for (const [query, field] of [
      ['sate=active', 'sate'],
      ['state=running', 'state'],
      ['state=', 'state'],
      ['status=DONE', 'status'],
      ['state=active&state=ended', 'state'],
      ['after=5', 'after'],
      ['__proto__=1', '__proto__'],
    ] as const) {
      expect(wrongFieldsOf(await app.call(`/v1/jobs?${query}`)), query).toEqual([field])
    }
  })
})

describe('filters', () => {
  test('state and status', async () => {
    await using app = await startApp()
    await registerSeen(app, 'running', aDocument('running'))
    await registerSeen(
      app,
      'failed',
      aDocument('failed', { status: 'FAILED', endtime: startedAt + 9 }),
    )
    await app.post('/v1/jobs', { jobid: 'unseen' })
    await app.post('/v1/jobs', { jobid: 'stopped' })
    await app.call('/v1/jobs/stopped', { method: 'DELETE' })
    const found = async (query: string) => jobidsOf(await app.call(`/v1/jobs?${query}`)).sort()
    expect(await found('state=active')).toEqual(['running', 'unseen'])
    expect(await found('state=ended')).toEqual(['failed'])
    expect(await found('state=stopped')).toEqual(['stopped'])
    expect(await found('state=lost')).toEqual([])
    expect(await found('status=EXECUTING')).toEqual(['running'])
    expect(await found('status=FAILED')).toEqual(['failed'])
    expect(await found('status=FAILED&state=active')).toEqual([])
  })

  test('upstream', async () => {
    const other = await startSimulator({ context: 'other' })
    await using app = await startApp({
      config: (simulator: Simulator) => ({
        upstreams: [anUpstream('prod', simulator), anUpstream('test', other)],
      }),
    })
    await app.post('/v1/jobs', { jobid: 'a', upstream: 'prod' })
    await app.post('/v1/jobs', { jobid: 'b', upstream: 'test' })
    expect(jobidsOf(await app.call('/v1/jobs?upstream=test'))).toEqual(['b'])
    expect(jobidsOf(await app.call('/v1/jobs?upstream=none'))).toEqual([])
    await other.close()
  })

  test('tag is the whole tag', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'a', tags: ['nightly', 'prod'] })
    await app.post('/v1/jobs', { jobid: 'b', tags: ['night'] })
    await app.post('/v1/jobs', { jobid: 'c', tags: ['x"]%_'] })
    const found = async (tag: string) =>
      jobidsOf(await app.call(`/v1/jobs?tag=${encodeURIComponent(tag)}`))
    expect(await found('nightly')).toEqual(['a'])
    expect(await found('night')).toEqual(['b'])
    expect(await found('prod')).toEqual(['a'])
    expect(await found('x"]%_')).toEqual(['c'])
    expect(await found('%')).toEqual([])
  })

  test('q looks into label, title, operation, username and jobid, in any case', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'Abc-1', label: 'Nächtliche Sicherung 100%_' })
    await registerSeen(app, 'x-2', aDocument('x-2'))
    const found = async (q: string) =>
      jobidsOf(await app.call(`/v1/jobs?q=${encodeURIComponent(q)}`)).sort()
    expect(await found('aBC')).toEqual(['Abc-1'])
    expect(await found('NÄCHTLICHE')).toEqual(['Abc-1'])
    expect(await found('100%_')).toEqual(['Abc-1'])
    expect(await found('edit services/firewatch')).toEqual(['x-2'])
    expect(await found('/gis/admin/services')).toEqual(['x-2'])
    expect(await found('SITEADMIN')).toEqual(['x-2'])
    expect(await found('%')).toEqual(['Abc-1'])
    expect(await found('nothing like it')).toEqual([])
  })

  test('a sparse filter pages through a long list without missing any', async () => {
    await using app = await startApp({ clock: new FakeClock() })
    await registerMany(app, 1200, (index) => ({ tags: index % 200 === 7 ? ['rare'] : ['common'] }))
    const rare = ['j-1007', 'j-807', 'j-607', 'j-407', 'j-207', 'j-7']
    expect(await pages(app, 'tag=rare&limit=2')).toEqual([
      rare.slice(0, 2),
      rare.slice(2, 4),
      rare.slice(4),
    ])
  })
})

describe('X-Jobwatch-Cursor', () => {
  test('is the position of the log at the time of the read, on both reads', async () => {
    await using app = await startApp()
    const cursor = async (path: string) => (await app.call(path)).headers['x-jobwatch-cursor']
    expect(await cursor('/v1/jobs')).toMatch(/^[0-9a-f]{1,32}-0$/)
    await app.post('/v1/jobs', { jobid: 'j1' })
    await app.post('/v1/jobs', { jobid: 'j2' })
    const { items } = (await app.call('/v1/events')).json as { items: { id: string }[] }
    expect(await cursor('/v1/jobs')).toBe(items[1]?.id)
    expect(await cursor('/v1/jobs/j1')).toBe(items[1]?.id)
    expect(await cursor('/v1/jobs?tag=none&limit=1')).toBe(items[1]?.id)
  })

  test.each([
    ['the list', '/v1/jobs?limit=1000'],
    ['one job', '/v1/jobs/j-3'],
  ])(
    'reading %s and then the feed from there misses and repeats nothing while everything changes',
    async (_, path) => {
      await using app = await startApp()
      await registerMany(app, 20)
      const writers = Array.from({ length: 8 }, (_unused, writer) => toggleJobs(app, writer))
      const readers = Array.from({ length: 10 }, async () => {
        const answer = await app.call(path)
        const cursor = String(answer.headers['x-jobwatch-cursor'])
        const body = answer.json as { items?: unknown[] }
        const jobs = (body.items ?? [body]) as { jobid: string; lastSeq: number }[]
        using feed = await openFeed(`${app.url}/v1/events/stream?after=${cursor}`)
        const lastSeqByJobid = new Map(jobs.map(({ jobid, lastSeq }) => [jobid, lastSeq]))
        const cursorSeq = Number(cursor.split('-')[1])
        for (const lastSeq of lastSeqByJobid.values())
          expect(lastSeq).toBeLessThanOrEqual(cursorSeq)
        for (const { data } of (await feed.events(60)) as unknown as ChainedEvent[]) {
          const known = lastSeqByJobid.get(data.job.jobid)
          // Each event names the one before it of its job: the chain has no hole and no repeat.
          if (known !== undefined) expect(data.previousSeq).toBe(known)
          if (known !== undefined) lastSeqByJobid.set(data.job.jobid, data.seq)
        }
      })
      await Promise.all([...writers, ...readers])
    },
  )
})

interface ChainedEvent {
  readonly data: { seq: number; previousSeq: number | null; job: { jobid: string } }
}

/** Stops and starts the watching of jobs, each call an event. */
async function toggleJobs(app: TestApp, writer: number): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    const jobid = `j-${(writer * 3 + round) % 20}`
    await app.call(`/v1/jobs/${jobid}`, { method: 'DELETE' })
    await app.post('/v1/jobs', { jobid })
  }
}

/** Registers `j-0`, `j-1` … one after another. */
async function registerMany(
  app: TestApp,
  count: number,
  fieldsOf: (index: number) => object = () => ({}),
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const answer = await app.post('/v1/jobs', { jobid: `j-${index}`, ...fieldsOf(index) })
    expect(answer.status).toBe(201)
  }
}

function newestFirst(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `j-${count - 1 - index}`)
}

/** Follows `next` to the end. */
async function pages(app: TestApp, query: string, from: string | null = null) {
  const all: string[][] = []
  let cursor = from
  do {
    const go = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = jobsOf(await app.call(`/v1/jobs?${query}${go}`))
    all.push(page.items.map(({ jobid }) => jobid))
    cursor = page.next
  } while (cursor !== null)
  return all
}

/** Everything in an answer that is a time by its name. */
function timesIn(value: unknown, key = ''): [string, string][] {
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, item]) => timesIn(item, name))
  }
  const isTime = /At$|^at$|^since$|^eta$|^deadline$|^time$/.test(key)
  return isTime && typeof value === 'string' ? [[key, value]] : []
}
