import { createHash } from 'node:crypto'

/*
 * What the rig writes down, one JSON document a line. Every `at` and `to` is epoch ms with fractions
 * by the rig's own clock, which nobody sets back.
 */

/** What the daemon was told to do; always the first record. */
export interface Setup {
  readonly kind: 'setup'
  readonly at: number
  readonly seed: number
  readonly upstreams: readonly UpstreamSetup[]
  readonly retryMs: readonly number[]
  readonly overtakeMs: number
  /** Requests in flight per endpoint, at most. */
  readonly inFlight: number
}

export interface UpstreamSetup {
  readonly name: string
  readonly maxIntervalMs: number
  readonly timeoutMs: number
  readonly rate: number
  readonly concurrency: number
  readonly lostAfterMs: number
  readonly jobs: number
}

/** From here on a new part of the run; from `heal` on nothing is made to fail any more. */
export interface Phase {
  readonly kind: 'phase'
  readonly at: number
  readonly phase: 'load' | 'heal' | 'drained' | 'stopped'
}

/** What a job looks like in one of its versions, in jobwatch's words. */
export interface Version {
  readonly kind: 'version'
  readonly upstream: string
  readonly jobid: string
  readonly version: number
  readonly status: string
  readonly stages: Readonly<Record<string, string>>
}

/** A request for a job that an upstream got. */
export interface Ask {
  readonly kind: 'ask'
  readonly at: number
  /** When the answer was handed to the network, or the connection was gone. */
  readonly to: number
  readonly upstream: string
  readonly jobid: string
  /** What a whole answer showed; null when it was none. */
  readonly version: number | null
  readonly fault: string | null
  readonly retryAfterMs: number | null
  readonly connection: string
}

export interface TokenAsk {
  readonly kind: 'token-ask'
  readonly at: number
  readonly upstream: string
  readonly isGiven: boolean
}

/** What was done to a connection on its way: what it carried may not have arrived. */
export interface Hurt {
  readonly kind: 'hurt'
  readonly at: number
  readonly connection: string
}

/** A time in which an upstream could not be reached at all. */
export interface Outage {
  readonly kind: 'outage'
  readonly at: number
  readonly to: number
  readonly upstream: string
}

export interface DaemonRecord {
  readonly kind: 'daemon'
  readonly at: number
  readonly what: 'spawned' | 'ready' | 'killed' | 'told to stop' | 'paused' | 'resumed' | 'gone'
  /** Of one that is gone. */
  readonly code?: number | null
  readonly signal?: string | null
}

/** What became of a second daemon on the database of one that runs. */
export interface Rival {
  readonly kind: 'rival'
  readonly at: number
  /** Null when it did not end by itself. */
  readonly code: number | null
  readonly said: string
}

/** An endpoint that surely exists from then on. */
export interface EndpointRecord {
  readonly kind: 'endpoint'
  /** When making it was begun, and when it was acknowledged. */
  readonly at: number
  readonly to: number
  readonly name: string
  readonly events: readonly string[]
}

/** An endpoint that was disabled or enabled, begun and acknowledged then. */
export interface Switch {
  readonly kind: 'switch'
  readonly at: number
  readonly to: number
  readonly name: string
  readonly isOn: boolean
}

/** A request that a receiver got. */
export interface Receipt {
  readonly kind: 'receipt'
  readonly at: number
  readonly endpoint: string
  readonly id: string
  readonly sha: string
  readonly isSigned: boolean
  /** The `webhook-timestamp`, in ms. */
  readonly sentAt: number
  /** A status, or something worse. */
  readonly answer: number | 'hang' | 'reset' | 'unread'
  readonly retryAfterMs: number | null
  /** When the answer was handed to the network; null when there was none. */
  readonly answeredAt: number | null
  readonly connection: string
}

/** A connection that a reader of the feed made. */
export interface Segment {
  readonly kind: 'segment'
  readonly at: number
  readonly reader: string
  readonly number: number
  /** The `Last-Event-ID` it came with; null to get only what happens from then on. */
  readonly cursor: string | null
  /** A glob; `*` for everything. */
  readonly type: string
}

export interface Frame {
  readonly kind: 'frame'
  readonly at: number
  readonly reader: string
  readonly number: number
  readonly id: string | null
  readonly event: string
  readonly sha: string
}

/** A call of the API that changes something. */
export interface Call {
  readonly kind: 'call'
  readonly at: number
  readonly to: number
  readonly verb: 'register' | 'race' | 'patch' | 'stop' | 'poll' | 'endpoint'
  /** The jobid or the name of what it was about. */
  readonly about: string
  /** Null when there was no whole answer. */
  readonly status: number | null
  /** The label that a patch gives. */
  readonly label?: string
}

/** An event of the final log. */
export interface Logged {
  readonly kind: 'logged'
  readonly via: 'api' | 'database'
  readonly id: string
  readonly text: string
}

/** An event as a page of the API showed it during the run. */
export interface Paged {
  readonly kind: 'paged'
  readonly at: number
  readonly id: string
  readonly sha: string
}

/** A job as the API shows it in the end. */
export interface FinalJob {
  readonly kind: 'job'
  readonly upstream: string
  readonly jobid: string
  readonly state: string
  readonly status: string | null
  readonly problem: string | null
  readonly label: string | null
}

export interface FinalDelivery {
  readonly kind: 'delivery'
  readonly endpoint: string
  readonly seq: number
  readonly state: string
  readonly attemptCount: number
}

export interface FinalEndpoint {
  readonly kind: 'final-endpoint'
  readonly name: string
  readonly state: string
}

/** What `/readyz` said in the end. */
export interface Ready {
  readonly kind: 'ready'
  readonly at: number
  readonly status: number
}

/** A place that was searched for secrets, and the names of those that were there. */
export interface Searched {
  readonly kind: 'searched'
  readonly where: string
  readonly found: readonly string[]
}

/** What the daemon takes up at a moment, as its system says. */
export interface Sample {
  readonly kind: 'sample'
  readonly at: number
  /** True after everything has come to rest. */
  readonly isAtRest: boolean
  readonly rssBytes: number
  readonly openFiles: number
  readonly walBytes: number
}

/** A line of the daemon that says that something is wrong in itself. */
export interface Complaint {
  readonly kind: 'complaint'
  readonly at: number
  readonly line: string
}

export type TraceRecord =
  | Setup
  | Phase
  | Version
  | Ask
  | TokenAsk
  | Hurt
  | Outage
  | DaemonRecord
  | Rival
  | EndpointRecord
  | Switch
  | Receipt
  | Segment
  | Frame
  | Call
  | Logged
  | Paged
  | FinalJob
  | FinalDelivery
  | FinalEndpoint
  | Ready
  | Searched
  | Sample
  | Complaint

/** Epoch ms by a clock that nobody sets back; what all records go by. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function sha(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

export function toLines(records: readonly TraceRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('')
}

export function fromLines(lines: string): TraceRecord[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TraceRecord)
}
