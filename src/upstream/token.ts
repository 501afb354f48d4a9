import type { Failed } from '../core/observation.ts'

/** A token, or why there is none now. */
export type TokenAnswer =
  { readonly outcome: 'token'; readonly token: string; readonly expiresAt: number | null } | Failed

/** Where an upstream's requests get their token from. */
export interface TokenSource {
  get(): Promise<TokenAnswer>
  /** Says that the upstream refused this token; the next `get` asks for another, if there can be one. */
  refuse(token: string): void
  /** False when a refused token will never be replaced. */
  readonly canRenew: boolean
}

/** A token that never changes. */
export function staticToken(token: string): TokenSource {
  return {
    get: () => Promise.resolve({ outcome: 'token', token, expiresAt: null }),
    refuse: () => undefined,
    canRenew: false,
  }
}

export interface RenewedTokenOptions {
  readonly request: () => Promise<TokenAnswer>
  readonly now: () => number
  /** How long to leave the token endpoint alone after a failure, by the number of failures in a row. */
  readonly pauseMs: (failures: number) => number
}

/** A token is renewed when this part of its life is left, but never before half of it is over. */
const renewalMarginMs = 60_000

/**
 * A token that is asked for when needed: one request serves everyone who waits, it is renewed
 * before it expires and after a refusal, and a failed renewal is forgotten after a pause.
 */
export function renewedToken({ request, now, pauseMs }: RenewedTokenOptions): TokenSource {
  let current: { token: string; renewAt: number } | null = null
  let pending: Promise<TokenAnswer> | null = null
  let failures = 0
  let failure: { answer: Failed; until: number } | null = null

  async function renew(): Promise<TokenAnswer> {
    const answer = await request()
    if (answer.outcome === 'token') {
      failures = 0
      failure = null
      current = { token: answer.token, renewAt: renewalTime(answer.expiresAt, now()) }
    } else {
      failures += 1
      const pause = Math.max(pauseMs(failures), answer.retryAfterMs ?? 0)
      failure = { answer, until: now() + pause }
    }
    return answer
  }

  return {
    canRenew: true,
    get() {
      if (current !== null && now() < current.renewAt) {
        return Promise.resolve({ outcome: 'token', token: current.token, expiresAt: null })
      }
      if (failure !== null && now() < failure.until) return Promise.resolve(failure.answer)
      pending ??= renew().finally(() => {
        pending = null
      })
      return pending
    },
    refuse(token) {
      if (current?.token === token) current = null
    },
  }
}

function renewalTime(expiresAt: number | null, now: number): number {
  if (expiresAt === null) return Infinity
  const life = Math.max(0, expiresAt - now)
  return expiresAt - Math.min(renewalMarginMs, life / 2)
}
