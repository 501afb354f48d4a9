import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseTrace, targetOf } from '../src/simulator/trace.ts'
import type { Trace, TraceEntry } from '../src/simulator/trace.ts'
import {
  askForToken,
  get,
  getJson,
  jobUrl,
  requestToken,
  simulatorFor,
  startedAt,
  stoppedClock,
} from './helpers/simulator.ts'

const folder = 'test/fixtures/traces'
const files = readdirSync(folder).filter((name) => name.endsWith('.json'))

function read(file: string): Trace {
  return parseTrace(JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')))
}

function bodyOf(entry: TraceEntry | undefined): unknown {
  if (entry === undefined) throw new Error('there is no such entry')
  return entry.body
}

/** A simulator whose clock stands still. */
async function stopped() {
  const clock = stoppedClock()
  return { ...clock, simulator: await simulatorFor({ now: clock.now }) }
}

describe('a trace is checked', () => {
  const good = { afterMs: 0, httpStatus: 200, body: null }

  test.each(files)('%s is good', (file) => {
    expect(read(file).length).toBeGreaterThan(0)
  })

  test.each<[unknown, RegExp]>([
    [{ ...good }, /^trace: must be a list/],
    [[], /^trace: must be a list of at least one entry/],
    [null, /^trace: must be a list/],
    [[good, 'x'], /^entry 2: must be an object with afterMs, httpStatus, body/],
    [[good, null], /^entry 2: must be an object/],
    [[{ ...good, afterMs: -1 }], /^entry 1: afterMs must be a whole number/],
    [[{ ...good, afterMs: '0' }], /^entry 1: afterMs must be a whole number/],
    [[{ ...good, afterMs: 0.5 }], /^entry 1: afterMs must be a whole number/],
    [[{ httpStatus: 200, body: {} }], /^entry 1: afterMs is missing/],
    [[good, { ...good, httpStatus: 99 }], /^entry 2: httpStatus must be .* from 200 to 599/],
    [[good, { ...good, httpStatus: '200' }], /^entry 2: httpStatus must be a whole number/],
    [[{ afterMs: 0, httpStatus: 200 }], /^entry 1: body is missing/],
    [[{ ...good, delay: 3 }], /^entry 1: delay is no field/],
    [
      [good, { ...good, afterMs: 9 }, { ...good, afterMs: 8 }],
      /^entry 3: afterMs must not be less than the 9 before it/,
    ],
    [[good, { ...good, body: { jobid: '../status' } }], /^entry 2: body\.jobid must be 1 to 128/],
  ])('%j is not', (value, says) => {
    expect(() => parseTrace(value)).toThrow(says)
  })

  test('entries that come up together are allowed', () => {
    expect(parseTrace([good, good])).toHaveLength(2)
  })
})

test.each([
  ['01-success-stages-prelisted.json', 'job'],
  ['15-restore-api-outage-then-job-lost.json', 'job'],
  ['24-notebook-job-id-form.json', 'job'],
  ['collection-jobs.json', 'jobs'],
  ['token-responses.json', 'token'],
  ['sibling-dr-status.json', 'job'],
])('%s is played on: %s', (file, target) => {
  expect(targetOf(read(file))).toBe(target)
})

test('a trace of the list is what GET <root>/jobs answers, until it is ended', async () => {
  const { simulator, pass } = await stopped()
  const { token } = await requestToken(simulator)
  const trace = read('collection-jobs.json')
  expect(simulator.play(trace)).toEqual({ target: 'jobs', jobid: null, jobsUrl: null })
  const list = () => getJson(`${simulator.root}/jobs`, token)
  expect(await list()).toEqual(bodyOf(trace[0]))
  pass(10_000)
  expect(await list()).toEqual(bodyOf(trace[2]))
  pass(20_000)
  expect((await get(`${simulator.root}/jobs?f=json`, token)).status).toBe(503)
  expect(await (await fetch(`${simulator.root}/jobs?f=json`)).json()).toHaveProperty('error.code')
  simulator.endTraces()
  expect(await list()).toEqual({ jobs: [] })
})

test('a trace of the token endpoint is what it answers, and its tokens are accepted', async () => {
  const { simulator, pass } = await stopped()
  const trace = read('token-responses.json')
  expect(simulator.play(trace)).toMatchObject({ target: 'token' })
  const first = await requestToken(simulator)
  expect(first).toEqual(bodyOf(trace[0]))
  expect(await getJson(`${simulator.root}/jobs`, first.token)).toEqual({ jobs: [] })
  pass(3000)
  expect(await requestToken(simulator)).toEqual(bodyOf(trace[3]))
  pass(2000)
  expect((await askForToken(simulator)).status).toBe(503)
  simulator.expireTokens()
  expect(await getJson(`${simulator.root}/jobs`, first.token)).toHaveProperty('error.code', 498)
  simulator.endTraces()
  const { token } = await requestToken(simulator)
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: [] })
})

test('the target can be chosen, and the pace', async () => {
  const { simulator, pass } = await stopped()
  const { token } = await requestToken(simulator)
  const trace = read('sibling-dr-status.json')
  simulator.play(trace, { target: 'jobs', pace: 0.1 })
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual(bodyOf(trace[0]))
  pass(499)
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual(bodyOf(trace[0]))
  pass(1)
  expect((await get(`${simulator.root}/jobs?f=json`, token)).status).toBe(trace[1]?.httpStatus)
})

test('the times inside the documents stay as they are, whatever the pace', async () => {
  const simulator = await simulatorFor()
  const { token } = await requestToken(simulator)
  const { jobsUrl } = simulator.play(read('05-no-progress.json'), { pace: 0 })
  expect(await getJson(jobsUrl ?? '', token)).toMatchObject({
    starttime: startedAt,
    status: 'COMPLETED',
  })
})

test.each(['07-token-expiry-error-envelope.json', '08-token-expiry-admin-envelope.json'])(
  '%s: a refusal is for tokens from before it came up, a later one gets the job',
  async (file) => {
    const { simulator, pass } = await stopped()
    const trace = read(file)
    const jobid = simulator.addTrace(trace)
    const running = bodyOf(trace[0])
    let { token } = await requestToken(simulator)
    let refusals = 0
    for (const [index, { httpStatus, body, afterMs }] of trace.entries()) {
      pass(afterMs - (trace[index - 1]?.afterMs ?? 0))
      const answer = await get(`${jobUrl(simulator, jobid)}?f=json`, token)
      expect(answer.status).toBe(httpStatus)
      expect(await answer.json()).toEqual(body)
      if (JSON.stringify(body).includes('"status":"EXECUTING"') || index === trace.length - 1) {
        continue
      }
      refusals += 1
      ;({ token } = await requestToken(simulator))
      expect(await getJson(jobUrl(simulator, jobid), token)).toEqual(running)
    }
    expect(refusals).toBeGreaterThan(1)
  },
)

test('a refusal with no document before it is for every token', async () => {
  const { simulator } = await stopped()
  const refusal = { error: { code: '498', message: 'Invalid token.' } }
  const jobid = simulator.addTrace([{ afterMs: 0, httpStatus: 200, body: refusal }])
  const { token } = await requestToken(simulator)
  expect(await getJson(jobUrl(simulator, jobid), token)).toEqual(refusal)
})
