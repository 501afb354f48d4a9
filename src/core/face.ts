import type { DeliveryState } from './delivery.ts'
import type { EndpointState } from './endpoint-state.ts'
import type { JobState, JobStatus, Outcome, StageState } from './job.ts'
import type { UpstreamState } from './upstream-state.ts'

export type FaceColour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim'

/** How something looks to people, wherever they see it; a word always stands beside it. */
export interface Face {
  readonly emoji: string
  readonly colour: FaceColour
}

const faces: Readonly<Record<JobStatus, Face>> = {
  SUBMITTED: { emoji: '⏳', colour: 'dim' },
  EXECUTING: { emoji: '▶️', colour: 'cyan' },
  CANCELLING: { emoji: '↩️', colour: 'yellow' },
  CANCELLED: { emoji: '🚫', colour: 'yellow' },
  FAILED: { emoji: '❌', colour: 'red' },
  COMPLETED: { emoji: '✅', colour: 'green' },
  UNAVAILABLE: { emoji: '❔', colour: 'yellow' },
  OTHER: { emoji: '❔', colour: 'yellow' },
}
const warningFace: Face = { emoji: '⚠️', colour: 'yellow' }
const unseenFace: Face = { emoji: '🔍', colour: 'dim' }

const stageFaces: Readonly<Record<StageState, Face>> = {
  pending: { emoji: '⏳', colour: 'dim' },
  running: { emoji: '▶️', colour: 'cyan' },
  completed: { emoji: '✅', colour: 'green' },
  warning: { emoji: '⚠️', colour: 'yellow' },
  failed: { emoji: '❌', colour: 'red' },
  cancelled: { emoji: '🚫', colour: 'yellow' },
  rolling_back: { emoji: '↩️', colour: 'yellow' },
  rolled_back: { emoji: '↩️', colour: 'yellow' },
  skipped: { emoji: '➖', colour: 'dim' },
  unknown: { emoji: '❔', colour: 'dim' },
}

/** How the state of an endpoint looks. */
export const endpointFaces: Readonly<Record<EndpointState, Face>> = {
  active: { emoji: '✅', colour: 'green' },
  failing: { emoji: '⚠️', colour: 'yellow' },
  disabled: { emoji: '🚫', colour: 'red' },
}

/** How the state of a delivery looks. */
export const deliveryFaces: Readonly<Record<DeliveryState, Face>> = {
  pending: { emoji: '⏳', colour: 'cyan' },
  delivered: { emoji: '✅', colour: 'green' },
  failed: { emoji: '❌', colour: 'red' },
  superseded: { emoji: '➖', colour: 'dim' },
  cancelled: { emoji: '🚫', colour: 'yellow' },
}

/** How the state of an upstream looks. */
export const upstreamFaces: Readonly<Record<UpstreamState, Face>> = {
  up: { emoji: '🟢', colour: 'green' },
  down: { emoji: '🔴', colour: 'red' },
  denied: { emoji: '⛔', colour: 'red' },
}

export interface StatusOfJob {
  readonly status: JobStatus | null
  readonly outcome: Outcome | null
  readonly state: JobState
  readonly rawStatus: string | null
}

/** The emoji and colour of a status. */
export function faceOf({ status, outcome }: Pick<StatusOfJob, 'status' | 'outcome'>): Face {
  if (status === null) return unseenFace
  if (outcome === 'warning') return warningFace
  if (outcome === 'error') return faces.FAILED
  // Whoever wrote it may be newer and know more.
  return (faces as Partial<Record<string, Face>>)[status] ?? faces.OTHER
}

/** A status in words; what the upstream called it is in it as it is, neither cut nor made safe. */
export function statusWords({ status, outcome, state, rawStatus }: StatusOfJob): string {
  if (status === null) return state === 'active' ? 'not seen yet' : 'never seen'
  if (status === 'OTHER' && rawStatus !== null) return `OTHER: ${rawStatus}`
  if (status === 'COMPLETED' && outcome === 'error') return 'COMPLETED with error'
  return outcome === 'warning' ? `${status} with warnings` : status
}

/** The emoji and colour of a stage's state; a word that is none of the known ones looks unknown. */
export function stageFaceOf(state: string): Face {
  return (stageFaces as Partial<Record<string, Face>>)[state] ?? stageFaces.unknown
}

/** A stage's state in words; the upstream's own word, where it is needed, is not made safe. */
export function stageWords(state: string, rawState: string): string {
  return state === 'unknown' ? `unknown (${rawState})` : state
}
