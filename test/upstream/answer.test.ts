import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { FailureKind } from '../../src/core/observation.ts'
import type { HttpAnswer, RequestError } from '../../src/request.ts'
import { classifyJobAnswer } from '../../src/upstream/enterprise-admin/answer.ts'
import { fingerprintOf } from '../../src/upstream/fingerprint.ts'
import type { Look } from '../../src/upstream/upstream.ts'
import { anyJson, anyText } from '../core/arbitraries.ts'
import { noon } from '../helpers/builders.ts'
import { anAnswer, envelopes, gatewayPage, signInPage } from './answers.ts'

const jobid = 'j-1'
const document = { jobid, status: 'EXECUTING', username: 'siteadmin' }

function lookAt(
  body: unknown,
  fields: Partial<HttpAnswer> = {},
  known: string | null = null,
): Look {
  return classifyJobAnswer(anAnswer(body, fields), { jobid, known, now: noon })
}

/** The kind of a look: `seen`, `same`, `missing`, or the kind of its failure. */
function kindOf(look: Look): string {
  return look.outcome === 'failed' ? look.failure : look.outcome
}

function detailOf(look: Look): string {
  return 'detail' in look ? look.detail : ''
}

describe('a job document', () => {
  test('is seen, and kept verbatim with its fingerprint', () => {
    const text = JSON.stringify(document, null, 2)
    const look = lookAt(text)
    if (look.outcome !== 'seen') throw new Error(`the look was ${kindOf(look)}`)
    expect(look.document).toBe(text)
    expect(look.fingerprint).toBe(fingerprintOf(text))
    expect(look.snapshot).toMatchObject({ status: 'EXECUTING', username: 'siteadmin' })
  })

  test('may carry its id as jobId', () => {
    expect(kindOf(lookAt({ jobId: jobid, status: 'EXECUTING' }))).toBe('seen')
  })

  test('that is the known one to the letter is the same', () => {
    const text = JSON.stringify(document)
    expect(lookAt(text, {}, fingerprintOf(text))).toEqual({ outcome: 'same' })
    expect(kindOf(lookAt(text, {}, fingerprintOf(`${text} `)))).toBe('seen')
  })

  test('that is the known one is the same only when the answer is a good one', () => {
    const text = JSON.stringify(document)
    const known = fingerprintOf(text)
    expect(kindOf(lookAt(text, { status: 500 }, known))).toBe('transient')
    expect(kindOf(lookAt(text, { error: 'reset', detail: 'cut' }, known))).toBe('transient')
    const compressed = { headers: { 'content-encoding': 'gzip' } }
    expect(kindOf(lookAt(text, compressed, known))).toBe('protocol')
  })

  test('may begin with a byte order mark', () => {
    const look = lookAt(`\ufeff${JSON.stringify(document)}`)
    if (look.outcome !== 'seen') throw new Error(`the look was ${kindOf(look)}`)
    expect(look.document).toBe(JSON.stringify(document))
  })

  test('may have failed: the words FAILED and error in it are no error answer', () => {
    expect(kindOf(lookAt({ jobid, status: 'FAILED', messages: ['Token Expired.'] }))).toBe('seen')
    const result = { status: 'error', code: 498, messages: ['Invalid token.'] }
    expect(kindOf(lookAt({ jobid, status: 'COMPLETED', result }))).toBe('seen')
  })

  test.each<[string, unknown]>([
    ['of another job', { ...document, jobid: 'j-2' }],
    ['of a job whose id differs in case', { ...document, jobid: 'J-1' }],
    ['without an id', { status: 'EXECUTING' }],
    ['without a status', { jobid }],
    ['with a status that is a number', { jobid, status: 3 }],
    ['with a status that is null', { jobid, status: null }],
  ])('%s is a protocol failure', (_, body) => {
    expect(kindOf(lookAt(body))).toBe('protocol')
  })
})

describe.each(envelopes)('%s', (_, envelope) => {
  test.each<[number, FailureKind | 'missing']>([
    [401, 'auth'],
    [498, 'auth'],
    [499, 'auth'],
    [403, 'denied'],
    [404, 'missing'],
    [429, 'throttled'],
    [500, 'transient'],
    [502, 'transient'],
    [503, 'transient'],
    [504, 'transient'],
    [400, 'transient'],
    [0, 'transient'],
  ])('with code %i is %s, as a number and as a text, with HTTP 200 and its own', (code, kind) => {
    const answers: [unknown, Partial<HttpAnswer>][] = [
      [envelope(code, 'So it is.'), {}],
      [envelope(String(code), 'So it is.'), {}],
    ]
    if (code >= 400) answers.push([envelope(code, 'So it is.'), { status: code }])
    for (const [body, fields] of answers) {
      const look = lookAt(body, fields)
      expect(kindOf(look)).toBe(kind)
      if (code !== 429) expect(detailOf(look)).toContain('So it is.')
    }
  })

  test('with code 403 and an upgrade in progress is only for a time', () => {
    for (const message of ['Upgrade in progress.', 'upgrade in progress', 'UPGRADE IN PROGRESS!']) {
      expect(kindOf(lookAt(envelope(403, message)))).toBe('transient')
      expect(kindOf(lookAt(envelope('403', message), { status: 403 }))).toBe('transient')
    }
  })

  test.each<[number, string]>([
    [401, 'auth'],
    [498, 'auth'],
    [499, 'auth'],
    [403, 'denied'],
    [404, 'missing'],
    [503, 'transient'],
  ])('without a code is what HTTP %i says: %s', (status, kind) => {
    expect(kindOf(lookAt(envelope(undefined, 'So it is.'), { status }))).toBe(kind)
  })

  test('without a code and with HTTP 200 is transient', () => {
    expect(kindOf(lookAt(envelope(undefined, 'So it is.')))).toBe('transient')
  })

  test('with code 429 or 503 and Retry-After is throttled for so long', () => {
    for (const code of [429, 503]) {
      const headers = { 'retry-after': '30' }
      expect(lookAt(envelope(code, 'Wait.'), { headers })).toMatchObject({
        failure: 'throttled',
        retryAfterMs: 30_000,
      })
    }
  })

  test('tells in one line what was said', () => {
    const detail = detailOf(lookAt(envelope(500, 'first\r\nsecond\u2028third')))
    expect(detail).not.toMatch(/[\r\n\u2028\u2029]/)
    expect(detail).toContain('first')
    expect(detailOf(lookAt(envelope(500, 'x'.repeat(100_000)))).length).toBeLessThan(1000)
  })
})

describe('an error envelope', () => {
  test.each<[string, unknown, string]>([
    [
      'with details that are null',
      { error: { code: 500, message: 'JSONObject["supportBDSBackup"] not found.', details: null } },
      'transient',
    ],
    ['without details', { error: { code: 498, message: 'Invalid token.' } }, 'auth'],
    ['without a message', { error: { code: 498 } }, 'auth'],
    ['with details alone', { error: { code: 499, details: ['Token Required'] } }, 'auth'],
    ['that is empty', { error: {} }, 'transient'],
    ['that is a text', { error: 'Site is in maintenance.' }, 'transient'],
    ['that is a text with a code beside it', { error: 'Forbidden', code: 403 }, 'denied'],
    ['with messages that are empty', { status: 'error', messages: [], code: 404 }, 'missing'],
    ['with one message', { status: 'error', message: 'Token Expired.', code: 498 }, 'auth'],
    [
      'that names the upgrade in a later message',
      { status: 'error', messages: ['Forbidden.', 'Upgrade in progress.'], code: 403 },
      'transient',
    ],
    [
      'that names the upgrade in its details',
      { error: { code: 403, message: 'Forbidden.', details: ['Upgrade in progress.'] } },
      'transient',
    ],
  ])('%s', (_, body, kind) => {
    expect(kindOf(lookAt(body))).toBe(kind)
  })
})

describe('the job is missing when the answer is', () => {
  test.each<[string, unknown, Partial<HttpAnswer>]>([
    ['an empty object', {}, {}],
    ['HTTP 404 with JSON', { note: 'none' }, { status: 404 }],
    ['HTTP 404 with the error envelope', { error: { code: 404 } }, { status: 404 }],
    ['code 404 with HTTP 200', { error: { code: 404, message: 'Job not found.' } }, {}],
  ])('%s', (_, body, fields) => {
    expect(kindOf(lookAt(body, fields))).toBe('missing')
  })
})

describe('asking for patience', () => {
  test.each<[string, number, Record<string, string>, number | null]>([
    ['429', 429, {}, null],
    ['429 with seconds', 429, { 'retry-after': '30' }, 30_000],
    ['429 with a date', 429, { 'retry-after': 'Mon, 05 Jan 2026 12:00:45 GMT' }, 45_000],
    ['429 with a negative number', 429, { 'retry-after': '-5' }, null],
    ['429 with garbage', 429, { 'retry-after': 'later' }, null],
    ['429 for ever', 429, { 'retry-after': '1000000000000' }, 900_000],
    ['503 with seconds', 503, { 'retry-after': '30' }, 30_000],
  ])('is %s', (_, status, headers, retryAfterMs) => {
    for (const body of [{ error: { code: status } }, { wait: true }, gatewayPage, '']) {
      const look = lookAt(body, { status, headers })
      expect(look).toMatchObject({ outcome: 'failed', failure: 'throttled', retryAfterMs })
    }
  })

  test('is heard also when the body cannot be read', () => {
    const headers = { 'retry-after': '30' }
    const throttled = { failure: 'throttled', retryAfterMs: 30_000 }
    const latin1 = Buffer.from('zu viele Anfragen für heute', 'latin1')
    expect(lookAt(latin1, { status: 429, headers })).toMatchObject(throttled)
    const compressed = { ...headers, 'content-encoding': 'gzip' }
    expect(lookAt(gzipSync('{}'), { status: 503, headers: compressed })).toMatchObject(throttled)
    const cut = { status: 429, headers, error: 'reset', detail: 'cut' } as const
    expect(lookAt('{"err', cut)).toMatchObject(throttled)
  })

  test('is not a bare 503', () => {
    expect(lookAt(gatewayPage, { status: 503 })).toMatchObject({ failure: 'transient' })
    const garbage = { 'retry-after': 'later' }
    expect(kindOf(lookAt(gatewayPage, { status: 503, headers: garbage }))).toBe('transient')
  })
})

describe('what is no JSON', () => {
  test.each([500, 502, 503, 504, 400, 404, 498, 499])(
    'is transient as a page of a gateway with HTTP %i',
    (status) => {
      expect(kindOf(lookAt(gatewayPage, { status }))).toBe('transient')
    },
  )

  test('is transient with an error status also in another character set', () => {
    const page = Buffer.from('<html><h1>Service für Wartung geschlossen</h1></html>', 'latin1')
    expect(kindOf(lookAt(page, { status: 503 }))).toBe('transient')
  })

  test.each([200, 401, 403])('is about the token as a sign-in page with HTTP %i', (status) => {
    expect(kindOf(lookAt(signInPage, { status }))).toBe('auth')
  })

  test.each([500, 502, 503])(
    'is transient with HTTP %i, though it links to the sign-in',
    (status) => {
      expect(kindOf(lookAt(signInPage, { status }))).toBe('transient')
    },
  )

  test.each([
    '<html><title>Log In</title></html>',
    '<HTML><body>Please sign-in to continue.</body></HTML>',
    '<html><script>location = "/portal/sharing/oauth2/authorize?client_id=x"</script></html>',
    '<html><form action="/arcgis/admin/login"></form></html>',
    '<html><form action="/signin"></form></html>',
  ])('is about the token when it wants a sign-in: %s', (page) => {
    expect(kindOf(lookAt(page))).toBe('auth')
  })

  test.each([
    '<html>We are redesigning the portal.</html>',
    '<html>Reassigning addresses, back soon.</html>',
    '<html>See the dialog in the catalog in the meantime.</html>',
    '<html>Plugin update under way.</html>',
  ])('is no sign-in page for a part of a word: %s', (page) => {
    expect(kindOf(lookAt(page, { status: 503 }))).toBe('transient')
    expect(kindOf(lookAt(page))).toBe('protocol')
  })

  test.each<[string, string | Buffer]>([
    ['a page', '<html><body>ArcGIS Enterprise Administrator Directory</body></html>'],
    ['cut-off JSON', JSON.stringify(document).slice(0, -3)],
    ['an empty body', ''],
    ['a blank body', ' \r\n'],
    ['NaN', '{"jobid":"j-1","status":NaN}'],
    ['two documents', '{}{}'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['a byte order mark alone', '\ufeff'],
    ['gzip without saying so', gzipSync(JSON.stringify(document))],
  ])('is a protocol failure with HTTP 200: %s', (_, body) => {
    expect(kindOf(lookAt(body))).toBe('protocol')
  })

  test('is a protocol failure as an answer without content', () => {
    expect(kindOf(lookAt('', { status: 204 }))).toBe('protocol')
  })

  test('is never quoted', () => {
    const look = lookAt('<html>the-secret-of-the-page</html>')
    expect(detailOf(look)).not.toContain('the-secret-of-the-page')
  })
})

test.each<[string, unknown]>([
  ['null', null],
  ['a list', [document]],
  ['a text', JSON.stringify('EXECUTING')],
  ['a number', 7],
  ['true', true],
])('%s is no document, so the job stays as it was', (_, body) => {
  expect(kindOf(lookAt(body === null ? 'null' : body))).toBe('protocol')
})

test.each([
  ['gzip', gzipSync(JSON.stringify(document))],
  ['br', brotliCompressSync(JSON.stringify(document))],
  ['deflate', Buffer.from(JSON.stringify(document))],
  ['gzip, identity', Buffer.from(JSON.stringify(document))],
])('a compressed answer (%s) is a protocol failure, since none was asked for', (encoding, body) => {
  expect(kindOf(lookAt(body, { headers: { 'content-encoding': encoding } }))).toBe('protocol')
})

test('an answer that says it is not compressed is fine', () => {
  expect(kindOf(lookAt(document, { headers: { 'content-encoding': 'identity' } }))).toBe('seen')
})

describe('a redirect', () => {
  const query = '?redirect_uri=https%3A%2F%2Fgis&token=the-token'
  const toSignIn = [
    `/gis/admin/login${query}`,
    `/portal/signin.html${query}`,
    `https://organization.example.com/gis/sharing/oauth2/authorize${query}`,
    `https://login.example.com/saml${query}`,
    `https://id.example.com/sign-in${query}`,
    `https://fs.example.com/adfs/ls/${query}`,
    `https://id.example.com/app/sso/saml${query}`,
  ]
  const elsewhere = [
    `https://gis.example.com/arcgis/admin/jobs/j-1${query}`,
    `/arcgis/admin/jobs/j-1/${query}`,
    '/maintenance.html?from=login&next=oauth',
    '/assigning/designing',
    '/assorted/idpx/samlless',
    'http://[not a url',
    '',
  ]

  test.each(toSignIn)('to a sign-in is about the token: %s', (location) => {
    for (const status of [301, 302, 303, 307, 308]) {
      expect(kindOf(lookAt(signInPage, { status, headers: { location } }))).toBe('auth')
    }
  })

  test.each(elsewhere)('to anywhere else is a protocol failure: %j', (location) => {
    for (const status of [301, 302, 307, 308]) {
      const body = '<html>moved</html>'
      expect(kindOf(lookAt(body, { status, headers: { location } }))).toBe('protocol')
    }
  })

  test('without a location is a protocol failure, and so is 304, which was not asked for', () => {
    expect(kindOf(lookAt('', { status: 302 }))).toBe('protocol')
    expect(kindOf(lookAt('', { status: 304 }))).toBe('protocol')
  })

  test('counts also when its body cannot be read', () => {
    const headers = { location: '/gis/admin/login' }
    const page = Buffer.from('<html>für Sie</html>', 'latin1')
    expect(kindOf(lookAt(page, { status: 302, headers }))).toBe('auth')
  })

  test('is told with the place it leads to, and with nothing more of it', () => {
    const location = `https://user:pass@gis.example.com/arcgis/admin/jobs/j-1${query}`
    const detail = detailOf(lookAt('', { status: 301, headers: { location } }))
    expect(detail).toContain('https://gis.example.com')
    for (const part of ['the-token', 'redirect_uri', 'user', 'pass', '?']) {
      expect(detail).not.toContain(part)
    }
  })
})

test.each<[RequestError, FailureKind]>([
  ['timeout', 'transient'],
  ['dns', 'transient'],
  ['connect', 'transient'],
  ['tls', 'transient'],
  ['reset', 'transient'],
  ['too_large', 'protocol'],
  ['malformed', 'protocol'],
])('an answer that did not come whole (%s) is %s, whatever came of it', (error, kind) => {
  const detail = 'in words'
  const nothing = lookAt('', { status: null, error, detail })
  expect(nothing).toMatchObject({ outcome: 'failed', failure: kind, detail, cause: error })
  expect(kindOf(lookAt(document, { error, detail }))).toBe(kind)
})

interface Entry {
  readonly httpStatus: number
  readonly body: unknown
}

test.each<[string, string, string[]]>([
  [
    '07-token-expiry-error-envelope',
    'jb9c8b9ff-e46e-4627-9419-c7723226db94',
    ['seen', 'auth', 'auth', 'seen', 'seen'],
  ],
  [
    '08-token-expiry-admin-envelope',
    'j68e58909-ccb2-4416-925a-56c9a30f4300',
    ['seen', 'auth', 'auth', 'auth', 'auth', 'seen', 'seen'],
  ],
  ['09a-vanish-http200-code404', 'je179f773-a6e0-43c0-9514-b7dde2ad0478', ['seen', 'missing']],
  ['09b-vanish-http404-admin', '', ['seen', 'missing']],
  [
    '15-restore-api-outage-then-job-lost',
    'j76d810b7-0d00-43d5-a304-afeea15230bf',
    ['seen', 'seen', 'transient', 'transient', 'transient', 'auth', 'auth', 'missing'],
  ],
  ['20-throttled-429', 'ja476b8d1-d5ee-4ca5-abb2-b4bbee1547dd', ['seen', 'throttled', 'seen']],
  [
    '21a-403-upgrade-in-progress-transient',
    'j643e4e7c-0c02-46f4-8686-a53f190cc1cb',
    ['seen', 'transient', 'seen'],
  ],
  ['21b-403-privilege-lost', 'j7662b3c6-8167-46ce-b95b-69bc00674fae', ['seen', 'denied']],
  [
    '24-notebook-job-id-form',
    'j3hto1f8c3v6xroxh93mhejrmcaakiq1d',
    ['seen', 'seen', 'seen', 'missing'],
  ],
  ['28-body-of-another-job', 'j9c3dc934-211b-4e4a-b312-ce70e477b314', ['seen', 'protocol', 'seen']],
])('the answers of the trace %s are told apart', (name, watched, kinds) => {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url)
  const entries = JSON.parse(readFileSync(file, 'utf8')) as readonly Entry[]
  const [first] = entries
  const id = watched === '' ? (first?.body as { jobid: string }).jobid : watched
  const looks = entries.map(({ httpStatus, body }) =>
    classifyJobAnswer(anAnswer(body, { status: httpStatus }), {
      jobid: id,
      known: null,
      now: noon,
    }),
  )
  expect(looks.map(kindOf)).toEqual(kinds)
})

test('no answer is too odd, and only a document of the job is taken for one', () => {
  const body = fc.oneof(
    anyJson.map((value) => JSON.stringify(value)),
    anyText,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.dictionary(
      fc.constantFrom('jobid', 'jobId', 'status', 'error', 'code', 'messages'),
      anyJson,
    ),
  )
  const answer = fc.record({
    body,
    status: fc.constantFrom(200, 200, 204, 301, 302, 401, 403, 404, 429, 498, 500, 503),
    headers: fc.dictionary(
      fc.constantFrom('retry-after', 'location', 'content-encoding'),
      fc.oneof(anyText, fc.array(anyText)),
    ),
  })
  fc.assert(
    fc.property(answer, ({ body: given, status, headers }) => {
      const look = lookAt(given, { status, headers })
      if (look.outcome === 'seen') expect(status).toBe(200)
      else expect(detailOf(look)).toMatch(/^[^\r\n]+$/)
    }),
  )
})

test('a document of the job is one, whatever error it tells', () => {
  const error = { code: 500, message: 'disk full' }
  expect(kindOf(lookAt({ jobid, status: 'FAILED', error }))).toBe('seen')
  expect(kindOf(lookAt({ jobid, status: 'FAILED', code: 500, messages: ['no'] }))).toBe('seen')
  // But `error` is no status of a job.
  expect(kindOf(lookAt({ jobid, status: 'error', code: 498, messages: ['no'] }))).toBe('auth')
  expect(kindOf(lookAt({ jobid: 'another', status: 'FAILED', error }))).toBe('transient')
})
