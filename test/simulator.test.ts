import { expect, onTestFinished, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import { startReceiver } from '../src/simulator/receiver.ts'
import type { Receiver, ReceiverOptions } from '../src/simulator/receiver.ts'
import { scenario, scenarioKinds } from '../src/simulator/scenarios.ts'
import { startSimulator } from '../src/simulator/simulator.ts'
import type { Trace } from '../src/simulator/trace.ts'
import {
  get,
  getJson,
  jobUrl,
  requestToken,
  simulatorFor,
  startedAt,
  stoppedClock,
} from './helpers/simulator.ts'

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

const jobid = 'j0b80a255-53a1-4945-a932-58ef7777682c'
const trace: Trace = [
  { afterMs: 0, httpStatus: 200, body: { jobid, status: 'EXECUTING' } },
  { afterMs: 5000, httpStatus: 503, body: '<html>503</html>' },
  { afterMs: 9000, httpStatus: 302, body: '' },
  { afterMs: 10_000, httpStatus: 429, body: { error: { code: 429 } } },
  { afterMs: 13_000, httpStatus: 200, body: { jobid, status: 'COMPLETED' } },
]
const invalidToken = { error: { code: 498, message: 'Invalid token.', details: [] } }

async function receiverFor(options: Partial<ReceiverOptions> = {}): Promise<Receiver> {
  const receiver = await startReceiver({ secret, ...options })
  onTestFinished(() => receiver.close())
  return receiver
}

test('a request without a token is answered with 499 and HTTP 200', async () => {
  const simulator = await simulatorFor()
  const response = await fetch(`${simulator.root}/jobs?f=json`)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    error: {
      code: 499,
      message: 'Token Required',
      messageCode: 'GWM_0003',
      details: ['Token Required'],
    },
  })
})

test('a wrong password gets no token', async () => {
  const simulator = await simulatorFor()
  expect(await requestToken(simulator, { password: 'wrong' })).toEqual({
    error: {
      code: 400,
      message: 'Unable to generate token.',
      details: ['Invalid username or password.'],
    },
  })
  expect(simulator.requests.tokens).toBe(1)
})

test('a token can only be asked for with POST', async () => {
  const simulator = await simulatorFor()
  const response = await fetch(`${simulator.url}/gis/sharing/rest/generateToken?f=json`)
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('POST')
})

test('a token lives as long as was asked, but no longer than the longest life', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ tokenMinutes: 30, now: clock.now })
  const short = await requestToken(simulator, { expiration: '10' })
  expect(short).toMatchObject({ expires: startedAt + 600_000, ssl: true })
  const long = await requestToken(simulator, { expiration: '500' })
  expect(long.expires).toBe(startedAt + 1_800_000)

  clock.pass(600_000)
  expect(await getJson(`${simulator.root}/jobs`, short.token)).toEqual(invalidToken)
  expect(await getJson(`${simulator.root}/jobs`, long.token)).toEqual({ jobs: [] })
})

test('a token is accepted in either header, in the query and in the body of a POST', async () => {
  const simulator = await simulatorFor()
  const { token } = await requestToken(simulator)
  const url = `${simulator.root}/jobs?f=json`
  const none = { jobs: [] }
  const headers = { 'x-esri-authorization': `Bearer ${token}` }
  expect(await (await get(url, token)).json()).toEqual(none)
  expect(await (await fetch(url, { headers })).json()).toEqual(none)
  expect(await (await fetch(`${url}&token=${token}`)).json()).toEqual(none)

  const start = await fetch(`${simulator.root}/services/Parks.MapServer/start`, {
    method: 'POST',
    body: new URLSearchParams({ async: 'true', f: 'json', token }),
  })
  expect(await start.json()).toHaveProperty('jobid')
})

test('a token that is bound to a referer is refused with another one', async () => {
  const simulator = await simulatorFor()
  const { token } = await requestToken(simulator, { referer: 'jobwatch' })
  const url = `${simulator.root}/jobs?f=json&token=${token}`
  const bound = await fetch(url, { headers: { referer: 'jobwatch' } })
  expect(await bound.json()).toEqual({ jobs: [] })
  const other = await fetch(url, { headers: { referer: 'https://elsewhere.example/' } })
  expect(await other.json()).toEqual(invalidToken)
})

test('tokens that were made to expire are invalid, and a new one is not', async () => {
  const simulator = await simulatorFor()
  simulator.addTrace(trace)
  const { token } = await requestToken(simulator)
  simulator.expireTokens()
  const refused = await get(`${jobUrl(simulator, jobid)}?f=json`, token)
  expect(refused.status).toBe(200)
  expect(await refused.json()).toEqual(invalidToken)

  const { token: renewed } = await requestToken(simulator)
  expect(await getJson(jobUrl(simulator, jobid), renewed)).toHaveProperty('status', 'EXECUTING')
  expect(simulator.requests.tokens).toBe(2)
  expect(simulator.requests.jobs.get(jobid)).toBe(2)
})

test('an answer is a page unless JSON is asked for', async () => {
  const simulator = await simulatorFor()
  simulator.addTrace(trace)
  for (const path of ['/jobs', `/jobs/${jobid}`]) {
    const response = await fetch(`${simulator.root}${path}`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(await response.text()).toContain('<html')
  }
})

test('a job plays its trace in time, whatever was asked before', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now })
  const { token } = await requestToken(simulator)
  clock.pass(1000)
  expect(simulator.addTrace(trace)).toBe(jobid)
  const look = () => get(`${jobUrl(simulator, jobid)}?f=json`, token)

  expect(await (await look()).json()).toEqual({ jobid, status: 'EXECUTING' })
  clock.pass(4999)
  expect((await look()).status).toBe(200)
  clock.pass(1)
  const page = await look()
  expect(page.status).toBe(503)
  expect(page.headers.get('content-type')).toContain('text/html')
  clock.pass(4000)
  const redirect = await look()
  expect(redirect.status).toBe(302)
  expect(redirect.headers.get('location')).toMatch(/\/gis\/home\/signin\.html$/)
  clock.pass(1000)
  expect((await look()).headers.get('retry-after')).toBe('30')
  clock.pass(600_000)
  expect(await (await look()).json()).toEqual({ jobid, status: 'COMPLETED' })
})

test('a trace can be played under another job id, and a third job in it keeps its own', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now })
  const { token } = await requestToken(simulator)
  const third = { jobid: 'j3', status: 'EXECUTING' }
  simulator.addTrace([...trace, { afterMs: 20_000, httpStatus: 200, body: third }], { jobid: 'j2' })
  expect(await getJson(jobUrl(simulator, 'j2'), token)).toHaveProperty('jobid', 'j2')
  clock.pass(20_000)
  expect(await getJson(jobUrl(simulator, 'j2'), token)).toEqual(third)
})

test('a scripted job moves only when it is told to', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now })
  const { token } = await requestToken(simulator)
  const throttled = {
    httpStatus: 429,
    headers: { 'retry-after': '7' },
    body: { error: { code: 429 } },
  }
  const documents = [{ jobid, status: 'EXECUTING' }, throttled, { jobid, status: 'COMPLETED' }]
  const script = simulator.addScript(documents, { jobid })
  expect(await getJson(jobUrl(simulator, jobid), token)).toEqual(documents[0])
  clock.pass(600_000)
  expect(await getJson(jobUrl(simulator, jobid), token)).toEqual(documents[0])

  script.next()
  const response = await get(`${jobUrl(simulator, jobid)}?f=json`, token)
  expect(response.status).toBe(429)
  expect(response.headers.get('retry-after')).toBe('7')
  script.next()
  expect(await getJson(jobUrl(simulator, jobid), token)).toEqual(documents[2])
  expect(() => {
    script.next()
  }).toThrow(/no document 4/)
})

test('an unknown job is answered with code 404 inside HTTP 200', async () => {
  const simulator = await simulatorFor()
  const { token } = await requestToken(simulator)
  const response = await get(`${jobUrl(simulator, 'jnone')}?f=json`, token)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    error: { code: 404, message: "Job 'jnone' was not found.", details: null },
  })
})

test('a job that answers 404 is not listed while it does', async () => {
  const simulator = await simulatorFor()
  const { token } = await requestToken(simulator)
  const gone = { httpStatus: 404, body: { status: 'error', code: 404, messages: [] } }
  const script = simulator.addScript([{ jobid }, gone, { jobid }], { jobid })
  const list = () => getJson(`${simulator.root}/jobs`, token)
  expect(await list()).toEqual({ jobs: [jobid] })
  script.next()
  expect(await list()).toEqual({ jobs: [] })
  script.next()
  expect(await list()).toEqual({ jobs: [jobid] })
  expect(simulator.requests.lists).toBe(3)
})

test.each([
  ['/services/City/Fire.MapServer/edit', 'EXECUTING'],
  ['/services/Fire.MapServer/start', 'SUBMITTED'],
  ['/system/containerregistries/qk2v81lmw0z7/edit', 'SUBMITTED'],
  ['/system/disasterrecovery/stores/main/backups/create', 'SUBMITTED'],
])('a submit to %s starts a job that is listed and can be looked at', async (path, status) => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now })
  const { token } = await requestToken(simulator)
  const response = await fetch(`${simulator.root}${path}`, {
    method: 'POST',
    body: new URLSearchParams({ async: 'true', f: 'json', token, service: '{}' }),
  })
  const submitted = (await response.json()) as { jobsUrl: string; jobid: string }
  expect(submitted).toEqual({
    jobsUrl: `${simulator.root}/jobs/${submitted.jobid}`,
    jobid: submitted.jobid,
  })
  expect(submitted.jobid).toMatch(/^[js][0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: [submitted.jobid] })
  expect(await getJson(submitted.jobsUrl, token)).toMatchObject({
    jobid: submitted.jobid,
    status,
    starttime: startedAt,
    endtime: 0,
    operationURI: `/gis/admin${path}`,
    username: 'siteadmin',
  })
  clock.pass(120_000)
  expect(await getJson(submitted.jobsUrl, token)).toHaveProperty('status', 'COMPLETED')
})

test.each(['', '{ "description": "cut off by an ampersand', '[]'])(
  'an edit whose service is %j and no JSON object is refused and makes no job',
  async (service) => {
    const simulator = await simulatorFor()
    const { token } = await requestToken(simulator)
    const response = await fetch(`${simulator.root}/services/Fire.MapServer/edit`, {
      method: 'POST',
      body: new URLSearchParams({ async: 'true', f: 'json', token, service }),
    })
    expect(await response.json()).toEqual({
      error: {
        code: 400,
        message: 'Unable to complete operation.',
        details: ["Parameter 'service' is required."],
      },
    })
    expect(simulator.jobids).toEqual([])
  },
)

test('the jobs of its operations go at the pace that it was started with', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now, pace: 100 })
  const { token } = await requestToken(simulator)
  const response = await fetch(`${simulator.root}/services/Fire.MapServer/edit`, {
    method: 'POST',
    body: new URLSearchParams({ async: 'true', f: 'json', token, service: '{}' }),
  })
  const { jobsUrl } = (await response.json()) as { jobsUrl: string }
  clock.pass(1_299_000)
  expect(await getJson(jobsUrl, token)).toHaveProperty('status', 'EXECUTING')
  clock.pass(1000)
  expect(await getJson(jobsUrl, token)).toHaveProperty('status', 'COMPLETED')
})

test('a job started from inside is listed first, and a quick pace ends it sooner', async () => {
  const clock = stoppedClock()
  const simulator = await simulatorFor({ now: clock.now, context: 'arcgis', username: 'ops' })
  const slow = simulator.submit('slow')
  const quick = simulator.submit('registryEdit', { pace: 0.1 })
  expect(quick.jobsUrl).toBe(`${simulator.url}/arcgis/admin/jobs/${quick.jobid}`)
  const form = { username: 'ops', password: simulator.password, f: 'json' }
  const granted = await fetch(`${simulator.url}/arcgis/sharing/rest/generateToken`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
  const { token } = (await granted.json()) as { token: string }
  const list = await getJson(`${simulator.root}/jobs`, token)
  expect(list).toEqual({ jobs: [quick.jobid, slow.jobid] })
  clock.pass(1700)
  expect(await getJson(quick.jobsUrl, token)).toMatchObject({
    status: 'COMPLETED',
    username: 'ops',
    updatedtime: startedAt + 1695,
    endtime: startedAt + 1700,
    result: { credentialUpdateOnly: true },
  })
  expect(await getJson(slow.jobsUrl, token)).toHaveProperty('status', 'SUBMITTED')
})

test.each(scenarioKinds)(
  'the %s scenario is in order and always carries the old fields',
  (kind) => {
    const options = { jobid, startedAt, context: 'gis', username: 'siteadmin' }
    const played = scenario(kind, options)
    expect(scenario(kind, options)).toEqual(played)
    const times = played.map(({ afterMs }) => afterMs)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    const fields = ['updatedtime', 'jobid', 'requestID', 'endtime', 'starttime']
    for (const { body } of played) {
      for (const field of [...fields, 'operationURI', 'status', 'username']) {
        expect(body).toHaveProperty(field)
      }
    }
  },
)

test('the scenarios differ in what they are for', () => {
  const options = { jobid, startedAt, context: 'gis', username: 'siteadmin' }
  const last = (kind: Parameters<typeof scenario>[0]) =>
    scenario(kind, options).at(-1)?.body as Record<string, unknown>

  const edit = last('serviceEdit')
  expect(edit).not.toHaveProperty('name')
  expect(JSON.stringify(edit['result'], null, 1).split('\n').length).toBeGreaterThan(100)
  expect(last('failing')).toMatchObject({
    status: 'FAILED',
    progress: { stages: [{}, {}, { state: 'failed' }, { state: 'not started' }, {}] },
    result: { status: 'error' },
  })
  expect(last('cancelled')).toHaveProperty('status', 'CANCELLED')
  expect(last('noProgress')).not.toHaveProperty('progress')
  expect(last('unicode')['name']).toMatch(/地図.*<b>.*\u202E/)
  const slow = scenario('slow', options)
  expect(slow.at(-1)?.afterMs).toBeGreaterThan(2 * 3_600_000)
})

test('closing ends the connections that clients keep alive', async () => {
  const simulator = await startSimulator()
  await (await fetch(`${simulator.root}/jobs`)).text()
  await simulator.close()
  await simulator.close()
  await expect(fetch(`${simulator.root}/jobs`)).rejects.toThrow()
})

interface Post {
  readonly body?: string
  readonly signWith?: string
  readonly at?: number
}

function post(receiver: Receiver, { body = '{"seq":1}', signWith = secret, at }: Post = {}) {
  const when = at ?? Date.now()
  return fetch(receiver.url, {
    method: 'POST',
    body,
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(when / 1000)),
      'webhook-signature': `v1a,unknown ${new Webhook(signWith).sign('msg_1', new Date(when), body)}`,
    },
  })
}

test('the receiver verifies a signature that another implementation made', async () => {
  const seen: boolean[] = []
  const receiver = await receiverFor({ onRequest: ({ verified }) => seen.push(verified) })
  const arrival = receiver.waitFor(1)
  expect((await post(receiver, { body: '{"title":"地図"}' })).status).toBe(204)
  const [first] = await arrival
  expect(first).toMatchObject({
    verified: true,
    body: '{"title":"地図"}',
    event: { title: '地図' },
    method: 'POST',
    path: '/webhook',
  })
  expect(first?.headers['webhook-id']).toBe('msg_1')
  expect(seen).toEqual([true])
})

test('the receiver does not verify a wrong secret, a late timestamp or no signature', async () => {
  const receiver = await receiverFor({ now: () => startedAt })
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
  await post(receiver, { at: startedAt, signWith: other })
  await post(receiver, { at: startedAt - 301_000 })
  await post(receiver, { at: startedAt + 301_000 })
  await fetch(receiver.url, { method: 'POST', body: 'not json' })
  await post(receiver, { at: startedAt - 299_000 })
  const received = await receiver.waitFor(5)
  expect(received.map(({ verified }) => verified)).toEqual([false, false, false, false, true])
  expect(received[3]?.event).toBeNull()
})

test('the receiver answers what it is told, and can break the connection or stay silent', async () => {
  const receiver = await receiverFor({
    answer: (_request, count) => {
      if (count === 1) return 500
      if (count === 2) return { status: 429, headers: { 'retry-after': '9' }, body: 'slow down' }
      return count === 3 ? 'reset' : 'hang'
    },
  })
  expect((await post(receiver)).status).toBe(500)
  const throttled = await post(receiver)
  expect(throttled.headers.get('retry-after')).toBe('9')
  expect(await throttled.text()).toBe('slow down')
  await expect(post(receiver)).rejects.toThrow()
  const silent = expect(post(receiver)).rejects.toThrow()
  await receiver.waitFor(4)
  await receiver.close()
  await silent
})

test('the receiver keeps the last thousand requests', async () => {
  const receiver = await receiverFor()
  for (let sent = 0; sent < 1001; sent += 1) {
    await fetch(receiver.url, { method: 'POST', body: String(sent) })
  }
  const received = await receiver.waitFor(1001)
  expect(received.length).toBe(1000)
  expect(received[0]?.event).toBe(1)
})

test('waiting for requests that never come ends when the receiver closes', async () => {
  const receiver = await receiverFor()
  const arrival = receiver.waitFor(1)
  await receiver.close()
  await expect(arrival).rejects.toThrow(/0 of 1/)
})
