import {
  adminFailed,
  directoryPage,
  failed,
  invalidToken,
  page,
  signInPath,
  tokenRequired,
  wrongCredentials,
} from './answer.ts'
import type { Answer } from './answer.ts'
import type { Fault } from './fault.ts'

const jsonType = { 'content-type': 'application/json; charset=UTF-8' }
const signInPage = page(
  'Sign in',
  '<form action="/gis/sharing/oauth2/signin"><input name="username"></form>',
)

const unavailable = page('503 Service Temporarily Unavailable')

/** What can go wrong with a look at a job (or, by its target, with any request), by name. */
export const jobPresets = {
  // The connection
  hang: { kind: 'cut', after: 'nothing', then: 'silence' },
  stall: { kind: 'cut', after: 'halfBody', then: 'silence' },
  drip: { kind: 'drip', everyMs: 200 },
  slow: { kind: 'delay', ms: 5000 },
  shortBody: { kind: 'cut', after: 'body', then: 'end' },
  reset: { kind: 'cut', after: 'nothing', then: 'reset' },
  resetInHeaders: { kind: 'cut', after: 'halfHeaders', then: 'reset' },
  resetAfterHeaders: { kind: 'cut', after: 'headers', then: 'reset' },
  resetOnReuse: { kind: 'cut', after: 'nothing', then: 'reset', onReuse: true },
  // HTTP
  notHttp: { kind: 'raw', text: 'Good morning.\r\n\r\n' },
  illegalHeader: { kind: 'raw', text: 'HTTP/1.1 200 OK\r\nx-\0: \0\r\ncontent-length: 0\r\n\r\n' },
  headerBomb: { kind: 'flood', part: 'header', bytes: 1_048_576 },
  hugeBody: { kind: 'flood', part: 'body', bytes: 2_147_483_648 },
  endlessBody: { kind: 'flood', part: 'body', bytes: null },
  gzipBomb: { kind: 'flood', part: 'gzip', bytes: 2_147_483_648 },
  internalError: answer(page('500 Internal Server Error'), 500),
  badGateway: answer(page('502 Bad Gateway'), 502),
  unavailable: answer(unavailable, 503),
  gatewayTimeout: answer(page('504 Gateway Time-out'), 504),
  busy: answer(unavailable, 503, { 'retry-after': '30' }),
  throttled: answer(failed(429, 'Too many requests.', null), 429, { 'retry-after': '30' }),
  throttledOddly: answer(failed(429, 'Too many requests.', null), 429, { 'retry-after': 'soon' }),
  redirect: answer(page('302 Found'), 302, { location: 'https://elsewhere.example/gis' }),
  signInRedirect: answer(page('302 Found'), 302, { location: signInPath }),
  // Pages with 200
  signInPage: answer(signInPage),
  maintenancePage: answer(page('The site is in maintenance', '<p>Please try again later.</p>')),
  directoryPage: answer(directoryPage),
  // Text that is no document
  emptyBody: { kind: 'answer', headers: jsonType, body: '' },
  noContent: { kind: 'answer', httpStatus: 204, body: '' },
  invalidJson: { kind: 'answer', headers: jsonType, body: '{"status": EXECUTING}' },
  cutOffJson: { kind: 'garble', how: 'cutOff' },
  byteOrderMark: { kind: 'garble', how: 'byteOrderMark' },
  invalidUtf8: { kind: 'garble', how: 'invalidUtf8' },
  notANumber: { kind: 'garble', how: 'notANumber' },
  duplicateKeys: { kind: 'garble', how: 'duplicateKeys' },
  // Documents of wrong types
  nullBody: { kind: 'answer', body: null },
  arrayBody: { kind: 'answer', body: [] },
  textBody: { kind: 'answer', headers: jsonType, body: '"EXECUTING"' },
  emptyObject: { kind: 'answer', body: {} },
  numberStatus: { kind: 'edit', set: { status: 3 } },
  noStatus: { kind: 'edit', remove: ['status'] },
  objectStages: { kind: 'edit', set: { progress: { stages: { validating: 'completed' } } } },
  numbersAsText: { kind: 'garble', how: 'numbersAsText' },
  otherJob: { kind: 'edit', set: { jobid: 'j00000000-0000-4000-8000-000000000000' } },
  // Error envelopes, most of them with 200
  invalidToken: answer(invalidToken),
  tokenExpired: answer(adminFailed(498, 'Token Expired.')),
  tokenRequired: answer(tokenRequired),
  codeAsText: answer(failed('498', 'Invalid token.', [])),
  unauthorized: answer(failed(401, 'Unauthorized', null), 401),
  http498: answer(failed(498, 'Invalid token.', ['Token has expired.']), 498),
  http499: answer(page('499 Client Closed Request'), 499),
  upgradeInProgress: answer(adminFailed(403, 'Upgrade in progress.')),
  denied: answer(failed(403, 'You do not have permissions to access this resource.', [])),
  notFound: answer(failed(404, 'The job was not found.', null)),
  http404: answer(adminFailed(404, "Could not find resource or operation 'jobs'."), 404),
  serverError: answer(failed(500, 'JSONObject["progress"] not found.', null)),
} satisfies Record<string, Fault>

/** What can go wrong with asking for a token, by name. */
export const tokenPresets = {
  wrongCredentials: answer(wrongCredentials),
  tokenPage: answer(signInPage),
  tokenUnavailable: answer(unavailable, 503),
  // Nobody has been granted this token, so that it is refused as well.
  expiredToken: answer({
    httpStatus: 200,
    body: { token: 'an-expired-token', expires: 1_760_000_000_000, ssl: true },
  }),
  expiresAsText: { kind: 'garble', how: 'numbersAsText' },
  expiresNonsense: { kind: 'edit', set: { expires: 'soon' } },
  expiresMissing: { kind: 'edit', remove: ['expires'] },
} satisfies Record<string, Fault>

export type PresetName = keyof typeof jobPresets | keyof typeof tokenPresets

const faultByName: ReadonlyMap<string, Fault> = new Map(
  Object.entries<Fault>({ ...jobPresets, ...tokenPresets }),
)

export function isPreset(name: string): name is PresetName {
  return faultByName.has(name)
}

/** The fault of that name, and what it is meant for. */
export function presetOf(name: PresetName): { fault: Fault; target: 'job' | 'token' } {
  const fault = faultByName.get(name)
  if (fault === undefined) throw new Error(`There is no preset ${name}`)
  return { fault, target: Object.hasOwn(tokenPresets, name) ? 'token' : 'job' }
}

function answer({ httpStatus, body }: Answer, status = httpStatus, headers = {}): Fault {
  return { kind: 'answer', httpStatus: status, headers, body }
}
