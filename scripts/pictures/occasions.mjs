// The events of which pictures are made, written by jobwatch's own encoders.
import { jobEventEncoder, upstreamEventEncoder } from '../../dist/core/event.js'
import { unseenJob } from '../../dist/core/job.js'
import { upstreamDraft } from '../../dist/core/upstream-state.js'

const minute = 60_000
const two = Date.parse('2026-11-23T02:00:00.000Z')

export const surroundings = {
  late: null,
  publicUrl: 'https://jobwatch.example.com',
  rootOf: () => 'https://gis.example.com/arcgis/admin',
}

function stage(name, state, from, to) {
  const at = (minutes) => (minutes === undefined ? null : two + minutes * minute)
  return { name, occurrence: 1, state, rawState: state, startedAt: at(from), endedAt: at(to) }
}

const backup = {
  ...unseenJob({ upstream: 'prod', jobid: 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c' }, two),
  state: 'ended',
  status: 'FAILED',
  rawStatus: 'FAILED',
  outcome: 'error',
  reason: 'Not enough space on \\\\files\\backup: 12 GB needed, 3 GB free',
  name: 'backup',
  operation: '/arcgis/admin/backup',
  label: 'nightly backup',
  username: 'siteadmin',
  startedAt: two,
  endedAt: two + 12.5 * minute,
  typicalDurationMs: 8 * minute,
  stages: [
    stage('validating', 'completed', 0, 0.1),
    stage('configuration', 'completed', 0.1, 1.2),
    stage('object_store', 'completed', 1.2, 5),
    stage('relational', 'failed', 5, 12.5),
    stage('cleanup', 'pending'),
  ],
  messages: [
    { text: 'Backing up the object store', level: null, at: null },
    { text: 'Backing up the relational store', level: null, at: null },
  ],
}

const numbering = { epoch: '7f3a9c', seq: 1042, previousSeq: 1041 }

function logged(type, text) {
  return { seq: 1042, id: '7f3a9c-1042', type, upstream: 'prod', jobid: null, tags: [], text }
}

/** A backup that failed. */
export const failed = logged(
  'job.failed',
  jobEventEncoder({ job: backup, at: backup.endedAt })(
    {
      type: 'job.failed',
      change: { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' },
    },
    numbering,
  ),
)

/** An upstream that is down. */
const down = upstreamDraft('down', 'no connection (ECONNREFUSED)', two + 35 * minute)
export const unreachable = logged(
  down.type,
  upstreamEventEncoder('prod', two + 36 * minute)(down, numbering),
)
