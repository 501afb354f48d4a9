import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { listenOnLoopback, readBody } from './loopback.ts'

const maxKept = 1000
const toleranceMs = 5 * 60_000

/** One request as it came in. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The body as JSON, or null when it is none. */
  readonly event: unknown
  /** The Standard Webhooks signature fits the secret, the body and a timestamp of these minutes. */
  readonly verified: boolean
  /** Epoch ms. */
  readonly at: number
}

/** A status, a whole answer, silence until the receiver closes, or a connection that breaks. */
export type ReceiverAnswer =
  | number
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  | 'hang'
  | 'reset'

export interface ReceiverOptions {
  /** 0 takes a free one. */
  readonly port?: number
  /** `whsec_…` */
  readonly secret: string
  /** What to say to a request, the `count`-th so far; 204 unless given. */
  readonly answer?: (request: Received, count: number) => ReceiverAnswer
  readonly onRequest?: (received: Received) => void
  /** Epoch ms; what timestamps are compared with. */
  readonly now?: () => number
}

/**
 * A webhook receiver that trusts nothing but the published signature scheme. Whoever calls
 * `/_receiver/503` has it answer all that follows with that status.
 */
export interface Receiver {
  /** Any other path is received as well. */
  readonly url: string
  /** The last 1000 requests, oldest first. */
  readonly received: readonly Received[]
  /** Resolves with what is kept once so many requests came in; rejects when the receiver closes. */
  waitFor(count: number): Promise<readonly Received[]>
  close(): Promise<void>
}

interface Waiter {
  readonly count: number
  resolve(received: readonly Received[]): void
  reject(error: Error): void
}

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { port = 0, secret, answer = () => 204, onRequest, now = Date.now } = options
  const key = keyOf(secret)
  const received: Received[] = []
  let waiters: readonly Waiter[] = []
  let count = 0
  /** What someone asked for by `/_receiver/<status>`, in place of the usual answer. */
  let asked: number | null = null

  const server = await listenOnLoopback(async (request, response) => {
    const raw = await readBody(request)
    const [, status] = /^\/_receiver\/([2-5]\d\d)$/.exec(request.url ?? '') ?? []
    if (status !== undefined) {
      asked = Number(status)
      reply(request, response, { status: 200, body: `from now on: ${status}\n` })
      return
    }
    const at = now()
    const one = receivedFrom(request, raw, isVerified(key, request.headers, raw, at), at)
    received.push(one)
    if (received.length > maxKept) received.shift()
    count += 1
    wake()
    onRequest?.(one)
    reply(request, response, asked ?? answer(one, count))
  }, port)

  function wake(): void {
    for (const waiter of waiters) if (waiter.count <= count) waiter.resolve(received)
    waiters = waiters.filter((waiter) => waiter.count > count)
  }

  return {
    url: `${server.origin}/webhook`,
    received,
    waitFor(wanted) {
      if (wanted <= count) return Promise.resolve(received)
      const arrival = new Promise<readonly Received[]>((resolve, reject) => {
        waiters = [...waiters, { count: wanted, resolve, reject }]
      })
      // A test that failed before it awaited this must not fail a second time.
      arrival.catch(() => undefined)
      return arrival
    },
    close() {
      for (const waiter of waiters) {
        waiter.reject(
          new Error(`Closed after ${String(count)} of ${String(waiter.count)} requests`),
        )
      }
      waiters = []
      return server.close()
    },
  }
}

function receivedFrom(
  request: IncomingMessage,
  raw: Buffer,
  verified: boolean,
  at: number,
): Received {
  const { method = '', url = '/', headers } = request
  const body = raw.toString()
  return { method, path: url, headers, body, event: parsed(body), verified, at }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return null
  }
}

function reply(request: IncomingMessage, response: ServerResponse, answer: ReceiverAnswer): void {
  if (answer === 'hang') return
  if (answer === 'reset') {
    request.socket.resetAndDestroy()
    return
  }
  const {
    status,
    headers = {},
    body = '',
  } = typeof answer === 'number' ? { status: answer } : answer
  response.writeHead(status, headers)
  response.end(body)
}

function keyOf(secret: string): Buffer {
  const prefix = 'whsec_'
  if (!secret.startsWith(prefix)) throw new Error(`A webhook secret begins with ${prefix}`)
  return Buffer.from(secret.slice(prefix.length), 'base64')
}

/** Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`; one of the listed `v1` must fit. */
function isVerified(key: Buffer, headers: IncomingHttpHeaders, body: Buffer, now: number): boolean {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const signatures = headers['webhook-signature']
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return false
  }
  if (!/^\d{1,12}$/.test(timestamp)) return false
  if (Math.abs(now - Number(timestamp) * 1000) > toleranceMs) return false
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  const expected = Buffer.from(`v1,${digest.toString('base64')}`)
  return signatures.split(' ').some((signature) => {
    const given = Buffer.from(signature)
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}
