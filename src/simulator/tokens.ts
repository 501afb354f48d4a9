import { randomBytes } from 'node:crypto'

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
  /** Takes a token that was made up elsewhere for one of its own. */
  adopt(token: string): void
  /** When the token was granted (epoch ms); null when it is not accepted. */
  grantedAt(token: string, referer: string | null): number | null
  expireAll(): void
}

export interface TokensOptions {
  readonly now: () => number
  /** The longest life a token can get; 14 days unless given. */
  readonly maxMinutes?: number
}

export function createTokens({ now, maxMinutes = longestMinutes }: TokensOptions): Tokens {
  const granted = new Map<string, { at: number; expiresAt: number; referer: string | null }>()

  return {
    grant({ minutes, referer }) {
      for (const [token, { expiresAt }] of granted) if (expiresAt <= now()) granted.delete(token)
      const asked = Number(minutes)
      const life = Math.min(asked > 0 ? asked : defaultMinutes, maxMinutes)
      const token = randomBytes(48).toString('base64url')
      const expires = now() + Math.round(life * minuteMs)
      granted.set(token, { at: now(), expiresAt: expires, referer })
      return { token, expires }
    },
    adopt(token) {
      granted.set(token, { at: now(), expiresAt: now() + longestMinutes * minuteMs, referer: null })
    },
    grantedAt(token, referer) {
      const grant = granted.get(token)
      if (grant === undefined || grant.expiresAt <= now()) return null
      // Like the real one, which is lenient when the header is absent.
      const isElsewhere = grant.referer !== null && referer !== null && grant.referer !== referer
      return isElsewhere ? null : grant.at
    },
    expireAll() {
      granted.clear()
    },
  }
}
