/*
 * How well something outside works that is asked or told again and again: an upstream now, an
 * endpoint likewise.
 *
 *   state     signal                                             then
 *   --------  -------------------------------------------------  --------
 *   any       success                                            ok
 *   ok, off   failures in a row: so many, and for so long        failing
 *   failing   failures in a row for longer still (`off.afterMs`) off
 *   any       refusals in a row: so many, or one that is final   off
 *
 * A refusal is also no success: while all is thought to be well, it counts among the failures.
 * An upstream that is failing is called down, one that is off is called denied.
 */

export type HealthState = 'ok' | 'failing' | 'off'

/** What one try showed. `final`: a refusal after which trying again the same way is pointless. */
export type Signal = 'success' | 'failure' | 'refusal' | 'final'

interface Row {
  readonly count: number
  /** Epoch ms of its first. */
  readonly since: number
}

export interface Health {
  readonly state: HealthState
  /** Since when it is so, epoch ms: of the first failure or refusal, not of the moment it was judged. */
  readonly since: number
  readonly failures: Row | null
  readonly refusals: Row | null
}

export interface Thresholds {
  readonly failing: { readonly count: number; readonly afterMs: number }
  readonly off: { readonly refusals: number; readonly afterMs: number }
}

/** Health with nothing held against it. */
export function healthOf(state: HealthState, since: number): Health {
  return { state, since, failures: null, refusals: null }
}

/** The health after a try at `now`, epoch ms. */
export function afterSignal(
  health: Health,
  signal: Signal,
  now: number,
  { failing, off }: Thresholds,
): Health {
  if (signal === 'success') {
    return health.state === 'ok' ? healthOf('ok', health.since) : healthOf('ok', now)
  }
  const isRefusal = signal !== 'failure'
  const refusals = isRefusal ? longer(health.refusals, now) : null
  if (refusals !== null && (signal === 'final' || refusals.count >= off.refusals)) {
    const since = health.state === 'off' ? health.since : refusals.since
    return { state: 'off', since, failures: null, refusals }
  }
  const failures = isRefusal && health.state === 'off' ? null : longer(health.failures, now)
  const counted = { ...health, failures, refusals }
  if (failures === null) return counted
  const lastsMs = now - failures.since
  if (health.state === 'failing') {
    return lastsMs >= off.afterMs ? { ...counted, state: 'off', since: failures.since } : counted
  }
  const isFailing = failures.count >= failing.count && lastsMs >= failing.afterMs
  return isFailing ? { ...counted, state: 'failing', since: failures.since } : counted
}

function longer(row: Row | null, now: number): Row {
  return { count: (row?.count ?? 0) + 1, since: row?.since ?? now }
}
