import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isTestEvent, verifyWebhook, WebhookError } from '../../src/client/webhooks.ts'
import type { WebhookBody, WebhookHeaders } from '../../src/client/webhooks.ts'
import { testEvent } from '../../src/core/event.ts'
import { Secret } from '../../src/core/secret.ts'
import { sign } from '../../src/notify/sign.ts'
import { noon } from '../helpers/builders.ts'
import { anEvent } from './answers.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const other = 'whsec_dGhlLW90aGVyLXNlY3JldC0xMjM0NTY='
const event = anEvent(1042, { type: 'job.failed', job: { title: 'Größe 🚀' } })
const text = JSON.stringify(event)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: noon })
})
afterEach(() => {
  vi.useRealTimers()
})

interface Sent {
  readonly body?: string
  readonly secrets?: readonly string[]
  readonly at?: number
}

/** The headers as Node's server has them when jobwatch has sent this. */
function headersOf({ body = text, secrets = [secret], at = noon }: Sent = {}) {
  const timestamp = Math.floor(at / 1000)
  const id = '7f3a9c-1042'
  return {
    host: 'hooks.example.com',
    'set-cookie': undefined,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': sign(
      { id, timestamp, body },
      secrets.map((one) => new Secret(one)),
    ),
  }
}

/** The code that verifying is refused with. */
function refusal(
  body: WebhookBody,
  headers: WebhookHeaders,
  secrets: string | readonly string[] = secret,
) {
  try {
    verifyWebhook(body, headers, secrets)
  } catch (error) {
    expect(error).toBeInstanceOf(WebhookError)
    const { name, code, message } = error as WebhookError
    expect(name).toBe('WebhookError')
    for (const one of [secret, other]) expect(message).not.toContain(one.slice(6, 14))
    return code
  }
  return expect.fail('was expected to be refused')
}

describe('a webhook of jobwatch', () => {
  const bytes = Buffer.from(text)

  test.each<[string, WebhookBody]>([
    ['text', text],
    ['a Buffer', bytes],
    ['an Uint8Array', new Uint8Array(bytes)],
    ['a view into a larger buffer', new Uint8Array(Buffer.from(`x${text}y`)).subarray(1, -1)],
  ])('is the event that was sent, whether its body is %s', (_, body) => {
    expect(verifyWebhook(body, headersOf(), secret)).toEqual(event)
  })

  test.each<[string, WebhookHeaders]>([
    ['as Node has them', headersOf()],
    ['as they were written', inTitleCase(headersOf())],
    ['a Headers', new Headers(Object.entries(headersOf()).filter(isGiven))],
  ])('is taken with headers %s', (_, headers) => {
    expect(verifyWebhook(text, headers, secret)).toEqual(event)
  })

  test('may be five minutes old or ahead, and no more', () => {
    for (const ms of [-300_000, 300_000]) {
      expect(verifyWebhook(text, headersOf({ at: noon + ms }), secret)).toEqual(event)
    }
    expect(refusal(text, headersOf({ at: noon - 301_000 }))).toBe('too_old')
    expect(refusal(text, headersOf({ at: noon + 301_000 }))).toBe('too_new')
  })

  test('that tries the endpoint out is known by that', () => {
    const { text: body } = testEvent('my-software', 'test-1', noon)
    const tried = verifyWebhook(body, headersOf({ body }), secret)
    expect(tried).toMatchObject({ type: 'jobwatch.test', data: { seq: null } })
    expect(isTestEvent(tried)).toBe(true)
    expect(isTestEvent(verifyWebhook(text, headersOf(), secret))).toBe(false)
  })
})

describe('while one secret replaces another', () => {
  const both = headersOf({ secrets: [other, secret] })

  test('what both have signed is taken with either', () => {
    expect(verifyWebhook(text, both, secret)).toEqual(event)
    expect(verifyWebhook(text, both, other)).toEqual(event)
  })

  test('several secrets take what one of them has signed', () => {
    for (const one of [secret, other]) {
      expect(verifyWebhook(text, headersOf({ secrets: [one] }), [other, secret])).toEqual(event)
    }
  })
})

describe('refused is', () => {
  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('what lacks %s', (name) => {
    expect(refusal(text, { ...headersOf(), [name]: undefined })).toBe('missing_header')
    expect(refusal(text, { ...headersOf(), [name]: '' })).toBe('missing_header')
    const headers = new Headers(Object.entries(headersOf()).filter(isGiven))
    headers.delete(name)
    expect(refusal(text, headers)).toBe('missing_header')
  })

  test.each<[string, WebhookBody, object]>([
    ['an altered body', text.replace('job.failed', 'job.completed'), {}],
    ['a body with a mark before it', `\ufeff${text}`, {}],
    ['a body that is no text', Buffer.concat([Buffer.from(text), Buffer.from([0xff])]), {}],
    ['an empty body', '', {}],
    ['another id', text, { 'webhook-id': '7f3a9c-1043' }],
    ['another time', text, { 'webhook-timestamp': String(noon / 1000 - 1) }],
    ['a time that is none', text, { 'webhook-timestamp': 'now' }],
    ['a signature of another version', text, { 'webhook-signature': 'v2,aaaa' }],
    ['a signature that is none', text, { 'webhook-signature': 'v1' }],
  ])('%s', (_, body, headers) => {
    expect(refusal(body, { ...headersOf(), ...headers })).toBe('bad_signature')
  })

  test('what was signed with another secret', () => {
    expect(refusal(text, headersOf({ secrets: [other] }))).toBe('bad_signature')
    expect(refusal(text, headersOf(), [other])).toBe('bad_signature')
  })

  test.each(['', 'hello', '[]', '{"type":"job.failed"}', '{"data":{"seq":1}}', 'null'])(
    '%j, which is signed and no event',
    (body) => {
      expect(refusal(body, headersOf({ body }))).toBe('not_an_event')
    },
  )
})

describe('nothing is verified', () => {
  test.each<[string, string | readonly string[], RegExp]>([
    ['without a secret', [], /no secret/],
    ['with an empty secret', '', /must be whsec_/],
    ['with a secret that is no base64', 'whsec_so-$ecret!', /must be whsec_/],
  ])('%s, which is a mistake of the receiver', (_, secrets, message) => {
    const verify = () => verifyWebhook(text, headersOf(), secrets)
    expect(verify).toThrow(TypeError)
    expect(verify).toThrow(message)
    expect(verify).not.toThrow('$ecret')
  })

  test('once a framework has parsed the body', () => {
    const parsed = event as unknown as string
    expect(() => verifyWebhook(parsed, headersOf(), secret)).toThrow(/as it came in/)
  })
})

function inTitleCase(headers: object): Record<string, string> {
  const entries = Object.entries(headers).filter(isGiven)
  return Object.fromEntries(
    entries.map(([name, value]) => [name.replace(/^w|-./g, (one) => one.toUpperCase()), value]),
  )
}

function isGiven(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string'
}
