import { AppError } from '../core/errors.ts'
import type { LogBounds, LogEnds } from '../core/cursor.ts'
import type { AfterAttempt, AttemptResult, DeliveryState } from '../core/delivery.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import type { EndpointHealth } from '../core/endpoint-state.ts'
import type { EventDraft, LoggedEvent } from '../core/event.ts'
import type { Deadline, Job, JobKey, JobState, JobStatus } from '../core/job.ts'
import type { EventFilter } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import type { UpstreamState } from '../core/upstream-state.ts'

/**
 * Where everything that must outlive the process is kept. One method is one transaction and one
 * intention; none hands a transaction out. A promise that resolves means: on disk, synced.
 */
export interface Store {
  // The registry of jobs

  /** Begins to watch a job, or brings label, tags … of a watched one up to date. */
  registerJob(registration: Registration, now: number): Promise<Registered>
  /** Likewise many, in their order: all of them or none. */
  registerJobs(registrations: readonly Registration[], now: number): Promise<readonly Registered[]>
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
  /** The end of the log, or of the part up to a seq: a page read backwards, bounded likewise. */
  readTail(query: TailQuery): Promise<EventTail>

  // Endpoints. What changes one answers with it as it is by then, or null when it was removed.

  /**
   * Makes the configured endpoints known; those no longer configured are removed, and one made over
   * the API makes way for a configured one of its name. Answers with all, the configured ones first.
   */
  syncEndpoints(
    configured: readonly EndpointSpec[],
    now: number,
  ): Promise<readonly StoredEndpoint[]>
  /** Keeps an endpoint that was made over the API; null when its name is taken. */
  addEndpoint(spec: EndpointSpec, now: number): Promise<StoredEndpoint | null>
  /** Describes one made over the API anew. */
  changeEndpoint(id: number, spec: EndpointSpec): Promise<StoredEndpoint | null>
  /** Removes an endpoint; what is pending for it is cancelled. */
  removeEndpoint(id: number, now: number): Promise<void>
  /** Delivers no more to an endpoint; what is pending for it is cancelled. */
  disableEndpoint(id: number, reason: string, now: number): Promise<StoredEndpoint | null>
  /** Disables an endpoint that has been failing for too long by now. */
  expireEndpoint(id: number, now: number): Promise<StoredEndpoint | null>
  /** Delivers to a disabled endpoint again, from the next event on. */
  enableEndpoint(id: number, now: number): Promise<StoredEndpoint | null>
  /** Gives an endpoint a new secret; the old one signs along for a while. */
  rotateSecret(id: number, secret: Secret, now: number): Promise<StoredEndpoint | null>
  /** Takes in that an endpoint was found working by other means than a delivery. */
  noteSuccess(id: number, now: number): Promise<StoredEndpoint | null>
  /** All, the configured ones first and in their order, then by name. */
  listEndpoints(): Promise<readonly StoredEndpoint[]>
  /** How many deliveries of an endpoint are pending, counted no further than was asked. */
  countPending(query: { endpointId: number; maxCounted: number }): Promise<number>
  /** Owes an endpoint past events anew, in order of seq; answers how many. */
  replay(query: ReplayQuery, now: number): Promise<number>

  // The outbox

  /** Deliveries of an endpoint that are due, the longest due first. */
  readDue(query: { endpointId: number; now: number; limit: number }): Promise<readonly Delivery[]>
  /** When the endpoint's first delivery after `after` is due, epoch ms; null when none is. */
  nextDueAt(query: { endpointId: number; after: number }): Promise<number | null>
  /**
   * Leaves a delivery out, and those like it behind it, when a later one of its job tells what is so
   * by now. False when nothing makes it pointless: then it is still to be sent.
   */
  fold(deliveryId: number, now: number): Promise<boolean>
  /** What a late message says besides its event. */
  readPresent(delivery: Delivery): Promise<Present>
  /** Writes an attempt down, with what follows for the delivery, its job's next one and the endpoint. */
  recordAttempt(record: AttemptRecord): Promise<StoredEndpoint | null>
  /** One page, newest first. */
  listDeliveries(query: DeliveryQuery): Promise<DeliveryPage>
  findDelivery(id: number): Promise<DeliveryWithAttempts | null>
  /** A delivery as an attempt needs it, whatever its state; null when it is not kept. */
  takeDelivery(id: number): Promise<Delivery | null>
  /** What is pending, of all endpoints. */
  readBacklog(query: { maxCounted: number }): Promise<Backlog>

  /** Calls back after each commit that wrote events. A hint: it may be lost with the process. */
  onCommit(listener: (commit: Commit) => void): void
  /** Rejects when the store cannot write. */
  checkWritable(): Promise<void>
  /**
   * Rejects while what was written last could not be and still cannot: what has to be written down
   * afterwards must not be done then. Costs nothing while all is well.
   */
  assertWritable(): Promise<void>
  /** Calls back when nothing of the store can be relied on any more: the process has to end. */
  onLost(listener: (error: StoreLost) => void): void
  /** Takes away a slice of what is older than a moment; the answer says where to go on. */
  prune(query: PruneQuery): Promise<Pruned>
  close(): Promise<void>
}

/** Nothing can be written now, which may pass: there is no room, or somebody else holds the file. */
export class StoreUnwritable extends AppError {
  override readonly name = 'StoreUnwritable'

  constructor(message: string, cause?: unknown) {
    super('database_unwritable', message, { cause })
  }
}

/** The store can no longer be relied on, and only a new start can tell what there is. */
export class StoreLost extends AppError {
  override readonly name = 'StoreLost'

  constructor(message: string, cause?: unknown) {
    super('database_lost', message, { cause })
  }
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

/** A page, with the ends of the log at the moment at which it was read. */
export interface EventPage extends LogEnds {
  readonly events: readonly LoggedEvent[]
  /** All events up to this seq are in the page, do not match, or are no longer kept. */
  readonly through: number
}

export interface TailQuery extends Omit<EventQuery, 'after'> {
  /** The last seq that is wanted; null for the newest. */
  readonly through: number | null
}

export interface EventTail extends LogEnds {
  /** The last ones that match, in order of seq. */
  readonly events: readonly LoggedEvent[]
  /** All events after this seq, up to the one asked for, are in the page or do not match. */
  readonly after: number
}

export interface StoredEndpoint {
  readonly id: number
  readonly origin: 'config' | 'api'
  readonly spec: EndpointSpec
  /** What signs now: the configured one, or the one that jobwatch made. Null where nothing is signed. */
  readonly secret: Secret | null
  /** The one before the last rotation, and until when it signs along. */
  readonly oldSecret: { readonly secret: Secret; readonly until: number } | null
  readonly health: EndpointHealth
  readonly pausedUntil: number | null
  readonly lastDeliveredAt: number | null
}

export interface ReplayQuery {
  readonly endpointId: number
  /** Events after a seq, or from a moment on, epoch ms. */
  readonly from: { readonly after: number } | { readonly since: number }
  /** Up to a seq or a moment, inclusive; null: up to now. */
  readonly until: { readonly seq: number } | { readonly at: number } | null
  /** Globs over the type, beside the endpoint's own filter; empty lets all through. */
  readonly types: readonly string[]
}

export interface Delivery {
  readonly id: number
  readonly endpointId: number
  readonly state: DeliveryState
  readonly attemptCount: number
  /** Those of its attempts that someone asked for; they use up nothing of the schedule. */
  readonly byHandCount: number
  readonly createdAt: number
  /** May be left out once a later event of its job has made it pointless. */
  readonly isFoldable: boolean
  readonly isReplay: boolean
  readonly event: LoggedEvent
}

/** What is so at the moment at which a late message is sent. */
export interface Present {
  /** Null when the event is about no job, or about one that is no longer kept. */
  readonly job: Job | null
  /** The newest events that were left out in favour of the delivery, oldest first. */
  readonly leftOut: readonly LoggedEvent[]
  readonly leftOutCount: number
}

export interface DeliveryQuery {
  /** An endpoint's name, of one that was removed included. */
  readonly endpoint?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly seq?: number | undefined
  readonly jobid?: string | undefined
  readonly limit: number
  /** The id of the last item of the page before. */
  readonly before: number | null
}

export interface DeliveryPage {
  readonly deliveries: readonly DeliveryRecord[]
  /** The id to go on from; null after the last page. */
  readonly next: number | null
}

/** A delivery as people look at it. Times are epoch ms. */
export interface DeliveryRecord {
  readonly id: number
  readonly endpointId: number
  /** The endpoint's name. */
  readonly endpoint: string
  readonly seq: number
  readonly type: string
  readonly jobid: string | null
  readonly state: DeliveryState
  readonly attemptCount: number
  readonly nextAttemptAt: number | null
  readonly createdAt: number
  readonly deliveredAt: number | null
}

export interface DeliveryWithAttempts extends DeliveryRecord {
  /** In order. */
  readonly attempts: readonly Attempt[]
}

export type Attempt = Pick<AttemptResult, 'at' | 'durationMs' | 'status' | 'error' | 'answer'>

export interface AttemptRecord {
  readonly deliveryId: number
  readonly endpointId: number
  readonly result: AttemptResult
  readonly after: AfterAttempt
  /** True for an attempt that someone asked for: a success then counts whatever the state is. */
  readonly isByHand: boolean
  readonly now: number
}

/** Where the next slice begins; means something to the store alone. */
export interface PrunePosition {
  readonly part: number
  readonly watchedAt: number
  readonly id: number
}

export interface PruneQuery {
  /**
   * Events with their deliveries, oldest first and none that is still to be delivered; deliveries that
   * are finished; jobs that have ended and changed no more.
   */
  readonly what: 'events' | 'deliveries' | 'jobs'
  /** Epoch ms. */
  readonly before: number
  /** Null for the first slice. */
  readonly from: PrunePosition | null
}

export interface Pruned {
  /** Rows of what was asked for. */
  readonly removed: number
  /** Null when there is nothing more to take away. */
  readonly next: PrunePosition | null
}

export interface Backlog {
  /** Pending deliveries, counted no further than was asked. */
  readonly pending: number
  /** When the oldest of them was made, epoch ms; null when there is none. */
  readonly oldestAt: number | null
}
