import { isUtf8 } from 'node:buffer'
import { parseRetryAfter } from '../../core/backoff.ts'
import type { Failed, FailureKind } from '../../core/observation.ts'
import { headerOf } from '../../request.ts'
import type { HttpAnswer } from '../../request.ts'
import { fingerprintOf } from '../fingerprint.ts'
import type { Look } from '../upstream.ts'
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
  if (typeof text !== 'string') return text
  const isOk = answer.status === 200
  // Most looks end here: nothing is parsed that was parsed before.
  const fingerprint = fingerprintOf(text)
  if (isOk && fingerprint === known) return { outcome: 'same' }

  const body = parseJson(text)
  const refusal = classifyError(answer, body, now)
  if (refusal !== null) return refusal
  if (!isObject(body)) return failed('protocol', 'the answer is not a JSON object')
  if (Object.keys(body).length === 0) return { outcome: 'missing', detail: 'the answer is empty' }

  const answered = documentJobid(body)
  if (answered === null) return failed('protocol', 'the answer is no job document: it has no jobid')
  if (answered !== jobid) {
    return failed('protocol', `the answer is about another job (${answered.slice(0, 128)})`)
  }
  const snapshot = toSnapshot(body, now)
  if (snapshot === null) return failed('protocol', 'the job document has no status')
  return { outcome: 'seen', snapshot, document: text, fingerprint }
}

/** What is wrong with an answer of this API, whichever resource it is of; null when nothing is. */
export function classifyError(
  answer: HttpAnswer,
  body: unknown,
  now: number,
): Failed | { outcome: 'missing'; detail: string } | null {
  const { status } = answer
  const envelope = isObject(body) ? errorEnvelope(body) : null
  const retryAfterMs = parseRetryAfter(headerOf(answer, 'retry-after'), now, maxRetryAfterMs)
  if (status === 429 || (status === 503 && retryAfterMs !== null)) {
    return failed('throttled', `the upstream asks for patience (HTTP ${status})`, retryAfterMs)
  }
  if (status !== null && status >= 300 && status < 400) return redirected(answer)
  if (envelope !== null) return classifyEnvelope(envelope, status)
  if (body === undefined) return classifyNoJson(answer)
  if (status === 404) return { outcome: 'missing', detail: 'HTTP 404' }
  if (status === 403) return failed('denied', 'access is denied (HTTP 403)')
  if (status === 401) return failed('auth', 'the token is not accepted (HTTP 401)')
  return status === 200 ? null : failed('transient', `HTTP ${status ?? 0}`)
}

interface Envelope {
  readonly code: number | null
  readonly message: string
}

function errorEnvelope(body: Readonly<Record<string, unknown>>): Envelope | null {
  const { error } = body
  if (isObject(error)) {
    return { code: codeOf(error['code']), message: lineOf(error['message'], error['details']) }
  }
  if (typeof error === 'string') return { code: codeOf(body['code']), message: lineOf(error) }
  const isAdminEnvelope = documentJobid(body) === null && body['status'] === 'error'
  if (!isAdminEnvelope) return null
  return { code: codeOf(body['code']), message: lineOf(body['messages'], body['message']) }
}

function classifyEnvelope(
  { code, message }: Envelope,
  status: number | null,
): Failed | { outcome: 'missing'; detail: string } {
  const effective = code ?? (status === 200 ? null : status)
  const said = `${message === '' ? 'an error without a message' : message} (code ${effective ?? 'none'})`
  switch (effective) {
    case 401:
    case 498:
    case 499:
      return failed('auth', said)
    case 403:
      // Seen while an upgrade runs; any other 403 is about the account's privileges.
      return failed(/upgrade in progress/i.test(message) ? 'transient' : 'denied', said)
    case 404:
      return { outcome: 'missing', detail: said }
    case 429:
      return failed('throttled', said)
    default:
      return failed('transient', said)
  }
}

function classifyNoJson({ status, body }: HttpAnswer): Failed {
  const isSignIn = /<html/i.test(body.toString('latin1', 0, 2048)) && isSignInPage(body)
  if (isSignIn) return failed('auth', `a sign-in page came instead of JSON (HTTP ${status ?? 0})`)
  if (status !== 200) return failed('transient', `HTTP ${status ?? 0}, without JSON`)
  return failed('protocol', `not JSON (${body.length} bytes)`)
}

function isSignInPage(body: Buffer): boolean {
  return /sign[\s_-]?in|log[\s_-]?in|oauth2\/authorize/i.test(body.toString('latin1', 0, 65_536))
}

/** A redirect is never followed: it would carry the token elsewhere. */
function redirected(answer: HttpAnswer): Failed {
  const location = headerOf(answer, 'location') ?? ''
  const origin = URL.canParse(location) ? new URL(location).origin : 'another place'
  const isSignIn = /sign[\s_-]?in|login|oauth/i.test(location)
  return failed(
    isSignIn ? 'auth' : 'protocol',
    `redirected to ${origin} (HTTP ${answer.status ?? 0})`,
  )
}

/** The answer's text, or why it is none that could be read. */
function completeText(answer: HttpAnswer): string | Failed {
  if (answer.error === 'malformed' || answer.error === 'too_large') {
    return failed('protocol', answer.detail)
  }
  if (answer.error !== null) return failed('transient', answer.detail)
  const encoding = headerOf(answer, 'content-encoding')
  if (encoding !== undefined && encoding !== 'identity') {
    return failed('protocol', `the answer is compressed (${encoding.slice(0, 20)}), unasked`)
  }
  if (!isUtf8(answer.body)) return failed('protocol', 'the answer is not UTF-8')
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

function lineOf(...values: unknown[]): string {
  for (const value of values) {
    const text = Array.isArray(value) ? (value as unknown[])[0] : value
    if (typeof text === 'string' && text.trim() !== '') return text.trim().slice(0, 300)
  }
  return ''
}

export function failed(
  failure: FailureKind,
  detail: string,
  retryAfterMs: number | null = null,
): Failed {
  return { outcome: 'failed', failure, detail, retryAfterMs }
}
