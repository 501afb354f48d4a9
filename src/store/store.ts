import type { LogBounds } from '../core/cursor.ts'
import type { AfterAttempt, AttemptResult } from '../core/delivery.ts'
import type { EventDraft, LoggedEvent } from '../core/event.ts'
import type { Deadline, Job, JobKey, JobState, JobStatus } from '../core/job.ts'
import type { EventFilter } from '../core/plan.ts'
import type { UpstreamState } from '../core/upstream-state.ts'

/**
 * Where everything that must outlive the process is kept. One method is one transaction and one
 * intention; none hands a transaction out. A promise that resolves means: on disk, synced.
 */
export interface Store {
  // The registry of jobs

  /** Begins to watch a job, or brings label, tags … of a watched one up to date. */
  registerJob(registration: Registration, now: number): Promise<Registered>
  /** Changes what was set for a job; null when it is not known. */
  updateJob(key: JobKey, settings: JobSettings, now: number): Promise<Job | null>
  /** Stops watching a job; false when it was not being watched. */
  stopJob(key: JobKey, now: number): Promise<boolean>
  /** Writes what a look led to: the job, its events, the deliveries they owe. */
  commitLook(look: LookCommit): Promise<LookResult>
  findJob(key: JobKey): Promise<Job | null>
  /** The jobs of this id at any upstream, in the order in which they were first registered. */
  findJobsById(jobid: string): Promise<readonly Job[]>
  listJobs(query: JobQuery): Promise<JobPage>
  /** The document of the job's last change, verbatim; null before the first look. */
  readDocument(key: JobKey): Promise<string | null>
  /** Jobs that are still looked at, by ascending id. */
  listPolled(query: { afterId: number; limit: number }): Promise<readonly PolledJob[]>
  /** Those of an upstream's ids under which no job is kept, in the given order; at most 1000 ids. */
  unknownJobids(query: { upstream: string; jobids: readonly string[] }): Promise<readonly string[]>
  /** Writes a job that was found rather than registered; null when it is known meanwhile. */
  recordDiscovered(look: LookCommit): Promise<Job | null>

  // Upstreams

  /** What was last told of an upstream; null when nothing ever was. */
  findUpstream(name: string): Promise<StoredUpstream | null>
  /** Writes how an upstream is, the event that tells it and the deliveries it owes. */
  commitUpstream(commit: UpstreamCommit): Promise<StoredUpstream>

  // The log of events

  readBounds(): Promise<LogBounds>
  /** A page of the log. It examines a bounded number of events, so it may be empty before the head. */
  readEvents(query: EventQuery): Promise<EventPage>

  // The outbox

  /** Makes the configured endpoints known; those no longer configured are removed. */
  syncEndpoints(
    endpoints: readonly ConfiguredEndpoint[],
    now: number,
  ): Promise<readonly StoredEndpoint[]>
  /** Deliveries of an endpoint that are due, the longest due first. */
  readDue(query: { endpointId: number; now: number; limit: number }): Promise<readonly Delivery[]>
  /** When the endpoint's first delivery after `after` is due, epoch ms; null when none is. */
  nextDueAt(query: { endpointId: number; after: number }): Promise<number | null>
  /** Writes an attempt down, with what follows for the delivery, its job's next one and the endpoint. */
  recordAttempt(record: AttemptRecord): Promise<void>
  /** What is pending, of all endpoints. */
  readBacklog(query: { maxCounted: number }): Promise<Backlog>

  /** Calls back after each commit that wrote events. A hint: it may be lost with the process. */
  onCommit(listener: (commit: Commit) => void): void
  /** Rejects when the store cannot write. */
  checkWritable(): Promise<void>
  close(): Promise<void>
}

/** A commit that wrote events. */
export interface Commit {
  /** The types of its events, in order of seq. */
  readonly types: readonly string[]
  /** The whole transaction, its sync to disk included. */
  readonly durationMs: number
}

export interface Registration extends JobKey, JobSettings {}

/** What people set for a job: undefined leaves the value as it is, null clears it. */
export interface JobSettings {
  readonly label?: string | null | undefined
  readonly tags?: readonly string[] | undefined
  readonly stallAfterMs?: number | null | undefined
  readonly deadline?: Deadline | null | undefined
}

export interface Registered {
  readonly job: Job
  /** True when this call began the watching. */
  readonly began: boolean
}

export interface LookCommit {
  /** The job after the look, with the revision it was read at. */
  readonly job: Job
  readonly drafts: readonly EventDraft[]
  /** The document that led to the drafts, verbatim; null when the look showed none. */
  readonly document: string | null
  /** The moment of the look, epoch ms. */
  readonly at: number
}

/** `conflict`: the job was changed or stopped since it was read, and nothing was written. */
export type LookResult =
  { readonly outcome: 'written'; readonly job: Job } | { readonly outcome: 'conflict' }

export interface PolledJob extends JobKey, Pick<Job, 'id' | 'state' | 'looksLeft' | 'status'> {}

/** How an upstream is, as its events have told it. Times are epoch ms. */
export interface StoredUpstream {
  readonly name: string
  readonly state: UpstreamState
  readonly since: number
  readonly lastSuccessAt: number | null
}

export interface UpstreamCommit extends StoredUpstream {
  /** Null for an upstream that is met for the first time and works. */
  readonly draft: EventDraft | null
  readonly at: number
}

export interface JobQuery {
  readonly state?: JobState | undefined
  readonly status?: JobStatus | undefined
  readonly upstream?: string | undefined
  readonly tag?: string | undefined
  /** Text sought in label, title, operation, username and jobid, in any case. */
  readonly text?: string | undefined
  readonly limit: number
  /** The last item of the page before. */
  readonly before: JobPosition | null
}

/** A place in the list of jobs, newest first. */
export interface JobPosition {
  readonly watchedAt: number
  readonly id: number
}

export interface JobPage {
  readonly jobs: readonly Job[]
  readonly next: JobPosition | null
  /** The log's newest seq when the page was read. */
  readonly newest: number
}

export interface EventQuery {
  readonly after: number
  readonly limit: number
  /** Stop after about so many bytes of text; at least one event comes. */
  readonly maxBytes?: number
  readonly filter: EventFilter
}

export interface EventPage {
  readonly events: readonly LoggedEvent[]
  /** All events up to this seq are in the page or do not match. */
  readonly through: number
  readonly newest: number
}

export interface ConfiguredEndpoint {
  readonly name: string
  readonly filter: EventFilter
  /** True when the endpoint signs and the configuration gives it no secret. */
  readonly needsSecret: boolean
}

export interface StoredEndpoint {
  readonly id: number
  readonly name: string
  /** The secret jobwatch made for it, if it made one. */
  readonly secret: string | null
  readonly pausedUntil: number | null
}

export interface Delivery {
  readonly id: number
  readonly endpointId: number
  readonly attemptCount: number
  readonly event: LoggedEvent
}

export interface AttemptRecord {
  readonly deliveryId: number
  readonly endpointId: number
  readonly result: AttemptResult
  readonly after: AfterAttempt
  readonly now: number
}

export interface Backlog {
  /** Pending deliveries, counted no further than was asked. */
  readonly pending: number
  /** When the oldest of them was made, epoch ms; null when there is none. */
  readonly oldestAt: number | null
}
