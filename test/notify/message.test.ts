import { expect, test } from 'vitest'
import type { EventDraft } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import { headlineOf, lineOf, messageOf } from '../../src/notify/message.ts'
import { clip, plainWords, quoted } from '../../src/notify/words.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'
import { failed, inTime, jobEvent, occasionOf, running, viewOf } from './occasions.ts'

const minute = 60_000

function messageAbout(job: Job, draft: EventDraft) {
  return messageOf(jobEvent(job, draft), inTime)
}

function messageFor(name: string) {
  const [event, surroundings] = occasionOf(name)
  return messageOf(event, surroundings)
}

test.each([
  [
    'failed',
    '❌ FAILED: nightly backup (prod) – Not enough space on \\\\files\\backup: 12 GB needed, 3 GB free. ' +
      'It failed in the stage relational after 12m30s, usually 8m00s.',
  ],
  [
    'warned',
    '⚠️ COMPLETED with warnings: nightly backup (prod). ' +
      'It completed with warnings in 12m30s, usually 8m00s.',
  ],
  [
    'cancelled',
    '🚫 CANCELLED: nightly backup (prod). It was cancelled after 12m30s, usually 8m00s.',
  ],
  [
    'lost',
    '❓ lost: nightly backup (prod). ArcGIS has not known this job since 2026-01-05 11:59 UTC; ' +
      'it was EXECUTING when it was last seen.',
  ],
  [
    'stalled',
    '🐌 stalled: nightly backup (prod). Nothing has changed since 2026-01-05 09:50 UTC, ' +
      'for 2h10m; it is still EXECUTING.',
  ],
  [
    'overdue',
    '⏰ overdue: nightly backup (prod). It should have been done by 2026-01-05 11:57 UTC; ' +
      'it is still EXECUTING, 3 of 5 stages done.',
  ],
  [
    'stage',
    '▶️ relational running: nightly backup (prod). ' +
      'The stage relational went from pending to running. 3 of 5 stages done.',
  ],
  ['messages', '💬 2 new messages: nightly backup (prod) – Backing up the relational store'],
  [
    'upstream down',
    '🔴 down: upstream prod – no connection (ECONNREFUSED). It has been unreachable or unusable ' +
      'since 2026-01-05 11:48 UTC. Its jobs cannot be followed until it works again.',
  ],
  [
    'upstream denied',
    "⛔ denied: upstream prod – Invalid username or password. It has refused jobwatch's " +
      'credentials or privileges since 2026-01-05 11:48 UTC. ' +
      'Its jobs cannot be followed until the account or the token is mended.',
  ],
  [
    'upstream up',
    '🟢 up: upstream prod. It works again after 12m00s, and its jobs are followed again.',
  ],
  [
    'endpoint failing',
    '🔴 failing: endpoint ops-webhook – HTTP 503. Nothing has got through since 2026-01-05 10:55 UTC; ' +
      'it will be disabled at 2026-01-10 12:00 UTC unless a delivery succeeds.',
  ],
  [
    'endpoint disabled',
    '⛔ disabled: endpoint ops-webhook – HTTP 410. ' +
      'It is disabled: nothing is sent to it until it is enabled again.',
  ],
  [
    'endpoint recovered',
    '🟢 recovered: endpoint ops-webhook. Deliveries get through again after 1h05m.',
  ],
  [
    'test',
    '🧪 test: endpoint ops-slack. This is a test of the endpoint ops-slack from jobwatch: it works.',
  ],
  [
    'late',
    '❌ FAILED: nightly backup (prod) – Not enough space on \\\\files\\backup: 12 GB needed, 3 GB free. ' +
      'It failed in the stage relational after 12m30s, usually 8m00s. ' +
      'This message is 2h05m late: it is about 2026-01-05 12:00 UTC. ' +
      'Now: ▶️ EXECUTING, 1 of 5 stages done.',
  ],
])('%s in one line', (name, line) => {
  expect(lineOf(messageFor(name))).toBe(line)
})

test.each<[EventDraft, Partial<Job>, string]>([
  [
    status('job.submitted', null, 'SUBMITTED'),
    { status: 'SUBMITTED' },
    '⏳ SUBMITTED: j (prod). It waits for its turn.',
  ],
  [
    status('job.executing', 'SUBMITTED', 'EXECUTING'),
    { status: 'EXECUTING', startedAt: noon },
    '▶️ EXECUTING: j (prod). It is running since 2026-01-05 12:00 UTC.',
  ],
  [
    status('job.executing', 'SUBMITTED', 'EXECUTING'),
    { status: 'EXECUTING' },
    '▶️ EXECUTING: j (prod). It is running.',
  ],
  [
    status('job.cancelling', 'EXECUTING', 'CANCELLING'),
    { status: 'CANCELLING' },
    '↩️ CANCELLING: j (prod). It is being cancelled.',
  ],
  [
    status('job.unavailable', 'EXECUTING', 'UNAVAILABLE'),
    { status: 'UNAVAILABLE' },
    '❔ UNAVAILABLE: j (prod). ArcGIS cannot say how the job is; it may still be running.',
  ],
  [
    status('job.status.other', 'EXECUTING', 'OTHER', 'PAUSED'),
    { status: 'OTHER', rawStatus: 'PAUSED' },
    '❔ OTHER: PAUSED: j (prod). ArcGIS gives it a status that jobwatch does not know.',
  ],
  [
    status('job.completed', 'EXECUTING', 'COMPLETED'),
    { status: 'COMPLETED', outcome: 'success', startedAt: noon - 65_000, endedAt: noon },
    '✅ COMPLETED: j (prod). It completed in 1m05s.',
  ],
  [
    status('job.failed', 'EXECUTING', 'COMPLETED'),
    { status: 'COMPLETED', outcome: 'error', reason: 'Disk full' },
    '❌ COMPLETED with error: j (prod) – Disk full. ' +
      'ArcGIS calls it completed, but its result says that it failed.',
  ],
  [
    status('job.failed', 'EXECUTING', 'FAILED', 'Timed Out'),
    { status: 'FAILED', outcome: 'error', startedAt: noon - 65_000, endedAt: noon },
    '❌ FAILED: j (prod). It timed out after 1m05s.',
  ],
  [
    status('job.reopened', 'COMPLETED', 'EXECUTING'),
    { status: 'EXECUTING', startedAt: noon },
    '▶️ reopened, EXECUTING: j (prod). It had ended (COMPLETED) and runs again. ' +
      'It is running since 2026-01-05 12:00 UTC.',
  ],
  [
    status('job.reopened', 'COMPLETED', 'CANCELLED'),
    { status: 'CANCELLED', outcome: 'cancelled' },
    '🚫 reopened, CANCELLED: j (prod). It had ended (COMPLETED) and was run again; ' +
      'that run has ended too. It was cancelled.',
  ],
  [
    { type: 'job.stage.changed', change: stage('copy', 2, null, 'running') },
    { status: 'EXECUTING', stages: [aStage('copy', 'running', { occurrence: 2 })] },
    '▶️ copy #2 running: j (prod). The stage copy #2 has appeared: running. 0 of 1 stage done.',
  ],
  [
    { type: 'job.stage.changed', change: stage('copy', 1, 'running', null) },
    { status: 'EXECUTING', stages: [aStage('x', 'completed'), aStage('y', 'pending')] },
    '➖ copy gone: j (prod). The stage copy is no longer listed. 1 of 2 stages done.',
  ],
  [
    { type: 'job.resumed', change: { kind: 'stall', since: iso(noon - 130 * minute) } },
    { status: 'EXECUTING' },
    '▶️ resumed: j (prod). It moves again after 2h10m without a change.',
  ],
  [
    { type: 'job.lost', change: { kind: 'presence', since: null } },
    { status: null, state: 'lost' },
    '❓ lost: j (prod). ArcGIS has not known this job; perhaps the id is wrong.',
  ],
  [
    { type: 'job.found', change: { kind: 'presence', since: iso(noon - 10 * minute) } },
    { status: 'EXECUTING' },
    '🔎 found: j (prod). ArcGIS knows the job again after 10m00s; it is EXECUTING.',
  ],
  [
    { type: 'job.watched', change: { kind: 'registry', by: 'discovery' } },
    {},
    '👀 watched: j (prod). It was discovered and is watched from now on.',
  ],
  [
    { type: 'job.unwatched', change: { kind: 'registry', by: 'lost' } },
    { state: 'stopped' },
    '⏹️ no longer watched: j (prod). It was lost for too long and is no longer watched.',
  ],
])('$type reads like a sentence', (draft, fields, line) => {
  expect(lineOf(messageAbout(aJob({ label: 'j', ...fields }), draft))).toBe(line)
})

test('what a person looks for next is there: how long, what, who, when, stages, messages, links', () => {
  const { facts, stages, messages, links, source } = messageFor('failed')
  expect(facts.map(({ label, value }) => [label, plainWords(value)])).toEqual([
    ['Operation', 'backup'],
    ['Started by', 'siteadmin'],
    ['Started', '2026-01-05 11:47 UTC'],
  ])
  expect(stages?.progress).toBe('3 of 5 stages done')
  expect(stages?.stages.map(({ face, name, state }) => `${face.emoji} ${name}: ${state}`)).toEqual([
    '✅ validating: completed, 5s',
    '✅ configuration: completed, 1m00s',
    '✅ object_store: completed, 4m00s',
    '❌ relational: failed, 7m25s',
    '⏳ cleanup: pending',
  ])
  expect(messages?.lines.map(plainWords)).toEqual([
    'Backing up the object store',
    'Backing up the relational store',
  ])
  const { jobid } = failed
  expect(links).toEqual([
    { label: 'Job in ArcGIS', url: `https://gis.example.com/arcgis/admin/jobs/${jobid}` },
    { label: 'Job in jobwatch', url: `https://jobwatch.example.com/#/jobs/prod/${jobid}` },
  ])
  expect(plainWords(source)).toBe(`2026-01-05 12:00 UTC, event 7f3a9c-42, job ${jobid} at prod`)
})

test('of many stages those that matter come first, and the rest is counted', () => {
  const stages = Array.from({ length: 60 }, (_, index) => aStage(`s${index}`, 'completed'))
  stages[40] = aStage('s40', 'running')
  stages[50] = aStage('s50', 'failed')
  const job = aJob({ status: 'EXECUTING', stages, furtherStages: { done: 3, total: 5 } })
  const list = messageAbout(job, status('job.executing', null, 'EXECUTING')).stages
  expect(list?.progress).toBe('61 of 65 stages done')
  expect(list?.stages.map(({ name }) => name)).toEqual([
    ...['s50', 's40', 's0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'],
  ])
  expect(list?.more).toBe(55)
})

test('a late message tells what was not told until now, the newest few, and counts the rest', () => {
  const { late, facts } = messageFor('late')
  expect(late?.meanwhile?.before).toBe(4)
  expect(late?.meanwhile?.lines.map(plainWords)).toEqual([
    '2026-01-05 11:47 UTC ▶️ EXECUTING',
    '2026-01-05 11:48 UTC ✅ validating completed',
    '2026-01-05 11:49 UTC ✅ configuration completed',
    '2026-01-05 11:50 UTC ✅ object_store completed',
  ])
  expect(facts.slice(0, 2)).toEqual([
    { label: 'Now', value: ['▶️ EXECUTING'] },
    { label: 'Running for', value: ['5m00s, usually 8m00s'] },
  ])
})

test('a late message about a job that is as it was says so, and about one that is gone too', () => {
  const [event] = occasionOf('overdue')
  const late = { now: noon + minute, job: null, leftOut: [], leftOutCount: 0 }
  expect(messageOf(event, { ...inTime, late }).late?.now).toBe('The job is no longer kept.')
  const job = viewOf(running, noon + minute)
  const lost = viewOf({ ...running, state: 'lost' }, noon + minute)
  expect(messageOf(event, { ...inTime, late: { ...late, job: lost } }).late?.now).toBe(
    'Now: ▶️ EXECUTING, lost, 3 of 5 stages done.',
  )
  expect(messageOf(event, { ...inTime, late: { ...late, job } }).late).toEqual({
    says: ['This message is 1m00s late: it is about ', { at: '2026-01-05T12:00:00.000Z' }, '.'],
    now: 'Still: ▶️ EXECUTING, 3 of 5 stages done.',
    meanwhile: null,
  })
})

test('there are links only to where somebody can go', () => {
  const [event] = occasionOf('failed')
  const nowhere = { late: null, publicUrl: null, rootOf: () => null }
  expect(messageOf(event, nowhere).links).toEqual([])
  const odd = { late: null, publicUrl: 'javascript:alert(1)//', rootOf: () => 'ftp://g/admin' }
  expect(messageOf(event, odd).links).toEqual([])
  const slashes = { late: null, publicUrl: 'http://a/b/', rootOf: () => 'http://g/admin/' }
  expect(messageOf(event, slashes).links.map(({ url }) => url)).toEqual([
    `http://g/admin/jobs/${running.jobid}`,
    `http://a/b/#/jobs/prod/${running.jobid}`,
  ])
})

test('text from elsewhere is one line without what could hide or forge, and cut where it is long', () => {
  const job = aJob({ label: 'a\nb\u202ec\x1b[2J\ud800', username: '👩‍🚒'.repeat(80) })
  const message = messageAbout(job, status('job.executing', null, 'EXECUTING'))
  expect(headlineOf(message)).toBe('🔍 not seen yet: a b\\u202ec\\u001b[2J\\ud800 (prod)')
  const [who] = message.facts.filter(({ label }) => label === 'Started by')
  expect(plainWords(who?.value ?? [])).toMatch(/^(?:👩|‍|🚒)+…$/u)
  expect(plainWords(who?.value ?? []).length).toBeLessThanOrEqual(100)
})

test('a cut shows, and leaves characters whole', () => {
  expect(clip('abcdef', 6)).toBe('abcdef')
  expect(clip('abcdefg', 6)).toBe('abcde…')
  expect(clip('ab🗺️', 4)).toBe('ab…')
  expect(clip('ab cdef', 4)).toBe('ab…')
  expect(clip('a&b', 6, (char) => (char === '&' ? 5 : 1))).toBe('a…')
  expect(quoted('\u0007'.repeat(9000), 100)).toHaveLength(100)
})

function status(
  type: EventDraft['type'],
  from: Job['status'],
  to: NonNullable<Job['status']>,
  rawTo: string = to,
): EventDraft {
  return { type, change: { kind: 'status', from, to, rawTo } }
}

function stage(
  name: string,
  occurrence: number,
  from: 'running' | null,
  to: 'running' | null,
): EventDraft['change'] {
  return { kind: 'stage', stage: name, occurrence, from, to, rawTo: to }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
