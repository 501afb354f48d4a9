import { addedMessages, diffStages, firstStages } from './diff.ts'
import type { EventDraft, EventType } from './event.ts'
import { isEnd, maxInlineResultBytes, maxListedMessages, messageView, stateWord } from './job.ts'
import type { Job, JobStatus, Outcome } from './job.ts'
import type { Observation, Snapshot } from './observation.ts'
import { outcomeOf, reasonOf } from './outcome.ts'

/*
 * The life of a job. One row per pair of what is known and what was seen:
 *
 *   known                 look                 next state   drafts
 *   --------------------  -------------------  -----------  -------------------------------------
 *   active, never seen    seen, running        active       first sight: one status event
 *   active, never seen    seen, ended          ended        first sight: one status event
 *   active                seen, running        active       stages, messages, status if it changed
 *   active                seen, ended          ended        stages, messages, status
 *   active                missing, failed      active       none: an error answer is no job event
 *   ended, stopped, lost  anything             as it was    none
 */

/** The job after a look and the events that tell of it, in order. */
export interface Advance {
  /** The very same object when the look changed nothing that is stored. */
  readonly job: Job
  readonly drafts: readonly EventDraft[]
}

/** What one look does to a job. `now` is the moment of the look, epoch ms. */
export function advance(job: Job, observation: Observation, now: number): Advance {
  if (job.state !== 'active' || observation.outcome !== 'seen') return { job, drafts: [] }
  const { snapshot } = observation
  return job.status === null ? firstSight(job, snapshot, now) : nextSight(job, snapshot, now)
}

function firstSight(job: Job, snapshot: Snapshot, now: number): Advance {
  const seen = settled(
    {
      ...withFacts(job, snapshot),
      stages: firstStages(snapshot.stages ?? [], now),
      messages: snapshot.messages ?? [],
      polledAt: now,
      changedAt: now,
    },
    snapshot,
  )
  return { job: seen, drafts: [statusDraft(null, seen)] }
}

function nextSight(job: Job, snapshot: Snapshot, now: number): Advance {
  // While UNAVAILABLE the upstream cannot tell: what a reduced document leaves out is kept.
  const tellsStages = snapshot.stages !== null && snapshot.status !== 'UNAVAILABLE'
  const { stages, changes } = tellsStages
    ? diffStages(job.stages, snapshot.stages, now)
    : { stages: job.stages, changes: [] }
  const messages = snapshot.messages ?? job.messages
  const added = addedMessages(job.messages, messages)

  const seen = settled({ ...withFacts(job, snapshot), stages, messages }, snapshot)
  const drafts: EventDraft[] = changes.map((change) => ({ type: 'job.stage.changed', change }))
  if (added.length > 0) {
    drafts.push({
      type: 'job.message.added',
      change: {
        kind: 'messages',
        added: added.slice(-maxListedMessages).map(messageView),
        count: added.length,
      },
    })
  }
  if (isNewStatus(job, seen)) drafts.push(statusDraft(job.status, seen))

  if (drafts.length > 0) return { job: { ...seen, polledAt: now, changedAt: now }, drafts }
  return isSameJob(job, seen) ? { job, drafts } : { job: { ...seen, polledAt: now }, drafts }
}

/** The plain fields of a document; one that a later document leaves out keeps its last value. */
function withFacts(job: Job, snapshot: Snapshot): Job {
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

/** State, outcome and reason follow from status, stages and messages. */
function settled(job: Job, { result }: Snapshot): Job {
  if (!isEnd(job.status)) return { ...job, outcome: null, reason: null }
  const outcome = outcomeOf(job, result)
  return {
    ...job,
    state: 'ended',
    outcome,
    reason: outcome === 'error' ? reasonOf(job, result) : null,
  }
}

function boundedResult(result: unknown): Pick<Job, 'result' | 'resultBytes'> {
  if (result === undefined || result === null) return { result: null, resultBytes: 0 }
  const resultBytes = utf8Length(JSON.stringify(result))
  return { result: resultBytes <= maxInlineResultBytes ? result : null, resultBytes }
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

function isNewStatus(before: Job, after: Job): boolean {
  if (before.status !== after.status) return true
  return (
    after.status === 'OTHER' &&
    stateWord(before.rawStatus ?? '') !== stateWord(after.rawStatus ?? '')
  )
}

function statusDraft(from: JobStatus | null, job: Job): EventDraft {
  const to = job.status ?? 'OTHER'
  return {
    type: statusType(to, job.outcome),
    change: { kind: 'status', from, to, rawTo: job.rawStatus ?? '' },
  }
}

function statusType(status: JobStatus, outcome: Outcome | null): EventType {
  switch (status) {
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
      return outcome === 'error' ? 'job.failed' : 'job.completed'
    case 'UNAVAILABLE':
      return 'job.unavailable'
    case 'OTHER':
      return 'job.status.other'
  }
}

function isSameJob(a: Job, b: Job): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
