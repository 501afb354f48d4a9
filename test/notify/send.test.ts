import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { Agent } from 'undici'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { LoggedEvent } from '../../src/core/event.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Format } from '../../src/notify/format.ts'
import { createSend } from '../../src/notify/send.ts'
import type { Carrier } from '../../src/notify/send.ts'
import { webhook } from '../../src/notify/webhook.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const event: LoggedEvent = {
  seq: 7,
  id: 'abc123-7',
  type: 'job.failed',
  upstream: 'prod',
  jobid: 'j1',
  tags: [],
  text: '{"id":"abc123-7","type":"job.failed","name":"Straße 地図"}',
}

/** A receiver that does as it is told, and a sender for it. */
async function ground(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const http = new Agent()
  const send = createSend({
    clock: systemClock,
    userAgent: 'jobwatch/1.2.3',
    publicUrl: null,
    rootOf: () => null,
  })
  const carrier: Carrier = {
    http,
    mail: () => Promise.reject(new Error('nothing here goes by mail')),
    close: () => http.close(),
    destroy: () => http.destroy(),
  }
  return {
    url: `http://127.0.0.1:${port}/hook?key=canary`,
    attempt: (
      timeoutMs = 5000,
      url = `http://127.0.0.1:${port}/hook?key=canary`,
      format: Format = webhook,
    ) =>
      send(
        event,
        {
          name: 'ops',
          format,
          url: new Secret(url),
          headers: { 'X-Team': 'gis', 'user-agent': 'not this one' },
          secretsAt: () => [new Secret(secret)],
          timeoutMs,
          carrier,
        },
        null,
      ),
    async [Symbol.asyncDispose]() {
      await carrier.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('the request is the event as it is, signed so that a standard library verifies it', async () => {
  let got: { request: IncomingMessage; body: string } | undefined
  await using at = await ground((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      got = { request, body: Buffer.concat(chunks).toString('utf8') }
      response.writeHead(200).end('thanks')
    })
  })
  expect(await at.attempt()).toMatchObject({
    verdict: 'delivered',
    status: 200,
    error: null,
    answer: 'thanks',
  })
  expect(got?.request.method).toBe('POST')
  expect(got?.request.url).toBe('/hook?key=canary')
  expect(got?.body).toBe(event.text)
  const headers = got?.request.headers as Record<string, string>
  expect(headers).toMatchObject({
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'user-agent': 'jobwatch/1.2.3',
    'webhook-id': 'abc123-7',
    'x-team': 'gis',
  })
  expect(new Webhook(secret).verify(got?.body ?? '', headers)).toEqual(JSON.parse(event.text))
})

test.each([
  [204, 'delivered', null],
  [301, 'retry', 'redirect'],
  [307, 'retry', 'redirect'],
  [400, 'retry', 'status'],
  [410, 'endpoint_dead', 'status'],
  [500, 'retry', 'status'],
] as const)('HTTP %i is %s', async (status, verdict, error) => {
  let requests = 0
  await using at = await ground((_, response) => {
    requests += 1
    response.writeHead(status, { location: '/elsewhere' }).end()
  })
  expect(await at.attempt()).toMatchObject({ verdict, status, error })
  expect(requests).toBe(1)
})

test('Retry-After is read on every answer', async () => {
  await using at = await ground((_, response) => {
    response.writeHead(500, { 'retry-after': '90' }).end()
  })
  expect((await at.attempt()).retryAfterMs).toBe(90_000)
})

test('a receiver that hangs is a timeout', async () => {
  await using at = await ground(() => undefined)
  expect(await at.attempt(100)).toMatchObject({ verdict: 'retry', status: null, error: 'timeout' })
})

test('a receiver that takes the event and then drips its answer has taken it', async () => {
  await using at = await ground((_, response) => {
    response.writeHead(202)
    response.write('taken, and')
  })
  expect(await at.attempt(200)).toMatchObject({
    verdict: 'delivered',
    status: 202,
    answer: 'taken, and',
  })
})

test('of an endless answer no more than 4 KiB are kept', async () => {
  await using at = await ground((_, response) => {
    response.writeHead(500)
    const more = () => response.write('x'.repeat(16_384))
    response.on('drain', more)
    while (more());
  })
  const result = await at.attempt()
  expect(result.verdict).toBe('retry')
  expect(result.answer).toBe('x'.repeat(4096))
})

test('a receiver that resets the connection, or is not there, is told apart', async () => {
  await using at = await ground((request) => request.socket.resetAndDestroy())
  expect(await at.attempt()).toMatchObject({ verdict: 'retry', status: null, error: 'reset' })
  const nobody = await at.attempt(5000, 'http://127.0.0.1:1/')
  expect(nobody).toMatchObject({ verdict: 'retry', status: null, error: 'connect' })
  const noName = await at.attempt(5000, 'http://no-such-name.invalid/')
  expect(noName).toMatchObject({ verdict: 'retry', status: null, error: 'dns' })
})

test('an event that no form can be rendered of is a failed attempt that nothing was sent for', async () => {
  let requests = 0
  await using at = await ground((_, response) => {
    requests += 1
    response.writeHead(204).end()
  })
  const broken = (): never => {
    throw new Error('no such field')
  }
  const fault = 'it could not be rendered: no such field'
  for (const format of [
    { ...webhook, request: broken },
    { ...webhook, request: broken, plain: broken },
  ]) {
    expect(await at.attempt(5000, at.url, format)).toMatchObject({
      ...{ verdict: 'refused', status: null, error: 'status' },
      ...{ answer: fault, detail: fault },
    })
  }
  expect(requests).toBe(0)
})

test('what cannot be rendered as it should be goes out plain', async () => {
  await using at = await ground((_, response) => response.writeHead(204).end())
  const format: Format = {
    ...webhook,
    request: () => {
      throw new Error('no such field')
    },
    plain: (one) => webhook.request(one, { late: null, publicUrl: null, rootOf: () => null }),
  }
  expect(await at.attempt(5000, at.url, format)).toMatchObject({
    ...{ verdict: 'delivered', status: 204, error: null },
    detail: 'answered 204 (as plain text, since it could not be rendered: no such field)',
  })
})
