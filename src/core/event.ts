import { jobView, isoTime, maxEventMessages } from './job.ts'
import type { Job, JobStatus, StageState, messageView } from './job.ts'

export const eventTypes = [
  'job.submitted',
  'job.executing',
  'job.cancelling',
  'job.cancelled',
  'job.unavailable',
  'job.completed',
  'job.failed',
  'job.status.other',
  'job.reopened',
  'job.stage.changed',
  'job.message.added',
  'job.stalled',
  'job.resumed',
  'job.overdue',
  'job.lost',
  'job.found',
  'job.watched',
  'job.unwatched',
  'upstream.down',
  'upstream.up',
  'upstream.denied',
  'endpoint.failing',
  'endpoint.disabled',
  'endpoint.recovered',
] as const
export type EventType = (typeof eventTypes)[number]

/** What an event says changed; the contract's section 4 names the fields. */
export type Change =
  | {
      readonly kind: 'status'
      readonly from: JobStatus | null
      readonly to: JobStatus
      readonly rawTo: string
    }
  | {
      readonly kind: 'stage'
      readonly stage: string
      readonly occurrence: number
      readonly from: StageState | null
      readonly to: StageState | null
      readonly rawTo: string | null
    }
  | {
      readonly kind: 'messages'
      readonly added: readonly ReturnType<typeof messageView>[]
      readonly count: number
    }
  | { readonly kind: 'stall'; readonly since: string | null }
  | { readonly kind: 'deadline'; readonly deadline: string | null }
  | { readonly kind: 'presence'; readonly since: string | null }
  | { readonly kind: 'registry'; readonly by: WatchedBy }
  | { readonly kind: 'upstream'; readonly reason: string; readonly since: string | null }
  | {
      readonly kind: 'endpoint'
      readonly reason: string
      readonly since: string | null
      /** When it will be disabled unless a delivery succeeds. */
      readonly disablesAt: string | null
    }

/** Whose doing it is that a job is watched, or no longer is. */
export type WatchedBy = 'api' | 'discovery' | 'lost'

/** An event before it has its number. */
export interface EventDraft {
  readonly type: EventType
  readonly change: Change
}

/** What filters look at. */
export interface EventHead {
  readonly seq: number
  readonly type: string
  readonly upstream: string | null
  readonly jobid: string | null
  readonly tags: readonly string[]
  /** The endpoint that it is about, if it is about one. */
  readonly endpoint?: string
}

/** An event as the log holds it; `text` is what every reader and receiver gets, byte for byte. */
export interface LoggedEvent extends EventHead {
  readonly id: string
  readonly text: string
}

/** The event id that feed, webhooks and log share. */
export function eventId(epoch: string, seq: number): string {
  return `${epoch}-${seq}`
}

/** CloudEvents `source` of a job's events. */
export function jobSource(upstream: string, jobid: string): string {
  return `/upstreams/${upstream}/jobs/${jobid}`
}

/** What is the same for all events of one look: numbers and change are what is left to say. */
export interface JobEvents {
  readonly job: Job
  /** When jobwatch saw the changes, epoch ms. */
  readonly at: number
}

export interface Numbering {
  readonly epoch: string
  readonly seq: number
  readonly previousSeq: number | null
}

/** Writes an event as CloudEvents 1.0 in JSON. */
export type EncodeEvent = (draft: EventDraft, numbering: Numbering) => string

/**
 * Prepares the encoding of a look's events. The job is serialised once; `lastSeq`, the one field in
 * which the events of a look differ, is put in at the end of it.
 */
export function jobEventEncoder({ job, at }: JobEvents): EncodeEvent {
  const view = JSON.stringify(jobView(job, { at, maxMessages: maxEventMessages })).slice(0, -1)
  const encode = envelopeEncoder(jobSource(job.upstream, job.jobid), job.jobid, at)
  return (draft, numbering) =>
    encode(draft, numbering, `,"job":${view},"lastSeq":${numbering.seq}}`)
}

/** Prepares the encoding of an upstream's own events, which are about no job. */
export function upstreamEventEncoder(upstream: string, at: number): EncodeEvent {
  const encode = envelopeEncoder(`/upstreams/${upstream}`, upstream, at)
  return (draft, numbering) => encode(draft, numbering, '')
}

/** Prepares the encoding of an endpoint's own events. */
export function endpointEventEncoder(endpoint: string, at: number): EncodeEvent {
  const encode = envelopeEncoder(`/endpoints/${endpoint}`, endpoint, at)
  return (draft, numbering) => encode(draft, numbering, '')
}

/** The type of the event that tries an endpoint out; it is in no log. */
export const testEventType = 'jobwatch.test'

/** An event that tries an endpoint out. `id` is `test-<random>`. */
export function testEvent(endpoint: string, id: string, at: number): LoggedEvent {
  const text = JSON.stringify({
    specversion: '1.0',
    id,
    source: `/endpoints/${endpoint}`,
    type: testEventType,
    subject: endpoint,
    time: isoTime(at),
    datacontenttype: 'application/json',
    data: { seq: null, previousSeq: null, change: { kind: 'test' } },
  })
  return { seq: 0, id, type: testEventType, upstream: null, jobid: null, tags: [], text }
}

/** `rest` is what follows the change in `data`, as JSON that begins with a comma. */
function envelopeEncoder(source: string, subject: string, at: number) {
  const time = isoTime(at)
  return (draft: EventDraft, { epoch, seq, previousSeq }: Numbering, rest: string): string => {
    const envelope = JSON.stringify({
      specversion: '1.0',
      id: eventId(epoch, seq),
      source,
      type: draft.type,
      subject,
      time,
      datacontenttype: 'application/json',
    }).slice(0, -1)
    const data = JSON.stringify({ seq, previousSeq, change: draft.change }).slice(0, -1)
    return `${envelope},"data":${data}${rest}}}`
  }
}
