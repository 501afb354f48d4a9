import { formatDuration } from './duration.ts'

/** The seven documented statuses, and OTHER for any word that is none of them. */
export const jobStatuses = [
  'SUBMITTED',
  'EXECUTING',
  'CANCELLING',
  'CANCELLED',
  'FAILED',
  'COMPLETED',
  'UNAVAILABLE',
  'OTHER',
] as const
export type JobStatus = (typeof jobStatuses)[number]

export const jobStates = ['active', 'ended', 'stopped', 'lost'] as const
/** What jobwatch does with the job: watches it, saw its end, was told to stop, or can no longer find it. */
export type JobState = (typeof jobStates)[number]

export const outcomes = ['success', 'warning', 'error', 'cancelled'] as const
export type Outcome = (typeof outcomes)[number]

export const stageStates = [
  'pending',
  'running',
  'completed',
  'warning',
  'failed',
  'cancelled',
  'rolling_back',
  'rolled_back',
  'skipped',
  'unknown',
] as const
export type StageState = (typeof stageStates)[number]

/** A state's word without case and separators: `In Progress` and `IN_PROGRESS` are one word. */
export function stateWord(raw: string): string {
  return raw.toLowerCase().replace(/[\s_-]/g, '')
}

/** A named part of a job's progress; `occurrence` tells stages of the same name apart, from 1. */
export interface Stage {
  readonly name: string
  readonly occurrence: number
  readonly state: StageState
  readonly rawState: string
  /** Epoch ms at which jobwatch saw the stage begin or end. */
  readonly startedAt: number | null
  readonly endedAt: number | null
}

/** How many stages there are and how many are done. */
export interface Progress {
  readonly done: number
  readonly total: number
}

export interface Message {
  readonly text: string
  readonly level: string | null
  /** Epoch ms, as the upstream says. */
  readonly at: number | null
}

/** A watched job as it is stored. Times are epoch ms. */
export interface Job {
  /** The row's number; never leaves the process. */
  readonly id: number
  /** Grows with each write; a commit against an older one is refused. */
  readonly revision: number
  readonly upstream: string
  readonly jobid: string
  readonly state: JobState

  readonly status: JobStatus | null
  readonly rawStatus: string | null
  readonly outcome: Outcome | null
  readonly reason: string | null
  readonly name: string | null
  readonly operation: string | null
  readonly resource: string | null
  readonly username: string | null
  readonly requestId: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly updatedAt: number | null
  readonly stages: readonly Stage[]
  /** The stages beyond those, which are only counted. */
  readonly furtherStages: Progress
  readonly messages: readonly Message[]
  /** The upstream's `result` when it is at most 16 KiB of JSON, else null. */
  readonly result: unknown
  readonly resultBytes: number

  readonly label: string | null
  readonly tags: readonly string[]
  readonly stallAfterMs: number | null
  readonly deadline: Deadline | null

  /** Looks that are still to be made after the end was reported. */
  readonly looksLeft: number
  /** Since when nothing changes, once that was told (`job.stalled`), epoch ms. */
  readonly stalledSince: number | null
  /** Since when the upstream does not know the job, once that was told (`job.lost`), epoch ms. */
  readonly lostSince: number | null
  /** True once it was told that the deadline has passed. */
  readonly isOverdue: boolean

  readonly watchedAt: number
  /** The last look that was written down; a newer one may be known to the poller. */
  readonly polledAt: number | null
  readonly changedAt: number | null
  readonly lastSeq: number | null
  /** How long runs of this operation usually take, as known when the job was read; not its own. */
  readonly typicalDurationMs: number | null
}

/** When a job should be done: at a moment, or so long after its start. */
export type Deadline = { readonly atMs: number } | { readonly afterMs: number }

/** What names a job. */
export interface JobKey {
  readonly upstream: string
  readonly jobid: string
}

/** A job as it is before anything was set for it or seen of it; numbered by whoever keeps it. */
export function unseenJob({ upstream, jobid }: JobKey, now: number): Job {
  return {
    id: 0,
    revision: 0,
    upstream,
    jobid,
    state: 'active',
    status: null,
    rawStatus: null,
    outcome: null,
    reason: null,
    name: null,
    operation: null,
    resource: null,
    username: null,
    requestId: null,
    startedAt: null,
    endedAt: null,
    updatedAt: null,
    stages: [],
    furtherStages: { done: 0, total: 0 },
    messages: [],
    result: null,
    resultBytes: 0,
    label: null,
    tags: [],
    stallAfterMs: null,
    deadline: null,
    looksLeft: 0,
    stalledSince: null,
    lostSince: null,
    isOverdue: false,
    watchedAt: now,
    polledAt: null,
    changedAt: null,
    lastSeq: null,
    typicalDurationMs: null,
  }
}

export const maxListedStages = 200
/** No operation has as many stages; a document that does must not make as many events. */
export const maxKeptStages = 5000
export const maxListedMessages = 20
export const maxEventMessages = 3
/** What the upstream says is cut to so many bytes, each text for itself. */
export const maxTextBytes = 4096
export const maxInlineResultBytes = 16_384

/** A job id that can stand in a URL path; `.` and `/` would lead elsewhere. */
export const jobidPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/

/** The statuses after which nothing more is expected. */
export function isEnd(status: JobStatus | null): boolean {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED'
}

const doneStates: ReadonlySet<StageState> = new Set(['completed', 'warning', 'skipped'])

/** How many of these stages there are and how many are done. */
export function progressOf(stages: readonly Pick<Stage, 'state'>[]): Progress {
  let done = 0
  for (const stage of stages) if (doneStates.has(stage.state)) done += 1
  return { done, total: stages.length }
}

function sum(a: Progress, b: Progress): Progress {
  return { done: a.done + b.done, total: a.total + b.total }
}

/** A line for people: the label, else name and resource, else the tail of the operation, else the id. */
export function titleOf(job: Job): string {
  if (job.label) return job.label
  if (job.name !== null) {
    const resource = job.resource?.replace(/ \(id: [^)]*\)$/, '') ?? ''
    return resource === '' ? job.name : `${job.name} ${resource}`
  }
  const tail = job.operation === null ? null : operationTail(job.operation)
  return tail ?? job.jobid
}

/** `/<context>/admin/services/Fire.MapServer/edit` → `edit services/Fire.MapServer`. */
function operationTail(operation: string): string | null {
  const [, path = operation] = /\/admin\/(.*)$/.exec(operation) ?? []
  const segments = path.split('/').filter((segment) => segment !== '')
  const verb = segments.pop()
  if (verb === undefined) return null
  return segments.length === 0 ? verb : `${verb} ${segments.join('/')}`
}

/** The last moment that RFC 3339 can write: its years have four digits. */
const lastMomentMs = 253_402_300_799_999

/** The moment of the deadline, or null while the job's start is unknown. */
export function deadlineAt(job: Job): number | null {
  if (job.deadline === null) return null
  if ('atMs' in job.deadline) return Math.min(job.deadline.atMs, lastMomentMs)
  if (job.startedAt === null) return null
  return Math.min(job.startedAt + job.deadline.afterMs, lastMomentMs)
}

/** RFC 3339 in UTC with milliseconds, or null. */
export function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

/** Fewer runs than these say nothing about how long the next one takes. */
const minRuns = 3

/** The usual duration of an operation: the median of its last runs, null while they are too few. */
export function typicalOf(durationsMs: readonly number[]): number | null {
  if (durationsMs.length < minRuns) return null
  const sorted = durationsMs.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : Math.round(((sorted[middle - 1] ?? 0) + upper) / 2)
}

/** What varies between the job in an event and the job in an API answer. */
export interface ViewOptions {
  /** The look or the moment to which a running job's duration reaches, epoch ms. */
  readonly at: number
  readonly maxMessages: number
}

/**
 * The job as the contract shows it, without `lastSeq` and without what only the poller knows
 * (`polledAt`, `nextPollAt`, `problem`).
 */
export function jobView(job: Job, { at, maxMessages }: ViewOptions) {
  return {
    jobid: job.jobid,
    upstream: job.upstream,
    state: job.state,
    title: titleOf(job),
    status: job.status,
    rawStatus: job.rawStatus,
    outcome: job.outcome,
    reason: job.reason,
    name: job.name,
    operation: job.operation,
    resource: job.resource,
    username: job.username,
    requestId: job.requestId,
    startedAt: isoTime(job.startedAt),
    endedAt: isoTime(job.endedAt),
    updatedAt: isoTime(job.updatedAt),
    durationMs: durationMs(job, at),
    stages: job.stages.slice(0, maxListedStages).map(stageView),
    progress: sum(progressOf(job.stages), job.furtherStages),
    messages: job.messages.slice(-maxMessages).map(messageView),
    messageCount: job.messages.length,
    result: job.result ?? null,
    resultBytes: job.resultBytes,
    label: job.label,
    tags: job.tags,
    stallAfter: job.stallAfterMs === null ? null : formatDuration(job.stallAfterMs),
    deadline: isoTime(deadlineAt(job)),
    eta: isoTime(expectedEndAt(job)),
    typicalDurationMs: job.typicalDurationMs,
    watchedAt: isoTime(job.watchedAt),
    changedAt: isoTime(job.changedAt),
  }
}

/** A stage as events and answers show it. */
function stageView({ name, occurrence, state, rawState, startedAt, endedAt }: Stage) {
  return {
    name,
    occurrence,
    state,
    rawState,
    startedAt: isoTime(startedAt),
    endedAt: isoTime(endedAt),
  }
}

/** A message as events and answers show it. */
export function messageView(message: Message) {
  return { text: message.text, level: message.level, at: isoTime(message.at) }
}

/** When a job that runs should end, going by how long its operation usually takes. */
function expectedEndAt({ state, startedAt, typicalDurationMs }: Job): number | null {
  if (state !== 'active' || startedAt === null || typicalDurationMs === null) return null
  return startedAt + typicalDurationMs
}

/** How long a job ran, or has run until `at`; null while its start is unknown. */
export function durationMs(job: Job, at: number): number | null {
  if (job.startedAt === null) return null
  const end = job.endedAt ?? (isEnd(job.status) ? (job.changedAt ?? at) : at)
  return Math.max(0, end - job.startedAt)
}
