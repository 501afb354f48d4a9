import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import type { EventAnswer, EventData } from './answers.ts'
import { parseObject } from './connection.ts'

/** The body as it came in, before anything parsed it. */
export type WebhookBody = string | Uint8Array

/** The headers as Node has them, or a `Headers`. */
export type WebhookHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | { get(name: string): string | null }

/** What `jobwatch endpoints test` sends: no event of the log, so it has no number. */
export interface TestEvent extends Omit<EventAnswer, 'data'> {
  data: Omit<EventData, 'seq' | 'previousSeq' | 'job'> & {
    seq: null
    previousSeq: null
    job?: undefined
  }
}

export type WebhookEvent = EventAnswer | TestEvent

/** Whether an event was sent only to try the endpoint out. */
export function isTestEvent(event: WebhookEvent): event is TestEvent {
  return event.data.seq === null
}

/**
 * `missing_header`: it was not sent by jobwatch. `too_old` and `too_new`: by more than five minutes;
 * it is sent again, or a clock is wrong. `bad_signature`: signed with another secret, or altered on
 * the way. `not_an_event`: signed, but by something else that has the secret.
 */
export type WebhookErrorCode =
  'missing_header' | 'too_old' | 'too_new' | 'bad_signature' | 'not_an_event'

/** A request that is not to be trusted: answer it with 401. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError'
  readonly code: WebhookErrorCode

  constructor(code: WebhookErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const toleranceSeconds = 300

/**
 * The event of a webhook that was sent by whoever has one of the secrets, in the last five minutes.
 * Throws `WebhookError` when it was not, and `TypeError` when there is nothing to verify with or the
 * body was parsed already. Several secrets are for the time in which one replaces another.
 */
export function verifyWebhook(
  body: WebhookBody,
  headers: WebhookHeaders,
  secret: string | readonly string[],
): WebhookEvent {
  const webhooks = webhooksOf(secret)
  const signed = {
    'webhook-id': headerOf(headers, 'webhook-id'),
    'webhook-timestamp': headerOf(headers, 'webhook-timestamp'),
    'webhook-signature': headerOf(headers, 'webhook-signature'),
  }
  checkTime(signed['webhook-timestamp'])
  const text = textOf(body)
  if (text === null || !webhooks.some((webhook) => isSigned(webhook, text, signed))) {
    throw new WebhookError('bad_signature', 'no signature of the webhook fits the secret')
  }
  const event = parseEvent(text)
  if (event !== null) return event
  throw new WebhookError('not_an_event', 'the webhook is signed but is no event of jobwatch')
}

function webhooksOf(secret: string | readonly string[]): readonly Webhook[] {
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (secrets.length === 0) throw new TypeError('there is no secret to verify the webhook with')
  return secrets.map((one) => {
    try {
      return new Webhook(one)
    } catch {
      // The library's own words could hold a part of it.
      throw new TypeError('the secret of a webhook must be whsec_ and base64')
    }
  })
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = isReader(headers) ? headers.get(name) : valueOf(headers, name)
  if (typeof value === 'string' && value !== '') return value
  throw new WebhookError('missing_header', `the webhook has no header ${name}`)
}

function isReader(headers: WebhookHeaders): headers is { get(name: string): string | null } {
  return typeof headers['get'] === 'function'
}

/** Node has them in lower case; others may not. */
function valueOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  name: string,
) {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
}

function checkTime(timestamp: string): void {
  const aheadSeconds = Number(timestamp) - Math.floor(Date.now() / 1000)
  if (aheadSeconds < -toleranceSeconds) {
    throw new WebhookError('too_old', `the webhook is ${-aheadSeconds} s old`)
  }
  if (aheadSeconds > toleranceSeconds) {
    throw new WebhookError('too_new', `the webhook is from ${aheadSeconds} s ahead`)
  }
}

/** The text that was signed; null for bytes that are none, which jobwatch does not send. */
function textOf(body: WebhookBody): string | null {
  if (typeof body === 'string') return body
  // Whoever is not held to the types hands over what a framework has parsed.
  if (!ArrayBuffer.isView(body)) {
    throw new TypeError('the body must be given as it came in, not parsed: only that was signed')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return null
  }
}

function isSigned(webhook: Webhook, text: string, signed: Record<string, string>): boolean {
  try {
    webhook.verify(text, signed, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

function parseEvent(text: string): WebhookEvent | null {
  const value = parseObject(text)
  const data = value?.['data']
  const hasNames = ['id', 'source', 'type', 'time'].every((key) => typeof value?.[key] === 'string')
  if (!hasNames || typeof data !== 'object' || data === null || !('seq' in data)) return null
  const isNumbered = typeof data.seq === 'number' || data.seq === null
  return isNumbered ? (value as unknown as WebhookEvent) : null
}
