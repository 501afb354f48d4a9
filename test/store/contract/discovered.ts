import { describe, expect, test } from 'vitest'
import type { Job } from '../../../src/core/job.ts'
import { aJob, aStage, noon } from '../../helpers/builders.ts'
import { Ground, aDraft, minute, seqs, textOf, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Jobs that were found rather than registered, and what is learnt from how long they ran. */
export function discoveredCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }
  const edit = '/gis/admin/services/Parks.MapServer/edit'
  const ended = (fields: Partial<Job> = {}) =>
    aJob({
      ...{ state: 'ended', status: 'COMPLETED', rawStatus: 'COMPLETED', outcome: 'success' },
      ...{ operation: edit, startedAt: noon - minute, endedAt: noon },
      ...fields,
    })
  const record = (ground: Ground, job: Job, drafts: Parameters<Ground['look']>[1] = []) =>
    ground.store.recordDiscovered({ job, drafts, document: '{"found":1}', at: noon })

  describe('a discovered job', () => {
    test('that runs is kept with its events and its document', async () => {
      const ground = await Ground.create(open)
      const running = aJob({ status: 'EXECUTING', stages: [aStage('copy', 'running')] })
      const job = await record(ground, running, [aDraft('job.watched'), aDraft('job.executing')])
      expect(job).toMatchObject({ ...key, state: 'active', lastSeq: 2 })
      expect(await ground.find(key)).toEqual(job)
      const events = await ground.events()
      expect(events.map(({ type }) => type)).toEqual(['job.watched', 'job.executing'])
      expect(events.map((event) => textOf(event).data.previousSeq)).toEqual([null, 1])
      expect(await ground.store.readDocument(key)).toBe('{"found":1}')
      const polled = await ground.store.listPolled({ afterId: 0, limit: 10 })
      expect(polled.map(({ jobid }) => jobid)).toEqual(['j-1'])
    })

    test('that has ended is kept without events, and is looked at no more', async () => {
      const ground = await Ground.create(open)
      const job = await record(ground, ended())
      expect(job).toMatchObject({ state: 'ended', lastSeq: null, polledAt: noon })
      expect(await ground.newest()).toBe(0)
      expect(await ground.store.listPolled({ afterId: 0, limit: 10 })).toEqual([])
      expect(await ground.store.readDocument(key)).toBe('{"found":1}')
      // Nothing has happened to it yet, so a look at it meets no conflict.
      await ground.look(key, [aDraft('job.reopened')], { state: 'active', status: 'EXECUTING' })
      expect(seqs(await ground.events())).toEqual([1])
    })

    test('of which nobody has heard is watched anew when it is registered', async () => {
      const ground = await Ground.create(open)
      await record(ground, ended())
      const { job, began } = await ground.store.registerJob({ ...key, label: 'mine' }, noon)
      expect(began).toBe(true)
      expect(job).toMatchObject({ state: 'active', status: null, label: 'mine', lastSeq: 1 })
      // Told once, it has ended for good.
      await ground.look(key, [aDraft('job.completed')], { state: 'ended', status: 'COMPLETED' })
      expect((await ground.store.registerJob(key, noon)).began).toBe(false)
    })

    test('that is known by now is left as it is', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1', { label: 'mine' })
      expect(await record(ground, ended(), [aDraft('job.completed')])).toBeNull()
      expect(await ground.find(key)).toEqual(job)
      expect(await ground.newest()).toBe(1)
      expect(await ground.store.readDocument(key)).toBeNull()
    })
  })

  test('of listed ids those are unknown under which the upstream has no job, in their order', async () => {
    const ground = await Ground.create(open)
    await ground.register('j-1')
    const { id } = await ground.register('j-2')
    await ground.register('j-3', { upstream: 'dev' })
    await ground.store.stopJob({ upstream: 'prod', jobid: 'j-2' }, noon)
    expect(id).toBeGreaterThan(0)
    const jobids = ['j-4', 'j-3', 'j-2', 'j-1', 'j-0']
    const unknown = await ground.store.unknownJobids({ upstream: 'prod', jobids })
    expect(unknown).toEqual(['j-4', 'j-3', 'j-0'])
  })

  describe('how long an operation usually takes', () => {
    /** Runs of so many minutes, one after another, each ended a minute after the one before. */
    async function run(ground: Ground, minutes: readonly number[], fields: Partial<Job> = {}) {
      for (const [index, long] of minutes.entries()) {
        const endedAt = noon + index * minute
        const jobid = `run-${fields.operation ?? ''}${index}`.replace(/\W/g, '-')
        const times = { startedAt: endedAt - long * minute, endedAt }
        await record(ground, ended({ jobid, ...times, ...fields }))
      }
    }
    const typical = async (ground: Ground, fields: Partial<Job> = {}) => {
      const jobid = 'the-next'
      await record(ground, aJob({ jobid, status: 'EXECUTING', operation: edit, ...fields }))
      return (await ground.find({ upstream: fields.upstream ?? 'prod', jobid })).typicalDurationMs
    }

    test('is not known of fewer than three runs', async () => {
      const ground = await Ground.create(open)
      await run(ground, [1, 1])
      expect(await typical(ground)).toBeNull()
    })

    test('is the median of its runs', async () => {
      const ground = await Ground.create(open)
      await run(ground, [9, 1, 2])
      expect(await typical(ground)).toBe(2 * minute)
      const even = await Ground.create(open)
      await run(even, [9, 1, 2, 4])
      expect(await typical(even)).toBe(3 * minute)
    })

    test('is that of the last ten runs', async () => {
      const ground = await Ground.create(open)
      await run(ground, [...upTo(20).map(() => 60), ...upTo(10).map(() => 2)])
      expect(await typical(ground)).toBe(2 * minute)
    })

    test('goes by the same operation at the same upstream, and by runs that ended well', async () => {
      const ground = await Ground.create(open)
      await run(ground, [5, 5, 5])
      await run(ground, [60, 60, 60, 60], { operation: '/gis/admin/other' })
      await run(ground, [60, 60, 60, 60], { upstream: 'dev' })
      for (const outcome of ['error', 'cancelled'] as const) {
        await run(ground, [60, 60, 60, 60], { outcome, operation: edit })
      }
      expect(await typical(ground)).toBe(5 * minute)
    })

    test('counts a run that was reopened once, as it ended last', async () => {
      const ground = await Ground.create(open)
      await run(ground, [4, 4, 4])
      const job = { upstream: 'prod', jobid: 'run-0' }
      await ground.look(job, [aDraft('job.reopened')], { state: 'active', status: 'EXECUTING' })
      await ground.look(job, [aDraft('job.completed')], {
        ...{ state: 'ended', status: 'COMPLETED', endedAt: noon + 60 * minute },
      })
      expect(await typical(ground)).toBe(4 * minute)
      await run(ground, [6], { jobid: 'one-more' })
      expect((await ground.find({ upstream: 'prod', jobid: 'the-next' })).typicalDurationMs).toBe(
        5 * minute,
      )
    })

    test('is in the events of a job as in the job', async () => {
      const ground = await Ground.create(open)
      await run(ground, [4, 4, 4])
      const startedAt = noon - minute
      const running = aJob({ status: 'EXECUTING', operation: edit, startedAt })
      await record(ground, running, [aDraft('job.watched')])
      const [event] = await ground.events()
      if (event === undefined) throw new Error('an event was written')
      expect(textOf(event).data.job).toMatchObject({
        typicalDurationMs: 4 * minute,
        eta: '2026-01-05T12:03:00.000Z',
      })
    })
  })
}
