import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { startApp } from '../helpers/app.ts'
import type { Call } from '../helpers/app.ts'
import { eventsOf, jobidsOf, jobOf, problemOf } from './answers.ts'
import { exchange, rawRequest, statusOf } from './raw.ts'

const mebibyte = 1_048_576
const json = { 'content-type': 'application/json' }

test('an unknown path is a 404 with a stable code', async () => {
  await using app = await startApp()
  for (const path of [
    '/nope',
    '/v1',
    '/v1/',
    '/v2/jobs',
    '/v1/jobs/a/b/c',
    '/healthz/x',
    '//',
    '/V1/jobs',
  ]) {
    for (const method of ['GET', 'POST'] as const) {
      const answer = await app.call(path, { method })
      expect(answer.status, path).toBe(404)
      expect(problemOf(answer).code).toBe('not_found')
    }
  }
})

test.each([
  ['/v1/jobs', 'PUT', ['GET', 'POST']],
  ['/v1/jobs', 'DELETE', ['GET', 'POST']],
  ['/v1/jobs', 'OPTIONS', ['GET', 'POST']],
  ['/v1/jobs/j1', 'PUT', ['GET', 'DELETE']],
  ['/v1/jobs/j1', 'POST', ['GET', 'DELETE']],
  ['/v1/jobs/j1/document', 'PUT', ['GET']],
  ['/v1/events', 'POST', ['GET']],
  ['/v1/events/stream', 'POST', ['GET', 'HEAD']],
  ['/v1/events/stream', 'DELETE', ['GET', 'HEAD']],
  ['/healthz', 'POST', ['GET']],
  ['/readyz', 'POST', ['GET']],
  ['/', 'POST', ['GET']],
] as const)('%s does not take %s and says what it takes', async (path, method, allowed) => {
  await using app = await startApp()
  const answer = await app.call(path, { method })
  expect(answer.status).toBe(405)
  expect(problemOf(answer).code).toBe('method_not_allowed')
  const allow = String(answer.headers['allow']).split(', ')
  for (const name of allowed) expect(allow).toContain(name)
  expect(allow).not.toContain(method)
})

test('methods that only few have heard of are refused like others', async () => {
  await using app = await startApp()
  for (const method of ['PROPFIND', 'TRACE', 'M-SEARCH']) {
    const head = { host: new URL(app.url).host }
    const known = await exchange(app.url, rawRequest(`${method} /v1/jobs HTTP/1.1`, head))
    expect(statusOf(known), method).toBe(405)
    expect(known.toLowerCase()).toContain('\r\nallow: ')
    const unknown = await exchange(app.url, rawRequest(`${method} /nope HTTP/1.1`, head))
    expect(statusOf(unknown), method).toBe(404)
  }
})

test('HEAD answers like GET, without a body', async () => {
  await using app = await startApp()
  await app.post('/v1/jobs', { jobid: 'j1' })
  for (const path of ['/v1/jobs', '/v1/jobs/j1', '/v1/events', '/healthz', '/readyz', '/']) {
    const head = await app.call(path, { method: 'HEAD' })
    const full = await app.call(path)
    expect(head.status).toBe(200)
    expect(head.text).toBe('')
    expect(head.headers['content-type']).toBe(full.headers['content-type'])
    expect(head.headers['x-jobwatch-cursor']).toBe(full.headers['x-jobwatch-cursor'])
  }
  expect((await app.call('/v1/jobs/unknown', { method: 'HEAD' })).status).toBe(404)
})

describe('the size of a body', () => {
  const padded = (size: number) => '{"jobid":"j1"}'.padEnd(size, ' ')

  test('may be 1 MiB', async () => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs', {
      method: 'POST',
      headers: json,
      body: padded(mebibyte),
    })
    expect(answer.status).toBe(201)
  })

  test('beyond 1 MiB is a 413, and nothing is stored', async () => {
    await using app = await startApp()
    const call: Call = { method: 'POST', headers: json, body: padded(mebibyte + 1) }
    const answer = await app.call('/v1/jobs', call)
    expect(answer.status).toBe(413)
    expect(problemOf(answer).code).toBe('body_too_large')
    expect(problemOf(answer).detail).toMatch(/1048576|1 MiB/)
    expect(jobidsOf(await app.call('/v1/jobs'))).toEqual([])
    expect(eventsOf(await app.call('/v1/events')).newest).toBe(0)
  })

  test('is refused by what Content-Length says, without waiting for the body', async () => {
    await using app = await startApp()
    expect(await statusWithoutBody(app.url, { 'content-length': '100000000000' })).toBe(413)
  })

  test('is counted also when it comes in pieces of unknown length', async () => {
    await using app = await startApp()
    const piece = `${(65_536).toString(16)}\r\n${' '.repeat(65_536)}\r\n`
    const head = { host: new URL(app.url).host, ...json, 'transfer-encoding': 'chunked' }
    const text = rawRequest('POST /v1/jobs HTTP/1.1', head, `${piece.repeat(20)}0\r\n\r\n`)
    const answer = await exchange(app.url, text)
    expect([413, 0]).toContain(statusOf(answer))
    expect(jobidsOf(await app.call('/v1/jobs'))).toEqual([])
  })
})

describe('the content type of a body', () => {
  test.each([
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/jsonx',
    'text/json',
    'application/cloudevents+json',
    'nonsense',
  ])('%s is a 415 that says what to send', async (type) => {
    await using app = await startApp()
    const call: Call = { method: 'POST', headers: { 'content-type': type }, body: '{"jobid":"j1"}' }
    const answer = await app.call('/v1/jobs', call)
    expect(answer.status).toBe(415)
    expect(problemOf(answer).code).toBe('unsupported_media_type')
    expect(problemOf(answer).detail).toMatch(/application\/json.*curl --json/)
    expect(jobidsOf(await app.call('/v1/jobs'))).toEqual([])
  })

  test('none at all is a 415 when there is a body', async () => {
    await using app = await startApp()
    const head = { host: new URL(app.url).host, 'content-length': '14' }
    const text = rawRequest('POST /v1/jobs HTTP/1.1', head, '{"jobid":"j1"}')
    expect(statusOf(await exchange(app.url, text))).toBe(415)
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
  ])('%s is taken', async (type) => {
    await using app = await startApp()
    const call: Call = { method: 'POST', headers: { 'content-type': type }, body: '{"jobid":"j1"}' }
    expect((await app.call('/v1/jobs', call)).status).toBe(201)
  })

  test('a DELETE with an empty JSON body, as some clients send it, is fine', async () => {
    await using app = await startApp()
    await app.post('/v1/jobs', { jobid: 'j1' })
    const answer = await app.call('/v1/jobs/j1', { method: 'DELETE', headers: json })
    expect(answer.status).toBe(204)
  })
})

describe('what is hardly HTTP', () => {
  test('is answered as a problem, too', async () => {
    await using app = await startApp()
    const { host } = new URL(app.url)
    for (const text of [
      'GARBAGE\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: ${host}\r\nbad header\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Large: ${'x'.repeat(100_000)}\r\n\r\n`,
    ]) {
      const answer = await exchange(app.url, text)
      expect(statusOf(answer), answer).toBeGreaterThanOrEqual(400)
      expect(statusOf(answer), answer).toBeLessThan(500)
      expect(answer.toLowerCase()).toContain('content-type: application/problem+json')
    }
    expect((await app.call('/healthz')).status).toBe(200)
  })

  test('a path that is encoded wrongly is a 400 that speaks of the path', async () => {
    await using app = await startApp()
    const answer = await app.call('/v1/jobs/%zz')
    expect(answer.status).toBe(400)
    expect(problemOf(answer).detail).toMatch(/path|URL/)
  })

  test('queries of any kind are a 400 or do no harm', async () => {
    await using app = await startApp()
    for (const query of [
      '?%zz',
      '?%',
      '?=',
      '?&&&',
      '?a[b]=c',
      '?limit[]=5',
      `?${'a&'.repeat(2000)}`,
    ]) {
      const answer = await app.call(`/v1/jobs${query}`)
      expect([200, 400], query).toContain(answer.status)
    }
    expect(jobOf(await app.post('/v1/jobs', { jobid: 'j1' })).jobid).toBe('j1')
  })
})

test('every answer forbids storing and guessing its type', async () => {
  await using app = await startApp()
  await app.post('/v1/jobs', { jobid: 'j1' })
  const answers = [
    await app.call('/'),
    await app.call('/healthz'),
    await app.call('/readyz'),
    await app.call('/v1/jobs'),
    await app.call('/v1/jobs/j1'),
    await app.call('/v1/events'),
    await app.call('/v1/jobs/unknown'),
    await app.call('/nope'),
    await app.call('/v1/jobs/%zz'),
    await app.call('/v1/jobs', { method: 'PUT' }),
    await app.call('/v1/jobs?limit=0'),
    await app.call('/v1/jobs', { method: 'HEAD' }),
    await app.post('/v1/jobs', { jobid: 'j2' }),
    await app.call('/v1/jobs', { method: 'POST', headers: json, body: '{' }),
    await app.call('/v1/jobs', {
      method: 'POST',
      body: 'x',
      headers: { 'content-type': 'text/plain' },
    }),
    await app.call('/v1/jobs', { method: 'POST', headers: json, body: 'x'.repeat(mebibyte + 1) }),
    await app.call('/v1/jobs', { headers: { host: 'evil.example' } }),
    await app.call('/v1/jobs', { headers: { origin: 'https://evil.example' } }),
    await app.call('/v1/events/stream', { method: 'HEAD' }),
    await app.call('/v1/jobs/j2', { method: 'DELETE' }),
  ]
  for (const { headers, status, text } of answers) {
    expect(headers['cache-control'], `${status} ${text}`).toContain('no-store')
    expect(headers['x-content-type-options'], `${status} ${text}`).toBe('nosniff')
  }
})

/** Sends the head of a POST, never its body; resolves with the status that comes all the same. */
function statusWithoutBody(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const post = request(`${url}/v1/jobs`, { method: 'POST', headers: { ...json, ...headers } })
    post.on('response', (message) => {
      resolve(message.statusCode ?? 0)
      post.destroy()
    })
    post.on('error', reject)
    post.flushHeaders()
  })
}

test.each([
  { body: undefined, says: '(body): must be a JSON object' },
  { body: { jobid: 5 }, says: 'jobid: must be a text' },
  { body: { jobid: 'j1', tags: 'a' }, says: 'tags: must be a list' },
])('a value of another kind is told what would be right: $says', async ({ body, says }) => {
  await using app = await startApp()
  const answer = await app.post('/v1/jobs', body)
  expect(problemOf(answer).detail).toBe(says)
  const listed = await app.call('/v1/jobs?state=bogus')
  expect(problemOf(listed).detail).toBe('state: must be one of active, ended, stopped, lost')
})

test('what is too long or too many is told its bound in words', async () => {
  await using app = await startApp()
  const messageFor = async (body: object) => {
    const answer = await app.post('/v1/jobs', { jobid: 'j1', ...body })
    return problemOf(answer).errors?.map(({ field, message }) => `${field} ${message}`)
  }
  expect(await messageFor({ label: 'x'.repeat(201) })).toEqual([
    'label must have at most 200 characters',
  ])
  const tags = Array.from({ length: 51 }, (_, n) => `tag ${n}`)
  expect(await messageFor({ tags })).toEqual(['tags must have at most 50 entries'])
  expect(await messageFor({ tags: [''] })).toEqual(['tags.0 must have at least 1 characters'])
})
