import nock from 'nock'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { ClientError, DaemonUnreachable } from '../../src/client/errors.ts'
import { aJob, anEvent, aProblem, jobid, server } from './answers.ts'
import { onlyNock } from './only-nock.ts'

const problemHeaders = { 'content-type': 'application/problem+json' }

onlyNock()

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('was expected to reject'),
    (error: unknown) => error,
  )
}

describe('requests', () => {
  test('registering a job says whether this call began the watching', async () => {
    const daemon = nock(server).matchHeader('content-type', 'application/json')
    daemon.post('/v1/jobs', { jobid, tags: ['nightly'] }).reply(201, aJob())
    daemon.post('/v1/jobs', { jobid, tags: ['nightly'] }).reply(200, aJob({ tags: ['nightly'] }))
    const client = createClient({ server })

    const first = await client.registerJob({ jobid, tags: ['nightly'] })
    expect(first).toEqual({ job: aJob(), began: true })
    const again = await client.registerJob({ jobid, tags: ['nightly'] })
    expect(again.began).toBe(false)
  })

  test('the token is sent as a bearer token', async () => {
    nock(server, { reqheaders: { authorization: 'Bearer s3cret-token' } })
      .get(`/v1/jobs/${jobid}`)
      .reply(200, aJob())
    await createClient({ server, token: 's3cret-token' }).getJob(jobid)
  })

  test('without a token no authorization is sent', async () => {
    nock(server, { badheaders: ['authorization'] })
      .get(`/v1/jobs/${jobid}`)
      .reply(200, aJob())
    await createClient({ server }).getJob(jobid)
  })

  test('listing jobs passes the filters that were given', async () => {
    nock(server)
      .get('/v1/jobs')
      .query({ state: 'active', q: 'a&b c', limit: '5', cursor: 'c1' })
      .reply(200, { items: [aJob()], next: 'c2' })
    const query = {
      state: 'active',
      status: undefined,
      q: 'a&b c',
      limit: 5,
      cursor: 'c1',
    } as const
    const page = await createClient({ server }).listJobs(query)
    expect(page.next).toBe('c2')
    expect(page.items.map((job) => job.jobid)).toEqual([jobid])
  })

  test('listing events repeats a filter that has several values', async () => {
    const answer = { items: [anEvent(8)], next: 8, newest: 9, oldest: 1, gap: false }
    nock(server)
      .get('/v1/events?after=7&limit=1&type=job.failed&type=job.lost&tag=nightly')
      .reply(200, answer)
    const page = await createClient({ server }).listEvents({
      after: 7,
      limit: 1,
      types: ['job.failed', 'job.lost'],
      tags: ['nightly'],
    })
    expect(page).toEqual(answer)
  })

  test('events may be asked for from the end, or waited for', async () => {
    const answer = { items: [anEvent(9)], next: 9, newest: 9, oldest: 1, gap: false }
    nock(server).get('/v1/events?last=20&jobid=j-1').reply(200, answer)
    nock(server)
      .get('/v1/events?after=9&wait=30000ms')
      .reply(200, { ...answer, items: [] })
    const client = createClient({ server })
    expect(await client.listEvents({ last: 20, jobids: ['j-1'] })).toEqual(answer)
    expect((await client.listEvents({ after: 9, waitMs: 30_000 })).items).toEqual([])
  })

  test('stopping a job and reading its document name the upstream that is meant', async () => {
    const document = '{ "jobid":"x",  "status":"EXECUTING" }\n'
    nock(server).delete(`/v1/jobs/${jobid}`).query({ upstream: 'prod' }).reply(204)
    nock(server)
      .get(`/v1/jobs/${jobid}/document`)
      .query({ upstream: 'prod' })
      .reply(200, document, { 'content-type': 'application/json' })
    const client = createClient({ server })
    await client.stopJob(jobid, { upstream: 'prod' })
    expect(await client.getDocument(jobid, { upstream: 'prod' })).toBe(document)
  })

  test('a path in the server address is kept', async () => {
    nock('https://gis.example.com').get(`/jobwatch/v1/jobs/${jobid}`).twice().reply(200, aJob())
    await createClient({ server: 'https://gis.example.com/jobwatch/' }).getJob(jobid)
    await createClient({ server: 'https://gis.example.com/jobwatch' }).getJob(jobid)
  })

  test.each(['', '.', '..'])('%j is refused as a job id before anything is sent', async (id) => {
    const error = await rejection(createClient({ server }).stopJob(id))
    expect(error).toMatchObject({ name: 'ClientError', code: 'invalid_request', status: null })
  })
})

describe('refusals', () => {
  test('a problem answer becomes an error with its code, its detail and the fields it names', async () => {
    const problem = aProblem(400, {
      code: 'invalid_request',
      detail: 'The body is not valid.',
      errors: [
        { field: 'deadline', message: 'must be a time' },
        { field: 'tags[0]', message: 'must not be empty' },
      ],
    })
    nock(server).post('/v1/jobs').reply(400, problem, problemHeaders)
    const error = await rejection(createClient({ server }).registerJob({ jobid, deadline: 'soon' }))
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toMatchObject({ code: 'invalid_request', status: 400, problem })
    expect((error as Error).message).toBe(
      'The body is not valid. (deadline: must be a time; tags[0]: must not be empty)',
    )
  })

  test('a field that the detail speaks of already is not repeated', async () => {
    const problem = aProblem(400, {
      detail: 'deadline: must be a time',
      errors: [{ field: 'deadline', message: 'must be a time' }],
    })
    nock(server).post('/v1/jobs').reply(400, problem, problemHeaders)
    const error = await rejection(createClient({ server }).registerJob({ jobid, deadline: 'soon' }))
    expect((error as Error).message).toBe('deadline: must be a time')
  })

  test('a problem without fields has its detail as the message', async () => {
    const problem = aProblem(404, { code: 'job_not_found', detail: 'Job x is not watched.' })
    nock(server).get('/v1/jobs/x').reply(404, problem, problemHeaders)
    const error = await rejection(createClient({ server }).getJob('x'))
    expect(error).toMatchObject({ code: 'job_not_found', message: 'Job x is not watched.' })
  })

  test('the page of a proxy is reported as no answer of a daemon', async () => {
    nock(server).get(`/v1/jobs/${jobid}`).reply(502, '<html>Bad Gateway</html>')
    const error = await rejection(createClient({ server }).getJob(jobid))
    expect(error).toMatchObject({ code: 'unexpected_answer', status: 502, problem: null })
    expect((error as Error).message).toContain(`${server} answered 502`)
  })

  test('a success that is no job is reported as no answer of a daemon', async () => {
    nock(server).get(`/v1/jobs/${jobid}`).reply(200, '<html>ArcGIS</html>')
    nock(server)
      .get('/v1/jobs')
      .reply(200, { error: { code: 498, message: 'Invalid token.' } })
    const client = createClient({ server })
    expect(await rejection(client.getJob(jobid))).toMatchObject({ code: 'unexpected_answer' })
    expect(await rejection(client.listJobs())).toMatchObject({ code: 'unexpected_answer' })
  })

  test('a redirect is not followed but named, without its query', async () => {
    const location = 'https://gis.example.com/login?token=abc'
    nock(server).get(`/v1/jobs/${jobid}`).reply(302, '', { location })
    const error = await rejection(createClient({ server, token: 's3cret' }).getJob(jobid))
    expect((error as Error).message).toContain('a redirect to https://gis.example.com/login,')
  })
})

describe('a daemon that cannot be reached', () => {
  test('is reported with its address', async () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    nock(server).get(`/v1/jobs/${jobid}`).replyWithError(refused)
    const error = await rejection(createClient({ server: `${server}/` }).getJob(jobid))
    expect(error).toBeInstanceOf(DaemonUnreachable)
    expect((error as Error).message).toBe(`no daemon at ${server}`)
  })

  test('is reported with the reason when it is another one than a closed port', async () => {
    nock(server).get('/v1/jobs').replyWithError(new Error('self-signed certificate'))
    const error = await rejection(createClient({ server }).listJobs())
    expect((error as Error).message).toMatch(/^no daemon at \S+ \(self-signed certificate\)$/)
  })

  test('is assumed when no answer comes before the deadline', async () => {
    nock(server).get('/v1/jobs').delay(60_000).reply(200, { items: [], next: null })
    const error = await rejection(createClient({ server, timeoutMs: 20 }).listJobs())
    expect(error).toBeInstanceOf(DaemonUnreachable)
    expect((error as Error).message).toContain('(nothing came for 0.02 s)')
    nock.abortPendingRequests()
  })

  test('is not assumed while the daemon was asked to wait', async () => {
    const answer = { items: [], next: 9, newest: 9, oldest: 1, gap: false }
    nock(server).get('/v1/events?after=9&wait=10000ms').delay(100).reply(200, answer)
    const client = createClient({ server, timeoutMs: 20 })
    expect(await client.listEvents({ after: 9, waitMs: 10_000 })).toEqual(answer)
  })
})

test('a request that its caller stops rejects with the reason of the caller', async () => {
  nock(server).get('/v1/jobs').delay(60_000).reply(200, { items: [], next: null })
  const stop = new AbortController()
  const listing = rejection(createClient({ server, signal: stop.signal }).listJobs())
  stop.abort(new Error('Ctrl-C'))
  expect(await listing).toMatchObject({ message: 'Ctrl-C' })
  nock.cleanAll()
})

describe('what a client is made from', () => {
  test.each([
    'gis.example.com',
    'ftp://gis.example.com',
    'http://user:pa55@gis.example.com',
    'http://gis.example.com/?token=pa55',
  ])('%s is no address of a daemon', (address) => {
    const make = () => createClient({ server: address })
    expect(make).toThrow(ClientError)
    expect(make).not.toThrow('pa55')
  })

  test('a token that cannot stand in a header is refused without being shown', () => {
    const make = () => createClient({ server, token: 's3cret\ntoken' })
    expect(make).toThrow(ClientError)
    expect(make).not.toThrow('s3cret')
  })
})

test('the token is in no error', async () => {
  const token = 's3cret-token'
  nock(server).get('/v1/jobs').reply(401, aProblem(401), problemHeaders)
  nock(server).get('/v1/jobs').reply(500, 'oops')
  nock(server).get('/v1/jobs').replyWithError(new Error('reset'))
  const client = createClient({ server, token })
  for (let request = 0; request < 3; request += 1) {
    const error = (await rejection(client.listJobs())) as Error
    expect(`${error.stack} ${String(error.cause)} ${JSON.stringify(error)}`).not.toContain(token)
  }
})
