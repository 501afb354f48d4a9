import { expect, test } from 'vitest'
import { UpstreamList } from '../../src/http/schemas.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { anUpstream, noPolling, startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { openFeed } from '../feed/reader.ts'

async function upstreamsOf(app: TestApp) {
  const answer = await app.call('/v1/upstreams')
  expect(answer.status).toBe(200)
  return UpstreamList.parse(answer.json)
}

test('upstreams are listed in the order of the configuration, with what is known of each', async () => {
  await using dev = await closing(await startSimulator())
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [anUpstream('prod', simulator), anUpstream('dev', dev.simulator)],
    }),
  })
  const { jobid } = app.simulator.submit('slow')
  using feed = await openFeed(`${app.url}/v1/events/stream`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid, upstream: 'prod' })
  await feed.events(2)

  const { items, next } = await upstreamsOf(app)
  expect(next).toBeNull()
  const [prod, other] = items
  expect(prod).toMatchObject({
    name: 'prod',
    kind: 'enterprise-admin',
    root: app.simulator.root,
    state: 'up',
    lastError: null,
    jobs: 1,
  })
  const now = Date.now()
  expect(Math.abs(now - Date.parse(prod?.lastSuccessAt ?? ''))).toBeLessThan(30_000)
  expect(Date.parse(prod?.tokenExpiresAt ?? '')).toBeGreaterThan(now)
  expect(prod?.requestsPerSecond).toBeGreaterThan(0)
  expect(other).toMatchObject({
    name: 'dev',
    state: 'up',
    lastSuccessAt: null,
    tokenExpiresAt: null,
    requestsPerSecond: 0,
    jobs: 0,
  })
})

test('upstreams come in pages for whoever wants them so', async () => {
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: ['c', 'a', 'b'].map((name) => anUpstream(name, simulator)),
    }),
  })
  const names: string[] = []
  let query = 'limit=1'
  for (;;) {
    const { items, next } = UpstreamList.parse((await app.call(`/v1/upstreams?${query}`)).json)
    names.push(...items.map(({ name }) => name))
    if (next === null) break
    query = `limit=1&cursor=${next}`
  }
  expect(names).toEqual(['c', 'a', 'b'])
  for (const wrong of ['limit=0', 'limit=1001', 'cursor=%21', 'state=up']) {
    expect((await app.call(`/v1/upstreams?${wrong}`)).status, wrong).toBe(400)
  }
})

test('an upstream that is away says so and why, and since when', async () => {
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [{ ...anUpstream('prod', simulator), downAfter: '1ms' }],
    }),
  })
  const { jobid } = app.simulator.submit('slow')
  using feed = await openFeed(`${app.url}/v1/events/stream`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid })
  await feed.events(2)
  await app.simulator.close()
  const [event] = await feed.events(1)
  expect(event?.type).toBe('upstream.down')
  const [prod] = (await upstreamsOf(app)).items
  expect(prod).toMatchObject({ state: 'down', lastError: 'no connection (ECONNREFUSED)' })
  expect(Date.parse(prod?.since ?? '')).toBeGreaterThan(Date.parse(prod?.lastSuccessAt ?? ''))
  expect((await app.call('/readyz')).status).toBe(200)
})

test('an upstream that is away slows no other', async () => {
  await using dev = await closing(await startSimulator())
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [anUpstream('prod', simulator), anUpstream('dev', dev.simulator)],
    }),
  })
  await app.simulator.close()
  for (let n = 0; n < 50; n += 1) await app.post('/v1/jobs', { jobid: `j${n}`, upstream: 'prod' })
  const { jobid } = dev.simulator.submit('noProgress', { pace: 0.01 })
  using feed = await openFeed(`${app.url}/v1/events/stream?upstream=dev`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid, upstream: 'dev' })
  const types: string[] = []
  while (types.at(-1) !== 'job.completed') types.push((await feed.events(1))[0]?.type ?? '')
  expect(types).toContain('job.watched')
})

test('a job is polled now for whoever asks, and the answer is the job after that look', async () => {
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [{ ...anUpstream('prod', simulator), polling: noPolling }],
    }),
  })
  const document = (status: string) => ({ jobid: 'j1', status, endtime: 0 })
  const script = app.simulator.addScript([document('SUBMITTED'), document('EXECUTING')], {
    jobid: 'j1',
  })
  using feed = await openFeed(`${app.url}/v1/events/stream`)
  await feed.hello()
  await app.post('/v1/jobs', { jobid: 'j1' })
  await feed.events(2)
  script.next()
  const answer = await app.call('/v1/jobs/j1/poll', { method: 'POST' })
  expect(answer.status).toBe(200)
  expect(answer.json).toMatchObject({ jobid: 'j1', status: 'EXECUTING', lastSeq: 3, problem: null })
  expect((await app.call('/v1/jobs/j1/poll', { method: 'POST', body: {} })).status).toBe(200)

  await app.simulator.close()
  const failed = await app.call('/v1/jobs/j1/poll', { method: 'POST' })
  expect(failed.status).toBe(200)
  expect(failed.json).toMatchObject({ status: 'EXECUTING', problem: { kind: 'transient' } })
})

test('a job that cannot be polled is told why', async () => {
  await using app = await startApp()
  expect((await app.call('/v1/jobs/j1/poll', { method: 'POST' })).json).toMatchObject({
    status: 404,
    code: 'job_not_found',
  })
  await app.post('/v1/jobs', { jobid: 'j1' })
  expect((await app.post('/v1/jobs/j1/poll', { now: true })).json).toMatchObject({
    status: 400,
    errors: [{ field: 'now' }],
  })
  expect((await app.call('/v1/jobs/j1/poll')).status).toBe(405)
  await app.call('/v1/jobs/j1', { method: 'DELETE' })
  expect((await app.call('/v1/jobs/j1/poll', { method: 'POST' })).json).toMatchObject({
    status: 409,
    code: 'job_stopped',
  })
})

async function closing(simulator: Awaited<ReturnType<typeof startSimulator>>) {
  return Promise.resolve({ simulator, [Symbol.asyncDispose]: () => simulator.close() })
}
