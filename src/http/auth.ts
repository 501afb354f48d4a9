import type { FastifyRequest } from 'fastify'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../core/secret.ts'
import { HttpProblem } from './problem.ts'

export type Scope = 'read' | 'write'

export interface ApiToken {
  readonly name: string
  readonly token: Secret
  readonly scopes: readonly Scope[]
}

export interface AccessRules {
  /** Without any the API is open. */
  readonly tokens: readonly ApiToken[]
  /** The address at which people reach the daemon through a proxy. */
  readonly publicUrl: string | undefined
}

/** Lets a request through or throws the problem that answers it. */
export interface Access {
  /** Checks `Host` and `Origin`, which guard against other sites in the same browser. */
  checkOrigin(request: FastifyRequest): void
  /** Checks the token; returns whose request it is: the token's name, or the address. */
  authorize(request: FastifyRequest, scope: Scope): string
}

/** The rules of contract, section 5. */
export function createAccess({ tokens, publicUrl }: AccessRules): Access {
  const known = tokens.map(({ name, token, scopes }) => ({
    name,
    digest: digest(token.reveal()),
    scopes: new Set(scopes),
  }))
  const publicName = publicUrl === undefined ? null : new URL(publicUrl).hostname
  const publicOrigin = publicUrl === undefined ? null : new URL(publicUrl).origin

  return {
    checkOrigin({ headers, raw }) {
      const host = (headers.host ?? '').toLowerCase()
      const name = host.replace(/:\d{1,5}$/, '')
      if (tokens.length === 0 && name !== publicName && !isLoopbackName(name)) {
        throw new HttpProblem(
          403,
          'host_refused',
          'While no API token is configured the Host must be a loopback name or that of publicUrl',
        )
      }
      const { origin } = headers
      if (origin === undefined || origin.toLowerCase() === publicOrigin) return
      const scheme = 'encrypted' in raw.socket ? 'https' : 'http'
      if (origin.toLowerCase() === `${scheme}://${host}`) return
      throw new HttpProblem(
        403,
        'origin_refused',
        'Requests from pages of another origin are refused; set publicUrl if this is the address of jobwatch',
      )
    },
    authorize({ headers, ip }, scope) {
      if (known.length === 0) return ip
      const [, presented] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
      const found = presented === undefined ? undefined : find(known, digest(presented))
      if (found === undefined) {
        throw new HttpProblem(
          401,
          'unauthorized',
          'Send a token that is configured under api.tokens as "Authorization: Bearer …"',
          { headers: { 'www-authenticate': 'Bearer realm="jobwatch"' } },
        )
      }
      if (!found.scopes.has(scope) && !found.scopes.has('write')) {
        throw new HttpProblem(403, 'forbidden', `This token lacks the scope "${scope}"`)
      }
      return found.name
    },
  }
}

// Digests are of equal length, and every token is compared: the time taken tells nothing.
function find<T extends { readonly digest: Buffer }>(known: readonly T[], presented: Buffer) {
  let found: T | undefined
  for (const candidate of known) {
    if (timingSafeEqual(candidate.digest, presented)) found = candidate
  }
  return found
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])\.?$/.test(name)
}
