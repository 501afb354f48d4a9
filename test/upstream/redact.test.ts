import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedaction } from '../../src/upstream/enterprise-admin/redact.ts'
import { anyJson, anyText } from '../core/arbitraries.ts'
import { anAnswer, signInPage } from './answers.ts'

const known = {
  username: 'jobwatch-canary',
  password: 'pässword & "canary"/1',
  token: 'tOkEn_canary-0123456789+/=',
  root: 'https://gis-canary.example.com:7443/gis/admin',
  otherUrls: ['https://portal-canary.example.org/gis/sharing/rest/generateToken'],
}
const { text, body } = createRedaction(known)
const canaries = [
  known.username,
  known.password,
  known.token,
  'gis-canary.example.com',
  'portal-canary.example.org',
]

/** The ways in which an upstream may say something back. */
const spellings: readonly (readonly [string, (value: string) => string])[] = [
  ['as it is', (value) => value],
  ['URL-encoded', encodeURIComponent],
  ['URL-encoded in lower case', (value) => encodeURIComponent(value).toLowerCase()],
  ['as a form has it', (value) => new URLSearchParams({ value }).toString().slice(6)],
  ['as JSON', (value) => JSON.stringify(value).slice(1, -1)],
  [
    'as JSON of ASCII',
    (value) =>
      value.replace(/./g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ],
  [
    'as HTML',
    (value) => value.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('/', '&#x2F;'),
  ],
  ['in base64', (value) => Buffer.from(value).toString('base64')],
  ['in base64 for URLs', (value) => Buffer.from(value).toString('base64url')],
  ['in hexadecimal', (value) => Buffer.from(value).toString('hex')],
]

describe.each(spellings)('what is known to be secret, %s,', (_, spell) => {
  test.each(canaries)('%s: is nowhere', (canary) => {
    const said = spell(canary)
    expect(text(`before ${said} after`)).not.toContain(said)
    expect(text(`x${said}y`)).not.toContain(said)
    expect(body(anAnswer({ message: `no ${said}`, [said]: [said] }))).not.toContain(said)
    expect(body(anAnswer(`<html><a href="/${said}">${said}</a></html>`))).not.toContain(said)
  })
})

test('no JSON brings a secret through, wherever it stands in it', () => {
  const canary = fc.constantFrom(...canaries.flatMap((value) => [value, encodeURIComponent(value)]))
  const said = fc.tuple(anyText, canary, anyText).map((parts) => parts.join(''))
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      said,
      anyJson,
      fc.array(tie('value')),
      fc.dictionary(fc.oneof(said, anyText), tie('value')),
    ),
  })).value
  fc.assert(
    fc.property(value, (json) => {
      const shown = body(anAnswer(JSON.stringify(json)))
      for (const one of canaries) {
        expect(shown).not.toContain(one)
        expect(shown).not.toContain(encodeURIComponent(one))
      }
    }),
    { numRuns: 500 },
  )
})

test('a token is hidden by the name of its field, known or not', () => {
  const shown = body(
    anAnswer({
      token: 'aaa',
      access_token: 'bbb',
      refreshToken: { value: 'ccc', tries: 4321 },
      Password: ['ddd'],
      clientSecret: 9876,
      ssl: true,
    }),
  )
  expect(shown).not.toMatch(/aaa|bbb|ccc|ddd|4321|9876/)
  expect(shown).toContain('"ssl": true')
})

test.each([
  ['in a link', '<a href="?token=abc123&f=json">x</a>'],
  ['in a form', '<input type="hidden" name="token" value="abc123">'],
  ['in a script', "var token = 'abc123';"],
  ['in JSON that broke off', '{"token":"abc123'],
  ['in JSON with a name that ends so', '{"access_token" : "abc123", '],
])('a token that nobody knows is hidden %s', (_, page) => {
  expect(body(anAnswer(page))).not.toContain('abc123')
})

test.each([
  'https://gis-canary.example.com/gis/admin/jobs/j-1?f=json&token=abc123',
  'tried with access_token=abc123.',
  '{"code":400,"token":"abc123"}',
])('a token that nobody knows is hidden in a text of JSON: %s', (message) => {
  expect(body(anAnswer({ message }))).not.toContain('abc123')
})

test('what is only said of tokens stays', () => {
  for (const said of ['Invalid token: Token Expired.', 'Token Required', 'session has ended']) {
    expect(text(said)).toBe(said)
  }
})

test('what looks like a token is hidden without a name', () => {
  const unknown = 'Zx9_'.repeat(20)
  expect(text(`here: ${unknown}.`)).not.toContain(unknown)
  const job = 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d'
  expect(text(`Job '${job}' was not found.`)).toContain(job)
  expect(text('gis_services_and_other_components_of_everything')).not.toContain('hidden')
})

test('users are told apart from the account that asks, and no more', () => {
  expect(JSON.parse(body(anAnswer({ username: 'Jobwatch-Canary' })))).toEqual({
    username: '[username]',
  })
  expect(JSON.parse(body(anAnswer({ username: 'alice', owner: 'bob' })))).toEqual({
    username: '[other-user]',
    owner: '[other-user]',
  })
  expect(text('ask alice@example.net')).not.toContain('alice')
})

test('a short user name is hidden as a word, not inside of other words', () => {
  const short = createRedaction({ ...known, username: 'admin' })
  expect(short.text('admin is no administrator')).toBe('[username] is no administrator')
})

test('a user name that is a part of the root is shown there, where it tells nothing', () => {
  const { text: shown } = createRedaction({ ...known, username: 'admin' })
  expect(shown('/gis/admin/services/edit by admin')).toBe('/gis/admin/services/edit by [username]')
  expect(shown('/gis/sharing/admin')).toBe('/gis/sharing/[username]')
})

test('hosts are hidden, those of the same domain and unknown ones too; paths are not', () => {
  expect(text('https://gis-canary.example.com:7443/gis/admin/jobs')).toBe(
    'https://[host]/gis/admin/jobs',
  )
  expect(text('at GIS-CANARY.example.com')).toBe('at [host]')
  expect(text('http://elsewhere.test:8080/login')).toBe('http://[other-host]/login')
  expect(text('https%3A%2F%2Felsewhere.test%2Flogin')).not.toContain('elsewhere')
  expect(text('https://me:pw@gis-canary.example.com/x')).not.toMatch(/me|pw/)
  expect(text('node-3.internal.example.com is down')).toBe('[other-host] is down')
  expect(text('no route to 10.20.30.40')).not.toContain('10.20')
  expect(JSON.parse(body(anAnswer({ machineName: 'POD-7' })))).toEqual({
    machineName: '[other-host]',
  })
})

test('a host of one label is hidden as well', () => {
  const local = createRedaction({ ...known, root: 'http://localhost:7443/gis/admin' })
  expect(local.text('http://localhost:7443/gis/admin, or localhost')).toBe(
    'http://[host]/gis/admin, or [host]',
  )
  const six = createRedaction({ ...known, root: 'http://[fd00::7]:7443/gis/admin' })
  expect(six.text('http://[fd00::7]:7443/gis/admin')).toBe('http://[host]/gis/admin')
})

test('what a report is for is left as it was', () => {
  const document = {
    jobid: 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c',
    status: 'EXECUTING',
    updatedtime: 17_589_149_904_641,
    endtime: 0,
    starttime: '1758914989457',
    operationURI: '/gis/admin/services/Hydrants.MapServer/edit',
    progress: { stages: [{ name: 'validating', state: 'In Progress' }] },
    messages: [{ code: 201004, message: 'Datenbank läuft 地図', when: null }],
    result: { credentialUpdateOnly: true },
  }
  expect(JSON.parse(body(anAnswer(document)))).toEqual(document)
})

test('a field that is named as the prototype is, is only a field', () => {
  expect(body(anAnswer('{"__proto__":{"status":"x"}}'))).toContain('"__proto__"')
})

describe('what is long is cut where one sees it:', () => {
  test('a text', () => {
    const shown = body(anAnswer(`<html>${'word '.repeat(5000)}</html>`))
    expect(shown.length).toBeLessThan(2300)
    expect(shown).toMatch(/… \(cut here\)$/)
  })

  test('a list', () => {
    const jobs = Array.from({ length: 300 }, (_, index) => `j-${index}`)
    const shown = body(anAnswer({ jobs, next: 'after' }))
    expect(shown).toMatch(/… \d+ more/)
    expect(shown).toContain('"after"')
  })

  test('a document with much in it', () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`key${n}`, 'x'.repeat(99)]),
    )
    const shown = body(anAnswer({ result: many }))
    expect(shown.length).toBeLessThan(2300)
    expect(shown).toMatch(/… \(cut here\)$/)
  })

  test('a secret that reaches over the cut', () => {
    for (let lead = 1900; lead < 2100; lead += 1) {
      expect(body(anAnswer(`${' -'.repeat(lead / 2)}${known.password}`))).not.toContain('pässw')
    }
  })

  test.each(['a', 'a.', '1.', '@a', ' ', '\n', 'token=a,', 'tokentoken', 'value="', 'example.'])(
    'a text without an end that repeats %j',
    (part) => {
      const endless = part.repeat(4_000_000 / part.length)
      expect(body(anAnswer(endless)).length).toBeLessThan(2300)
      expect(body(anAnswer({ message: endless })).length).toBeLessThan(2300)
    },
  )

  test('what is nested without an end', () => {
    const depth = 50_000
    expect(body(anAnswer('['.repeat(depth) + ']'.repeat(depth)))).toContain('…')
  })
})

test('a page stays a page, and bytes that are no text are counted only', () => {
  expect(body(anAnswer(signInPage))).toContain('<title>Sign In</title>')
  expect(body(anAnswer(Buffer.from([0x1f, 0x8b, 0xff, 0xfe])))).toBe('(4 bytes that are no text)')
  expect(body(anAnswer(''))).toBe('')
})
