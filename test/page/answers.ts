import type { DeliveryAnswer, EventAnswer, JobAnswer } from '../../src/http/schemas.ts'
import { noon } from '../helpers/builders.ts'

export function isoAt(ms: number): string {
  return new Date(ms).toISOString()
}

/** A running job as `GET /v1/jobs` answers it, unless told otherwise. */
export function aJobAnswer(fields: Partial<JobAnswer> = {}): JobAnswer {
  return {
    jobid: 'j1',
    upstream: 'prod',
    state: 'active',
    title: 'Publish Parks',
    status: 'EXECUTING',
    rawStatus: 'EXECUTING',
    outcome: null,
    reason: null,
    name: null,
    operation: '/gis/admin/services/Parks.MapServer/edit',
    resource: null,
    username: 'siteadmin',
    requestId: null,
    startedAt: isoAt(noon),
    endedAt: null,
    updatedAt: null,
    durationMs: 0,
    stages: [],
    progress: { done: 0, total: 0 },
    messages: [],
    messageCount: 0,
    result: null,
    resultBytes: 0,
    label: null,
    tags: [],
    stallAfter: null,
    deadline: null,
    eta: null,
    typicalDurationMs: null,
    watchedAt: isoAt(noon),
    changedAt: null,
    lastSeq: null,
    polledAt: null,
    nextPollAt: null,
    problem: null,
    ...fields,
  }
}

/** The event that made a job what it is; its seq is the job's last. */
export function anEvent(job: JobAnswer, fields: Partial<EventAnswer> = {}): EventAnswer {
  const seq = job.lastSeq ?? 1
  return {
    specversion: '1.0',
    id: `7f3a9c-${seq}`,
    source: `/upstreams/${job.upstream}/jobs/${job.jobid}`,
    type: 'job.executing',
    subject: job.jobid,
    time: isoAt(noon + seq * 1000),
    datacontenttype: 'application/json',
    data: { seq, previousSeq: null, change: { kind: 'status' }, job },
    ...fields,
  }
}

export function aDelivery(fields: Partial<DeliveryAnswer> = {}): DeliveryAnswer {
  return {
    id: 1,
    endpoint: 'on-call',
    seq: 7,
    type: 'job.failed',
    jobid: 'j1',
    state: 'delivered',
    attemptCount: 1,
    nextAttemptAt: null,
    createdAt: isoAt(noon),
    deliveredAt: isoAt(noon + 1000),
    ...fields,
  }
}
