import type { EventDraft } from './event.ts'
import type { HealthState, Signal } from './health.ts'
import { isoTime } from './job.ts'
import type { Failed } from './observation.ts'

export const upstreamStates = ['up', 'down', 'denied'] as const
/** Usable, unreachable or unusable, or refusing the credentials or the privileges of the account. */
export type UpstreamState = (typeof upstreamStates)[number]

/** The state that a health means for an upstream. */
export function upstreamStateOf(state: HealthState): UpstreamState {
  switch (state) {
    case 'ok':
      return 'up'
    case 'failing':
      return 'down'
    case 'off':
      return 'denied'
  }
}

/** The health that a state of an upstream stands for. */
export function healthStateOf(state: UpstreamState): HealthState {
  switch (state) {
    case 'up':
      return 'ok'
    case 'down':
      return 'failing'
    case 'denied':
      return 'off'
  }
}

/** What a failed look says about the upstream, whichever job it was about. */
export function signalOf({ failure, badCredentials }: Failed): Signal {
  switch (failure) {
    case 'auth':
    case 'denied':
      return badCredentials === true ? 'final' : 'refusal'
    case 'transient':
    case 'throttled':
    case 'protocol':
      return 'failure'
  }
}

/** The event that tells of a state; `since` is when the trouble began, also when it is over. */
export function upstreamDraft(state: UpstreamState, reason: string, since: number): EventDraft {
  return { type: `upstream.${state}`, change: { kind: 'upstream', reason, since: isoTime(since) } }
}
