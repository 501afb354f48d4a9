import { connect } from 'node:net'
import { request } from 'undici'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { redirectTo, startBadReceiver } from './bad-receiver.ts'
import type { Behaviour } from './bad-receiver.ts'
import { until } from './ground.ts'

/* The receiver that the proofs of delivery rest on does what it says. */

/** What a plain socket gets to see of the answer to one POST, until it has seen enough. */
async function answerTo(origin: string, isEnough: (text: string, isOver: boolean) => boolean) {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  let text = ''
  let over: 'ended' | 'reset' | null = null
  socket.setEncoding('latin1')
  socket.on('data', (data: string) => (text += text.length < 200_000 ? data : ''))
  socket.on('error', () => (over = 'reset'))
  socket.on('end', () => (over ??= 'ended'))
  socket.write('POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}')
  await until(() => isEnough(text, over !== null))
  socket.destroy()
  return { text, over }
}

test.each<[Behaviour, RegExp, 'ended' | 'reset' | null]>([
  ['reset', /^$/, 'reset'],
  ['reset-in-body', /200 OK[^]*length: 1000[^]*\r\n\r\nhalf$/, 'reset'],
  ['length-too-long', /200 OK[^]*length: 1000[^]*\r\n\r\nshort$/, 'ended'],
  ['length-too-short', /length: 2\r\n\r\nfar more than two$/, null],
  ['drip-headers', /200 OK\r\n(x-drip: drop\r\n){3,}$/, null],
  ['drip-body', /200 OK[^]*\r\n\r\n(1\r\n\.\r\n){3,}$/, null],
  [redirectTo(307, 'http://elsewhere/'), /307 Temp[^]*location: http:\/\/elsewhere\//, null],
  [{ status: 503, headers: { 'retry-after': '7' } }, /503 Serv[^]*retry-after: 7/, null],
  [{ status: 200, body: 'invalid_payload', afterMs: 30 }, /200 OK[^]*invalid_payload/, null],
])('%j shows on the wire', async (behaviour, shows, over) => {
  await using receiver = await startBadReceiver()
  receiver.will(behaviour)
  const answer = await answerTo(receiver.origin, (text, isOver) =>
    over === null ? shows.test(text) : isOver,
  )
  expect(answer.over).toBe(over)
  expect(answer.text).toMatch(shows)
})

test('an endless body goes on for as long as it is taken', async () => {
  await using receiver = await startBadReceiver()
  receiver.will('endless-body')
  const { text } = await answerTo(receiver.origin, (soFar) => soFar.length >= 200_000)
  expect(text.slice(0, 15)).toBe('HTTP/1.1 200 OK')
})

test('a request is kept as it came, and verified by an independent library', async () => {
  await using receiver = await startBadReceiver()
  receiver.will('hang', 503, 204)
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const other = 'whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc='
  const body = '{"a":"é—😀"}'
  const at = new Date()
  const headers = {
    'webhook-id': 'a-1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('a-1', at, body),
  }
  const post = () => request(receiver.url, { method: 'POST', headers, body })
  const hanging = post().catch(() => 'closed')
  await until(() => receiver.received.length === 1)
  expect([(await post()).statusCode, (await post()).statusCode]).toEqual([503, 204])

  await until(() => receiver.received[2]?.answeredAt !== null)
  expect(receiver.received.map(({ answeredAt }) => answeredAt !== null)).toEqual([
    false,
    true,
    true,
  ])
  for (const one of receiver.received) {
    expect(one).toMatchObject({ method: 'POST', path: '/hook', id: 'a-1', body })
    expect([one.isSignedBy(secret), one.isSignedBy(other)]).toEqual([true, false])
  }
  await receiver[Symbol.asyncDispose]()
  expect(await hanging).toBe('closed')
})
