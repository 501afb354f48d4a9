import type { Failed } from '../core/observation.ts'
import type { FailedRequest } from './upstream.ts'

/** A token, or why there is none now. */
export type TokenAnswer =
  | { readonly outcome: 'token'; readonly token: string; readonly expiresAt: number | null }
  | FailedRequest

/** Where an upstream's requests get their token from. */
export interface TokenSource {
  get(): Promise<TokenAnswer>
  /**
   * Says that the upstream refused this token, and in what words; the next `get` asks for another, if
   * there can be one.
   */
  refuse(token: string, words: string): void
  /** Says that the upstream took this token. */
  accept(token: string): void
  /** Ends the pause after failures: the next `get` that needs a token asks for one. */
  retry(): void
  /** When the token in use expires, epoch ms; null when there is none, or one that does not. */
  expiresAt(): number | null
  /** False when a refused token will never be replaced. */
  readonly canRenew: boolean
}

/** A token that never changes. */
export function staticToken(token: string): TokenSource {
  return {
    get: () => Promise.resolve({ outcome: 'token', token, expiresAt: null }),
    refuse: () => undefined,
    accept: () => undefined,
    retry: () => undefined,
    expiresAt: () => null,
    canRenew: false,
  }
}

export interface RenewedTokenOptions {
  readonly request: () => Promise<TokenAnswer>
  readonly now: () => number
  /** How long to leave the token endpoint alone after so many failures in a row, this the last. */
  readonly pauseMs: (failures: number, failed: Failed) => number
}

/** A token is renewed when this part of its life is left, but never before half of it is over. */
const renewalMarginMs = 60_000

interface Held {
  readonly token: string
  readonly renewAt: number
  readonly expiresAt: number
}

/**
 * A token that is asked for when needed: one request serves everyone who waits, it is renewed
 * before it expires and after a refusal, and a failed renewal is forgotten after a pause, in which
 * a token that is still good goes on being used. When a fresh token is refused as well, asking for
 * more would only lock the account: that pauses too.
 */
export function renewedToken({ request, now, pauseMs }: RenewedTokenOptions): TokenSource {
  let held: Held | null = null
  let pending: Promise<TokenAnswer> | null = null
  let failures = 0
  let refusals = 0
  let pause: { answer: Failed; until: number } | null = null

  function fail(answer: Failed): void {
    failures += 1
    pause = { answer, until: now() + Math.max(pauseMs(failures, answer), answer.retryAfterMs ?? 0) }
  }

  async function renew(): Promise<TokenAnswer> {
    const answer = await request()
    if (answer.outcome !== 'token') {
      fail(answer)
      return heldAnswer() ?? answer
    }
    const expiresAt = answer.expiresAt ?? Infinity
    held = { token: answer.token, expiresAt, renewAt: renewalTime(expiresAt, now()) }
    pause = null
    if (refusals === 0) failures = 0
    return answer
  }

  function heldAnswer(): TokenAnswer | null {
    if (held === null || now() >= held.expiresAt) return null
    return { outcome: 'token', token: held.token, expiresAt: held.expiresAt }
  }

  return {
    canRenew: true,
    get() {
      const good = heldAnswer()
      const isPaused = pause !== null && now() < pause.until
      if (good !== null && held !== null && (isPaused || now() < held.renewAt)) {
        return Promise.resolve(good)
      }
      if (pause !== null && isPaused) return Promise.resolve(pause.answer)
      pending ??= renew().finally(() => {
        pending = null
      })
      return pending
    },
    refuse(token, words) {
      if (held?.token !== token) return
      held = null
      refusals += 1
      if (refusals > 1) fail(refusedAgain(words))
    },
    accept(token) {
      if (held?.token !== token) return
      refusals = 0
      failures = 0
    },
    retry() {
      pause = null
    },
    expiresAt() {
      return held === null || held.expiresAt === Infinity ? null : held.expiresAt
    },
  }
}

/** Behind several addresses a token that is bound to one of them looks like this. */
function refusedAgain(words: string): Failed {
  const detail = `a fresh token, too, is refused (is it bound to another address?): ${words}`
  return { outcome: 'failed', failure: 'auth', detail, retryAfterMs: null }
}

function renewalTime(expiresAt: number, now: number): number {
  if (expiresAt === Infinity) return Infinity
  const life = Math.max(0, expiresAt - now)
  return expiresAt - Math.min(renewalMarginMs, life / 2)
}
