import fc from 'fast-check'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { operationGroups } from '../../src/http/operations.ts'
import type { Operation } from '../../src/http/operation.ts'
import { startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { callApi } from '../helpers/app.ts'
import { openSocket } from './raw.ts'

/*
 * Whatever is sent is answered: with what was asked for, or with a problem that says what is wrong.
 * Never with a 5xx, and never so that the next one is answered worse.
 */

const operations = operationGroups
  .flatMap(({ operations: of }) => of)
  // The feed never ends, and metrics and the document take no input.
  .filter(({ path }) => path !== '/v1/events/stream')

const names = [
  ...['jobid', 'url', 'jobsUrl', 'upstream', 'label', 'tags', 'stallAfter', 'deadline', 'jobs'],
  ...['name', 'format', 'events', 'match', 'headers', 'fold', 'timeout', 'secret', 'settings'],
  ...['after', 'since', 'until', 'types', 'token', '__proto__', 'constructor', 'toString', ''],
]
const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    ...['..', '%', '%00', '\u0000', "' OR 1=1 --", '_%', '\ud800', '\u202e', '🐌', 'j1', 'prod'],
    ...['-1', '1e999', '9'.repeat(400), 'NaN', '2h', '0s', '9999999999d', '2026-02-30T00:00:00Z'],
    ...['http://[::1', 'http://127.1/', 'javascript:alert(1)', 'whsec_', 'job.*', 'x'.repeat(5000)],
  ),
)
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    oddText,
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(null, true, false, [], {}),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...names), oddText), tie('any'), { maxKeys: 5 }),
  ),
})).any
const body = fc.oneof(value, fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 }))

const anyCall = fc.record({
  operation: fc.constantFrom(...operations),
  params: fc.array(oddText, { minLength: 2, maxLength: 2 }),
  query: fc.array(fc.tuple(fc.constantFrom(...queryNames()), oddText), { maxLength: 3 }),
  body,
})

function queryNames(): string[] {
  const own = operations.flatMap(({ query }) => Object.keys(query?.shape ?? {}))
  // What waits would be waited for.
  return [...new Set([...own, 'nonsense', '__proto__'])].filter((name) => name !== 'wait')
}

function targetOf({ path }: Operation, params: readonly string[], query: [string, string][]) {
  let next = 0
  const filled = path.replaceAll(/\{\w+\}/g, () => encoded(params[next++] ?? ''))
  const search = query.map(([name, text]) => `${encoded(name)}=${encoded(text)}`).join('&')
  return search === '' ? filled : `${filled}?${search}`
}

/** Half a surrogate pair has no encoding: it is sent as what is none. */
function encoded(text: string): string {
  try {
    return encodeURIComponent(text)
  } catch {
    return '%ED%A0%80'
  }
}

/** Sends the text and no more, and resolves with what came back until the server closed. */
async function say(url: string, text: string): Promise<string> {
  const socket = await openSocket(url)
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk))
  // A server that refuses early may reset what it has not read.
  socket.on('error', () => undefined)
  socket.end(text)
  await once(socket, 'close')
  return answer
}

async function expectWell(app: TestApp): Promise<void> {
  expect((await app.call('/readyz')).status).toBe(200)
  expect((await app.call('/v1/jobs?limit=1')).status).toBe(200)
}

test('any input to any call is taken or refused in words, and never breaks anything', async () => {
  await using app = await startApp({ config: () => ({ log: { level: 'silent' } }) })
  await app.post('/v1/jobs', { jobid: 'j1' })
  await fc.assert(
    fc.asyncProperty(anyCall, async ({ operation, params, query, body: sent }) => {
      const { method } = operation
      const answer = await app.call(targetOf(operation, params, query), {
        method,
        ...(method !== 'GET' && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(sent),
        }),
      })
      expect(answer.status, answer.text).toBeLessThan(500)
      if (answer.status < 400) return
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(answer.json).toMatchObject({
        code: expect.stringMatching(/^[a-z_]+$/) as string,
        detail: expect.stringMatching(/./) as string,
      })
    }),
    { numRuns: 1500 },
  )
  await expectWell(app)
}, 120_000)

test('whatever comes instead of JSON is refused in words', async () => {
  await using app = await startApp()
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.constantFrom('{', '[]]', '{"a":1,}', '"', '\ufeff{}', '{"__proto__":{"a":1}}'),
        fc.integer({ min: 1000, max: 20_000 }).map((depth) => '['.repeat(depth)),
      ),
      async (text) => {
        const headers = { 'content-type': 'application/json' }
        const answer = await app.call('/v1/jobs', { method: 'POST', headers, body: text })
        expect(answer.status, text).toBeGreaterThanOrEqual(400)
        expect(answer.status, text).toBeLessThan(500)
      },
    ),
    { numRuns: 200 },
  )
  await expectWell(app)
})

test('any bytes on a connection are answered or cut off, and the next connection is served', async () => {
  await using app = await startApp()
  const line = fc.constantFrom(
    ...['GET / HTTP/1.1', 'GET /v1/jobs HTTP/9.9', 'POST /v1/jobs HTTP/1.1', 'PRI * HTTP/2.0', ''],
  )
  const header = fc.constantFrom(
    ...['Host: localhost', 'Content-Length: -1', 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ...['Transfer-Encoding: gzip, chunked', 'X: \u0000', ': nothing', 'Connection: close'],
  )
  const rest = fc.string({ unit: 'binary', maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(
      line,
      fc.array(header, { maxLength: 4 }),
      rest,
      async (first, headers, end) => {
        const text = `${[first, ...headers].join('\r\n')}\r\n\r\n${end}\r\n\r\n`
        const answer = await say(app.url, text)
        expect(answer).not.toMatch(/^HTTP\/1\.1 5/)
      },
    ),
    { numRuns: 60 },
  )
  expect((await callApi(`${app.url}/healthz`, {})).status).toBe(200)
}, 60_000)
