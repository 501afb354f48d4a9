import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Secret } from '../core/secret.ts'
import { cookiesNamed, setCookie } from './cookie.ts'

/** A session that a request came with. */
export interface Session {
  /** The name of the token that it was begun with. */
  readonly name: string
  /** Whether its cookie is so old that the answer should bring a fresh one. */
  readonly isDue: boolean
  /** A `Set-Cookie` with which it goes on from now. */
  renew(): string
}

/** The sessions of browsers, which cannot send a token with everything that they ask. */
export interface Sessions {
  /** Begins one for the token of this name; returns its `Set-Cookie`. */
  begin(name: string): string
  /** That of a `Cookie` header; null where there is none that is good. */
  find(header: string | undefined): Session | null
  /** Ends it; returns the `Set-Cookie` that makes the browser forget it as well. */
  end(header: string | undefined): string
}

export interface SessionRules {
  readonly tokens: readonly { readonly name: string; readonly token: Secret }[]
  /** Whether people reach the daemon by https alone. */
  readonly isSecure: boolean
  readonly clock: Clock
}

const idleMs = 12 * 3_600_000
const renewAfterMs = 30 * 60_000

/** What a cookie holds beside its signature. */
interface Claim {
  readonly name: string
  readonly id: string
  readonly issuedAt: number
}

/** `<name>.<id>.<issuedAt>.<signature>`, as `claimText` and `sign` write them. */
const cookieForm = /^(([\w-]+)\.([\w-]{22})\.(\d{1,15}))\.([\w-]{43})$/

/**
 * Nothing of a session is kept here: its cookie says whose it is, signed with a key made of that
 * token's secret. So it outlives a restart of the daemon, and ends with its token.
 */
export function createSessions({ tokens, isSecure, clock }: SessionRules): Sessions {
  const keyByName = new Map(tokens.map(({ name, token }) => [name, keyOf(token)]))
  const cookie = { name: isSecure ? '__Host-jobwatch' : 'jobwatch', isSecure }
  /**
   * Until when it matters that a session was ended, by its id: its last cookie is too old then. This
   * is lost at a restart, after which a copy of such a cookie is good again unless it is too old.
   */
  const endedUntil = new Map<string, number>()

  function issue(name: string, id: string): string {
    const key = keyByName.get(name)
    if (key === undefined) throw new Error('a session is only ever that of a token')
    const text = claimText({ name, id, issuedAt: clock.now() })
    return setCookie({ ...cookie, value: `${text}.${sign(text, key)}`, maxAgeMs: idleMs })
  }

  /** What the first good cookie says. */
  function read(header: string | undefined): Claim | null {
    for (const value of cookiesNamed(cookie.name, header)) {
      const claim = readCookie(value)
      if (claim !== null) return claim
    }
    return null
  }

  function readCookie(value: string): Claim | null {
    const [, text = '', encodedName = '', id = '', issued, signature = ''] =
      cookieForm.exec(value) ?? []
    const name = Buffer.from(encodedName, 'base64url').toString()
    const key = keyByName.get(name)
    if (issued === undefined || key === undefined) return null
    // Both are of equal length; the time taken tells nothing.
    if (!timingSafeEqual(Buffer.from(signature), Buffer.from(sign(text, key)))) return null
    const issuedAt = Number(issued)
    // Also one from the future: a clock that was put right must not leave it good for years.
    const isTooOld = Math.abs(clock.now() - issuedAt) >= idleMs
    return isTooOld || endedUntil.has(id) ? null : { name, id, issuedAt }
  }

  return {
    begin: (name) => issue(name, randomBytes(16).toString('base64url')),
    find(header) {
      const claim = read(header)
      if (claim === null) return null
      const { name, id, issuedAt } = claim
      const isDue = Math.abs(clock.now() - issuedAt) > renewAfterMs
      return { name, isDue, renew: () => issue(name, id) }
    },
    end(header) {
      const now = clock.now()
      for (const [id, until] of endedUntil) if (until <= now) endedUntil.delete(id)
      const claim = read(header)
      // Twice, since one of its cookies may be from the future by as much.
      if (claim !== null) endedUntil.set(claim.id, now + 2 * idleMs)
      return setCookie({ ...cookie, value: '', maxAgeMs: 0 })
    },
  }
}

function keyOf(token: Secret): Buffer {
  return Buffer.from(hkdfSync('sha256', token.reveal(), '', 'jobwatch session', 32))
}

function claimText({ name, id, issuedAt }: Claim): string {
  return `${Buffer.from(name).toString('base64url')}.${id}.${issuedAt}`
}

function sign(text: string, key: Buffer): string {
  return createHmac('sha256', key).update(text).digest('base64url')
}
