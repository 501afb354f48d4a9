import { controlFrame, eventFrame, retryFrame } from '../core/frame.ts'
import type {
  AttemptAnswer,
  DeliveryAnswer,
  EndpointAnswer,
  EventAnswer,
  JobAnswer,
  JobInEvent,
  ProblemAnswer,
  UpstreamAnswer,
} from './schemas.ts'

/* What the OpenAPI document shows as examples: one job, and what comes of it. */

const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'

const jobInEvent: JobInEvent = {
  jobid,
  upstream: 'prod',
  state: 'active',
  title: 'Nightly backup',
  status: 'EXECUTING',
  rawStatus: 'EXECUTING',
  outcome: null,
  reason: null,
  name: 'createBackup',
  operation: '/arcgis/admin/system/disasterrecovery/createBackup',
  resource: 'default',
  username: 'gisadmin',
  requestId: 'e158c7a1',
  startedAt: '2026-11-23T13:58:00.000Z',
  endedAt: null,
  updatedAt: '2026-11-23T14:00:00.000Z',
  durationMs: 120_000,
  stages: [
    {
      name: 'object_store',
      occurrence: 1,
      state: 'completed',
      rawState: 'COMPLETED',
      startedAt: '2026-11-23T13:58:05.000Z',
      endedAt: '2026-11-23T14:00:00.000Z',
    },
    {
      name: 'relational',
      occurrence: 1,
      state: 'running',
      rawState: 'IN_PROGRESS',
      startedAt: '2026-11-23T14:00:00.000Z',
      endedAt: null,
    },
  ],
  progress: { done: 1, total: 2 },
  messages: [{ text: 'Backup of object_store is complete', level: 'INFO', at: null }],
  messageCount: 1,
  result: null,
  resultBytes: 0,
  label: 'Nightly backup',
  tags: ['nightly'],
  stallAfter: null,
  deadline: '2026-11-23T15:58:00.000Z',
  eta: '2026-11-23T14:13:00.000Z',
  typicalDurationMs: 900_000,
  watchedAt: '2026-11-23T13:58:01.000Z',
  changedAt: '2026-11-23T14:00:00.000Z',
  lastSeq: 1042,
}

export const job: JobAnswer = {
  ...jobInEvent,
  polledAt: '2026-11-23T14:00:05.000Z',
  nextPollAt: '2026-11-23T14:00:10.000Z',
  problem: null,
}

export const unknownUpstream: ProblemAnswer = {
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  code: 'invalid_input',
  detail: 'upstream: must be one of prod',
  errors: [{ field: 'upstream', message: 'must be one of prod' }],
}

/** The upstream's own document of the job. */
export const document = {
  jobid,
  status: 'EXECUTING',
  name: 'createBackup',
  progress: {
    stages: [
      { name: 'object_store', state: 'COMPLETED' },
      { name: 'relational', state: 'IN_PROGRESS' },
    ],
  },
}

export const event: EventAnswer = {
  specversion: '1.0',
  id: '7f3a9c-1042',
  source: `/upstreams/prod/jobs/${jobid}`,
  type: 'job.stage.changed',
  subject: jobid,
  time: '2026-11-23T14:00:00.000Z',
  datacontenttype: 'application/json',
  data: {
    seq: 1042,
    previousSeq: 1040,
    change: {
      kind: 'stage',
      stage: 'object_store',
      occurrence: 1,
      from: 'running',
      to: 'completed',
      rawTo: 'COMPLETED',
    },
    job: jobInEvent,
  },
}

/** How a feed begins. */
export const stream = [
  retryFrame(2500),
  controlFrame('feed.hello', '7f3a9c-1041', { epoch: '7f3a9c', newest: 1041, oldest: 1 }),
  eventFrame({ ...event, text: JSON.stringify(event) }),
  controlFrame('feed.bookmark', '7f3a9c-1042', { seq: 1042 }),
].join('')

export const submitted = {
  byId: { jobid, label: 'Nightly backup', tags: ['nightly'], deadline: '2h' },
  byUrl: { url: `https://gis.example.com/arcgis/admin/jobs/${jobid}?f=json`, stallAfter: '30m' },
  elsewhere: { jobid: 'j7aa81a11', upstream: 'gone' },
  submitAnswer: {
    status: 'SUBMITTED',
    jobid,
    jobsUrl: `https://gis.example.com/arcgis/admin/jobs/${jobid}`,
  },
}

export const changedJob = { label: null, tags: ['nightly', 'dr'], deadline: '2026-11-23T18:00:00Z' }

/** A made-up secret: nothing is signed with it. */
const secret = 'whsec_bm90IGEgc2VjcmV0LCBhbiBleGFtcGxlIG9ubHk='

export const added = {
  webhook: {
    name: 'my-software',
    url: 'https://hooks.example.com/jobwatch',
    events: ['job.*'],
    match: { tag: ['nightly'] },
    headers: { 'X-Team': 'gis' },
  },
  slack: {
    name: 'ops-slack',
    format: 'slack',
    url: 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX',
    events: ['job.failed', 'job.lost'],
  },
  email: {
    name: 'gis-mail',
    format: 'email',
    settings: {
      host: 'mail.example.com',
      from: 'jobwatch <jobwatch@example.com>',
      to: ['gis@example.com'],
    },
  },
}

export const changedEndpoint = { events: ['job.failed', 'job.lost'], timeout: '30s', fold: null }

export const endpoint: EndpointAnswer = {
  name: 'my-software',
  origin: 'api',
  format: 'webhook',
  url: 'https://hooks.example.com/jobwatch',
  events: ['job.*'],
  match: { upstream: [], tag: ['nightly'], jobid: [] },
  fold: false,
  state: 'active',
  since: '2026-11-23T13:00:00.000Z',
  reason: null,
  disablesAt: null,
  lastDeliveredAt: '2026-11-23T14:00:00.250Z',
  pending: 0,
}

export const endpointWithSecret = { ...endpoint, secret }

export const disabledEndpoint: EndpointAnswer = {
  ...endpoint,
  state: 'disabled',
  since: '2026-11-23T15:00:00.000Z',
  reason: 'disabled over the API',
}

export const attempt: AttemptAnswer = {
  at: '2026-11-23T14:00:00.100Z',
  durationMs: 150,
  status: 204,
  error: null,
  answer: '',
}

export const replay = {
  bySeq: { after: 1000 },
  byTime: { since: '2026-11-23T00:00:00Z', until: 1042, types: ['job.failed'] },
}

export const delivery: DeliveryAnswer = {
  id: 512,
  endpoint: 'my-software',
  seq: 1042,
  type: 'job.stage.changed',
  jobid,
  state: 'delivered',
  attemptCount: 1,
  nextAttemptAt: null,
  createdAt: '2026-11-23T14:00:00.000Z',
  deliveredAt: '2026-11-23T14:00:00.250Z',
}

export const failedDelivery: DeliveryAnswer = {
  ...delivery,
  state: 'failed',
  attemptCount: 11,
  deliveredAt: null,
}

export const upstream: UpstreamAnswer = {
  name: 'prod',
  kind: 'enterprise-admin',
  root: 'https://gis.example.com/arcgis/admin',
  state: 'up',
  since: '2026-11-20T06:00:00.000Z',
  lastSuccessAt: '2026-11-23T14:00:05.000Z',
  lastError: null,
  requestsPerSecond: 0.4,
  tokenExpiresAt: '2026-11-23T14:55:00.000Z',
  jobs: 3,
}
