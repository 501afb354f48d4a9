import type { EventDraft, EventType } from './event.ts'
import { isEnd, maxInlineResultBytes } from './job.ts'
import type { Job, Outcome } from './job.ts'
import type { Snapshot } from './observation.ts'
import { outcomeOf, reasonOf } from './outcome.ts'

/** The plain fields of a document; one that a later document leaves out keeps its last value. */
export function withFacts(job: Job, snapshot: Snapshot): Job {
  return {
    ...job,
    status: snapshot.status,
    rawStatus: snapshot.rawStatus,
    name: snapshot.name ?? job.name,
    operation: snapshot.operation ?? job.operation,
    resource: snapshot.resource ?? job.resource,
    username: snapshot.username ?? job.username,
    requestId: snapshot.requestId ?? job.requestId,
    startedAt: snapshot.startedAt ?? job.startedAt,
    endedAt: snapshot.endedAt,
    updatedAt: snapshot.updatedAt,
    ...boundedResult(snapshot.result),
  }
}

/** State, outcome and reason, which follow from status, stages, messages and result. */
export function settled(job: Job, { result }: Snapshot): Job {
  if (!isEnd(job.status)) return { ...job, state: 'active', outcome: null, reason: null }
  const outcome = outcomeOf(job, result)
  return {
    ...job,
    state: 'ended',
    outcome,
    reason: outcome === 'error' ? reasonOf(job, result) : null,
  }
}

/** The one status event of a look; `job` is as it is after it. */
export function statusDraft(before: Job, job: Job, isReopened: boolean): EventDraft {
  const to = job.status ?? 'OTHER'
  return {
    type: isReopened ? 'job.reopened' : statusType(job),
    change: { kind: 'status', from: before.status, to, rawTo: job.rawStatus ?? '' },
  }
}

function statusType(job: Job): EventType {
  switch (job.status) {
    case 'SUBMITTED':
      return 'job.submitted'
    case 'EXECUTING':
      return 'job.executing'
    case 'CANCELLING':
      return 'job.cancelling'
    case 'CANCELLED':
      return 'job.cancelled'
    case 'FAILED':
      return 'job.failed'
    case 'COMPLETED':
      return completedType(job.outcome)
    case 'UNAVAILABLE':
      return 'job.unavailable'
    case 'OTHER':
    case null:
      return 'job.status.other'
  }
}

function completedType(outcome: Outcome | null): EventType {
  return outcome === 'error' ? 'job.failed' : 'job.completed'
}

function boundedResult(result: unknown): Pick<Job, 'result' | 'resultBytes'> {
  if (result === undefined || result === null) return { result: null, resultBytes: 0 }
  const resultBytes = jsonBytes(result)
  const isInline = resultBytes > 0 && resultBytes <= maxInlineResultBytes
  return { result: isInline ? result : null, resultBytes }
}

/** The size of a value as JSON; 0 for one nested so deeply that it cannot be written. */
function jsonBytes(value: unknown): number {
  try {
    return utf8Length(JSON.stringify(value))
  } catch {
    return 0
  }
}

/** Bytes of a well-formed string in UTF-8; core may not ask Buffer. */
function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A surrogate pair is two units and four bytes: each half counts one more.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}
