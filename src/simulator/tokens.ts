import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const minuteMs = 60_000
const defaultMinutes = 120
/** A portal shortens what is asked for beyond this to fourteen days, without a word. */
const longestMinutes = 20_160

export interface GrantedToken {
  readonly token: string
  /** Epoch ms. */
  readonly expires: number
}

/** The tokens handed out so far and not expired. */
export interface Tokens {
  /** `minutes` as the form says it; `referer` is what the token is bound to, if anything. */
  grant(asked: { minutes: string | null; referer: string | null }): GrantedToken
  accepts(token: string, referer: string | null): boolean
  expireAll(): void
}

export interface TokensOptions {
  readonly now: () => number
  /** The longest life a token can get; 14 days unless given. */
  readonly maxMinutes?: number
}

export function createTokens({ now, maxMinutes = longestMinutes }: TokensOptions): Tokens {
  const granted = new Map<string, { expiresAt: number; referer: string | null }>()

  return {
    grant({ minutes, referer }) {
      for (const [token, { expiresAt }] of granted) if (expiresAt <= now()) granted.delete(token)
      const asked = Number(minutes)
      const life = Math.min(asked > 0 ? asked : defaultMinutes, maxMinutes)
      const token = randomBytes(48).toString('base64url')
      const expires = now() + Math.round(life * minuteMs)
      granted.set(token, { expiresAt: expires, referer })
      return { token, expires }
    },
    accepts(token, referer) {
      const grant = granted.get(token)
      if (grant === undefined || grant.expiresAt <= now()) return false
      // Like the real one, which is lenient when the header is absent.
      return grant.referer === null || referer === null || grant.referer === referer
    },
    expireAll() {
      granted.clear()
    },
  }
}

/** Where Esri's clients put a token: two headers, the query, and a POST's body. */
export function tokenOf(
  request: IncomingMessage,
  query: URLSearchParams,
  form: URLSearchParams | null,
): string | null {
  const { headers } = request
  return (
    bearer(headers['x-esri-authorization']) ??
    bearer(headers.authorization) ??
    query.get('token') ??
    form?.get('token') ??
    null
  )
}

function bearer(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string') return null
  return /^Bearer +(\S+)$/i.exec(header)?.[1] ?? null
}
