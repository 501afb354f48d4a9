import { isUtf8 } from 'node:buffer'
import { parseRetryAfter } from '../../core/backoff.ts'
import type { Failed, FailureKind } from '../../core/observation.ts'
import { headerOf } from '../../request.ts'
import type { HttpAnswer } from '../../request.ts'
import { fingerprintOf } from '../fingerprint.ts'
import type { FailedRequest, Listing, Look } from '../upstream.ts'
import { documentJobid, isObject, toSnapshot } from './document.ts'

const maxRetryAfterMs = 900_000

/**
 * What an answer to `GET <root>/jobs/<jobid>` means. Error answers come in two envelopes, often
 * with HTTP 200: `{"error":{code,message}}` and `{"status":"error","messages":[],"code":N}`; neither
 * is ever taken for a job.
 */
export function classifyJobAnswer(
  answer: HttpAnswer,
  { jobid, known, now }: { jobid: string; known: string | null; now: number },
): Look {
  const text = completeText(answer)
  // What the head of an answer asks for counts also when its body cannot be read.
  if (typeof text !== 'string') return classifyHead(answer, now) ?? text
  const isOk = answer.status === 200
  // Most looks end here: nothing is parsed that was parsed before.
  const fingerprint = fingerprintOf(text)
  if (isOk && fingerprint === known) return { outcome: 'same' }

  const body = parseJson(text)
  // A document of the job is one whatever else stands in it, an `error` that tells why it failed too.
  const isDocument = isOk && isObject(body) && documentJobid(body) === jobid && hasStatus(body)
  const refusal = isDocument ? null : classifyError(answer, body, now)
  if (refusal !== null) return refusal
  if (!isObject(body)) return failed('protocol', 'the answer is not a JSON object')
  if (Object.keys(body).length === 0) return missing('the answer is empty')

  const answered = documentJobid(body)
  if (answered === null) return failed('protocol', 'the answer is no job document: it has no jobid')
  if (answered !== jobid) {
    return failed('protocol', `the answer is about another job (${answered.slice(0, 128)})`)
  }
  const snapshot = toSnapshot(body, now)
  if (snapshot === null) return failed('protocol', 'the job document has no status')
  return { outcome: 'seen', snapshot, document: text, fingerprint }
}

/** `error` is no status of a job: an envelope says so of itself. */
function hasStatus({ status }: Readonly<Record<string, unknown>>): boolean {
  return typeof status === 'string' && status.toLowerCase() !== 'error'
}

/** What an answer to `GET <root>/jobs` means: `{"jobs":["<id>",…]}`. */
export function classifyListAnswer(answer: HttpAnswer, now: number): Listing {
  const text = completeText(answer)
  if (typeof text !== 'string') return classifyHead(answer, now) ?? text
  const body = parseJson(text)
  const refusal = classifyError(answer, body, now)
  if (refusal?.outcome === 'missing')
    return failed('protocol', `no list of jobs: ${refusal.detail}`)
  if (refusal !== null) return refusal
  const jobs = isObject(body) ? body['jobs'] : undefined
  if (!Array.isArray(jobs)) return failed('protocol', 'the answer is no list of jobs')
  const jobids = (jobs as unknown[]).map((job) => (isObject(job) ? documentJobid(job) : job))
  return { outcome: 'listed', jobids: jobids.filter((jobid) => typeof jobid === 'string') }
}

/** What is wrong with an answer of this API, whichever resource it is of; null when nothing is. */
export function classifyError(
  answer: HttpAnswer,
  body: unknown,
  now: number,
): Failed | Missing | null {
  const { status } = answer
  const refusal = classifyHead(answer, now)
  if (refusal !== null) return refusal
  const envelope = isObject(body) ? errorEnvelope(body) : null
  if (envelope !== null) return classifyEnvelope(envelope, status, retryAfterOf(answer, now))
  if (body === undefined) return classifyNoJson(answer)
  if (status === 404) return missing('HTTP 404')
  if (status === 403) return failed('denied', 'access is denied (HTTP 403)')
  if (status === 401) return failed('auth', 'the token is not accepted (HTTP 401)')
  return status === 200 ? null : failed('transient', `HTTP ${status ?? 0}`)
}

/** What status and headers say, whatever the body is. */
function classifyHead(answer: HttpAnswer, now: number): Failed | null {
  const { status } = answer
  const retryAfterMs = retryAfterOf(answer, now)
  if (status === 429 || (status === 503 && retryAfterMs !== null)) {
    return failed('throttled', `the upstream asks for patience (HTTP ${status})`, retryAfterMs)
  }
  return status !== null && status >= 300 && status < 400 ? redirected(answer) : null
}

function retryAfterOf(answer: HttpAnswer, now: number): number | null {
  return parseRetryAfter(headerOf(answer, 'retry-after'), now, maxRetryAfterMs)
}

interface Envelope {
  readonly code: number | null
  readonly texts: readonly string[]
}

function errorEnvelope(body: Readonly<Record<string, unknown>>): Envelope | null {
  const { error } = body
  if (isObject(error)) {
    return { code: codeOf(error['code']), texts: textsOf(error['message'], error['details']) }
  }
  if (typeof error === 'string') return { code: codeOf(body['code']), texts: textsOf(error) }
  const isAdminEnvelope =
    body['status'] === 'error' && (documentJobid(body) === null || 'code' in body)
  if (!isAdminEnvelope) return null
  return { code: codeOf(body['code']), texts: textsOf(body['messages'], body['message']) }
}

function classifyEnvelope(
  { code, texts }: Envelope,
  status: number | null,
  retryAfterMs: number | null,
): Failed | Missing {
  const effective = code ?? (status === 200 ? null : status)
  const words = [...new Set(texts.map((text) => text.trim()))].slice(0, 2).join(' ')
  const said = `${(words || 'an error without a message').slice(0, 300)} (code ${effective ?? 'none'})`
  switch (effective) {
    case 401:
    case 498:
    case 499:
      return failed('auth', said)
    case 403: {
      // Seen while an upgrade runs; any other 403 is about the account's privileges.
      const isUpgrade = texts.some((text) => /upgrade in progress/i.test(text))
      return failed(isUpgrade ? 'transient' : 'denied', said)
    }
    case 404:
      return missing(said)
    case 429:
      return failed('throttled', said, retryAfterMs)
    case 503:
      return failed(retryAfterMs === null ? 'transient' : 'throttled', said, retryAfterMs)
    case null:
    default:
      return failed('transient', said)
  }
}

function classifyNoJson({ status, body }: HttpAnswer): Failed {
  // A gateway's page of an outage may well link to the sign-in.
  const maySignIn = isSuccess(status) || status === 401 || status === 403
  const isSignIn =
    maySignIn && /<html/i.test(body.toString('latin1', 0, 2048)) && isSignInPage(body)
  if (isSignIn) return failed('auth', `a sign-in page came instead of JSON (HTTP ${status ?? 0})`)
  if (!isSuccess(status)) return failed('transient', `HTTP ${status ?? 0}, without JSON`)
  return failed('protocol', `not JSON (${body.length} bytes)`)
}

// As words of their own: "redesigning" and "the catalog in use" are no sign-ins.
const signInWords =
  /(?<![a-z])(?:login|log[\s_-]in(?![a-z])|sign[\s_-]?in(?![a-z]))|oauth2\/authorize/i

function isSignInPage(body: Buffer): boolean {
  return signInWords.test(body.toString('latin1', 0, 65_536))
}

/** Where portals send those who have to sign in elsewhere. */
const singleSignOn = /oauth|\/(adfs|saml2?|sso|idp)(\/|$)/i

/** A redirect is never followed: it would carry the token elsewhere. */
function redirected(answer: HttpAnswer): Failed {
  const location = headerOf(answer, 'location') ?? ''
  const base = 'http://relative.invalid'
  const { host, pathname } = new URL(URL.canParse(location, base) ? location : '/', base)
  const isSignIn = singleSignOn.test(pathname) || signInWords.test(host + pathname)
  const origin = URL.canParse(location) ? new URL(location).origin : 'another place'
  return failed(
    isSignIn ? 'auth' : 'protocol',
    `redirected to ${origin} (HTTP ${answer.status ?? 0})`,
  )
}

/** The answer's text, or why it is none that could be read. */
function completeText(answer: HttpAnswer): string | FailedRequest {
  const { error: cause, detail } = answer
  if (cause !== null) {
    const isNonsense = cause === 'malformed' || cause === 'too_large'
    return { ...failed(isNonsense ? 'protocol' : 'transient', detail), cause }
  }
  // Of an error answer the status says enough, whatever its page is written in.
  if (isSuccess(answer.status)) {
    const encoding = headerOf(answer, 'content-encoding')
    if (encoding !== undefined && encoding !== 'identity') {
      return failed('protocol', `the answer is compressed (${encoding.slice(0, 20)}), unasked`)
    }
    if (!isUtf8(answer.body)) return failed('protocol', 'the answer is not UTF-8')
  }
  const text = answer.body.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** Undefined when the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Codes come as numbers and as texts of digits. */
function codeOf(value: unknown): number | null {
  const number = typeof value === 'string' ? Number.parseInt(value, 10) : value
  return typeof number === 'number' && Number.isInteger(number) ? number : null
}

/** The texts among these values and in the lists among them, without blank ones. */
function textsOf(...values: unknown[]): string[] {
  return values
    .flat()
    .filter((value): value is string => typeof value === 'string' && value.trim() !== '')
}

function isSuccess(status: number | null): boolean {
  return status !== null && status >= 200 && status < 300
}

type Missing = Extract<Look, { outcome: 'missing' }>

function missing(detail: string): Missing {
  return { outcome: 'missing', detail: oneLine(detail) }
}

export function failed(
  failure: FailureKind,
  detail: string,
  retryAfterMs: number | null = null,
): Failed {
  return { outcome: 'failed', failure, detail: oneLine(detail), retryAfterMs }
}

/** Details quote what the upstream says, which may be of many lines. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ')
}
