import {
  endpointEventEncoder,
  jobEventEncoder,
  testEvent,
  upstreamEventEncoder,
} from '../../src/core/event.ts'
import type { Change, EventDraft, LoggedEvent } from '../../src/core/event.ts'
import { jobView, maxListedMessages } from '../../src/core/job.ts'
import type { Job } from '../../src/core/job.ts'
import { upstreamDraft } from '../../src/core/upstream-state.ts'
import type { JobView, Surroundings } from '../../src/notify/format.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'

const minute = 60_000
const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'

/** Where a message is written when nothing is late. */
export const inTime: Surroundings = {
  late: null,
  publicUrl: 'https://jobwatch.example.com',
  rootOf: (upstream) => (upstream === 'prod' ? 'https://gis.example.com/arcgis/admin' : null),
}

/** An event of a job as the log holds it. */
export function jobEvent(job: Job, draft: EventDraft, { at = noon, seq = 42 } = {}): LoggedEvent {
  const text = jobEventEncoder({ job, at })(draft, { epoch: '7f3a9c', seq, previousSeq: null })
  const { upstream, tags } = job
  return { seq, id: `7f3a9c-${seq}`, type: draft.type, upstream, jobid: job.jobid, tags, text }
}

/** An event of an upstream. */
export function upstreamEvent(state: 'up' | 'down' | 'denied', reason: string): LoggedEvent {
  const draft = upstreamDraft(state, reason, noon - 12 * minute)
  const numbering = { epoch: '7f3a9c', seq: 42, previousSeq: null }
  const text = upstreamEventEncoder('prod', noon)(draft, numbering)
  return {
    ...{ seq: 42, id: '7f3a9c-42', type: draft.type, upstream: 'prod', jobid: null, tags: [] },
    text,
  }
}

/** An event of an endpoint. */
export function endpointEvent(
  type: 'endpoint.failing' | 'endpoint.disabled' | 'endpoint.recovered',
  reason: string,
): LoggedEvent {
  const change: Change = {
    kind: 'endpoint',
    reason,
    since: iso(noon - 65 * minute),
    disablesAt: type === 'endpoint.failing' ? iso(noon + 5 * 24 * 60 * minute) : null,
  }
  const numbering = { epoch: '7f3a9c', seq: 42, previousSeq: null }
  const text = endpointEventEncoder('ops-webhook', noon)({ type, change }, numbering)
  return { seq: 42, id: '7f3a9c-42', type, upstream: null, jobid: null, tags: [], text }
}

/** How a job is shown at a moment. */
export function viewOf(job: Job, at: number): JobView {
  return jobView(job, { at, maxMessages: maxListedMessages })
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

const started = noon - 12.5 * minute

/** A backup that runs and is usually done in eight minutes. */
export const running = aJob({
  jobid,
  status: 'EXECUTING',
  rawStatus: 'EXECUTING',
  name: 'backup',
  operation: '/arcgis/admin/backup',
  label: 'nightly backup',
  username: 'siteadmin',
  startedAt: started,
  typicalDurationMs: 8 * minute,
  changedAt: noon - minute,
  stages: [
    aStage('validating', 'completed', { startedAt: started, endedAt: started + 5000 }),
    aStage('configuration', 'completed', {
      startedAt: started + 5000,
      endedAt: started + 65_000,
    }),
    aStage('object_store', 'completed', {
      startedAt: started + 65_000,
      endedAt: started + 305_000,
    }),
    aStage('relational', 'running', { startedAt: started + 305_000 }),
    aStage('cleanup', 'pending'),
  ],
  messages: [
    { text: 'Backing up the object store', level: null, at: null },
    { text: 'Backing up the relational store', level: null, at: null },
  ],
})

/** The same, failed. */
export const failed = {
  ...running,
  state: 'ended',
  status: 'FAILED',
  rawStatus: 'FAILED',
  outcome: 'error',
  reason: 'Not enough space on \\\\files\\backup: 12 GB needed, 3 GB free',
  endedAt: noon,
  stages: running.stages.map((stage) =>
    stage.name === 'relational' ? { ...stage, state: 'failed', endedAt: noon } : stage,
  ),
} satisfies Job

/** The same, completed with warnings. */
export const warned = {
  ...running,
  state: 'ended',
  status: 'COMPLETED',
  rawStatus: 'COMPLETED',
  outcome: 'warning',
  endedAt: noon,
  stages: running.stages.map((stage) =>
    stage.name === 'relational'
      ? { ...stage, state: 'warning', rawState: 'COMPLETED WITH WARNINGS', endedAt: noon - minute }
      : { ...stage, state: 'completed', endedAt: stage.endedAt ?? noon },
  ),
  messages: [{ text: '2 tables were skipped: they are locked', level: 'warning', at: null }],
} satisfies Job

function status(type: EventDraft['type'], from: Job['status'], to: NonNullable<Job['status']>) {
  return { type, change: { kind: 'status', from, to, rawTo: to } } satisfies EventDraft
}

const since = iso(noon - 130 * minute)
/** The failed one, run again two hours later. */
const again: Job = {
  ...running,
  startedAt: noon + 120 * minute,
  stages: [
    aStage('validating', 'completed', {
      startedAt: noon + 120 * minute,
      endedAt: noon + 121 * minute,
    }),
    aStage('configuration', 'running', { startedAt: noon + 121 * minute }),
    ...['object_store', 'relational', 'cleanup'].map((name) => aStage(name, 'pending')),
  ],
}
const lateFailure = jobEvent(failed, status('job.failed', 'EXECUTING', 'FAILED'))
const leftOut = [
  jobEvent(running, status('job.executing', 'SUBMITTED', 'EXECUTING'), { at: started, seq: 30 }),
  ...['validating', 'configuration', 'object_store'].map((name, index) =>
    jobEvent(
      running,
      {
        type: 'job.stage.changed',
        change: {
          kind: 'stage',
          stage: name,
          occurrence: 1,
          from: 'running',
          to: 'completed',
          rawTo: 'completed',
        },
      },
      { at: started + (index + 1) * minute, seq: 31 + index },
    ),
  ),
]

/** Telling events, each with what is around it, by what they are about. */
export const occasions: Readonly<Record<string, readonly [LoggedEvent, Surroundings]>> = {
  failed: [jobEvent(failed, status('job.failed', 'EXECUTING', 'FAILED')), inTime],
  warned: [jobEvent(warned, status('job.completed', 'EXECUTING', 'COMPLETED')), inTime],
  cancelled: [
    jobEvent(
      {
        ...running,
        ...{ state: 'ended', status: 'CANCELLED', rawStatus: 'CANCELLED', outcome: 'cancelled' },
        endedAt: noon,
      },
      status('job.cancelled', 'CANCELLING', 'CANCELLED'),
    ),
    inTime,
  ],
  lost: [
    jobEvent(
      { ...running, state: 'lost', lostSince: noon - minute },
      { type: 'job.lost', change: { kind: 'presence', since: iso(noon - minute) } },
    ),
    inTime,
  ],
  stalled: [jobEvent(running, { type: 'job.stalled', change: { kind: 'stall', since } }), inTime],
  overdue: [
    jobEvent(
      { ...running, deadline: { afterMs: 10 * minute } },
      {
        type: 'job.overdue',
        change: { kind: 'deadline', deadline: iso(started + 10 * minute) },
      },
    ),
    inTime,
  ],
  stage: [
    jobEvent(running, {
      type: 'job.stage.changed',
      change: {
        ...{ kind: 'stage', stage: 'relational', occurrence: 1 },
        ...{ from: 'pending', to: 'running', rawTo: 'In Progress' },
      },
    }),
    inTime,
  ],
  messages: [
    jobEvent(running, {
      type: 'job.message.added',
      change: {
        kind: 'messages',
        added: running.messages.map(({ text }) => ({ text, level: null, at: null })),
        count: 2,
      },
    }),
    inTime,
  ],
  'upstream down': [upstreamEvent('down', 'no connection (ECONNREFUSED)'), inTime],
  'upstream denied': [upstreamEvent('denied', 'Invalid username or password'), inTime],
  'upstream up': [upstreamEvent('up', 'it answers again'), inTime],
  'endpoint failing': [endpointEvent('endpoint.failing', 'HTTP 503'), inTime],
  'endpoint disabled': [endpointEvent('endpoint.disabled', 'HTTP 410'), inTime],
  'endpoint recovered': [endpointEvent('endpoint.recovered', 'HTTP 204'), inTime],
  test: [testEvent('ops-slack', 'test-1f2e3d', noon), { ...inTime, publicUrl: null }],
  late: [
    lateFailure,
    {
      ...inTime,
      late: {
        now: noon + 125 * minute,
        job: viewOf(again, noon + 125 * minute),
        leftOut,
        leftOutCount: 8,
      },
    },
  ],
}

/** Those of which everything is looked at: one of each shape. */
export const shapes = [
  'failed',
  'messages',
  'late',
  'upstream down',
  'endpoint failing',
  'test',
].map((name) => [name, occasionOf(name)] as const)

/** The occasion of a name. */
export function occasionOf(name: string): readonly [LoggedEvent, Surroundings] {
  const occasion = occasions[name]
  if (occasion === undefined) throw new Error(`there is no occasion ${name}`)
  return occasion
}
