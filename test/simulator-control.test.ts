import { expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { scenarioKinds } from '../src/simulator/scenarios.ts'
import { getJson, jobUrl, requestToken, simulatorFor } from './helpers/simulator.ts'

/** A simulator, and calls of its control API as curl would make them. */
async function ground() {
  const simulator = await simulatorFor()
  const send = async (method: string, path = '', body?: unknown) => {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const url = `${simulator.url}/_simulator${path}`
    const answer = await fetch(url, { method, ...(text !== undefined && { body: text }) })
    const content = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      json: content === '' ? null : (JSON.parse(content) as Record<string, unknown>),
    }
  }
  return { simulator, send }
}

const document = { jobid: 'j1', status: 'EXECUTING' }

test('one call shows the jobs, the faults in force, the presets and everything that can be done', async () => {
  const { simulator, send } = await ground()
  simulator.addScript([document], { jobid: 'j1' })
  const fault = simulator.inject('signInPage', { jobid: 'j1', times: 3 })
  await requestToken(simulator)
  const { status, headers, json } = await send('GET')
  expect(status).toBe(200)
  expect(headers.get('content-type')).toMatch(/^application\/json/)
  expect(json).toMatchObject({
    root: simulator.root,
    username: 'siteadmin',
    jobs: ['j1'],
    faults: [{ id: fault.id, target: 'job', jobid: 'j1', timesLeft: 3 }],
    requests: { tokens: 1, lists: 0, jobs: {} },
    scenarios: scenarioKinds,
    presets: {
      job: expect.arrayContaining(['reset', 'signInPage']) as string[],
      token: expect.arrayContaining(['wrongCredentials']) as string[],
    },
    calls: { 'DELETE /_simulator/faults/{id}': expect.any(String) as string },
  })
  expect(JSON.stringify(json)).not.toContain(simulator.password)
})

test('the presets are shown in full, with the kinds of faults and what their fields take', async () => {
  const { send } = await ground()
  expect((await send('GET', '/presets')).json).toMatchObject({
    job: { reset: { kind: 'cut', after: 'nothing', then: 'reset' } },
    token: { wrongCredentials: { kind: 'answer', body: { error: { code: 400 } } } },
    kinds: { delay: { ms: 'a whole number from 0 to 3600000' } },
  })
})

test('a fault is injected by name or in full, listed, and removed', async () => {
  const { simulator, send } = await ground()
  simulator.addScript([document], { jobid: 'j1' })
  const { token } = await requestToken(simulator)
  const named = await send('POST', '/faults', { fault: 'upgradeInProgress' })
  expect(named).toMatchObject({
    status: 201,
    json: { target: 'job', jobid: null, timesLeft: null },
  })
  expect(await getJson(jobUrl(simulator, 'j1'), token)).toMatchObject({ code: 403 })
  expect((await send('DELETE', `/faults/${String(named.json?.['id'])}`)).status).toBe(204)
  expect(await getJson(jobUrl(simulator, 'j1'), token)).toEqual(document)

  const fault = { kind: 'edit', set: { status: 'TIMED OUT' } }
  await send('POST', '/faults', { fault, jobid: 'j1', times: 1 })
  expect(simulator.faults).toMatchObject([{ target: 'job', jobid: 'j1', timesLeft: 1, fault }])
  expect(await getJson(jobUrl(simulator, 'j1'), token)).toHaveProperty('status', 'TIMED OUT')
  expect(await getJson(jobUrl(simulator, 'j1'), token)).toEqual(document)

  const ofToken = await send('POST', '/faults', { fault: 'wrongCredentials' })
  expect(ofToken.json).toMatchObject({ target: 'token' })
  await send('POST', '/faults', { fault: 'hang', target: 'all' })
  expect((await send('DELETE', '/faults')).status).toBe(204)
  expect(simulator.faults).toEqual([])
})

test('the control API stays reachable while everything else is broken', async () => {
  const { send } = await ground()
  await send('POST', '/faults', { fault: 'reset', target: 'all' })
  expect((await send('GET')).status).toBe(200)
  expect((await send('DELETE', '/faults')).status).toBe(204)
})

test('a built-in job is started, answered as a submit is, and can be made unknown', async () => {
  const { simulator, send } = await ground()
  const { token } = await requestToken(simulator)
  const started = await send('POST', '/jobs', { kind: 'backup', pace: 0, target: 'nightly' })
  expect(started.status).toBe(201)
  const { jobid, jobsUrl } = started.json as { jobid: string; jobsUrl: string }
  expect(jobsUrl).toBe(jobUrl(simulator, jobid))
  expect(await getJson(jobsUrl, token)).toMatchObject({
    status: 'COMPLETED',
    operationURI: expect.stringContaining('/stores/nightly/') as string,
  })
  expect((await send('DELETE', `/jobs/${jobid}`)).status).toBe(204)
  expect(await getJson(jobsUrl, token)).toMatchObject({ error: { code: 404 } })
  await send('POST', '/jobs', { kind: 'slow' })
  expect((await send('DELETE', '/jobs')).status).toBe(204)
  expect(simulator.jobids).toEqual([])
})

test('a trace is played as it is in its file, under its own id or another', async () => {
  const { simulator, send } = await ground()
  const { token } = await requestToken(simulator)
  const trace = readFileSync('test/fixtures/traces/05-no-progress.json', 'utf8')
  const own = await send('POST', '/traces?pace=0', trace)
  expect(own).toMatchObject({ status: 201, json: { target: 'job' } })
  const { jobsUrl } = own.json as { jobsUrl: string }
  expect(await getJson(jobsUrl, token)).toHaveProperty('status', 'COMPLETED')
  const other = await send('POST', '/traces?jobid=j2', trace)
  expect(other.json).toMatchObject({ jobid: 'j2', jobsUrl: jobUrl(simulator, 'j2') })
  expect(await getJson(jobUrl(simulator, 'j2'), token)).toMatchObject({
    jobid: 'j2',
    status: 'EXECUTING',
  })
  const entry = { afterMs: 0, httpStatus: 200, body: { jobs: 'none' } }
  expect((await send('POST', '/traces?target=jobs', [entry])).json).toEqual({
    target: 'jobs',
    jobid: null,
    jobsUrl: null,
  })
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: 'none' })
  expect((await send('DELETE', '/traces')).status).toBe(204)
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({
    jobs: ['j2', jobsUrl.split('/').at(-1)],
  })
})

test('tokens expire and the password changes when told to', async () => {
  const { simulator, send } = await ground()
  const password = simulator.password
  const { token } = await requestToken(simulator)
  expect((await send('DELETE', '/tokens')).status).toBe(204)
  expect(await getJson(`${simulator.root}/jobs`, token)).toMatchObject({ error: { code: 498 } })
  expect((await send('PUT', '/password', { password: 'another' })).status).toBe(204)
  expect(await requestToken(simulator, { password })).toMatchObject({ error: { code: 400 } })
  await send('PUT', '/password', { password })
  expect(await requestToken(simulator, { password })).toHaveProperty('token')
})

test.each<[string, string, unknown, number, RegExp]>([
  ['POST', '/faults', 'reset', 400, /body: must be JSON/],
  ['POST', '/faults', '', 400, /body: must be JSON/],
  ['POST', '/faults', [], 400, /body: must be an object with fault, target, jobid, times/],
  ['POST', '/faults', {}, 400, /body: fault is missing/],
  ['POST', '/faults', { fault: 'rset' }, 400, /no fault named rset; GET \/_simulator lists/],
  ['POST', '/faults', { fault: 'constructor' }, 400, /no fault named constructor/],
  ['POST', '/faults', { fault: 3 }, 400, /fault: must be an object/],
  [
    'POST',
    '/faults',
    { fault: { kind: 'boom', ms: 3 } },
    400,
    /fault: kind must be one of answer,/,
  ],
  [
    'POST',
    '/faults',
    { fault: { kind: 'delay' } },
    400,
    /fault: ms is missing; it must be a whole/,
  ],
  ['POST', '/faults', { fault: { kind: 'delay', ms: '3' } }, 400, /fault: ms must be a whole/],
  ['POST', '/faults', { fault: { kind: 'raw', text: 'x', ms: 3 } }, 400, /fault: ms is no field/],
  [
    'POST',
    '/faults',
    { fault: { kind: 'answer', httpStatus: 99 } },
    400,
    /httpStatus must be a whole number from 200 to 599/,
  ],
  [
    'POST',
    '/faults',
    { fault: { kind: 'answer', headers: { location: 'a\r\nb: c' } } },
    400,
    /headers must be an object of header names and values/,
  ],
  ['POST', '/faults', { fault: { kind: 'flood', part: 'body', bytes: -1 } }, 400, /bytes must be/],
  ['POST', '/faults', { fault: 'reset', target: 'jbos' }, 400, /target must be one of job, jobs,/],
  ['POST', '/faults', { fault: 'reset', times: 0 }, 400, /times must be a whole number from 1/],
  ['POST', '/faults', { fault: 'reset', jobid: 'a/b' }, 400, /jobid must be 1 to 128 letters/],
  ['POST', '/faults', { fault: 'reset', target: 'all', jobid: 'j1' }, 400, /jobid: goes with/],
  ['POST', '/faults', { fault: 'reset', count: 2 }, 400, /count is no field/],
  ['POST', '/jobs', { kind: 'backups' }, 400, /kind must be one of serviceEdit,/],
  ['POST', '/jobs', { kind: 'backup', pace: -1 }, 400, /pace must be a number from 0 to 1000/],
  ['POST', '/jobs', { kind: 'backup', target: '\ud800' }, 400, /target must be a text/],
  ['POST', '/traces', {}, 400, /trace: must be a list/],
  ['POST', '/traces?pace=quick', [{}], 400, /entry 1: afterMs is missing/],
  ['POST', '/traces?pace=quick', 'good', 400, /query: pace must be a number/],
  ['POST', '/traces?pace=', 'good', 400, /query: pace must be a number/],
  ['POST', '/traces?target=all', 'good', 400, /query: target must be one of job, jobs, token/],
  ['POST', '/traces?jobid=..', 'good', 400, /query: jobid must be 1 to 128/],
  ['POST', '/traces?speed=3', 'good', 400, /query: speed is no field/],
  ['PUT', '/password', { password: '' }, 400, /password must be a text that is not empty/],
  ['DELETE', '/faults/7', undefined, 404, /no fault 7 is in force/],
  ['DELETE', '/jobs/j7', undefined, 404, /there is no job j7/],
  ['GET', '/nothing', undefined, 404, /there is no \/_simulator\/nothing; see GET \/_simulator/],
  ['GET', '/faults', undefined, 405, /takes POST, DELETE/],
  ['PUT', '', {}, 405, /takes GET/],
])('%s %s with %j is refused with %i', async (method, path, body, status, says) => {
  const { simulator, send } = await ground()
  const trace = [{ afterMs: 0, httpStatus: 200, body: document }]
  const answer = await send(method, path, body === 'good' ? trace : body)
  expect(answer.status).toBe(status)
  expect(answer.json?.['error']).toMatch(says)
  expect(simulator.faults).toEqual([])
  expect(simulator.jobids).toEqual([])
})
