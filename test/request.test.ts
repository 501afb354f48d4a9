import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { headerOf, RefusedAddress, sendRequest } from '../src/request.ts'
import type { HttpAnswer, HttpRequest } from '../src/request.ts'
import { FakeClock } from './helpers/fake-clock.ts'
import {
  closed,
  closedOrigin,
  drip,
  listen,
  pour,
  selfSignedCertificate,
  serveHttp,
  serveRaw,
} from './upstream/servers.ts'

const secretPath = '/secret-path/jobs/j-1?token=secret-token'

function anAgent(options: Agent.Options = {}): Agent {
  const agent = new Agent(options)
  onTestFinished(() => agent.destroy())
  return agent
}

/** Sends a request whose path and headers must not be told to anybody. */
function send(
  origin: string,
  fields: Partial<HttpRequest> = {},
  { dispatcher = anAgent(), clock = systemClock } = {},
): Promise<HttpAnswer> {
  return sendRequest(dispatcher, clock, {
    method: 'GET',
    url: new URL(secretPath, origin),
    headers: { authorization: 'Bearer secret-value' },
    timeoutMs: 10_000,
    maxBytes: 1_000_000,
    ...fields,
  })
}

function expectNothingSecret(answer: HttpAnswer): void {
  expect(answer.detail).toMatch(/^[^\r\n]+$/)
  expect(answer.detail).not.toContain('secret')
  expect(answer.detail).not.toMatch(/127\.0\.0\.1|https?:|gis\.example\.com/)
}

describe('a complete answer', () => {
  test('is its status, its headers and its body', async () => {
    const origin = await serveHttp((request, response) => {
      response.writeHead(418, { 'x-kind': 'teapot', 'set-cookie': ['a=1', 'b=2'] })
      response.end(`${request.method} ${request.url}`)
    })
    const answer = await send(origin)
    expect(answer).toMatchObject({ status: 418, error: null })
    expect(answer.body.toString()).toBe(`GET ${secretPath}`)
    expect(headerOf(answer, 'x-kind')).toBe('teapot')
    expect(headerOf(answer, 'set-cookie')).toBe('a=1, b=2')
    expect(headerOf(answer, 'x-none')).toBeUndefined()
  })

  test.each([204, 302, 404, 500, 503])('may have any status: %i', async (status) => {
    const origin = await serveHttp((_, response) => {
      response.writeHead(status).end()
    })
    expect(await send(origin)).toMatchObject({ status, error: null })
  })

  test('is not what comes before it on the way', async () => {
    const origin = await serveHttp((_, response) => {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('the answer')
    })
    const answer = await send(origin)
    expect(answer).toMatchObject({ status: 200, error: null })
    expect(answer.body.toString()).toBe('the answer')
    expect(headerOf(answer, 'link')).toBeUndefined()
  })

  test.each(['text', Buffer.from([0, 255, 10])])('answers a body that was sent', async (body) => {
    const origin = await serveHttp((request, response) => {
      request.pipe(response)
    })
    const answer = await send(origin, { method: 'POST', body })
    expect(answer.body).toEqual(Buffer.from(body))
  })
})

test('a redirect is an answer like another and is not followed', async () => {
  const paths: (string | undefined)[] = []
  const origin = await serveHttp((request, response) => {
    paths.push(request.url)
    response.writeHead(307, { location: '/elsewhere' }).end()
  })
  const answer = await send(origin)
  expect(answer).toMatchObject({ status: 307, error: null })
  expect(headerOf(answer, 'location')).toBe('/elsewhere')
  expect(paths).toEqual([secretPath])
})

describe('the deadline is for everything together', () => {
  test('and holds to the millisecond when no headers come', async () => {
    const clock = new FakeClock()
    let begin = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const origin = await serveHttp(begin)
    let isSettled = false
    const pending = send(origin, {}, { dispatcher: anAgent(), clock }).finally(() => {
      isSettled = true
    })
    await begun
    await clock.advance(9999)
    expect(isSettled).toBe(false)
    await clock.advance(1)
    const answer = await pending
    expect(answer).toMatchObject({ status: null, error: 'timeout' })
    expectNothingSecret(answer)
  })

  test('while the body drips in', async () => {
    const origin = await serveHttp((_, response) => {
      response.writeHead(200)
      drip(response)
    })
    const began = performance.now()
    const answer = await send(origin, { timeoutMs: 200 })
    expect(performance.now() - began).toBeLessThan(5000)
    expect(answer).toMatchObject({ status: 200, error: 'timeout' })
    expect(answer.body.toString().trim()).toBe('')
    expectNothingSecret(answer)
  })

  test('when the body stops midway', async () => {
    const origin = await serveHttp((_, response) => {
      response.writeHead(200, { 'content-length': '100', 'x-kind': 'half' })
      response.write('half of it')
    })
    const answer = await send(origin, { timeoutMs: 200 })
    expect(answer).toMatchObject({ status: 200, error: 'timeout' })
    expect(answer.body.toString()).toBe('half of it')
    expect(headerOf(answer, 'x-kind')).toBe('half')
  })

  test('when TLS is never agreed on', async () => {
    const silent = await serveRaw(() => undefined)
    const answer = await send(silent.replace('http:', 'https:'), { timeoutMs: 200 })
    expect(answer).toMatchObject({ status: null, error: 'timeout' })
    expectNothingSecret(answer)
  })

  test('when all connections are taken', async () => {
    const origin = await serveHttp(() => undefined)
    const dispatcher = anAgent({ connections: 1, pipelining: 1 })
    const answers = await Promise.all([
      send(origin, { timeoutMs: 200 }, { dispatcher, clock: systemClock }),
      send(origin, { timeoutMs: 100 }, { dispatcher, clock: systemClock }),
    ])
    expect(answers.map(({ error }) => error)).toEqual(['timeout', 'timeout'])
  })

  test('and lets go of the connection', async () => {
    const sockets: Socket[] = []
    const origin = await serveHttp((request, response) => {
      sockets.push(request.socket)
      response.writeHead(200)
      drip(response)
    })
    await send(origin, { timeoutMs: 100 })
    await closed(sockets[0])
  })
})

describe('the body', () => {
  test('may be as long as is allowed', async () => {
    const origin = await serveHttp((_, response) => response.end('x'.repeat(1000)))
    const answer = await send(origin, { maxBytes: 1000 })
    expect(answer).toMatchObject({ status: 200, error: null })
    expect(answer.body).toHaveLength(1000)
  })

  test('is read no further than that', async () => {
    const origin = await serveHttp((_, response) => response.end('x'.repeat(1001)))
    const answer = await send(origin, { maxBytes: 1000 })
    expect(answer).toMatchObject({ status: 200, error: 'too_large' })
    expect(answer.body.toString()).toBe('x'.repeat(1000))
    expectNothingSecret(answer)
  })

  test('without an end is let go of', async () => {
    const sockets: Socket[] = []
    const origin = await serveHttp((request, response) => {
      sockets.push(request.socket)
      pour(response)
    })
    const answer = await send(origin, { maxBytes: 100_000 })
    expect(answer).toMatchObject({ status: 200, error: 'too_large' })
    expect(answer.body).toHaveLength(100_000)
    await closed(sockets[0])
  })
})

describe('a cut answer keeps what had come', () => {
  const cuts: [string, string, string][] = [
    ['a body shorter than its length', 'Content-Length: 100\r\n\r\n{"a":1}', '{"a":1}'],
    ['chunks without a last one', 'Transfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n', '{"a":1}'],
    ['nothing of the body', 'Content-Length: 100\r\n\r\n', ''],
  ]

  test.each(cuts)('%s', async (_, rest, body) => {
    const origin = await serveRaw((socket) => {
      socket.end(`HTTP/1.1 200 OK\r\nX-Kind: cut\r\n${rest}`)
    })
    const answer = await send(origin)
    expect(answer).toMatchObject({ status: 200, error: 'reset' })
    expect(answer.body.toString()).toBe(body)
    expect(headerOf(answer, 'x-kind')).toBe('cut')
    expectNothingSecret(answer)
  })
})

describe('no answer', () => {
  test('because the name does not resolve is a matter of dns', async () => {
    const dispatcher = anAgent({
      connect: {
        lookup: (hostname, _options, callback) => {
          const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`)
          callback(Object.assign(error, { code: 'ENOTFOUND', hostname }), '', 4)
        },
      },
    })
    const answer = await send('http://gis.example.com', {}, { dispatcher, clock: systemClock })
    expect(answer).toMatchObject({ status: null, error: 'dns' })
    expectNothingSecret(answer)
  })

  test('because the connector may not connect says why, in its words', async () => {
    const dispatcher = anAgent({
      connect: (_, callback) => {
        callback(new RefusedAddress('10.1.2.3 is not allowed'), null)
      },
    })
    const answer = await send('http://gis.example.com', {}, { dispatcher, clock: systemClock })
    expect(answer).toMatchObject({
      status: null,
      error: 'refused_address',
      detail: '10.1.2.3 is not allowed',
    })
  })

  test('because nobody listens is a matter of connecting', async () => {
    const answer = await send(await closedOrigin())
    expect(answer).toMatchObject({ status: null, error: 'connect' })
    expectNothingSecret(answer)
  })

  test.each<[string, (socket: Socket) => void]>([
    ['reset', (socket) => socket.resetAndDestroy()],
    ['ended', (socket) => socket.end()],
  ])('because the connection is %s before the headers is a reset', async (_, cut) => {
    const answer = await send(await serveRaw(cut))
    expect(answer).toMatchObject({ status: null, error: 'reset' })
    expectNothingSecret(answer)
  })

  test.each<[string, string]>([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 abc OK\r\n\r\n'],
    ['a header that is none', 'HTTP/1.1 200 OK\r\nsecret header without a colon\r\n\r\n'],
    ['headers without measure', `HTTP/1.1 200 OK\r\nX-Secret: ${'secret'.repeat(40_000)}\r\n\r\n`],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ])('that is HTTP is malformed: %s', async (_, text) => {
    const answer = await send(await serveRaw((socket) => socket.end(text)))
    expect(answer).toMatchObject({ error: 'malformed' })
    expectNothingSecret(answer)
  })

  test('that is HTTP to its end is malformed, but its status is known', async () => {
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n'
    const answer = await send(await serveRaw((socket) => socket.end(text)))
    expect(answer).toMatchObject({ status: 200, error: 'malformed' })
    expectNothingSecret(answer)
  })

  test('to TLS from a server without it is a matter of TLS', async () => {
    const origin = await serveHttp((_, response) => response.end())
    const answer = await send(origin.replace('http:', 'https:'))
    expect(answer).toMatchObject({ status: null, error: 'tls' })
    expectNothingSecret(answer)
  })

  test('to a request that cannot be sent is a value too', async () => {
    const origin = await serveHttp((_, response) => response.end())
    const answer = await send(origin, { headers: { authorization: 'Bearer secret\nvalue' } })
    expect(answer.status).toBeNull()
    expect(answer.error).not.toBeNull()
    expectNothingSecret(answer)
  })

  test('to a request after the end of its dispatcher is a value too', async () => {
    const dispatcher = anAgent()
    await dispatcher.destroy()
    const answer = await send(await closedOrigin(), {}, { dispatcher, clock: systemClock })
    expect(answer.status).toBeNull()
    expect(answer.error).not.toBeNull()
    expectNothingSecret(answer)
  })
})

const certificate = selfSignedCertificate()

describe.skipIf(certificate === null)('a certificate', () => {
  async function serveHttps(): Promise<string> {
    const { key, cert } = certificate ?? { key: '', cert: '' }
    const server = createHttpsServer({ key, cert }, (_, response) => response.end('safe'))
    server.on('tlsClientError', () => undefined)
    return listen(server, 'https')
  }

  test('that nobody known has signed is a matter of TLS', async () => {
    const answer = await send(await serveHttps())
    expect(answer).toMatchObject({ status: null, error: 'tls' })
    expectNothingSecret(answer)
  })

  test('for another name is a matter of TLS', async () => {
    const dispatcher = anAgent({
      connect: { ca: certificate?.cert ?? '', servername: 'other.example.com' },
    })
    const answer = await send(await serveHttps(), {}, { dispatcher, clock: systemClock })
    expect(answer).toMatchObject({ status: null, error: 'tls' })
    expectNothingSecret(answer)
  })

  test('that is known is fine', async () => {
    const dispatcher = anAgent({ connect: { ca: certificate?.cert ?? '' } })
    const answer = await send(await serveHttps(), {}, { dispatcher, clock: systemClock })
    expect(answer).toMatchObject({ status: 200, error: null })
  })
})
