import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { openApiDocument } from '../../src/http/openapi/document.ts'
import { operationGroups } from '../../src/http/operations.ts'
import { problemCodes } from '../../src/http/problem-codes.ts'
import { version } from '../../src/version.ts'
import { startBadReceiver } from '../e2e/bad-receiver.ts'
import { finished, running, until } from '../e2e/ground.ts'
import { openFeed } from '../feed/reader.ts'
import { anUpstream, callApi, startApp } from '../helpers/app.ts'
import type { Answer, Call } from '../helpers/app.ts'
import { eventsOf } from './answers.ts'
import { startServer } from './bare-server.ts'
import { conformance, operationsOf } from './documented.ts'
import type { Document } from './documented.ts'
import { exchange, rawRequest } from './raw.ts'

const document = openApiDocument(operationGroups, version) as unknown as Document
const json = { 'content-type': 'application/json' }

/** A daemon with tokens, a healthy upstream, one that is away, and a receiver; all calls are judged. */
async function startJudged(judge: ReturnType<typeof conformance>) {
  const receiver = await startBadReceiver()
  const upstreams: object[] = []
  const app = await startApp({
    config: (simulator) => {
      upstreams.push({ ...anUpstream('prod', simulator), lostAfter: '50ms' })
      const away = { ...anUpstream('away', simulator), downAfter: '50ms' }
      upstreams.push({ ...away, root: 'http://127.0.0.1:9/gis/admin' })
      return {
        upstreams,
        api: {
          tokens: [
            { name: 'writer', token: 'writer', scopes: ['write'] },
            { name: 'reader', token: 'reader', scopes: ['read'] },
          ],
        },
        feed: { maxStreams: 1 },
        endpoints: [{ name: 'configured', url: receiver.url, events: ['job.completed'] }],
        delivery: { retry: Array<string>(10).fill('20ms'), allow: ['127.0.0.0/8'] },
      }
    },
  })
  const as = (token: string) => ({ authorization: `Bearer ${token}` })

  /** A call whose answer has to be as documented, and to have this status. */
  async function call(
    status: number,
    method: NonNullable<Call['method']>,
    target: string,
    { headers, ...options }: Call = {},
  ): Promise<Answer> {
    const answer = await app.call(target, {
      ...options,
      method,
      headers: { ...as('writer'), ...headers },
    })
    expect(answer.status, `${method} ${target}: ${answer.text}`).toBe(status)
    judge.expectDocumented(method, target, answer)
    return answer
  }

  return {
    ...app,
    ...{ app, receiver, upstreams, as, judge },
    call,
    get: (target: string) => call(200, 'GET', target),
    send: (status: number, target: string, body?: unknown) =>
      call(status, 'POST', target, { body }),
    async untilEvent(type: string) {
      const query = `/v1/events?last=1&type=${type}`
      await until(
        async () => eventsOf(await app.call(query, { headers: as('reader') })).items.length > 0,
      )
    },
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]()
      await receiver[Symbol.asyncDispose]()
    },
  }
}
type Judged = Awaited<ReturnType<typeof startJudged>>

/** Jobs in all states, and events of every kind but those of endpoints. */
async function jobsAndEvents(at: Judged): Promise<void> {
  const main = at.simulator.addScript([running('main'), finished('main')], { jobid: 'main' })
  at.simulator.addScript([running('slow')], { jobid: 'slow' })
  await at.send(201, '/v1/jobs', { jobid: 'main', upstream: 'prod', label: 'Main', tags: ['a'] })
  await at.send(200, '/v1/jobs', { jobid: 'main', upstream: 'prod' })
  const slow = { jobid: 'slow', upstream: 'prod', stallAfter: '50ms', deadline: '1s' }
  await at.send(200, '/v1/jobs/batch', { jobs: [slow, { jobid: '?' }] })
  await at.send(201, '/v1/jobs', { jobid: 'lost', upstream: 'prod' })
  await at.send(201, '/v1/jobs', { jobid: 'unseen', upstream: 'away' })
  for (const type of ['job.executing', 'job.stalled', 'job.overdue', 'job.lost', 'upstream.down']) {
    await at.untilEvent(type)
  }
  await at.get('/v1/jobs/unseen')
  at.simulator.addScript([running('lost')], { jobid: 'lost' })
  main.next()
  await at.untilEvent('job.completed')
  await at.send(200, '/v1/jobs/lost/poll')
  await at.untilEvent('job.found')
  await at.get('/v1/jobs/main/document')
  await at.get('/v1/jobs/main')
  await at.call(200, 'PATCH', '/v1/jobs/slow', { body: { label: 'Slow', deadline: null } })
  await at.call(204, 'DELETE', '/v1/jobs/slow')
  const states = new Set<string>()
  const { items } = (await at.get('/v1/jobs?limit=1000')).json as { items: { state: string }[] }
  for (const { state } of items) states.add(state)
  expect(states.size).toBeGreaterThanOrEqual(3)
  await at.get('/v1/jobs?limit=1')
  await at.get('/v1/upstreams')
}

/** Endpoints, what is delivered to them, and what is not. */
async function deliveries(at: Judged): Promise<void> {
  const { receiver } = at
  receiver.decide(({ path }) => (path === '/bad' ? 500 : 204))
  await at.send(201, '/v1/endpoints', { name: 'good', url: receiver.url })
  await at.send(201, '/v1/endpoints', { name: 'bad', url: `${receiver.origin}/bad` })
  await at.send(201, '/v1/endpoints', {
    ...{ name: 'chat', format: 'slack', url: `${receiver.origin}/chat`, events: ['job.failed'] },
  })
  await at.send(201, '/v1/jobs', { jobid: 'delivered', upstream: 'prod' })
  await at.untilEvent('endpoint.failing')
  await at.get('/v1/endpoints')
  await at.get('/v1/endpoints/bad')
  await at.send(200, '/v1/endpoints/good/test')
  await at.send(200, '/v1/endpoints/bad/test')
  await at.send(200, '/v1/endpoints/good/rotate-secret')
  await at.call(200, 'PATCH', '/v1/endpoints/good', { body: { events: ['job.*'] } })
  await at.send(202, '/v1/endpoints/good/replay', { after: 0, types: ['job.watched'] })
  await at.send(200, '/v1/endpoints/bad/disable')
  await at.untilEvent('endpoint.disabled')
  const list = await at.get('/v1/deliveries?endpoint=bad&state=cancelled')
  const [cancelled] = (list.json as { items: { id: number }[] }).items
  await at.get(`/v1/deliveries/${cancelled?.id ?? 0}`)
  await at.send(202, `/v1/deliveries/${cancelled?.id ?? 0}/retry`)
  await at.send(409, '/v1/endpoints/bad/replay', { after: 0 })
  await at.send(200, '/v1/endpoints/bad/enable')
  await at.call(204, 'DELETE', '/v1/endpoints/bad')
  await at.send(409, `/v1/deliveries/${cancelled?.id ?? 0}/retry`)
  await until(async () => {
    const { json: found } = await at.get('/v1/deliveries?endpoint=good&state=delivered&limit=1')
    const [delivered] = (found as { items: { id: number }[] }).items
    if (delivered === undefined) return false
    await at.get(`/v1/deliveries/${delivered.id}`)
    await at.send(409, `/v1/deliveries/${delivered.id}/retry`)
    return true
  })
}

/** All that can be wrong with a call of a daemon that is well. */
async function problems(at: Judged): Promise<void> {
  const { call, send, as } = at
  await call(401, 'GET', '/v1/jobs', { headers: { authorization: '' } })
  await call(403, 'DELETE', '/v1/jobs/main', { headers: as('reader') })
  await call(403, 'GET', '/healthz', { headers: { origin: 'https://elsewhere.example' } })
  await call(403, 'GET', '/v1/jobs', { headers: { origin: 'https://elsewhere.example' } })
  await call(400, 'GET', '/v1/jobs?state=unknown&limit=0')
  await call(400, 'POST', '/v1/jobs', { headers: json, body: '{' })
  await call(413, 'POST', '/v1/jobs', { headers: json, body: ' '.repeat(1_048_577) })
  await call(415, 'POST', '/v1/jobs', { headers: { 'content-type': 'text/plain' }, body: '{}' })
  await call(404, 'GET', '/nothing')
  await call(405, 'PUT', '/v1/jobs')
  await call(406, 'GET', '/v1/events/stream', { headers: { accept: 'text/html' } })
  await call(404, 'GET', '/v1/jobs/unknown')
  await call(404, 'GET', '/v1/jobs/unseen/document')
  await send(201, '/v1/jobs', { jobid: 'main', upstream: 'away' })
  await call(409, 'GET', '/v1/jobs/main')
  await send(409, '/v1/jobs/slow/poll')
  await call(404, 'GET', '/v1/endpoints/unknown')
  await send(409, '/v1/endpoints', { name: 'good', url: at.receiver.url })
  await call(409, 'PATCH', '/v1/endpoints/configured', { body: { fold: true } })
  await send(409, '/v1/endpoints/chat/rotate-secret')
  await call(404, 'GET', '/v1/deliveries/999999')
}

/** Signing in, asking by cookie, and signing out. */
async function session(at: Judged): Promise<void> {
  const { call, send, as } = at
  await at.get('/v1/session')
  await call(401, 'GET', '/v1/session', { headers: as('wrong') })
  await send(401, '/v1/session', { token: 'wrong' })
  await send(400, '/v1/session', {})
  const foreign = { 'sec-fetch-site': 'cross-site' }
  await call(403, 'POST', '/v1/session', { headers: foreign, body: { token: 'writer' } })
  await call(403, 'DELETE', '/v1/session', { headers: foreign })
  const { headers } = await send(204, '/v1/session', { token: 'writer' })
  const [cookie = ''] = String(headers['set-cookie']).split(';')
  for (const target of ['/v1/session', '/v1/jobs']) {
    const answer = await at.app.call(target, { headers: { cookie } })
    expect(answer.status).toBe(200)
    at.judge.expectDocumented('GET', target, answer)
  }
  await call(204, 'DELETE', '/v1/session')
}

/** What holds its connection, and the limit for it. */
async function streams(at: Judged): Promise<void> {
  const target = '/v1/events/stream?after=0'
  const headers = at.as('writer')
  using feed = await openFeed(`${at.url}${target}`, { headers })
  await feed.until('job.executing')
  at.judge.expectDocumented('GET', target, {
    ...{ status: feed.status, headers: feed.headers, text: feed.text },
    json: null,
  })
  await at.call(429, 'GET', target)
  await at.call(429, 'GET', '/v1/events?wait=1m&type=none')
}

/** The daemon itself: well, and with a database that somebody else is writing to. */
async function daemon(at: Judged): Promise<void> {
  for (const path of ['/healthz', '/readyz', '/', '/favicon.svg', '/metrics', '/openapi.json']) {
    await at.get(path)
  }
  const [, script = ''] = /src="\.([^"]+)"/.exec((await at.get('/')).text) ?? []
  await at.get(script)
  await at.call(404, 'GET', '/assets/none.js')
  const other = new Database(at.database)
  other.exec('BEGIN IMMEDIATE')
  await at.call(503, 'GET', '/readyz')
  await at.send(503, '/v1/jobs', {
    jobid: 'while-somebody-else-writes',
    upstream: 'prod',
  })
  other.close()
}

/** What goes wrong only where there is no token, with a broken store, or on the bare wire. */
async function elsewhere(judge: ReturnType<typeof conformance>): Promise<void> {
  await using at = await startServer({
    seen: (store) => ({ ...store, listJobs: () => Promise.reject(new Error('out of order')) }),
  })
  const refused = await callApi(`${at.url}/v1/jobs`, { headers: { host: 'elsewhere.example' } })
  judge.expectDocumented('GET', '/v1/jobs', refused)
  judge.expectDocumented('GET', '/v1/jobs', await callApi(`${at.url}/v1/jobs`, {}))
  const signIn: Call = { method: 'POST', body: { token: 'any' } }
  const needless = await callApi(`${at.url}/v1/session`, signIn)
  judge.expectDocumented('POST', '/v1/session', needless)
  const large = rawRequest('GET /v1/jobs HTTP/1.1', { host: 'localhost', x: 'x'.repeat(20_000) })
  for (const text of [large, 'NONSENSE\r\n\r\n']) {
    const [head = '', body = ''] = (await exchange(at.url, text)).split('\r\n\r\n')
    const [line = '', ...lines] = head.split('\r\n')
    const headers = Object.fromEntries(lines.map((one) => one.split(': ') as [string, string]))
    const status = Number(line.split(' ')[1])
    judge.expectDocumented('GET', '/', {
      status,
      headers,
      text: body,
      json: JSON.parse(body) as unknown,
    })
  }
}

test('every operation answers as the document says, whatever comes of it', async () => {
  const judge = conformance(document)
  await using at = await startJudged(judge)
  await jobsAndEvents(at)
  await deliveries(at)
  await problems(at)
  await session(at)
  await streams(at)
  await daemon(at)

  const { items } = eventsOf(await at.get('/v1/events?limit=1000'))
  await at.get('/v1/events?last=5')
  const kinds = new Set(
    items.map(({ data }) => (data as unknown as { change: { kind: string } }).change.kind),
  )
  expect([...kinds].sort()).toEqual([
    'deadline',
    'endpoint',
    'messages',
    'presence',
    'registry',
    'stage',
    'stall',
    'status',
    'upstream',
  ])

  at.upstreams.pop()
  await at.restart()
  await at.send(409, '/v1/jobs/unseen/poll')
  await elsewhere(judge)

  const successes = operationsOf(document).flatMap(({ operation: { operationId, responses } }) =>
    Object.entries(responses)
      .filter(([, { content, $ref }]) => $ref === undefined && !isProblem(content))
      .map(([status]) => `${operationId} ${status}`),
  )
  expect([...judge.seen]).toEqual(expect.arrayContaining(successes))
  const seenCodes = new Set([...judge.seen].map((one) => one.split(' ').at(-1)))
  const unseen = Object.keys(problemCodes).filter((code) => !seenCodes.has(code))
  // It would take the thirty seconds that such a request has.
  expect(unseen).toEqual(['request_timeout'])
}, 60_000)

function isProblem(content: object | undefined): boolean {
  return content !== undefined && 'application/problem+json' in content
}

test('the examples of bodies are taken by the daemon', async () => {
  const token = 'the-token-of-a-page-in-a-browser'
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [anUpstream('prod', simulator)],
      api: { tokens: [{ name: 'page', token, scopes: ['write'] }] },
      delivery: { retry: Array<string>(10).fill('1h') },
    }),
  })
  const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'
  const targets: Readonly<Record<string, string>> = { jobid, name: 'my-software', id: '1' }
  const endpoint = '/v1/endpoints/my-software'
  const headers = { ...json, authorization: `Bearer ${token}` }
  const call = (path: string, method: NonNullable<Call['method']>, body: object) =>
    app.call(path, { method, headers, body })
  /** What has to be so before the examples of an operation, beside what those before it did. */
  const before: Readonly<Record<string, () => Promise<unknown>>> = {
    replayEvents: () => call(`${endpoint}/enable`, 'POST', {}),
    async retryDelivery() {
      await call(endpoint, 'PATCH', { events: ['*'] })
      expect((await call(`${endpoint}/replay`, 'POST', { after: 0 })).status).toBe(202)
    },
  }
  const statuses = new Map<string, number[]>()
  for (const { method, path, operation } of operationsOf(document)) {
    const { examples = {} } = operation.requestBody?.content['application/json'] ?? {}
    await before[operation.operationId]?.()
    const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => targets[name] ?? '')
    for (const { value } of Object.values(examples)) {
      const body = JSON.stringify(value).replaceAll(
        'https://gis.example.com/arcgis/admin',
        app.simulator.root,
      )
      const answer = await app.call(target, { method: method as 'POST', headers, body })
      expect(answer.status, `${method} ${target} ${body}: ${answer.text}`).toBeLessThan(300)
      statuses.set(operation.operationId, [
        ...(statuses.get(operation.operationId) ?? []),
        answer.status,
      ])
    }
  }
  expect(statuses.get('registerJob')).toEqual([201, 200, 200])
  expect(statuses.get('addEndpoint')).toEqual([201, 201, 201])
})
