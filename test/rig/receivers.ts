import type { IncomingMessage, ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { listenOnLoopback, readBody } from '../../src/simulator/loopback.ts'
import type { Random } from './random.ts'
import type { Trail } from './trail.ts'
import { now, sha } from './trace.ts'
import type { Receipt } from './trace.ts'

const answers = {
  ...{ 500: 0.1, 429: 0.002, 302: 0.02, 404: 0.02, hang: 0.01, reset: 0.04, unread: 0.02 },
  slow: 0.1,
} as const
type Mood = keyof typeof answers

/** Who receives at a path, and how well. */
export interface Receiver {
  readonly name: string
  /** `dead` answers 500 to everything until it is healed. */
  readonly manners: 'good' | 'moody' | 'dead'
}

/** All receivers in one server, each at its own path. */
export async function startReceivers(receivers: readonly Receiver[], random: Random, trail: Trail) {
  const secrets = new Map<string, string>()
  /** Everything that was received, for whoever looks for secrets in it. */
  const bodies: string[] = []
  let isHealed = false

  function moodOf({ manners }: Receiver): Mood | null {
    if (isHealed || manners === 'good') return null
    return manners === 'dead' ? '500' : random.oneOf(answers)
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = now()
    const name = (request.url ?? '').slice(1)
    const receiver = receivers.find((one) => one.name === name)
    if (receiver === undefined) throw new Error(`nobody receives at ${name}`)
    const mood = moodOf(receiver)
    if (mood === 'unread') {
      request.socket.resetAndDestroy()
      return
    }
    const raw = await readBody(request)
    bodies.push(raw.toString())
    const id = String(request.headers['webhook-id'])
    let answeredAt: number | null = null
    response.on('finish', () => (answeredAt = now()))
    const status = mood === null || mood === 'slow' ? 204 : Number(mood)
    response.on('close', () => {
      const answer = answeredAt === null ? (mood === 'reset' ? 'reset' : 'hang') : status
      trail.write({
        ...{ kind: 'receipt', at, endpoint: name, id, sha: sha(raw) },
        isSigned: isSigned(raw, request, secrets.get(name) ?? ''),
        sentAt: Number(request.headers['webhook-timestamp']) * 1000,
        answer: answer satisfies Receipt['answer'],
        retryAfterMs: mood === '429' && answeredAt !== null ? 1000 : null,
        ...{ answeredAt, connection: `hook:${String(request.socket.remotePort)}` },
      })
    })
    if (mood === 'hang') return
    if (mood === 'reset') request.socket.resetAndDestroy()
    else setTimeout(() => reply(response, status), mood === 'slow' ? 200 : 0)
  }

  const server = await listenOnLoopback(take, 0)
  return {
    origin: server.origin,
    bodies,
    /** What the requests to a path are signed with. */
    expect(name: string, secret: string) {
      secrets.set(name, secret)
    },
    heal() {
      isHealed = true
    },
    close: () => server.close(),
  }
}

function reply(response: ServerResponse, status: number): void {
  if (response.destroyed) return
  if (status === 302) response.setHeader('location', '/elsewhere')
  if (status === 429) response.setHeader('retry-after', '1')
  response.writeHead(status)
  response.end()
}

function isSigned(raw: Buffer, { headers }: IncomingMessage, secret: string): boolean {
  try {
    new Webhook(secret).verify(raw, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}
