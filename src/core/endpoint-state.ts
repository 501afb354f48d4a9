import type { AttemptResult } from './delivery.ts'
import type { EventDraft } from './event.ts'
import { afterSignal, healthOf } from './health.ts'
import type { Health, HealthState, Signal, Thresholds } from './health.ts'
import { isoTime } from './job.ts'

export const endpointStates = ['active', 'failing', 'disabled'] as const
/** Delivered to, delivered to in vain, or no longer delivered to. */
export type EndpointState = (typeof endpointStates)[number]

/** How well an endpoint takes what it is sent. Times are epoch ms. */
export interface EndpointHealth {
  readonly state: EndpointState
  readonly since: number
  /** Why it is failing or disabled, in words; null while it is active. */
  readonly reason: string | null
  /** Failed attempts in a row, and when the first of them was. */
  readonly failures: number
  readonly failuresSince: number | null
}

/** What follows for an endpoint: how it is now, and the event that tells it, if there is any. */
export interface EndpointChange {
  readonly health: EndpointHealth
  readonly draft: EventDraft | null
}

const failuresUntilFailing = 5
/** After so long without one success an endpoint is disabled. */
export const disableAfterMs = 5 * 86_400_000
const thresholds: Thresholds = {
  failing: { count: failuresUntilFailing, afterMs: 0 },
  off: { refusals: Infinity, afterMs: disableAfterMs },
}

/** An endpoint that is delivered to and that nothing is held against. */
export function activeSince(since: number): EndpointHealth {
  return { state: 'active', since, reason: null, failures: 0, failuresSince: null }
}

/** When a failing endpoint will be disabled unless a delivery succeeds; null for any other. */
export function disablesAt({ state, failuresSince }: EndpointHealth): number | null {
  return state === 'failing' && failuresSince !== null ? failuresSince + disableAfterMs : null
}

/** The endpoint's health after an attempt that ended at `now`. */
export function afterEndpointAttempt(
  before: EndpointHealth,
  result: Pick<AttemptResult, 'verdict' | 'detail'>,
  now: number,
): EndpointChange {
  const signal = signalOf(result.verdict)
  // What was in flight when it was disabled changes that no more.
  if (signal === null || before.state === 'disabled') return { health: before, draft: null }
  const after = afterSignal(toHealth(before), signal, now, thresholds)
  const state = stateOf(after.state)
  const health: EndpointHealth = {
    state,
    since: after.since,
    reason: state === 'active' ? null : result.detail,
    failures: after.failures?.count ?? 0,
    failuresSince: after.failures?.since ?? null,
  }
  if (state === before.state) return { health, draft: null }
  switch (state) {
    case 'active':
      return { health, draft: draftOf('recovered', 'a delivery succeeded', before.since, null) }
    case 'failing':
      return {
        health,
        draft: draftOf('failing', result.detail, health.since, disablesAt(health)),
      }
    case 'disabled':
      return disabled(before, reasonToDisable(signal, result.detail), health.since)
  }
}

/** Ends deliveries to an endpoint; none when that is so already. */
export function disabled(before: EndpointHealth, reason: string, since: number): EndpointChange {
  if (before.state === 'disabled') return { health: before, draft: null }
  return {
    health: { state: 'disabled', since, reason, failures: 0, failuresSince: null },
    draft: draftOf('disabled', reason, since, null),
  }
}

/** Disables an endpoint that has been failing for too long; nothing follows for any other. */
export function afterTime(before: EndpointHealth, now: number): EndpointChange {
  const at = disablesAt(before)
  if (at === null || now < at) return { health: before, draft: null }
  return disabled(before, reasonToDisable('failure', before.reason ?? ''), before.since)
}

function reasonToDisable(signal: Signal, detail: string): string {
  return signal === 'final' ? detail : `no delivery succeeded for 5 days: ${detail}`
}

function draftOf(
  what: 'failing' | 'disabled' | 'recovered',
  reason: string,
  since: number,
  disablesAtMs: number | null,
): EventDraft {
  return {
    type: `endpoint.${what}`,
    change: {
      kind: 'endpoint',
      reason,
      since: isoTime(since),
      disablesAt: isoTime(disablesAtMs),
    },
  }
}

/** What an attempt says of its endpoint; null for what is jobwatch's own fault. */
function signalOf(verdict: AttemptResult['verdict']): Signal | null {
  switch (verdict) {
    case 'delivered':
      return 'success'
    case 'retry':
      return 'failure'
    case 'endpoint_dead':
      return 'final'
    case 'refused':
      return null
  }
}

function toHealth({ state, since, failures, failuresSince }: EndpointHealth): Health {
  const row = failuresSince === null ? null : { count: failures, since: failuresSince }
  return { ...healthOf(healthStates[state], since), failures: row }
}

const healthStates: Readonly<Record<EndpointState, HealthState>> = {
  active: 'ok',
  failing: 'failing',
  disabled: 'off',
}

function stateOf(state: HealthState): EndpointState {
  switch (state) {
    case 'ok':
      return 'active'
    case 'failing':
      return 'failing'
    case 'off':
      return 'disabled'
  }
}
