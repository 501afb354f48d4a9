import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import type { EventAnswer } from '../../src/http/schemas.ts'
import type { Received } from './bad-receiver.ts'
import type { DeliveryView } from './delivery-ground.ts'
import { deliveryFaults } from './delivery-invariants.ts'
import type { Trace } from './delivery-invariants.ts'

/* The verifier finds each fault that is planted, and none where there is none. */

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const begin = Math.floor(Date.now() / 1000) * 1000

function anEvent(seq: number): EventAnswer {
  return {
    specversion: '1.0',
    id: `abc-${seq}`,
    source: '/upstreams/prod/jobs/a',
    type: 'job.executing',
    subject: 'a',
    time: new Date(begin).toISOString(),
    datacontenttype: 'application/json',
    data: { seq, previousSeq: seq - 1 || null, change: { kind: 'status' } },
  }
}

function aRequest(seq: number, at: number, fields: Partial<Received> = {}): Received {
  const body = JSON.stringify(anEvent(seq))
  const timestamp = new Date(begin + at)
  const headers = {
    'webhook-id': `abc-${seq}`,
    'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(`abc-${seq}`, timestamp, body),
  }
  return {
    at: begin + at,
    method: 'POST',
    path: '/hook',
    headers,
    raw: Buffer.from(body),
    body,
    id: `abc-${seq}`,
    behaviour: 204,
    answeredAt: begin + at + 1,
    isSignedBy: (given) => given === secret,
    ...fields,
  }
}

function aDelivery(seq: number, state: DeliveryView['state'] = 'delivered'): DeliveryView {
  const at = new Date(begin).toISOString()
  return {
    ...{ id: seq, endpoint: 'ops', seq, type: 'job.executing', jobid: 'a', state },
    ...{ attemptCount: 1, nextAttemptAt: null, createdAt: at, deliveredAt: at },
  }
}

const failedFirst = [aRequest(1, 0, { behaviour: 503 }), aRequest(1, 90), aRequest(2, 200)]
const kept: Trace = {
  events: [anEvent(1), anEvent(2)],
  log: JSON.stringify({ items: [anEvent(1), anEvent(2)] }),
  received: failedFirst,
  deliveries: [aDelivery(1), aDelivery(2)],
  killedAt: [],
  matches: () => true,
  secret,
  stepMs: 100,
  maxAttempts: 11,
}
const twice = [...failedFirst, aRequest(2, 700)]
const [one, two, three] = failedFirst as [Received, Received, Received]

test.each<[what: string, change: Partial<Trace>, faults: string[]]>([
  ['nothing', {}, []],
  ['a kill before an answer was recorded', { received: twice, killedAt: [begin + 300] }, []],
  ['a kill between attempts', { stepMs: 500, killedAt: [begin + 20] }, []],
  [
    'one that failed after all its attempts',
    {
      received: [one, two],
      deliveries: [aDelivery(1), { ...aDelivery(2, 'failed'), attemptCount: 11 }],
    },
    [],
  ],
  ['a loss', { received: [one, two] }, ['abc-2 is not delivered: delivered']],
  ['one that nobody owes', { deliveries: [aDelivery(1)] }, ['abc-2 is not delivered: no delivery']],
  ['another log', { received: [...failedFirst, aRequest(3, 900)] }, ['abc-3 is not in the log']],
  ['what does not match', { matches: ({ data }) => data.seq !== 2 }, ['abc-2 does not match']],
  [
    'other bytes',
    { received: [one, two, { ...three, body: `${three.body} ` }] },
    ['abc-2 has other bytes than the log'],
  ],
  [
    'another secret',
    { secret: 'whsec_x' },
    Array.from([1, 1, 2], (n) => `abc-${n} is signed badly`),
  ],
  [
    'an old timestamp',
    { received: [one, two, { ...three, at: three.at + 9000 }] },
    ['abc-2 has the timestamp of another attempt'],
  ],
  ['impatience', { stepMs: 200 }, ['abc-1 was repeated after 90 ms']],
  ['a duplicate', { received: twice }, ['abc-2 was sent again after it was taken']],
  [
    'a duplicate long before a kill',
    { received: [...failedFirst, aRequest(2, 5000)], killedAt: [begin + 4000] },
    ['abc-2 was sent again after it was taken'],
  ],
  ['disorder', { received: [aRequest(2, 10), aRequest(1, 20)] }, ['abc-2 came before abc-1']],
])('of %s the verifier says so', (_, change, faults) => {
  expect(deliveryFaults({ ...kept, ...change })).toEqual(faults)
})
