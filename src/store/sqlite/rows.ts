import type { LoggedEvent } from '../../core/event.ts'
import type { Job, JobState, JobStatus } from '../../core/job.ts'
import { titleOf } from '../../core/job.ts'

/** A row of `jobs` as the statements select it. */
export interface JobRow {
  readonly id: number
  readonly revision: number
  readonly upstream: string
  readonly jobid: string
  readonly state: string
  readonly status: string | null
  readonly snapshot: string
  readonly search: string
  readonly label: string | null
  readonly tags: string
  readonly stall_after_ms: number | null
  readonly deadline_at: number | null
  readonly deadline_after_ms: number | null
  readonly looks_left: number
  readonly stalled_since: number | null
  readonly lost_since: number | null
  readonly is_overdue: number
  readonly watched_at: number
  readonly polled_at: number | null
  readonly changed_at: number | null
  readonly last_seq: number | null
}

/** The columns of `jobs` that are written, in the order of the statements. */
export const jobColumns = [
  'revision',
  'upstream',
  'jobid',
  'state',
  'status',
  'snapshot',
  'search',
  'label',
  'tags',
  'stall_after_ms',
  'deadline_at',
  'deadline_after_ms',
  'looks_left',
  'stalled_since',
  'lost_since',
  'is_overdue',
  'watched_at',
  'polled_at',
  'changed_at',
  'last_seq',
] as const

const noStages = { done: 0, total: 0 }

type SnapshotFields = Pick<
  Job,
  | 'rawStatus'
  | 'outcome'
  | 'reason'
  | 'name'
  | 'operation'
  | 'resource'
  | 'username'
  | 'requestId'
  | 'startedAt'
  | 'endedAt'
  | 'updatedAt'
  | 'stages'
  | 'furtherStages'
  | 'messages'
  | 'result'
  | 'resultBytes'
>

/** A row as the job it stands for. */
export function toJob(row: JobRow): Job {
  // Rows of the first version know nothing of further stages.
  const stored = JSON.parse(row.snapshot) as Partial<SnapshotFields>
  const snapshot = { furtherStages: noStages, ...stored } as SnapshotFields
  return {
    id: row.id,
    revision: row.revision,
    upstream: row.upstream,
    jobid: row.jobid,
    state: row.state as JobState,
    status: row.status as JobStatus | null,
    ...snapshot,
    label: row.label === null ? null : (JSON.parse(row.label) as string),
    tags: JSON.parse(row.tags) as string[],
    stallAfterMs: row.stall_after_ms,
    deadline: toDeadline(row),
    looksLeft: row.looks_left,
    stalledSince: row.stalled_since,
    lostSince: row.lost_since,
    isOverdue: row.is_overdue === 1,
    watchedAt: row.watched_at,
    polledAt: row.polled_at,
    changedAt: row.changed_at,
    lastSeq: row.last_seq,
    // Not its own: whoever reads the row adds it.
    typicalDurationMs: null,
  }
}

/** A job as the row that is written for it, without its number. */
export function fromJob(job: Job): Omit<JobRow, 'id'> {
  const snapshot: SnapshotFields = {
    rawStatus: job.rawStatus,
    outcome: job.outcome,
    reason: job.reason,
    name: job.name,
    operation: job.operation,
    resource: job.resource,
    username: job.username,
    requestId: job.requestId,
    startedAt: job.startedAt,
    endedAt: job.endedAt,
    updatedAt: job.updatedAt,
    stages: job.stages,
    furtherStages: job.furtherStages,
    messages: job.messages,
    result: job.result ?? null,
    resultBytes: job.resultBytes,
  }
  return {
    revision: job.revision,
    upstream: job.upstream,
    jobid: job.jobid,
    state: job.state,
    status: job.status,
    snapshot: JSON.stringify(snapshot),
    search: searchText(job),
    label: job.label === null ? null : JSON.stringify(job.label),
    tags: JSON.stringify(job.tags),
    stall_after_ms: job.stallAfterMs,
    deadline_at: job.deadline !== null && 'atMs' in job.deadline ? job.deadline.atMs : null,
    deadline_after_ms:
      job.deadline !== null && 'afterMs' in job.deadline ? job.deadline.afterMs : null,
    looks_left: job.looksLeft,
    stalled_since: job.stalledSince,
    lost_since: job.lostSince,
    is_overdue: job.isOverdue ? 1 : 0,
    watched_at: job.watchedAt,
    polled_at: job.polledAt,
    changed_at: job.changedAt,
    last_seq: job.lastSeq,
  }
}

/** A row of `events` as the statements select it. */
export interface EventRow {
  readonly seq: number
  readonly type: string
  readonly upstream: string | null
  readonly jobid: string | null
  readonly tags: string
  readonly endpoint: string | null
  readonly text: string
}

/** A row as the event it stands for; `idOf` knows under which epoch a seq was given. */
export function toEvent(row: EventRow, idOf: (seq: number) => string): LoggedEvent {
  return {
    seq: row.seq,
    id: idOf(row.seq),
    type: row.type,
    upstream: row.upstream,
    jobid: row.jobid,
    tags: row.tags === '[]' ? noTags : (JSON.parse(row.tags) as string[]),
    ...(row.endpoint !== null && { endpoint: row.endpoint }),
    text: row.text,
  }
}

const noTags: readonly string[] = []

function toDeadline(row: JobRow): Job['deadline'] {
  if (row.deadline_at !== null) return { atMs: row.deadline_at }
  return row.deadline_after_ms === null ? null : { afterMs: row.deadline_after_ms }
}

/** What a search for text looks into. */
function searchText(job: Job): string {
  const parts = [job.label, titleOf(job), job.operation, job.username, job.jobid]
  return searchable(parts.filter((part) => part !== null).join('\n'))
}

/** Text without its case. Not in lower case: there the Greek sigma depends on the letter after it. */
export function searchable(text: string): string {
  return text.toUpperCase()
}
