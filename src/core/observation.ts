import type { JobStatus, Message, Progress, StageState } from './job.ts'

/** The normalised job document at one moment. Times are epoch ms or null. */
export interface Snapshot {
  readonly status: JobStatus
  readonly rawStatus: string
  readonly name: string | null
  readonly operation: string | null
  readonly resource: string | null
  readonly username: string | null
  readonly requestId: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly updatedAt: number | null
  /** In listed order; null when the document says nothing about stages. */
  readonly stages: readonly SeenStage[] | null
  /** Where the stages stand in the document. */
  readonly stagesOf: 'progress' | 'result'
  /** Stages beyond those, of which there are too many to tell each. */
  readonly furtherStages: Progress
  /** Null when the document has no messages field. */
  readonly messages: readonly Message[] | null
  /** Undefined when the document has none. */
  readonly result: unknown
}

/** A stage as a document lists it, before jobwatch's own times. */
export interface SeenStage {
  readonly name: string
  readonly occurrence: number
  readonly state: StageState
  readonly rawState: string
}

/** Why a look yielded neither a document nor a clear absence. */
export type FailureKind = 'transient' | 'throttled' | 'auth' | 'denied' | 'protocol'

/** What one look at a job yielded. */
export type Observation =
  | { readonly outcome: 'seen'; readonly snapshot: Snapshot }
  | { readonly outcome: 'missing'; readonly detail: string }
  | Failed

export interface Failed {
  readonly outcome: 'failed'
  readonly failure: FailureKind
  /** One line in words, without secrets. */
  readonly detail: string
  readonly retryAfterMs: number | null
  /** The token endpoint refused the credentials: nothing will work until they are other ones. */
  readonly badCredentials?: true
}

export const problemKinds = [
  'transient',
  'throttled',
  'auth',
  'denied',
  'missing',
  'protocol',
  'unconfirmed',
] as const

/** The last failed look, as a job shows it until a look works again. */
export interface Problem {
  readonly kind: (typeof problemKinds)[number]
  readonly detail: string
  /** Epoch ms of the first failed look in a row. */
  readonly since: number
  readonly attempts: number
}
