import nock from 'nock'
import { describe, expect, test } from 'vitest'
import { addJobCommand } from '../../src/cli/commands/job.ts'
import { addJobsCommand } from '../../src/cli/commands/jobs.ts'
import { UsageError } from '../../src/core/errors.ts'
import { aJob, aProblem, jobid, server } from '../client/answers.ts'
import { aBrokenPipe, openTerminal, run } from './terminal.ts'
import { onlyNock } from '../client/only-nock.ts'

onlyNock()

describe('jobs', () => {
  test('prints a table', async () => {
    const done = aJob({
      jobid: 'j2',
      state: 'ended',
      status: 'COMPLETED',
      outcome: 'success',
      progress: { done: 8, total: 8 },
      durationMs: 3_723_000,
      username: null,
    })
    const unseen = aJob({ jobid: 'j3', status: null, startedAt: null, durationMs: null })
    nock(server)
      .get('/v1/jobs?limit=100')
      .reply(200, { items: [aJob(), done, unseen], next: null })
    const io = openTerminal()
    await run(addJobsCommand, io, 'jobs')
    expect(io.out().split('\n')).toEqual([
      'JOBID                                  STATE   STATUS        TITLE                          STAGES  STARTED               ELAPSED  WHO',
      'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c  active  EXECUTING     editContainerRegistry default  -       2026-11-23 14:00:00Z  5s       serviceAdmin',
      'j2                                     ended   COMPLETED     editContainerRegistry default  8/8     2026-11-23 14:00:00Z  1h02m    -',
      'j3                                     active  not seen yet  editContainerRegistry default  -       -                     -        serviceAdmin',
      '',
    ])
    expect(io.err()).toBe('')
  })

  test('passes its filters on', async () => {
    nock(server)
      .get('/v1/jobs')
      .query({
        state: 'ended',
        status: 'FAILED',
        upstream: 'prod',
        tag: 'nightly',
        q: 'fire & water',
        limit: '7',
      })
      .reply(200, { items: [], next: null })
    const io = openTerminal()
    const filters = ['--upstream', 'prod', '--tag', 'nightly', '--search', 'fire & water']
    await run(
      addJobsCommand,
      io,
      'jobs',
      '--state',
      'ended',
      '--status',
      'failed',
      ...filters,
      '--limit',
      '7',
    )
    expect(io.out()).toBe('')
    expect(io.err()).toBe('no such jobs\n')
  })

  test('goes from page to page until the limit is reached, and says that there are more', async () => {
    const page = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => aJob({ jobid: `j${from + index}` }))
    nock(server)
      .get('/v1/jobs?limit=5')
      .reply(200, { items: page(1, 2), next: 'c1' })
    nock(server)
      .get('/v1/jobs?limit=3&cursor=c1')
      .reply(200, { items: page(3, 3), next: 'c2' })
    const io = openTerminal()
    await run(addJobsCommand, io, 'jobs', '--limit', '5')
    expect(io.out().match(/^j\d/gm)).toEqual(['j1', 'j2', 'j3', 'j4', 'j5'])
    expect(io.err()).toContain('the newest 5')
  })

  test('stops where there are no more', async () => {
    nock(server)
      .get('/v1/jobs?limit=1000')
      .reply(200, { items: [aJob()], next: 'c1' })
    nock(server)
      .get('/v1/jobs?limit=1000&cursor=c1')
      .reply(200, { items: [aJob()], next: null })
    const io = openTerminal()
    await run(addJobsCommand, io, 'jobs', '--limit', '5000', '--json')
    expect(JSON.parse(io.out())).toEqual({ items: [aJob(), aJob()] })
  })

  test('prints one JSON document with --json, also when there are none', async () => {
    nock(server).get('/v1/jobs?limit=100').reply(200, { items: [], next: null })
    const io = openTerminal()
    await run(addJobsCommand, io, 'jobs', '--json')
    expect(JSON.parse(io.out())).toEqual({ items: [] })
  })

  test('ends quietly when its reader has gone', async () => {
    nock(server)
      .get('/v1/jobs?limit=100')
      .reply(200, { items: [aJob()], next: null })
    const io = openTerminal()
    await run(addJobsCommand, { ...io, stdout: aBrokenPipe() }, 'jobs')
  })

  test.each([
    ['--state', 'running'],
    ['--status', 'DONE'],
    ['--limit', '0'],
    ['--limit', '1e3'],
    ['--limit', 'all'],
  ])('%s %s is a usage error', async (option, value) => {
    await expect(run(addJobsCommand, openTerminal(), 'jobs', option, value)).rejects.toThrow(
      UsageError,
    )
  })
})

describe('job', () => {
  const job = aJob({
    state: 'ended',
    status: 'FAILED',
    rawStatus: 'FAILED',
    outcome: 'error',
    reason: 'The registry refused the credentials.',
    stages: [
      {
        name: 'validating',
        occurrence: 1,
        state: 'completed',
        rawState: 'completed',
        startedAt: '2026-11-23T14:00:00.000Z',
        endedAt: '2026-11-23T14:00:02.000Z',
      },
      {
        name: 'validating',
        occurrence: 2,
        state: 'unknown',
        rawState: 'On hold',
        startedAt: null,
        endedAt: null,
      },
    ],
    progress: { done: 1, total: 8 },
    messages: [{ text: 'Invalid credentials', level: 'ERROR', at: null }],
    messageCount: 57,
    tags: ['nightly'],
    problem: {
      kind: 'transient',
      detail: 'answered 503',
      since: '2026-11-23T14:00:00.000Z',
      attempts: 3,
    },
  })

  test('shows a job with its stages, reason and messages', async () => {
    nock(server).get(`/v1/jobs/${jobid}`).reply(200, job)
    const io = openTerminal()
    await run(addJobCommand, io, 'job', jobid)
    const lines = io
      .out()
      .split('\n')
      .map((line) => line.trim().replace(/ {2,}/g, '  '))
    expect(lines[0]).toBe('editContainerRegistry default')
    expect(lines).toEqual(
      expect.arrayContaining([
        'status  FAILED',
        `job  ${jobid} at prod`,
        'reason  The registry refused the credentials.',
        'tags  nightly',
        'last look  transient: answered 503 (3 times since 2026-11-23 14:00:00Z)',
        'stages 1/8',
        'validating  completed  2026-11-23 14:00:00Z  - 2026-11-23 14:00:02Z',
        'validating #2  unknown (On hold)',
        'and 6 more',
        'messages, the last 1 of 57',
        'ERROR Invalid credentials',
      ]),
    )
  })

  test('is printed as one JSON document with --json', async () => {
    nock(server).get(`/v1/jobs/${jobid}?upstream=prod`).reply(200, job)
    const io = openTerminal()
    await run(addJobCommand, io, 'job', jobid, '--upstream', 'prod', '--json')
    expect(JSON.parse(io.out())).toEqual(job)
  })

  test('that is not watched is an error with the words of the daemon', async () => {
    const problem = aProblem(404, { code: 'job_not_found', detail: 'Job x is not watched.' })
    nock(server).get('/v1/jobs/x').reply(404, problem)
    await expect(run(addJobCommand, openTerminal(), 'job', 'x')).rejects.toMatchObject({
      code: 'job_not_found',
      message: 'Job x is not watched.',
    })
  })

  test.each(['..', 'a/b', '-x', ''])('%j is no job id and a usage error', async (id) => {
    await expect(run(addJobCommand, openTerminal(), 'job', '--', id)).rejects.toThrow(UsageError)
  })
})
