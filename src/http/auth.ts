import type { FastifyRequest } from 'fastify'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Secret } from '../core/secret.ts'
import { HttpProblem } from './problem.ts'
import { createSessions } from './session.ts'
import type { Session } from './session.ts'

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
  readonly clock: Clock
}

/** Who asks. */
export interface Caller {
  /** The token's name; null while there are no tokens, when everybody may do everything. */
  readonly name: string | null
  /** What they may do; `read` is there wherever `write` is. */
  readonly scopes: readonly Scope[]
  /** By which they are known, where no header says it. */
  readonly session: Session | null
}

/** Lets a request through or throws the problem that answers it. */
export interface Access {
  /** Without tokens nobody has to say who they are. */
  readonly isOpen: boolean
  /** Checks `Host` and `Origin`, which guard against other sites in the same browser. */
  checkOrigin(request: FastifyRequest): void
  /** Checks that what needs no token is not changed by a page of another site. */
  checkSite(request: FastifyRequest): void
  /** Who asks, by the token in the header or else by the cookie; null where neither is there. */
  identify(request: FastifyRequest): Caller | null
  /** Who asks, if they may. */
  authorize(request: FastifyRequest, scope: Scope): Caller
  /** Begins a session with a token; returns its `Set-Cookie`. */
  signIn(token: string): string
  /** Ends the session, if there is one; returns the `Set-Cookie` for it. */
  signOut(request: FastifyRequest): string
}

const everybody: Caller = { name: null, scopes: ['read', 'write'], session: null }
const safeMethods = new Set(['GET', 'HEAD'])

/** The rules of contract, section 5. */
export function createAccess({ tokens, publicUrl, clock }: AccessRules): Access {
  const known = tokens.map(({ name, token, scopes }) => ({
    name,
    digest: digest(token.reveal()),
    scopes: scopes.includes('write') ? (['read', 'write'] as const) : scopes,
  }))
  const publicName = publicUrl === undefined ? null : new URL(publicUrl).hostname
  const publicOrigin = publicUrl === undefined ? null : new URL(publicUrl).origin
  const isSecure = publicOrigin?.startsWith('https:') ?? false
  const sessions = createSessions({ tokens, isSecure, clock })

  function byHeader(authorization: string): Caller {
    const [, presented] = /^Bearer +(\S+) *$/i.exec(authorization) ?? []
    const found = presented === undefined ? undefined : find(known, digest(presented))
    if (found === undefined) throw unauthorized(howToSignIn)
    return { name: found.name, scopes: found.scopes, session: null }
  }

  function byCookie(request: FastifyRequest): Caller | null {
    const session = sessions.find(request.headers.cookie)
    const found = known.find(({ name }) => name === session?.name)
    if (session === null || found === undefined) return null
    checkOwnPage(request)
    return { name: found.name, scopes: found.scopes, session }
  }

  function identify(request: FastifyRequest): Caller | null {
    if (known.length === 0) return everybody
    const { authorization } = request.headers
    return authorization === undefined ? byCookie(request) : byHeader(authorization)
  }

  return {
    isOpen: known.length === 0,
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
    checkSite({ method, headers }) {
      const site = headers['sec-fetch-site'] ?? 'none'
      if (safeMethods.has(method) || site === 'same-origin' || site === 'none') return
      throw new HttpProblem(
        403,
        'origin_refused',
        'Only the page of jobwatch itself may sign in and out: Sec-Fetch-Site says it is another',
      )
    },
    identify,
    authorize(request, scope) {
      const caller = identify(request)
      if (caller === null) throw unauthorized(howToSignIn)
      if (!caller.scopes.includes(scope)) {
        throw new HttpProblem(403, 'forbidden', `This token lacks the scope "${scope}"`)
      }
      return caller
    },
    signIn(token) {
      if (known.length === 0) {
        throw new HttpProblem(
          409,
          'no_tokens',
          'No token is configured under api.tokens: the API is open and needs no sign-in',
        )
      }
      const found = find(known, digest(token))
      if (found !== undefined) return sessions.begin(found.name)
      throw unauthorized('This token is none of those that are configured under api.tokens')
    },
    signOut: ({ headers }) => sessions.end(headers.cookie),
  }
}

/** A browser sends the cookie along whoever makes it ask: a change must come from our own page. */
function checkOwnPage({ method, headers }: FastifyRequest): void {
  if (safeMethods.has(method)) return
  const site = headers['sec-fetch-site']
  // An Origin that is there has been checked; browsers that are old, or use plain http, send it alone.
  if (site === undefined ? headers.origin !== undefined : site === 'same-origin') return
  throw new HttpProblem(
    403,
    'origin_refused',
    'By cookie only the page of jobwatch itself may change something: Sec-Fetch-Site has to be ' +
      'same-origin or, where it is missing, Origin has to be there',
  )
}

const howToSignIn = 'Send a token that is configured under api.tokens as "Authorization: Bearer …"'

function unauthorized(detail: string): HttpProblem {
  const headers = { 'www-authenticate': 'Bearer realm="jobwatch"' }
  return new HttpProblem(401, 'unauthorized', detail, { headers })
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
