import { describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { openFeed } from '../feed/reader.ts'
import { eventsOf, jobOf, seqsOf, wrongFieldsOf } from './answers.ts'

/** Each registration of a job that the upstream does not know is one event: job.watched. */
async function appendEvents(app: TestApp, count: number, fields: object = {}): Promise<void> {
  const { newest } = eventsOf(await app.call('/v1/events?limit=1'))
  const seqs = range(newest + 1, newest + count)
  while (seqs.length > 0) {
    // Together they share a transaction, and with it the sync to disk.
    const batch = seqs.splice(0, 100).map(async (seq) => {
      expect((await app.post('/v1/jobs', { jobid: `j-${seq}`, ...fields })).status).toBe(201)
    })
    await Promise.all(batch)
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

test('an empty log is an empty page, which has no oldest event and no gap', async () => {
  await using app = await startApp()
  const page = { items: [], next: 0, newest: 0, oldest: null, gap: false }
  expect(eventsOf(await app.call('/v1/events'))).toEqual(page)
  expect(eventsOf(await app.call('/v1/events?after=0'))).toEqual(page)
})

test('an event is CloudEvents in JSON as the contract has it', async () => {
  await using app = await startApp()
  const before = Date.now()
  await app.post('/v1/jobs', { jobid: 'j1', label: 'Nightly', tags: ['a'] })
  const { items } = eventsOf(await app.call('/v1/events'))
  const [event] = items
  const job = { ...jobOf(await app.call('/v1/jobs/j1')) }
  for (const field of ['polledAt', 'nextPollAt', 'problem']) Reflect.deleteProperty(job, field)
  expect(event).toEqual({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f]{1,32}-1$/) as string,
    source: '/upstreams/prod/jobs/j1',
    type: 'job.watched',
    subject: 'j1',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    datacontenttype: 'application/json',
    data: { seq: 1, previousSeq: null, change: { kind: 'registry', by: 'api' }, job },
  })
  expect(Date.parse(event?.time ?? '')).toBeGreaterThanOrEqual(before)
  expect(Object.keys(event ?? {})[0]).toBe('specversion')
})

describe('after', () => {
  test('is exclusive, and a seq and the id of an event say the same', async () => {
    await using app = await startApp()
    await appendEvents(app, 5)
    const { items } = eventsOf(await app.call('/v1/events'))
    for (const [index, { id, data }] of items.entries()) {
      expect(data.seq).toBe(index + 1)
      expect(seqsOf(await app.call(`/v1/events?after=${data.seq}`))).toEqual(range(index + 2, 5))
      expect(seqsOf(await app.call(`/v1/events?after=${id}`))).toEqual(range(index + 2, 5))
    }
  })

  test('is the beginning unless given', async () => {
    await using app = await startApp()
    await appendEvents(app, 3)
    const all = await app.call('/v1/events')
    expect(seqsOf(all)).toEqual([1, 2, 3])
    expect((await app.call('/v1/events?after=0')).text).toBe(all.text)
  })

  test('at the head gives an empty page that goes on from there', async () => {
    await using app = await startApp()
    await appendEvents(app, 3)
    const page = eventsOf(await app.call('/v1/events?after=3'))
    expect(page).toEqual({ items: [], next: 3, newest: 3, oldest: 1, gap: false })
    await appendEvents(app, 1)
    expect(seqsOf(await app.call(`/v1/events?after=${page.next}`))).toEqual([4])
  })

  test('with the current epoch and 0 is the beginning of the log', async () => {
    await using app = await startApp()
    await appendEvents(app, 2)
    const cursor = String((await app.call('/v1/jobs')).headers['x-jobwatch-cursor'])
    const epoch = cursor.split('-')[0] ?? ''
    const page = eventsOf(await app.call(`/v1/events?after=${epoch}-0`))
    expect(page).toMatchObject({ next: 2, gap: false })
    expect(page.items).toHaveLength(2)
  })

  test.each([
    ['an id of another log', 'ffffffffffff-2'],
    ['an id of another log that is ahead of this one', 'ffffffffffff-20'],
    ['zero of another log', 'ffffffffffff-0'],
    ['a seq ahead of the log', '4'],
    ['a seq far ahead of the log', '999999999999999'],
  ])('that is %s is a gap, and everything kept follows', async (_, after) => {
    await using app = await startApp()
    await appendEvents(app, 3)
    const page = eventsOf(await app.call(`/v1/events?after=${after}`))
    expect(page).toMatchObject({ gap: true, next: 3, newest: 3, oldest: 1 })
    expect(page.items.map(({ data }) => data.seq)).toEqual([1, 2, 3])
  })

  test('that is an id of this log from the future is a gap', async () => {
    await using app = await startApp()
    await appendEvents(app, 1)
    const id = eventsOf(await app.call('/v1/events')).items[0]?.id ?? ''
    expect(eventsOf(await app.call(`/v1/events?after=${id}9`)).gap).toBe(true)
  })

  test.each([
    '-1',
    'abc',
    '1.5',
    '1e3',
    '+1',
    ' 1',
    '0x1',
    '7f3a9c',
    '7f3a9c-',
    '-5',
    'a-b-1',
    'A-1',
  ])('that is malformed is a 400: %j', async (after) => {
    await using app = await startApp()
    const answer = await app.call(`/v1/events?after=${encodeURIComponent(after)}`)
    expect(wrongFieldsOf(answer)).toEqual(['after'])
  })

  test('that is longer than any cursor, or given twice, is a 400', async () => {
    await using app = await startApp()
    for (const after of ['9'.repeat(400), `${'f'.repeat(400)}-1`, '1&after=2']) {
      expect(wrongFieldsOf(await app.call(`/v1/events?after=${after}`))).toEqual(['after'])
    }
  })
})

describe('limit', () => {
  test('is 100 unless told otherwise, and between 1 and 1000', async () => {
    await using app = await startApp()
    await appendEvents(app, 1001)
    expect(seqsOf(await app.call('/v1/events'))).toEqual(range(1, 100))
    expect(seqsOf(await app.call('/v1/events?limit=1'))).toEqual([1])
    expect(seqsOf(await app.call('/v1/events?limit=1&after=1000'))).toEqual([1001])
    for (const limit of ['0', '-1', '1001', '1.5', 'all', '', '5&limit=6']) {
      expect(wrongFieldsOf(await app.call(`/v1/events?limit=${limit}`)), limit).toEqual(['limit'])
    }
    const pages: number[][] = []
    let next = 0
    do {
      const page = eventsOf(await app.call(`/v1/events?limit=1000&after=${next}`))
      pages.push(page.items.map(({ data }) => data.seq))
      next = page.next
    } while (pages.at(-1)?.length !== 0)
    expect(pages.flat()).toEqual(range(1, 1001))
  })

  test('does not break a page of large events: going on from next misses nothing', async () => {
    await using app = await startApp()
    const tags = Array.from({ length: 50 }, (_, index) => String(index).padStart(100, 't'))
    await appendEvents(app, 600, { tags })
    const all: number[] = []
    for (let next = 0; ;) {
      const page = eventsOf(await app.call(`/v1/events?limit=1000&after=${next}`))
      if (page.items.length === 0) break
      all.push(...page.items.map(({ data }) => data.seq))
      next = page.next
    }
    expect(all).toEqual(range(1, 600))
  })
})

describe('filters', () => {
  /** Three jobs at two upstreams; `a` is stopped. */
  async function startWithEvents() {
    const other = await startSimulator({ context: 'other' })
    const app = await startApp({
      config: (simulator: Simulator) => ({
        upstreams: [anUpstream('prod', simulator), anUpstream('test', other)],
      }),
    })
    await app.post('/v1/jobs', { jobid: 'a', upstream: 'prod', tags: ['nightly', 'x'] })
    await app.post('/v1/jobs', { jobid: 'b', upstream: 'test', tags: ['nightly'] })
    await app.post('/v1/jobs', { jobid: 'c', upstream: 'test' })
    await app.call('/v1/jobs/a', { method: 'DELETE' })
    return {
      ...app,
      async [Symbol.asyncDispose]() {
        await app[Symbol.asyncDispose]()
        await other.close()
      },
    }
  }

  test.each([
    ['', [1, 2, 3, 4]],
    ['type=job.watched', [1, 2, 3]],
    ['type=job.unwatched', [4]],
    ['type=job.*', [1, 2, 3, 4]],
    ['type=*', [1, 2, 3, 4]],
    ['type=*watched', [1, 2, 3, 4]],
    ['type=*.unw*ed', [4]],
    ['type=j*b.w*', [1, 2, 3]],
    ['type=job.watched&type=job.unwatched', [1, 2, 3, 4]],
    ['type=upstream.*&type=job.un*', [4]],
    ['type=upstream.*', []],
    // A glob is a glob over the whole type: dots and the like stand for themselves.
    ['type=job', []],
    ['type=watched', []],
    ['type=job?watched', []],
    ['type=JOB.WATCHED', []],
    ['type=job.(un)%3Fwatched', []],
    ['type=.%2B', []],
    ['jobid=a', [1, 4]],
    ['jobid=a&jobid=c', [1, 3, 4]],
    ['jobid=A', []],
    ['upstream=test', [2, 3]],
    ['upstream=test&upstream=prod', [1, 2, 3, 4]],
    ['tag=nightly', [1, 2, 4]],
    ['tag=x&tag=y', [1, 4]],
    ['tag=night', []],
    ['tag=nightly&upstream=prod', [1, 4]],
    ['tag=nightly&upstream=prod&type=job.watched&jobid=a', [1]],
    ['jobid=a&upstream=test', []],
  ] as [string, number[]][])('%s', async (query, expected) => {
    await using app = await startWithEvents()
    const page = eventsOf(await app.call(`/v1/events?${query}`))
    expect(page.items.map(({ data }) => data.seq)).toEqual(expected)
    // What the filter left out is behind the reader as well.
    expect(page).toMatchObject({ next: 4, newest: 4, oldest: 1, gap: false })
  })

  test.each(['typ=job.watched', 'filter=x', 'cursor=abc', '__proto__=1'])(
    'what it does not know is refused by name: %s',
    async (query) => {
      await using app = await startApp()
      expect(wrongFieldsOf(await app.call(`/v1/events?${query}`))).toEqual([query.split('=')[0]])
    },
  )

  test('a tag that is given later does not change the events of before', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'a' })
    await app.post('/v1/jobs', { jobid: 'a', tags: ['late'] })
    await app.call('/v1/jobs/a', { method: 'DELETE' })
    expect(seqsOf(await app.call('/v1/events?tag=late'))).toEqual([2])
  })

  test('a page is empty only at the head of the log, however sparse the filter', async () => {
    await using app = await startApp()
    await appendEvents(app, 1100)
    await appendEvents(app, 1, { tags: ['rare'] })
    await appendEvents(app, 1100)
    await appendEvents(app, 1, { tags: ['rare'] })
    await appendEvents(app, 20)
    const first = eventsOf(await app.call('/v1/events?tag=rare&limit=1'))
    expect(first.items.map(({ data }) => data.seq)).toEqual([1101])
    const second = eventsOf(await app.call(`/v1/events?tag=rare&limit=1&after=${first.next}`))
    expect(second.items.map(({ data }) => data.seq)).toEqual([2202])
    const third = eventsOf(await app.call(`/v1/events?tag=rare&limit=1&after=${second.next}`))
    expect(third).toMatchObject({ items: [], next: 2222, newest: 2222 })
  })
})

test('an event is the same text here and in the feed, byte for byte', async () => {
  await using app = await startApp()
  const label = 'line\r\nfeed \u2028 \u0085 "quoted" \\ 🛰 \ud83d <b> & \u0000'
  const document = {
    jobid: 'j1',
    status: 'EXECUTING',
    name: 'ä\r\nid: 9\n\nevent: x',
    resource: { name: '🛰 \udc00 \u2029' },
    messages: ['one\ntwo\r three', '\ud800'],
    progress: { stages: [{ name: 'a\rdata: b', state: 'in\nprogress' }] },
    starttime: 1_764_000_000_000,
    endtime: 0,
  }
  app.simulator.addScript([document], { jobid: 'j1' })
  using feed = await openFeed(`${app.url}/v1/events/stream?after=0`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid: 'j1', label, tags: ['x\ry'] })
  const frames = [await feed.until('job.watched'), await feed.until('job.executing')]
  const page = await app.call('/v1/events')
  const texts = frames.map(({ data }) => data ?? '')
  expect(page.text.startsWith(`{"items":[${texts.join(',')}]`)).toBe(true)
  expect(frames.map(({ id }) => id)).toEqual(eventsOf(page).items.map(({ id }) => id))
})

test('an event never changes: label and tags in it are those of its time', async () => {
  await using app = await startApp()
  await app.post('/v1/jobs', { jobid: 'j1', label: 'one' })
  const before = await app.call('/v1/events?limit=1')
  await app.post('/v1/jobs', { jobid: 'j1', label: 'two', tags: ['new'] })
  await app.call('/v1/jobs/j1', { method: 'DELETE' })
  const items = (text: string) => text.slice(0, text.indexOf('],"next"'))
  expect(items((await app.call('/v1/events?limit=1')).text)).toBe(items(before.text))
})

test('ids and texts are the same after a restart, and the next event goes on from there', async () => {
  await using app = await startApp()
  await appendEvents(app, 3)
  const before = await app.call('/v1/events')
  await app.restart()
  expect((await app.call('/v1/events')).text).toBe(before.text)
  await appendEvents(app, 1)
  const { items } = eventsOf(await app.call('/v1/events'))
  expect(items.map(({ data }) => data.seq)).toEqual([1, 2, 3, 4])
  expect(new Set(items.map(({ id }) => id.split('-')[0])).size).toBe(1)
})
