import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { maxRetryAfterMs } from '../core/delivery.ts'
import type { AttemptError, AttemptResult } from '../core/delivery.ts'
import { parseRetryAfter } from '../core/backoff.ts'
import type { LoggedEvent } from '../core/event.ts'
import type { Secret } from '../core/secret.ts'
import { headerOf, sendRequest } from '../request.ts'
import type { HttpAnswer, RequestError } from '../request.ts'
import type { Format } from './format.ts'
import { sign } from './sign.ts'

/** Where an event is sent and how. */
export interface Target {
  readonly name: string
  readonly format: Format
  readonly url: Secret
  readonly headers: Readonly<Record<string, string>>
  /** All secrets that sign, the newest first. */
  readonly secrets: readonly Secret[]
  readonly timeoutMs: number
}

/** Makes one attempt; never rejects. */
export type Send = (event: LoggedEvent, target: Target) => Promise<AttemptResult>

export interface SenderDeps {
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly userAgent: string
}

const maxAnswerBytes = 16_384
const keptAnswerBytes = 4096

/** The one place from which notifications leave. */
export function createSend({ dispatcher, clock, userAgent }: SenderDeps): Send {
  const surroundings = { late: null, publicUrl: null, rootOf: () => null }
  return async (event, target) => {
    const at = clock.now()
    const started = performance.now()
    const outbound = target.format.request(event, surroundings)
    if (outbound.via !== 'http')
      throw new Error(`${target.name} wants a mail, which is not there yet`)
    const { headers, body, signed } = outbound
    const answer = await sendRequest(dispatcher, clock, {
      method: 'POST',
      url: new URL(target.url.reveal()),
      headers: {
        ...target.headers,
        ...headers,
        'user-agent': userAgent,
        ...(signed && signatureHeaders(event.id, body, target.secrets, at)),
      },
      body,
      timeoutMs: target.timeoutMs,
      maxBytes: maxAnswerBytes,
    })
    const durationMs = Math.round(performance.now() - started)
    return { at, durationMs, ...judge(answer, target.format, clock.now()) }
  }
}

function signatureHeaders(id: string, body: string, secrets: readonly Secret[], at: number) {
  const timestamp = Math.floor(at / 1000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': sign({ id, timestamp, body }, secrets),
  }
}

function judge(
  answer: HttpAnswer,
  format: Format,
  now: number,
): Omit<AttemptResult, 'at' | 'durationMs'> {
  const { status } = answer
  if (status === null) {
    const error = answer.error === null ? 'reset' : attemptErrors[answer.error]
    return { verdict: 'retry', status, error, answer: null, retryAfterMs: null }
  }
  // Once the headers are in, the receiver has taken the event or not, whatever its body does.
  const text = answer.body.toString('utf8', 0, keptAnswerBytes)
  const verdict = format.judge({ status, text })
  const retryAfterMs = parseRetryAfter(headerOf(answer, 'retry-after'), now, maxRetryAfterMs)
  return { verdict, status, error: errorOf(verdict, status), answer: text, retryAfterMs }
}

function errorOf(verdict: AttemptResult['verdict'], status: number): AttemptError | null {
  if (verdict === 'delivered') return null
  return status >= 300 && status < 400 ? 'redirect' : 'status'
}

const attemptErrors: Readonly<Record<RequestError, AttemptError>> = {
  timeout: 'timeout',
  dns: 'dns',
  connect: 'connect',
  tls: 'tls',
  reset: 'reset',
  too_large: 'reset',
  malformed: 'reset',
}
