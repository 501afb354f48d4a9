import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { listenOnLoopback, readBody } from '../../src/simulator/loopback.ts'

/** A whole answer; a redirect or a `Retry-After` is one with that header. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** How long the answer is held back. */
  readonly afterMs?: number
}

/**
 * `hang`: never a byte. `drip-headers`: headers that never end. `drip-body`: 200, then a byte now and
 * then for ever. `endless-body`: 200, then as much as is taken. `reset`: at once. `reset-in-body`: 200,
 * part of the body, a reset. `length-too-long`, `length-too-short`: 200 with such a content-length.
 */
export type Misbehaviour =
  | 'hang'
  | 'drip-headers'
  | 'drip-body'
  | 'endless-body'
  | 'reset'
  | 'reset-in-body'
  | 'length-too-long'
  | 'length-too-short'

/** A status, a whole answer, or something worse. */
export type Behaviour = number | Reply | Misbehaviour

/** One request as it came in, and what became of it. */
export interface Received {
  /** Epoch ms, with fractions: when the whole request was there. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly raw: Buffer
  readonly body: string
  /** The `webhook-id`; null when there is none. */
  readonly id: string | null
  readonly behaviour: Behaviour
  /** When a whole answer was handed to the network, epoch ms; null until then, and if there is none. */
  answeredAt: number | null
  /** Whether the npm package standardwebhooks verifies it with this secret. */
  isSignedBy(secret: string): boolean
}

type Request = Omit<Received, 'behaviour'>

/** A receiver on 127.0.0.1 that takes any path, keeps every request and answers as badly as told. */
export type BadReceiver = Awaited<ReturnType<typeof startBadReceiver>>

export async function startBadReceiver() {
  const received: Received[] = []
  let decide: (request: Request, count: number) => Behaviour = () => 204

  const server = await listenOnLoopback(async (request, response) => {
    const raw = await readBody(request)
    const seen = seenIn(request, raw)
    const one = Object.assign(seen, { behaviour: decide(seen, received.length + 1) })
    received.push(one)
    response.on('finish', () => {
      one.answeredAt = now()
    })
    behave(one.behaviour, request, response)
  }, 0)

  return {
    url: `${server.origin}/hook`,
    origin: server.origin,
    received,
    /** The requests to one path. */
    to: (path: string) => received.filter((one) => one.path === path),
    /** Each for one request from now on; the last one also for all after it. */
    will(...behaviours: readonly [Behaviour, ...Behaviour[]]) {
      let next = 0
      decide = () => behaviours[Math.min(next++, behaviours.length - 1)] ?? 204
    },
    /** From now on the request decides, and its number among all so far. */
    decide(how: (request: Request, count: number) => Behaviour) {
      decide = how
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}

/** Statuses that ask to go elsewhere. */
export const redirects = [301, 302, 307, 308] as const

export function redirectTo(status: (typeof redirects)[number], location: string): Reply {
  return { status, headers: { location } }
}

/** Epoch ms by a clock that nobody sets back; what all records go by. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function isSuccess(behaviour: Behaviour): boolean {
  const status = statusOf(behaviour)
  return status !== null && status >= 200 && status < 300
}

/** The status of a whole answer. */
function statusOf(behaviour: Behaviour): number | null {
  if (typeof behaviour === 'number') return behaviour
  return typeof behaviour === 'string' ? null : behaviour.status
}

function seenIn(request: IncomingMessage, raw: Buffer): Request {
  const { method = '', url = '', headers } = request
  const id = headers['webhook-id']
  return {
    at: now(),
    method,
    path: url,
    headers,
    raw,
    body: raw.toString(),
    id: typeof id === 'string' ? id : null,
    answeredAt: null,
    isSignedBy(secret) {
      try {
        new Webhook(secret).verify(raw, headers as Record<string, string>)
        return true
      } catch {
        return false
      }
    },
  }
}

function behave(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  switch (behaviour) {
    case 'hang':
      return
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'reset-in-body':
      socket.write(headOf('content-length: 1000', 'half'))
      // Not before the half has arrived.
      every(50, socket, () => socket.resetAndDestroy())
      return
    case 'drip-headers':
      socket.write('HTTP/1.1 200 OK\r\n')
      every(20, socket, () => socket.write('x-drip: drop\r\n'))
      return
    case 'drip-body':
      socket.write(headOf('transfer-encoding: chunked', ''))
      every(20, socket, () => socket.write('1\r\n.\r\n'))
      return
    case 'endless-body':
      response.writeHead(200)
      pour(response)
      return
    case 'length-too-long':
      socket.end(headOf('content-length: 1000', 'short'))
      return
    case 'length-too-short':
      socket.write(headOf('content-length: 2', 'far more than two'))
      return
    default:
      reply(typeof behaviour === 'number' ? { status: behaviour } : behaviour, response)
  }
}

function headOf(header: string, body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n${header}\r\n\r\n${body}`
}

function every(ms: number, socket: IncomingMessage['socket'], act: () => void): void {
  const timer = setInterval(act, ms)
  socket.on('close', () => {
    clearInterval(timer)
  })
}

function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 'x')
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', more)
  more()
}

function reply({ status, headers = {}, body = '', afterMs }: Reply, response: ServerResponse) {
  const send = (): void => {
    response.writeHead(status, headers)
    response.end(body)
  }
  if (afterMs === undefined) send()
  else setTimeout(send, afterMs)
}
