import nock from 'nock'
import { describe, expect, test } from 'vitest'
import type { Readable } from 'node:stream'
import { createClient } from '../../src/client/client.ts'
import type { WaitOptions } from '../../src/client/client.ts'
import { endingOf } from '../../src/client/wait.ts'
import type { JobNews } from '../../src/client/wait.ts'
import type { JobAnswer } from '../../src/http/schemas.ts'
import { aJob, anEvent, aProblem, server } from './answers.ts'
import type { EventFields } from './answers.ts'
import { control, feedHeaders, gap, hello, openStream } from './frames.ts'
import { onlyNock } from './only-nock.ts'

// The answers that a real daemon gives only at the wrong moment.

const ended = { state: 'ended', status: 'COMPLETED', outcome: 'success' } as const
const status = { kind: 'status', from: 'EXECUTING', to: 'COMPLETED', rawTo: 'COMPLETED' }

onlyNock()

/** The head is at seq 4, and registering this job answers so. */
function registered(job: Partial<JobAnswer>) {
  nock(server)
    .get('/v1/jobs?limit=1')
    .reply(200, { items: [], next: null }, { 'x-jobwatch-cursor': '7f3a9c-4' })
  nock(server).post('/v1/jobs').reply(201, answered(job))
}

function answered(job: Partial<JobAnswer>): JobAnswer {
  return aJob({ jobid: 'j1', lastSeq: 4, ...job })
}

/** The feed is asked for what comes after this id, and answers so. */
function stream(after: string, body: Readable, jobids = ['j1']) {
  nock(server)
    .get('/v1/events/stream')
    .query({ after, jobid: jobids.length === 1 ? (jobids[0] ?? '') : jobids })
    .reply(200, () => body, feedHeaders)
}

function event(seq: number, { job, ...fields }: EventFields, epoch = '7f3a9c'): string {
  const told = anEvent(seq, { ...fields, job: { jobid: 'j1', ...job } })
  const id = `${epoch}-${seq}`
  return control(told.type, id, { ...told, id })
}

function lineOf({ job, ending, event: told }: JobNews): string {
  return `${told === null ? 'found' : `${told.data.seq} ${told.type}`}: ${job.state}, ${ending ?? 'runs'}`
}

/** Waits for the job; resolves to the news and how it ended. */
async function waitFor(options: WaitOptions = {}) {
  const told: string[] = []
  const onNews = (news: JobNews) => told.push(lineOf(news))
  const { ending } = await createClient({ server }).waitFor('j1', { onNews, ...options })
  return { told, ending }
}

test.each([
  ['active', null, null],
  ['ended', 'success', 'succeeded'],
  ['ended', 'warning', 'succeeded'],
  ['ended', 'error', 'failed'],
  ['ended', 'cancelled', 'cancelled'],
  ['stopped', 'error', 'failed'],
  ['stopped', null, 'unwatched'],
  ['lost', null, 'lost'],
] as const)('a job that is %s with outcome %s has come out as %s', (state, outcome, ending) => {
  expect(endingOf(aJob({ state, outcome }))).toBe(ending)
})

describe('the feed', () => {
  test('may tell late of what the answer to a registration has told, which stays as it is', async () => {
    registered({ jobid: 'over', ...ended, lastSeq: 6 })
    nock(server).post('/v1/jobs').reply(201, answered({}))
    const frames = [
      event(5, { type: 'job.executing', change: status, job: { jobid: 'over' } }),
      event(6, { type: 'job.completed', change: status, job: { jobid: 'over', ...ended } }),
      event(7, { type: 'job.completed', change: status, job: ended }),
    ]
    stream('7f3a9c-4', openStream(hello(4), ...frames), ['over', 'j1'])
    const told: string[] = []
    const inputs = [{ jobid: 'over' }, { jobid: 'j1' }]
    for await (const news of createClient({ server }).waitForJobs(inputs)) told.push(lineOf(news))
    expect(told).toEqual([
      'found: ended, succeeded',
      'found: active, runs',
      '5 job.executing: ended, succeeded',
      '6 job.completed: ended, succeeded',
      '7 job.completed: ended, succeeded',
    ])
  })

  test('is not asked for more jobs than an address can name', async () => {
    const jobids = Array.from({ length: 60 }, (_, index) => `${index}-${'x'.repeat(100)}`)
    nock(server)
      .get('/v1/jobs?limit=1')
      .reply(200, { items: [], next: null }, { 'x-jobwatch-cursor': '7f3a9c-4' })
    const running = jobids.slice(1)
    for (const jobid of running)
      nock(server).post('/v1/jobs', { jobid }).reply(201, aJob({ jobid }))
    const others = event(5, { type: 'job.failed', change: status, job: ended })
    const theirs = running.map((jobid, index) =>
      event(6 + index, { type: 'job.completed', change: status, job: { ...ended, jobid } }),
    )
    nock(server)
      .get('/v1/events/stream?after=7f3a9c-4')
      .reply(200, () => openStream(hello(4), others, ...theirs), feedHeaders)
    const told: string[] = []
    const inputs = running.map((jobid) => ({ jobid }))
    for await (const news of createClient({ server }).waitForJobs(inputs)) told.push(lineOf(news))
    expect(told).toHaveLength(2 * running.length)
    expect(told).not.toContain(expect.stringContaining('job.failed'))
  })
})

describe('a gap', () => {
  const lostEvents = (asked: string) => [hello(49), gap(asked, 50, 60)]

  test('in which the job ended is closed by asking for the job', async () => {
    registered({})
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')))
    nock(server)
      .get('/v1/jobs/j1?upstream=prod')
      .reply(200, answered({ ...ended, lastSeq: 40 }))
    expect(await waitFor()).toEqual({
      ending: 'succeeded',
      told: ['found: active, runs', 'found: ended, succeeded'],
    })
  })

  test('in which somebody ended the watching does not begin it anew', async () => {
    registered({})
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')))
    nock(server)
      .get('/v1/jobs/j1?upstream=prod')
      .reply(200, answered({ state: 'stopped', lastSeq: 40 }))
    expect((await waitFor()).ending).toBe('unwatched')
  })

  test('to a log that does not know the job has it registered there', async () => {
    registered({ lastSeq: 400 })
    const rest = event(3, {
      type: 'job.failed',
      change: status,
      job: { ...ended, outcome: 'error' },
    })
    const frames = [hello(0, 'b2'), gap('7f3a9c-4', 1, 2, 'b2')]
    stream('7f3a9c-4', openStream(...frames, rest.replaceAll('7f3a9c', 'b2')))
    nock(server)
      .get('/v1/jobs/j1?upstream=prod')
      .reply(404, aProblem(404, { code: 'job_not_found' }))
    nock(server)
      .post('/v1/jobs', { jobid: 'j1', upstream: 'prod' })
      .reply(201, answered({ lastSeq: 1 }))
    expect(await waitFor()).toEqual({
      ending: 'failed',
      told: ['found: active, runs', 'found: active, runs', '3 job.failed: ended, failed'],
    })
  })

  test('leaves a job that had come out as it is where it is not known', async () => {
    nock(server)
      .get('/v1/jobs?limit=1')
      .reply(200, { items: [], next: null }, { 'x-jobwatch-cursor': '7f3a9c-4' })
    nock(server)
      .post('/v1/jobs')
      .reply(200, aJob({ jobid: 'over', lastSeq: 2, ...ended }))
    nock(server).post('/v1/jobs').reply(201, answered({}))
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')), ['over', 'j1'])
    nock(server)
      .get('/v1/jobs/over?upstream=prod')
      .reply(404, aProblem(404, { code: 'job_not_found' }))
    nock(server)
      .get('/v1/jobs/j1?upstream=prod')
      .reply(200, answered({ ...ended, lastSeq: 40 }))
    const told: string[] = []
    const inputs = [{ jobid: 'over' }, { jobid: 'j1' }]
    for await (const news of createClient({ server }).waitForJobs(inputs)) told.push(news.job.jobid)
    expect(told).toEqual(['over', 'j1', 'j1'])
  })

  test.each([
    ['is gone', () => nock(server).get(/j1/).replyWithError('reset')],
    [
      'is behind a proxy that answers for it',
      () => nock(server).get(/j1/).reply(502, 'Bad Gateway'),
    ],
  ])('is told again when the daemon %s amid the questions', async (_, away) => {
    registered({})
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')))
    away()
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')))
    nock(server)
      .get('/v1/jobs/j1?upstream=prod')
      .reply(200, answered({ ...ended, lastSeq: 40 }))
    expect((await waitFor()).ending).toBe('succeeded')
  })

  test('ends the waiting when the daemon refuses to tell of the job', async () => {
    registered({})
    stream('7f3a9c-4', openStream(...lostEvents('7f3a9c-4')))
    nock(server).get('/v1/jobs/j1?upstream=prod').reply(401, aProblem(401))
    await expect(waitFor()).rejects.toMatchObject({ name: 'ClientError', status: 401 })
  })
})

describe('waiting ends', () => {
  test('before it begins when the position in the feed is not told', async () => {
    nock(server).get('/v1/jobs?limit=1').reply(200, { items: [], next: null })
    await expect(waitFor()).rejects.toThrow('X-Jobwatch-Cursor is missing')
  })

  test('with the refusal when the feed is refused', async () => {
    registered({})
    nock(server).get('/v1/events/stream').query(true).reply(403, aProblem(403))
    await expect(waitFor()).rejects.toMatchObject({ name: 'ClientError', status: 403 })
  })

  test('with the reason of the signal, also while the job is being registered', async () => {
    nock(server)
      .get('/v1/jobs?limit=1')
      .reply(200, { items: [], next: null }, { 'x-jobwatch-cursor': '7f3a9c-4' })
    const stop = new AbortController()
    nock(server)
      .post('/v1/jobs')
      .reply(201, () => {
        stop.abort(new Error('enough'))
        return answered({})
      })
    await expect(waitFor({ signal: stop.signal })).rejects.toThrow('enough')
  })

  test('with the reason of a signal that had aborted before, and nothing is asked', async () => {
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(waitFor({ signal })).rejects.toThrow('too late')
  })
})
