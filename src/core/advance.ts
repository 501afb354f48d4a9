import { addedMessages, diffStages, firstStages, hasSameMessages } from './diff.ts'
import type { EventDraft } from './event.ts'
import { deadlineAt, isEnd, isoTime, maxListedMessages, messageView, stateWord } from './job.ts'
import type { Job } from './job.ts'
import { forgetful } from './memory.ts'
import type { Memory } from './memory.ts'
import type { Observation, Snapshot } from './observation.ts'
import { settled, statusDraft, withFacts } from './sight.ts'

/*
 * The life of a job. One row per pair of what is known and what a look showed:
 *
 *   known              look                       then      drafts
 *   -----------------  -------------------------  --------  ------------------------------------------
 *   active, unseen     running                    active    the status, with the whole snapshot
 *   active, unseen     ended                      ended     the status, with the whole snapshot
 *   active             running                    active    stages, messages, status if it changed
 *   active             ended                      ended     stages, messages, status
 *   any, not COMPLETED COMPLETED, unfinished      as it was none, three times: problem `unconfirmed`
 *   active             missing                    active    none; after `lostAfter` and three: lost
 *   active, stalled    a change                   …         resumed, and what the change is
 *   lost               seen                       …         found, and what changed meanwhile
 *   lost               missing, for seven days    stopped   unwatched, by lost
 *   ended              running again              active    stages, messages, reopened
 *   ended              another end                ended     stages, messages, that end
 *   ended              missing, failed            ended     none: a job that ended is never lost
 *   any                another start time         …         reopened, with the whole snapshot
 *   stopped            anything                   stopped   none
 *
 * Whatever the look showed, an active job is then held against `stallAfter` and its deadline.
 */

export interface LifePolicy {
  readonly lostAfterMs: number
  readonly stallAfterMs: number
}

/** The job after a look and the events that tell of it, in order. */
export interface Advance {
  /** The very same object when the look changed nothing that is stored. */
  readonly job: Job
  /** What is kept in mind until the next look. */
  readonly memory: Memory
  readonly drafts: readonly EventDraft[]
}

const minMisses = 3
const confirmingLooks = 3
const looksAfterEnd = 2
const lostForMs = 7 * 86_400_000

/** What one look does to a job. `now` is the moment of the look, epoch ms. */
export function advance(
  job: Job,
  memory: Memory,
  observation: Observation,
  now: number,
  policy: LifePolicy,
): Advance {
  if (job.state === 'stopped') return { job, memory, drafts: [] }
  const step = afterLook(job, memory, observation, now, policy)
  return judged(step, now, policy)
}

function afterLook(
  job: Job,
  memory: Memory,
  observation: Observation,
  now: number,
  { lostAfterMs }: LifePolicy,
): Advance {
  switch (observation.outcome) {
    case 'seen':
      return afterSight(job, memory, observation.snapshot, now)
    case 'missing':
      return afterMiss(job, memory, now, lostAfterMs)
    case 'failed':
      if (job.state === 'ended') return oneLookLess(job, memory)
      // A job is lost after a time of nothing but misses.
      return {
        job,
        memory: memory.misses === null ? memory : { ...memory, misses: null },
        drafts: [],
      }
  }
}

function afterSight(job: Job, memory: Memory, snapshot: Snapshot, now: number): Advance {
  if (isUnconfirmed(job, snapshot) && memory.confirming < confirmingLooks) {
    return { job, memory: { misses: null, confirming: memory.confirming + 1 }, drafts: [] }
  }
  const known: Job = job.state === 'lost' ? { ...job, state: 'active', lostSince: null } : job
  const { job: next, drafts } = isAnotherRun(known, snapshot)
    ? freshSight(known, snapshot, now)
    : nextSight(known, snapshot, now)
  const all = [...backDrafts(job, drafts), ...drafts]
  if (all.length === 0) {
    return job.state === 'ended'
      ? oneLookLess(next, forgetful)
      : { job: next, memory: forgetful, drafts: all }
  }
  return {
    job: {
      ...next,
      looksLeft: next.state === 'ended' ? looksAfterEnd : 0,
      stalledSince: null,
      polledAt: now,
      changedAt: now,
    },
    memory: forgetful,
    drafts: all,
  }
}

/** What is told before the changes themselves: that the job is back, or that it moves again. */
function backDrafts(job: Job, changes: readonly EventDraft[]): EventDraft[] {
  if (job.state === 'lost') {
    return [{ type: 'job.found', change: { kind: 'presence', since: isoTime(job.lostSince) } }]
  }
  if (job.stalledSince === null || changes.length === 0) return []
  return [{ type: 'job.resumed', change: { kind: 'stall', since: isoTime(job.stalledSince) } }]
}

/** COMPLETED as news, in a document that does not look finished. */
function isUnconfirmed(job: Job, snapshot: Snapshot): boolean {
  const isNews = job.status !== 'COMPLETED' || isAnotherRun(job, snapshot)
  return isNews && snapshot.status === 'COMPLETED' && isUnfinished(snapshot)
}

/** COMPLETED, but not so that it could be believed at once. */
function isUnfinished({ endedAt, stages }: Snapshot): boolean {
  return endedAt === null || (stages ?? []).some(({ state }) => state === 'running')
}

/** The same moment may be told in seconds once and in milliseconds then. */
const sameStartMs = 1000

/** Seen for the first time, or the id came back with a new start time. */
function isAnotherRun(job: Job, { startedAt }: Snapshot): boolean {
  if (job.status === null) return true
  // What has only been submitted may still be given its start.
  if (job.status === 'SUBMITTED' || job.startedAt === null || startedAt === null) return false
  return Math.abs(startedAt - job.startedAt) >= sameStartMs
}

function freshSight(job: Job, snapshot: Snapshot, now: number): Omit<Advance, 'memory'> {
  const seen = settled(
    {
      ...withFacts(job, snapshot),
      stages: firstStages(snapshot.stages ?? [], now),
      furtherStages: snapshot.furtherStages,
      messages: snapshot.messages ?? [],
      isOverdue: false,
      stalledSince: null,
    },
    snapshot,
  )
  return { job: seen, drafts: [statusDraft(job, seen, job.status !== null)] }
}

function nextSight(job: Job, snapshot: Snapshot, now: number): Omit<Advance, 'memory'> {
  const told = toldStages(job, snapshot)
  const { stages, changes } =
    told === null ? { stages: job.stages, changes: [] } : diffStages(job.stages, told, now)
  const { furtherStages } = told === null ? job : snapshot
  const messages = toldMessages(job, snapshot) ?? job.messages
  const added = addedMessages(job.messages, messages)

  const seen = settled({ ...withFacts(job, snapshot), stages, furtherStages, messages }, snapshot)
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
  if (isNewStatus(job, seen)) drafts.push(statusDraft(job, seen, runsAgain(job, seen)))
  if (drafts.length > 0) return { job: seen, drafts }
  return { job: isSameJob(job, seen) ? job : { ...seen, polledAt: now }, drafts }
}

/** The stages a look tells, or null: while UNAVAILABLE the upstream cannot tell any. */
function toldStages(job: Job, { stages, stagesOf, status }: Snapshot): Snapshot['stages'] {
  if (stages === null || status === 'UNAVAILABLE') return null
  if (stagesOf !== 'result') return stages
  // What a result lists takes none of those away that the progress had.
  const names = new Set(stages.map(({ name }) => name))
  return job.stages.some(({ name }) => !names.has(name)) ? null : stages
}

/** The messages a look tells, or null when it tells no others. */
function toldMessages(job: Job, { messages, status }: Snapshot): Snapshot['messages'] {
  if (messages === null || hasSameMessages(job.messages, messages)) return null
  return status === 'UNAVAILABLE' && messages.length === 0 ? null : messages
}

function afterMiss(job: Job, memory: Memory, now: number, lostAfterMs: number): Advance {
  if (job.state === 'ended') return oneLookLess(job, memory)
  if (job.state === 'lost') {
    if (job.lostSince === null || now - job.lostSince < lostForMs)
      return { job, memory, drafts: [] }
    const change = { kind: 'registry', by: 'lost' } as const
    return {
      job: { ...job, state: 'stopped' },
      memory: forgetful,
      drafts: [{ type: 'job.unwatched', change }],
    }
  }
  const misses = { count: (memory.misses?.count ?? 0) + 1, since: memory.misses?.since ?? now }
  if (misses.count < minMisses || now - misses.since < lostAfterMs) {
    return { job, memory: { ...memory, misses }, drafts: [] }
  }
  const change = { kind: 'presence', since: isoTime(misses.since) } as const
  return {
    job: {
      ...job,
      state: 'lost',
      lostSince: misses.since,
      stalledSince: null,
      polledAt: now,
      changedAt: now,
    },
    memory: forgetful,
    drafts: [{ type: 'job.lost', change }],
  }
}

function oneLookLess(job: Job, memory: Memory): Advance {
  return { job: { ...job, looksLeft: Math.max(0, job.looksLeft - 1) }, memory, drafts: [] }
}

/** Holds what the look led to against `stallAfter` and the deadline. */
function judged(step: Advance, now: number, { stallAfterMs }: LifePolicy): Advance {
  let { job, drafts } = step
  if (job.state !== 'active') return step
  const since = quietSince(job)
  if (job.stalledSince === null && now - since >= (job.stallAfterMs ?? stallAfterMs)) {
    drafts = [...drafts, { type: 'job.stalled', change: { kind: 'stall', since: isoTime(since) } }]
    job = { ...job, stalledSince: since }
  }
  const deadline = deadlineAt(job)
  if (!job.isOverdue && deadline !== null && now > deadline) {
    const change = { kind: 'deadline', deadline: isoTime(deadline) } as const
    drafts = [...drafts, { type: 'job.overdue', change }]
    job = { ...job, isOverdue: true }
  }
  return { ...step, job, drafts }
}

/** Since when nothing has changed; watching anew begins anew. */
function quietSince({ changedAt, watchedAt }: Job): number {
  return Math.max(changedAt ?? watchedAt, watchedAt)
}

/**
 * The moment from which a look has to hold the job against `stallAfter` or its deadline, epoch ms.
 * Until then a look that shows nothing new needs no job to be read.
 */
export function judgedFrom(job: Job, { stallAfterMs }: LifePolicy): number {
  if (job.state !== 'active') return Infinity
  const stallAt =
    job.stalledSince === null ? quietSince(job) + (job.stallAfterMs ?? stallAfterMs) : Infinity
  const overdueAt = job.isOverdue ? Infinity : (deadlineAt(job) ?? Infinity)
  return Math.min(stallAt, overdueAt)
}

function runsAgain(before: Job, after: Job): boolean {
  return isEnd(before.status) && !isEnd(after.status)
}

function isNewStatus(before: Job, after: Job): boolean {
  if (before.status !== after.status) return true
  // Another end, though it has the same word: what Esri calls COMPLETED may be a failure.
  if (isEnd(before.status) && before.outcome !== after.outcome) return true
  // Words that are one status here are two to Esri: a FAILED that turns out to be TIMED OUT.
  const hasSeveralWords = after.status === 'OTHER' || isEnd(after.status)
  return hasSeveralWords && stateWord(before.rawStatus ?? '') !== stateWord(after.rawStatus ?? '')
}

/** Most fields are taken over from one job to the next, and need not be written down to be compared. */
function isSameJob(a: Job, b: Job): boolean {
  const fields = Object.keys(b) as (keyof Job)[]
  return fields.every(
    (field) => a[field] === b[field] || JSON.stringify(a[field]) === JSON.stringify(b[field]),
  )
}
