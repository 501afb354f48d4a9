import type {
  AttemptAnswer,
  DeliveryAnswer,
  EndpointAnswer,
  EventAnswer,
  JobAnswer,
  JobInEvent,
  ProblemAnswer,
} from '../../src/http/schemas.ts'

export const server = 'http://127.0.0.1:8484'
export const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'

/** A job as the daemon answers it. */
export function aJob(fields: Partial<JobAnswer> = {}): JobAnswer {
  return {
    ...aJobInEvent(),
    polledAt: '2026-11-23T14:00:05.000Z',
    nextPollAt: '2026-11-23T14:00:10.000Z',
    problem: null,
    ...fields,
  }
}

function aJobInEvent(fields: Partial<JobInEvent> = {}): JobInEvent {
  return {
    jobid,
    upstream: 'prod',
    state: 'active',
    title: 'editContainerRegistry default',
    status: 'EXECUTING',
    rawStatus: 'EXECUTING',
    outcome: null,
    reason: null,
    name: 'editContainerRegistry',
    operation: '/arcgis/admin/system/containerregistries/edit',
    resource: 'default',
    username: 'serviceAdmin',
    requestId: null,
    startedAt: '2026-11-23T14:00:00.000Z',
    endedAt: null,
    updatedAt: null,
    durationMs: 5003,
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
    watchedAt: '2026-11-23T13:59:59.000Z',
    changedAt: '2026-11-23T14:00:05.000Z',
    lastSeq: 1,
    ...fields,
  }
}

export interface EventFields {
  readonly type?: string
  readonly change?: EventAnswer['data']['change']
  readonly job?: Partial<JobInEvent>
}

/** An event of the log with epoch 7f3a9c. */
export function anEvent(seq: number, { type, change, job }: EventFields = {}): EventAnswer {
  return {
    specversion: '1.0',
    id: `7f3a9c-${seq}`,
    source: `/upstreams/prod/jobs/${jobid}`,
    type: type ?? 'job.stage.changed',
    subject: jobid,
    time: '2026-11-23T14:00:05.000Z',
    datacontenttype: 'application/json',
    data: {
      seq,
      previousSeq: null,
      change: change ?? {
        kind: 'stage',
        stage: 'object_store',
        occurrence: 1,
        from: 'running',
        to: 'completed',
        rawTo: 'completed',
      },
      job: aJobInEvent({ lastSeq: seq, ...job }),
    },
  }
}

/** An event about an upstream, which carries no job. */
export function anUpstreamEvent(seq: number, change: EventAnswer['data']['change']): EventAnswer {
  return {
    ...anEvent(seq),
    source: '/upstreams/prod',
    type: 'upstream.down',
    subject: 'prod',
    data: { seq, previousSeq: null, change },
  }
}

/** A chat that was added over the API. */
export function anEndpoint(fields: Partial<EndpointAnswer> = {}): EndpointAnswer {
  return {
    name: 'ops-slack',
    origin: 'api',
    format: 'slack',
    url: 'https://hooks.slack.com',
    events: ['job.failed', 'job.lost'],
    match: { upstream: [], tag: [], jobid: [] },
    fold: true,
    state: 'active',
    since: '2026-11-23T13:00:00.000Z',
    reason: null,
    disablesAt: null,
    lastDeliveredAt: '2026-11-23T14:00:06.000Z',
    pending: 0,
    ...fields,
  }
}

export function aDelivery(fields: Partial<DeliveryAnswer> = {}): DeliveryAnswer {
  return {
    id: 7,
    endpoint: 'ops-slack',
    seq: 1042,
    type: 'job.failed',
    jobid,
    state: 'delivered',
    attemptCount: 1,
    nextAttemptAt: null,
    createdAt: '2026-11-23T14:00:05.000Z',
    deliveredAt: '2026-11-23T14:00:06.000Z',
    ...fields,
  }
}

/** An attempt that the receiver took. */
export function anAttempt(fields: Partial<AttemptAnswer> = {}): AttemptAnswer {
  return {
    at: '2026-11-23T14:00:05.500Z',
    durationMs: 120,
    status: 200,
    error: null,
    answer: 'ok',
    ...fields,
  }
}

export function aProblem(status: number, fields: Partial<ProblemAnswer> = {}): ProblemAnswer {
  return {
    type: 'about:blank',
    title: 'Refused',
    status,
    code: 'refused',
    detail: 'that is refused',
    ...fields,
  }
}
