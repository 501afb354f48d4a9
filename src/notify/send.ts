import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { maxRetryAfterMs } from '../core/delivery.ts'
import type { AttemptError, AttemptResult, Verdict } from '../core/delivery.ts'
import { parseRetryAfter } from '../core/backoff.ts'
import type { LoggedEvent } from '../core/event.ts'
import type { Secret } from '../core/secret.ts'
import { headerOf, sendRequest } from '../request.ts'
import type { RequestError } from '../request.ts'
import type { Format, HttpOutbound, Late, MailOutbound, Outbound, Surroundings } from './format.ts'
import { sign } from './sign.ts'

/** Where an event is sent and how. */
export interface Target {
  readonly name: string
  readonly format: Format
  /** Where requests go; null for what goes by mail. */
  readonly url: Secret | null
  readonly headers: Readonly<Record<string, string>>
  /** All secrets that sign at a moment, the newest first. */
  secretsAt(now: number): readonly Secret[]
  /** The longest one attempt may take, in ms. */
  readonly timeoutMs: number
  readonly carrier: Carrier
}

/** What takes a request or a mail to its place. */
export interface Carrier {
  readonly http: Dispatcher
  mail(mail: MailOutbound & { readonly id: string }, timeoutMs: number): Promise<Carried>
  /** Resolves when what is under way has come to its end. */
  close(): Promise<void>
  /** Ends what is under way. */
  destroy(): Promise<void>
}

/** What came back. */
export interface Carried {
  /** Of HTTP or of SMTP; null when no answer came. */
  readonly status: number | null
  /** The first 4 KiB of the answer. */
  readonly text: string
  readonly error: RequestError | null
  /** In words, for people; holds no secret. */
  readonly detail: string
  readonly retryAfter?: string | undefined
}

/** Makes one attempt; never rejects. `late` is what a late message says besides. */
export type Send = (event: LoggedEvent, target: Target, late: Late | null) => Promise<AttemptResult>

export interface SenderDeps extends Pick<Surroundings, 'publicUrl' | 'rootOf'> {
  readonly clock: Clock
  readonly userAgent: string
}

const maxAnswerBytes = 16_384
const keptAnswerBytes = 4096

type Judged = Omit<AttemptResult, 'at' | 'durationMs'>

/** The one place from which notifications leave. */
export function createSend({ clock, userAgent, publicUrl, rootOf }: SenderDeps): Send {
  async function post(
    { headers, body, signed }: HttpOutbound,
    event: LoggedEvent,
    target: Target,
  ): Promise<Carried> {
    if (target.url === null) throw new Error(`${target.name} has no URL`)
    const at = clock.now()
    const answer = await sendRequest(target.carrier.http, clock, {
      method: 'POST',
      url: new URL(target.url.reveal()),
      headers: {
        ...target.headers,
        ...headers,
        'user-agent': userAgent,
        ...(signed && signatureHeaders(event.id, body, target.secretsAt(at), at)),
      },
      body,
      timeoutMs: target.timeoutMs,
      maxBytes: maxAnswerBytes,
    })
    return {
      ...answer,
      text: answer.body.toString('utf8', 0, keptAnswerBytes),
      retryAfter: headerOf(answer, 'retry-after'),
    }
  }

  async function carry(outbound: Outbound, event: LoggedEvent, target: Target): Promise<Judged> {
    const carried =
      outbound.via === 'http'
        ? await post(outbound, event, target)
        : await target.carrier.mail({ ...outbound, id: event.id }, target.timeoutMs)
    return judge(carried, target.format, clock.now())
  }

  async function attempt(event: LoggedEvent, target: Target, late: Late | null): Promise<Judged> {
    const { format } = target
    const surroundings = { late, publicUrl, rootOf }
    const rich = rendered(() => format.request(event, surroundings))
    let { fault } = rich
    if (rich.outbound !== null) {
      const result = await carry(rich.outbound, event, target)
      if (result.verdict !== 'refused') return result
      fault = result.detail
      if (format.plain === undefined) return result
    }
    // What is wrong is on this side: the plainest form gets the news through all the same.
    const plain = rendered(() => format.plain?.(event, surroundings))
    if (plain.outbound === null) return { ...neverLeft, answer: fault, detail: fault }
    const result = await carry(plain.outbound, event, target)
    return { ...result, detail: `${result.detail} (as plain text, since ${fault})` }
  }

  return async (event, target, late) => {
    const at = clock.now()
    const started = performance.now()
    const result = await attempt(event, target, late)
    return { at, durationMs: Math.round(performance.now() - started), ...result }
  }
}

/** A form of an event, or why there is none: one that cannot be rendered must hold nothing up. */
function rendered(render: () => Outbound | undefined): {
  outbound: Outbound | null
  fault: string
} {
  try {
    return { outbound: render() ?? null, fault: '' }
  } catch (error) {
    return { outbound: null, fault: `it could not be rendered: ${(error as Error).message}` }
  }
}

/** An attempt that never left: to try again the same way would not help. */
const neverLeft = {
  verdict: 'refused',
  status: null,
  error: 'status',
  retryAfterMs: null,
} as const

function signatureHeaders(id: string, body: string, secrets: readonly Secret[], at: number) {
  const timestamp = Math.floor(at / 1000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': sign({ id, timestamp, body }, secrets),
  }
}

function judge({ status, text, ...carried }: Carried, format: Format, now: number): Judged {
  if (status === null) {
    const error = carried.error === null ? 'reset' : attemptErrors[carried.error]
    return {
      verdict: 'retry',
      status,
      error,
      answer: null,
      detail: carried.detail,
      retryAfterMs: null,
    }
  }
  // Once the headers are in, the receiver has taken the event or not, whatever its body does.
  const verdict = format.judge({ status, text })
  const retryAfterMs = parseRetryAfter(carried.retryAfter, now, maxRetryAfterMs)
  const error = errorOf(verdict, status)
  return {
    verdict,
    status,
    error,
    answer: text,
    detail: words(verdict, status, text),
    retryAfterMs,
  }
}

/** The answer of a receiver in a line. */
function words(verdict: Verdict, status: number, text: string): string {
  if (verdict === 'delivered') return `answered ${status}`
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  const shown = line.length > 200 ? `${line.slice(0, 200)}…` : line
  return shown === '' ? `answered ${status}` : `answered ${status}: ${shown}`
}

function errorOf(verdict: Verdict, status: number): AttemptError | null {
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
  refused_address: 'refused_address',
}
