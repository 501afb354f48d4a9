import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { advance as advanceBy } from '../../src/core/advance.ts'
import type { Advance } from '../../src/core/advance.ts'
import { forgetful } from '../../src/core/memory.ts'
import type { EventDraft } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import type { Observation } from '../../src/core/observation.ts'
import { toSnapshot } from '../../src/upstream/enterprise-admin/document.ts'
import { aJob } from '../helpers/builders.ts'

const policy = { lostAfterMs: 60_000, stallAfterMs: 7_200_000 }

/** One look, with nothing in mind of earlier ones. */
function advance(job: Job, observation: Observation, now: number): Omit<Advance, 'memory'> {
  const { job: next, drafts } = advanceBy(job, forgetful, observation, now, policy)
  return { job: next, drafts }
}

/*
 * The made-up traces of whole jobs (test/fixtures/traces), looked at once per entry. The events
 * that are expected were written down from what each trace tells, one line per event:
 *
 *   seconds since the start, then  status: from → to (the upstream's word when it is another)
 *                            or    stage name: from → to
 *                            or    messages +count: texts
 */

const startedAt = 1_760_000_000_000

interface Entry {
  readonly afterMs: number
  readonly httpStatus: number
  readonly body: Readonly<Record<string, unknown>>
}

interface Step {
  readonly at: number
  readonly job: Job
  readonly drafts: readonly EventDraft[]
}

/** Looks at a job once for each entry of its trace. */
function play(name: string): { steps: readonly Step[]; events: readonly string[]; job: Job } {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url)
  const entries = JSON.parse(readFileSync(file, 'utf8')) as readonly Entry[]
  let job = aJob({ watchedAt: startedAt })
  const steps = entries.map(({ afterMs, httpStatus, body }): Step => {
    const at = startedAt + afterMs
    const snapshot = toSnapshot(body, at)
    if (httpStatus !== 200 || snapshot === null) throw new Error(`${name}: no job document`)
    const step = advance(job, { outcome: 'seen', snapshot }, at)
    job = step.job
    return { at, ...step }
  })
  const events = steps.flatMap(({ at, drafts }) =>
    drafts.map((draft) => `${(at - startedAt) / 1000}s ${describeDraft(draft)}`),
  )
  return { steps, events, job }
}

function describeDraft({ type, change }: EventDraft): string {
  switch (change.kind) {
    case 'status': {
      const word = change.rawTo === change.to ? '' : ` (${change.rawTo})`
      return `${type}: ${change.from ?? 'nothing'} → ${change.to}${word}`
    }
    case 'stage':
      expect(type).toBe('job.stage.changed')
      expect(change.occurrence).toBe(1)
      return `stage ${change.stage}: ${change.from ?? 'absent'} → ${change.to ?? 'absent'}`
    case 'messages':
      expect(type).toBe('job.message.added')
      return `messages +${change.count}: ${change.added.map(({ text }) => text).join(' | ')}`
    case 'stall':
    case 'deadline':
    case 'presence':
    case 'registry':
    case 'upstream':
      return type
  }
}

test('01: stages that are listed from the start are told one after another', () => {
  const { events, job } = play('01-success-stages-prelisted')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '2s stage validating: absent → running',
    '2s stage relational_store: absent → pending',
    '2s stage object_store: absent → pending',
    '2s stage spatio_temporal_index_store: absent → pending',
    '2s stage queue_store: absent → pending',
    '2s stage in_memory_store: absent → pending',
    '2s stage key_framework_components: absent → pending',
    '2s stage gis_services_and_other_components: absent → pending',
    '2s job.executing: SUBMITTED → EXECUTING',
    '7s stage validating: running → completed',
    '7s stage relational_store: pending → running',
    '12s stage relational_store: running → completed',
    '12s stage object_store: pending → running',
    '17s stage object_store: running → completed',
    '17s stage spatio_temporal_index_store: pending → running',
    '22s stage spatio_temporal_index_store: running → completed',
    '22s stage queue_store: pending → running',
    '27s stage queue_store: running → completed',
    '27s stage in_memory_store: pending → running',
    '32s stage in_memory_store: running → completed',
    '32s stage key_framework_components: pending → running',
    '37s stage key_framework_components: running → completed',
    '37s stage gis_services_and_other_components: pending → running',
    '42s stage gis_services_and_other_components: running → completed',
    '42s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job).toMatchObject({
    state: 'ended',
    outcome: 'success',
    name: 'editContainerRegistry',
    resource: 'default (id: qk2v81lmw0z7c3hd9t5np)',
    username: 'siteadmin',
    startedAt,
    endedAt: startedAt + 42_007,
    result: { credentialUpdateOnly: false },
  })
})

test('02: stages that are listed when they are reached are told as they appear', () => {
  const { events, job } = play('02-success-stages-appended')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '3s stage validating: absent → running',
    '3s job.executing: SUBMITTED → EXECUTING',
    '23s stage validating: running → completed',
    '23s stage set_read_only: absent → running',
    '43s stage set_read_only: running → completed',
    '43s stage update_primary: absent → running',
    '63s stage update_primary: running → completed',
    '63s stage update_standby: absent → running',
    '83s stage update_standby: running → completed',
    '83s stage set_read_write: absent → running',
    '110s stage set_read_write: running → completed',
    '110s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job).toMatchObject({ state: 'ended', outcome: 'success' })
  expect(job.stages[1]).toMatchObject({
    name: 'set_read_only',
    startedAt: startedAt + 23_000,
    endedAt: startedAt + 43_000,
  })
})

test('03: a stage fails, and the end says why in the words of the result', () => {
  const { events, job } = play('03-failure-in-stage')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '2s stage validating: absent → completed',
    '2s stage relational_store: absent → running',
    '2s stage object_store: absent → pending',
    '2s stage spatio_temporal_index_store: absent → pending',
    '2s stage queue_store: absent → pending',
    '2s stage in_memory_store: absent → pending',
    '2s stage key_framework_components: absent → pending',
    '2s stage gis_services_and_other_components: absent → pending',
    '2s job.executing: SUBMITTED → EXECUTING',
    '12s stage relational_store: running → completed',
    '12s stage object_store: pending → completed',
    '12s stage spatio_temporal_index_store: pending → running',
    '12s messages +1: Waiting for pods of the spatiotemporal and index store.',
    '45s stage spatio_temporal_index_store: running → failed',
    '45s messages +1: Pods did not become ready in 1800 seconds.',
    // The stages that never began are now "not started": the same state in other words.
    '47s job.failed: EXECUTING → FAILED',
  ])
  expect(job).toMatchObject({
    state: 'ended',
    outcome: 'error',
    reason: 'Failed to update image pull secret for spatio_temporal_index_store.',
  })
  expect(job.stages.at(-1)).toMatchObject({ state: 'pending', rawState: 'not started' })
})

test('04: a cancelled job rolls back and has ended only then', () => {
  const { events, steps, job } = play('04-cancel-with-rollback')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '5s stage validating: absent → completed',
    '5s stage pull_images: absent → running',
    '5s stage relational_store: absent → pending',
    '5s stage key_framework_components: absent → pending',
    '5s stage gis_services: absent → pending',
    '5s job.executing: SUBMITTED → EXECUTING',
    '600s stage pull_images: running → completed',
    '600s stage relational_store: pending → running',
    '900s stage relational_store: running → rolling_back',
    '900s job.cancelling: EXECUTING → CANCELLING',
    '960s stage relational_store: rolling_back → rolled_back',
    '960s stage key_framework_components: pending → cancelled',
    '960s stage gis_services: pending → cancelled',
    '970s job.cancelled: CANCELLING → CANCELLED',
  ])
  expect(steps.map((step) => step.job.state)).toEqual([...Array<string>(5).fill('active'), 'ended'])
  expect(job.outcome).toBe('cancelled')
})

test('05: a job without stages, messages and name is followed by its status', () => {
  const { events, job } = play('05-no-progress')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '13s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job).toMatchObject({ name: null, stages: [], messages: [], outcome: 'success' })
})

test('06: while a job is unavailable its stages are kept', () => {
  const { events, steps } = play('06-unavailable-in-between')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '8s job.unavailable: EXECUTING → UNAVAILABLE',
    '32s stage object_store: running → completed',
    '32s stage spatio_temporal_index_store: pending → completed',
    '32s stage queue_store: pending → completed',
    '32s stage in_memory_store: pending → completed',
    '32s stage key_framework_components: pending → running',
    '32s job.executing: UNAVAILABLE → EXECUTING',
    '50s stage key_framework_components: running → completed',
    '50s stage gis_services_and_other_components: pending → completed',
    '50s job.completed: EXECUTING → COMPLETED',
  ])
  const [first, ...unavailable] = steps.slice(0, 3)
  for (const { job } of unavailable) {
    expect(job).toMatchObject({ state: 'active', stages: first?.job.stages, startedAt })
    expect(job.name).toBe('editContainerRegistry')
  }
})

test('10: stages go back and forth in the order of the looks, whatever updatedtime says', () => {
  const { events } = play('10-updatedtime-backwards')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '5s stage relational_store: running → completed',
    '5s stage object_store: pending → running',
    '10s stage object_store: running → completed',
    '10s stage spatio_temporal_index_store: pending → running',
    '15s stage spatio_temporal_index_store: running → completed',
    '15s stage queue_store: pending → running',
    '20s stage spatio_temporal_index_store: completed → running',
    '20s stage queue_store: running → pending',
    '25s stage spatio_temporal_index_store: running → completed',
    '25s stage queue_store: pending → completed',
    '25s stage in_memory_store: pending → completed',
    '25s stage key_framework_components: pending → running',
    '30s stage key_framework_components: running → completed',
    '30s stage gis_services_and_other_components: pending → completed',
    '30s job.completed: EXECUTING → COMPLETED',
  ])
})

test('11: updatedtime in any unit is a time of the job or nothing', () => {
  const { events, steps } = play('11-updatedtime-odd-units')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '5s stage relational_store: running → completed',
    '5s stage object_store: pending → completed',
    '5s stage spatio_temporal_index_store: pending → running',
    '10s stage spatio_temporal_index_store: running → completed',
    '10s stage queue_store: pending → completed',
    '10s stage in_memory_store: pending → running',
    '15s stage in_memory_store: running → completed',
    '15s stage key_framework_components: pending → running',
    '20s stage key_framework_components: running → completed',
    '20s stage gis_services_and_other_components: pending → running',
    '25s stage gis_services_and_other_components: running → completed',
    '25s job.completed: EXECUTING → COMPLETED',
  ])
  expect(
    steps.map(({ job }) => (job.updatedAt === null ? null : job.updatedAt - startedAt)),
  ).toEqual([1005, 5000, 10_000, 15_000, null, 25_000])
})

test('12a: a job that timed out has failed', () => {
  const { events, job } = play('12a-unknown-status-terminal-looking')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '5s job.executing: SUBMITTED → EXECUTING',
    '7200s job.failed: EXECUTING → FAILED (TIMED OUT)',
  ])
  expect(job).toMatchObject({ state: 'ended', status: 'FAILED', rawStatus: 'TIMED OUT' })
  expect(job.outcome).toBe('error')
})

test('13: names and messages in any script are told as they are', () => {
  const { events, job } = play('13-unicode-names')
  const markup = '<b>&amp;"stage" | *bold* `x`</b>'
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '6s stage Проверка хранилища: running → completed',
    `6s stage ${markup}: pending → running`,
    '6s messages +1: <!channel> @here not a mention',
    // The list of messages is empty at the end: a shorter list is no event.
    `12s stage ${markup}: running → completed`,
    '12s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job.stages[0]?.name).toBe('検証')
  expect(job.username).toBe('jürgen.müller@例え.jp')
  expect(job.messages).toEqual([])
})

test('14: a very large result is left out with its size, and the end is told all the same', () => {
  const { events, job } = play('14-very-large-result')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '30s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job).toMatchObject({ outcome: 'success', result: null })
  expect(job.resultBytes).toBeGreaterThan(700_000)
  expect(JSON.stringify(job).length).toBeLessThan(2000)
})

test('17: COMPLETED whose result says error is a failure that says why', () => {
  const { events, job } = play('17-completed-but-result-is-error')
  expect(events).toEqual([
    '0s job.executing: nothing → EXECUTING',
    '9s job.failed: EXECUTING → COMPLETED',
  ])
  expect(job).toMatchObject({
    state: 'ended',
    status: 'COMPLETED',
    outcome: 'error',
    reason: 'the service did not start',
  })
})

test('22: stages that only the result lists are told before the end', () => {
  const { events, job } = play('22-backup-stages-only-in-result')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '3s job.executing: SUBMITTED → EXECUTING',
    '70s stage Validation: absent → completed',
    '70s stage Relational store: absent → completed',
    '70s stage Object store: absent → completed',
    '70s stage System configuration: absent → completed',
    '70s stage Cleanup: absent → completed',
    '70s job.completed: EXECUTING → COMPLETED',
  ])
  expect(job.outcome).toBe('success')
})

test('26: a job that had ended before it was watched is told in one event', () => {
  const { events, job } = play('26-first-seen-completed')
  expect(events).toEqual(['0s job.completed: nothing → COMPLETED'])
  expect(job).toMatchObject({ state: 'ended', outcome: 'success', endedAt: 1_759_996_400_000 })
})

test('29: a job that ran between two looks goes from SUBMITTED to its end in one step', () => {
  const { events, job } = play('29-fast-job-between-polls')
  expect(events).toEqual([
    '0s job.submitted: nothing → SUBMITTED',
    '0.9s stage validating: absent → completed',
    '0.9s stage relational_store: absent → completed',
    '0.9s stage object_store: absent → completed',
    '0.9s stage spatio_temporal_index_store: absent → completed',
    '0.9s stage queue_store: absent → completed',
    '0.9s stage in_memory_store: absent → completed',
    '0.9s stage key_framework_components: absent → completed',
    '0.9s stage gis_services_and_other_components: absent → completed',
    '0.9s job.completed: SUBMITTED → COMPLETED',
  ])
  expect(job.state).toBe('ended')
})

test.each([
  '01-success-stages-prelisted',
  '03-failure-in-stage',
  '06-unavailable-in-between',
  '10-updatedtime-backwards',
  '13-unicode-names',
])('looking again at an unchanged document tells nothing new: %s', (name) => {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url)
  const entries = JSON.parse(readFileSync(file, 'utf8')) as readonly Entry[]
  let job = aJob()
  for (const { afterMs, body } of entries) {
    const looks = [0, 50, 100].map((laterMs) => {
      const at = startedAt + afterMs + laterMs
      const snapshot = toSnapshot(body, at)
      if (snapshot === null) throw new Error('no job document')
      const step = advance(job, { outcome: 'seen', snapshot }, at)
      job = step.job
      return step
    })
    expect(looks.slice(1).flatMap(({ drafts }) => drafts)).toEqual([])
    // After the end only the looks that are left are counted.
    const [first, , last] = looks
    expect({ ...last?.job, looksLeft: 0 }).toEqual({ ...first?.job, looksLeft: 0 })
    if (first?.job.state === 'active') expect(last?.job).toBe(first.job)
  }
})
