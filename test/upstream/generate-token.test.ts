import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { HttpAnswer } from '../../src/request.ts'
import {
  classifyTokenAnswer,
  tokenForm,
} from '../../src/upstream/enterprise-admin/generate-token.ts'
import type { TokenAnswer } from '../../src/upstream/token.ts'
import { anyJson, anyText } from '../core/arbitraries.ts'
import { noon } from '../helpers/builders.ts'
import { anAnswer, envelopes, gatewayPage, signInPage } from './answers.ts'

const hour = 3_600_000

function classify(body: unknown, fields: Partial<HttpAnswer> = {}): TokenAnswer {
  return classifyTokenAnswer(anAnswer(body, fields), { expirationMs: hour, now: noon })
}

function expiryOf(expires: unknown): number | null {
  const answer = classify({ token: 'T', expires })
  if (answer.outcome !== 'token') throw new Error('no token')
  return answer.expiresAt
}

describe('the form of a token request', () => {
  test('names the account, binds the token to the referer, and asks for JSON', () => {
    const form = tokenForm({
      username: 'jobwatch',
      password: 'p&ss=wörd +%',
      referer: 'https://jobwatch.example.com',
      expirationMs: hour,
    })
    expect(Object.fromEntries(new URLSearchParams(form))).toEqual({
      username: 'jobwatch',
      password: 'p&ss=wörd +%',
      client: 'referer',
      referer: 'https://jobwatch.example.com',
      expiration: '60',
      f: 'json',
    })
  })

  test.each([
    [hour, '60'],
    [90_000, '2'],
    [20, '1'],
    [14 * 24 * hour, '20160'],
  ])('asks for %i ms in whole minutes: %s', (expirationMs, minutes) => {
    const credentials = { username: 'u', password: 'p', referer: 'r' }
    const form = new URLSearchParams(tokenForm({ ...credentials, expirationMs }))
    expect(form.get('expiration')).toBe(minutes)
  })
})

describe('a token', () => {
  test('comes with the moment at which it expires', () => {
    expect(classify({ token: 'T', expires: noon + 2 * hour, ssl: true })).toEqual({
      outcome: 'token',
      token: 'T',
      expiresAt: noon + 2 * hour,
    })
  })

  test.each<[string, unknown, number]>([
    ['a number', noon + 2 * hour, noon + 2 * hour],
    ['a text, as the pages of the server have it', String(noon + 2 * hour), noon + 2 * hour],
    ['less than what was asked for', noon + 60_000, noon + 60_000],
    ['the most there is, 14 days', noon + 336 * hour, noon + 336 * hour],
  ])('expires when the answer says: %s', (_, expires, at) => {
    expect(expiryOf(expires)).toBe(at)
  })

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['words', 'tomorrow'],
    ['an empty text', ''],
    ['an object', {}],
    ['zero', 0],
    ['negative', -5],
    ['now', noon],
    ['past', noon - hour],
    ['in seconds', (noon + hour) / 1000],
    ['of 14 digits', (noon + hour) * 10],
    ['of 14 digits in a text', String((noon + hour) * 10)],
    ['years ahead', noon + 1000 * 24 * hour],
    ['beyond all numbers', '9'.repeat(400)],
  ])('whose expiry is %s is used for half of what was asked for', (_, expires) => {
    expect(expiryOf(expires)).toBe(noon + hour / 2)
  })
})

describe('no token comes from', () => {
  test('wrong credentials, and that is about the account', () => {
    const body = {
      error: {
        code: 400,
        message: 'Unable to generate token.',
        details: ['Invalid username or password.'],
      },
    }
    const answer = classify(body)
    expect(answer).toMatchObject({ outcome: 'failed', failure: 'auth' })
    expect(answer.outcome === 'failed' && answer.detail).toContain('Unable to generate token.')
  })

  test.each(envelopes)('a refusal in %s', (_, envelope) => {
    expect(classify(envelope(400, 'Unable to generate token.'))).toMatchObject({ failure: 'auth' })
    expect(classify(envelope('400', 'No.'))).toMatchObject({ failure: 'auth' })
    expect(classify(envelope(498, 'Invalid token.'))).toMatchObject({ failure: 'auth' })
    expect(classify(envelope(403, 'No.'))).toMatchObject({ failure: 'denied' })
    expect(classify(envelope(500, 'No.'))).toMatchObject({ failure: 'transient' })
    expect(classify(envelope(404, 'No such operation.'))).toMatchObject({ failure: 'protocol' })
  })

  test.each<[string, unknown, Partial<HttpAnswer>, string]>([
    ['a gateway without a portal behind it', gatewayPage, { status: 502 }, 'transient'],
    ['a portal that is restarting', gatewayPage, { status: 503 }, 'transient'],
    ['a server error in JSON', { note: 'x' }, { status: 500 }, 'transient'],
    ['a sign-in page', signInPage, {}, 'auth'],
    ['an answer without a token', { ssl: true }, {}, 'protocol'],
    ['an empty token', { token: '', expires: noon + hour }, {}, 'protocol'],
    ['a token that is no text', { token: 7, expires: noon + hour }, {}, 'protocol'],
    ['an empty object', {}, {}, 'protocol'],
    ['null', 'null', {}, 'protocol'],
    ['a list', [], {}, 'protocol'],
    ['an empty body', '', {}, 'protocol'],
    ['no such address', { note: 'x' }, { status: 404 }, 'protocol'],
    [
      'a token with an error status',
      { token: 'T', expires: noon + hour },
      { status: 500 },
      'transient',
    ],
    ['an OAuth answer', { access_token: 'T', expires_in: 7200 }, {}, 'protocol'],
    ['no answer', '', { status: null, error: 'timeout', detail: 'late' }, 'transient'],
    ['a cut answer', '{"token":"T"', { error: 'reset', detail: 'cut' }, 'transient'],
  ])('%s', (_, body, fields, failure) => {
    expect(classify(body, fields)).toMatchObject({ outcome: 'failed', failure })
  })

  test.each([
    ['Invalid username or password.', 'auth', true],
    ['Ungültiger Benutzername oder ungültiges Kennwort.', 'auth', undefined],
    ['The identity store is not available. Try again later.', 'transient', undefined],
    ['The request timed out.', 'transient', undefined],
  ])('that is refused with code 400 and "%s" is %s', (details, failure, badCredentials) => {
    const answer = classify({
      error: { code: 400, message: 'Unable to generate token.', details: [details] },
    })
    expect(answer).toMatchObject({ failure, detail: expect.stringContaining(details) as string })
    expect(answer.outcome === 'failed' && answer.badCredentials).toBe(badCredentials)
  })

  test('an endpoint that asks for patience, which is told for how long', () => {
    expect(classify(gatewayPage, { status: 429, headers: { 'retry-after': '30' } })).toMatchObject({
      failure: 'throttled',
      retryAfterMs: 30_000,
    })
  })

  test('a redirect, whose query is not told', () => {
    const headers = { location: 'https://id.example.com/sign-in?state=the-state' }
    const answer = classify('', { status: 302, headers })
    expect(answer).toMatchObject({ outcome: 'failed', failure: 'auth' })
    expect(JSON.stringify(answer)).not.toContain('the-state')
  })
})

test('the answers that token endpoints are known to give are told apart', () => {
  const file = new URL('../fixtures/traces/token-responses.json', import.meta.url)
  const entries = JSON.parse(readFileSync(file, 'utf8')) as { httpStatus: number; body: unknown }[]
  const now = 1_760_000_000_000
  const answers = entries.map(({ httpStatus, body }) =>
    classifyTokenAnswer(anAnswer(body, { status: httpStatus }), { expirationMs: hour, now }),
  )
  expect(answers).toMatchObject([
    { outcome: 'token', token: 'PLACEHOLDER-TOKEN-1', expiresAt: 1_760_003_600_000 },
    { outcome: 'token', token: 'PLACEHOLDER-TOKEN-2', expiresAt: 1_760_003_600_000 },
    { outcome: 'failed', failure: 'protocol' },
    { outcome: 'failed', failure: 'auth' },
    { outcome: 'failed', failure: 'auth' },
    { outcome: 'failed', failure: 'transient' },
  ])
})

test('no answer is too odd, and a token that is taken can be used for a while', () => {
  const body = fc.oneof(
    anyText,
    anyJson.map((value) => JSON.stringify(value)),
    fc.record({ token: anyJson, expires: fc.oneof(anyJson, fc.double(), fc.maxSafeInteger()) }),
  )
  fc.assert(
    fc.property(body, fc.constantFrom(200, 200, 302, 400, 500), (given, status) => {
      const answer = classify(given, { status })
      if (answer.outcome !== 'token') return
      expect(answer.token).not.toBe('')
      expect(answer.expiresAt).toBeGreaterThan(noon)
      expect(answer.expiresAt).toBeLessThan(noon + 20 * 24 * hour)
    }),
  )
})
