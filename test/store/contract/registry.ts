import { describe, expect, test } from 'vitest'
import type { Job } from '../../../src/core/job.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, minute, seqs, textOf, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Registering, stopping and finding jobs. */
export function registryCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('the registry of jobs', () => {
    test('the first registration of a job begins the watching and logs job.watched', async () => {
      const ground = await Ground.create(open)
      const registration = { ...key, label: 'Nightly', tags: ['nightly', 'gis'] }
      const { job, began } = await ground.store.registerJob(registration, noon)

      expect(began).toBe(true)
      expect(job).toMatchObject({
        ...{ ...registration, state: 'active', status: null, stages: [], messages: [] },
        ...{ stallAfterMs: null, deadline: null, watchedAt: noon, changedAt: null, lastSeq: 1 },
      })
      expect(await ground.store.findJob(key)).toEqual(job)

      const [watched, ...others] = await ground.events()
      expect(others).toEqual([])
      expect(watched).toMatchObject({ seq: 1, type: 'job.watched', ...key, tags: job.tags })
      expect(watched && textOf(watched)).toMatchObject({
        source: '/upstreams/prod/jobs/j-1',
        subject: 'j-1',
        time: new Date(noon).toISOString(),
        data: { seq: 1, previousSeq: null, change: { kind: 'registry', by: 'api' } },
      })
      expect(watched && textOf(watched).data.job).toMatchObject({ label: 'Nightly', lastSeq: 1 })
    })

    test('a registration of a watched job begins nothing and logs nothing', async () => {
      const ground = await Ground.create(open)
      const first = await ground.register('j-1', { label: 'Nightly' })
      ground.now += minute
      const again = await ground.store.registerJob({ ...key, label: 'Other' }, ground.now)

      expect(again.began).toBe(false)
      expect(again.job).toMatchObject({ id: first.id, label: 'Other', watchedAt: noon, lastSeq: 1 })
      expect(await ground.newest()).toBe(1)
      expect(await ground.store.findJob(key)).toEqual(again.job)
    })

    test('many registrations are taken in their order, each as if it had come alone', async () => {
      const ground = await Ground.create(open)
      const known = await ground.register('j-1')
      const wanted = ['j-3', 'j-1', 'j-2', 'j-3'].map((jobid) => ({ ...key, jobid }))
      const done = await ground.store.registerJobs(wanted, ground.now)

      expect(done.map(({ began }) => began)).toEqual([true, false, true, false])
      expect(done.map(({ job }) => job.jobid)).toEqual(['j-3', 'j-1', 'j-2', 'j-3'])
      expect(done.map(({ job }) => job.lastSeq)).toEqual([2, 1, 3, 2])
      expect(done[1]?.job).toEqual(known)
      expect(await ground.store.findJob({ ...key, jobid: 'j-3' })).toEqual(done[0]?.job)
      expect(await ground.newest()).toBe(3)
    })

    test('a registration that says nothing new leaves the job as it is', async () => {
      const ground = await Ground.create(open)
      const first = await ground.register('j-1', { label: 'Nightly', tags: ['a'] })
      const again = await ground.store.registerJob({ ...key, label: 'Nightly', tags: ['a'] }, noon)
      expect(again).toEqual({ job: first, began: false })
    })

    test('what a registration leaves out stays, null clears it', async () => {
      const ground = await Ground.create(open)
      const settings = {
        label: 'Nightly',
        tags: ['a', 'b'],
        stallAfterMs: 2 * minute,
        deadline: { afterMs: 90 * minute },
      }
      await ground.register('j-1', settings)
      expect(await ground.register('j-1')).toMatchObject(settings)
      expect(await ground.register('j-1', { label: undefined })).toMatchObject(settings)

      const atNoon = { ...settings, deadline: { atMs: noon } }
      expect(await ground.register('j-1', { deadline: { atMs: noon } })).toMatchObject(atNoon)
      expect(await ground.register('j-1', { tags: ['c'] })).toMatchObject({
        ...{ ...atNoon, tags: ['c'] },
      })
      const cleared = { label: null, tags: [], stallAfterMs: null, deadline: null }
      expect(await ground.register('j-1', cleared)).toMatchObject(cleared)
      expect(await ground.find(key)).toMatchObject(cleared)
    })

    test('a deadline keeps its form, a moment or a time from the start', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1', { deadline: { atMs: 0 } })
      expect((await ground.find(key)).deadline).toEqual({ atMs: 0 })
      await ground.register('j-1', { deadline: { afterMs: 1 } })
      expect((await ground.find(key)).deadline).toEqual({ afterMs: 1 })
    })

    test('labels and tags keep every character', async () => {
      const ground = await Ground.create(open)
      const label = 'Übersicht — 地図 😀 "quoted" \\ %_ \n tab\t'
      const tags = ['', 'a"b', '["x"]', 'ÄÖ', '%']
      await ground.register('j-1', { label, tags })
      expect(await ground.find(key)).toMatchObject({ label, tags })
    })

    test('a stop ends the watching once and logs job.unwatched', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1', { label: 'Nightly' })
      ground.now += minute
      expect(await ground.store.stopJob(key, ground.now)).toBe(true)

      expect(await ground.find(key)).toMatchObject({
        state: 'stopped',
        label: 'Nightly',
        lastSeq: 2,
      })
      const [, unwatched] = await ground.events()
      expect(unwatched).toMatchObject({ seq: 2, type: 'job.unwatched' })
      expect(unwatched && textOf(unwatched)).toMatchObject({
        time: new Date(ground.now).toISOString(),
        data: { previousSeq: 1, change: { kind: 'registry', by: 'api' } },
      })

      expect(await ground.store.stopJob(key, ground.now)).toBe(false)
      expect(await ground.newest()).toBe(2)
    })

    test('a stop of a job that nobody registered does nothing', async () => {
      const ground = await Ground.create(open)
      expect(await ground.store.stopJob(key, noon)).toBe(false)
      await ground.register('j-1', { upstream: 'dev' })
      expect(await ground.store.stopJob(key, noon)).toBe(false)
      expect(await ground.newest()).toBe(1)
      expect(await ground.find({ ...key, upstream: 'dev' })).toMatchObject({ state: 'active' })
    })

    test('a stop keeps the history', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.executing')], {
        status: 'EXECUTING',
        document: '{"status":"EXECUTING"}',
      })
      await ground.store.stopJob(key, ground.now)
      expect(await ground.find(key)).toMatchObject({ status: 'EXECUTING', state: 'stopped' })
      expect(await ground.store.readDocument(key)).toBe('{"status":"EXECUTING"}')
      expect(seqs(await ground.events({ jobids: ['j-1'] }))).toEqual([1, 2, 3])
    })

    test.each(['stopped', 'lost'] as const)(
      'a registration after %s begins the watching again, of the same job with the same settings',
      async (state) => {
        const ground = await Ground.create(open)
        const first = await ground.register('j-1', { label: 'Nightly', tags: ['a'] })
        if (state === 'stopped') await ground.store.stopJob(key, ground.now)
        else await ground.look(key, [], { state: 'lost' })
        const before = await ground.find(key)

        ground.now += minute
        const { job, began } = await ground.store.registerJob(key, ground.now)
        expect(began).toBe(true)
        expect(job).toMatchObject({
          ...{ id: first.id, state: 'active', label: 'Nightly', tags: ['a'] },
          ...{ watchedAt: ground.now, lastSeq: (before.lastSeq ?? 0) + 1 },
        })
        expect(await ground.find(key)).toEqual(job)
        const last = (await ground.events()).at(-1)
        expect(last && textOf(last)).toMatchObject({
          type: 'job.watched',
          data: { previousSeq: before.lastSeq },
        })
      },
    )

    test('a registration of a job whose end was seen begins nothing', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.completed')], { state: 'ended', status: 'COMPLETED' })
      ground.now += minute
      const { job, began } = await ground.store.registerJob({ ...key, label: 'x' }, ground.now)
      expect(began).toBe(false)
      expect(job).toMatchObject({ state: 'ended', label: 'x', watchedAt: noon })
      expect(await ground.newest()).toBe(2)
    })

    test('the events of a job are a chain by previousSeq, whatever comes in between', async () => {
      const ground = await Ground.create(open)
      const other = { upstream: 'dev', jobid: 'j-1' }
      await ground.register('j-1')
      await ground.register('j-1', other)
      await ground.look(key, [aDraft(), aDraft('job.executing')])
      await ground.look(other, [aDraft('job.submitted')])
      await ground.store.stopJob(key, ground.now)
      await ground.store.stopJob(other, ground.now)
      await ground.register('j-1')

      const chain = async (upstream: string) =>
        (await ground.events({ upstreams: [upstream] })).map((event) => {
          const { seq, previousSeq } = textOf(event).data
          return [previousSeq, seq]
        })
      expect(await chain('prod')).toEqual([
        [null, 1],
        [1, 3],
        [3, 4],
        [4, 6],
        [6, 8],
      ])
      expect(await chain('dev')).toEqual([
        [null, 2],
        [2, 5],
        [5, 7],
      ])
    })

    test('the same id at two upstreams is two jobs', async () => {
      const ground = await Ground.create(open)
      const dev = await ground.register('j-1', { upstream: 'dev', label: 'one' })
      const prod = await ground.register('j-1', { label: 'two' })
      await ground.register('j-2')

      expect(await ground.find({ upstream: 'dev', jobid: 'j-1' })).toEqual(dev)
      expect(await ground.find(key)).toEqual(prod)
      expect(await ground.store.findJob({ upstream: 'test', jobid: 'j-1' })).toBeNull()
      // In the order of the first registrations, whatever happened since.
      ground.now += minute
      await ground.store.stopJob({ upstream: 'dev', jobid: 'j-1' }, ground.now)
      await ground.register('j-1', { upstream: 'dev' })
      const found = await ground.store.findJobsById('j-1')
      expect(found.map(({ upstream }) => upstream)).toEqual(['dev', 'prod'])
      expect(await ground.store.findJobsById('j-3')).toEqual([])
    })

    test('ids of jobs are told apart by case', async () => {
      const ground = await Ground.create(open)
      const lower = await ground.register('job-a')
      const upper = await ground.register('JOB-A')
      expect(upper.id).not.toBe(lower.id)
      expect((await ground.store.findJobsById('JOB-A')).map(({ id }) => id)).toEqual([upper.id])
    })

    test('a hundred parallel registrations of a job give one row, and one of them began', async () => {
      const ground = await Ground.create(open)
      const answers = await Promise.all(
        upTo(100).map((n) => ground.store.registerJob({ ...key, label: `label ${n}` }, noon)),
      )
      expect(answers.filter(({ began }) => began)).toHaveLength(1)
      expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
      expect(await ground.store.findJobsById('j-1')).toHaveLength(1)
      expect(await ground.newest()).toBe(1)
      // Each was told the job as it was right after its own registration.
      expect(answers.map(({ job }) => job.label)).toEqual(upTo(100).map((n) => `label ${n}`))
    })

    test('jobs that are still looked at come by ascending id in pages, and no others', async () => {
      const ground = await Ground.create(open)
      const jobs: Job[] = []
      for (const n of upTo(11)) {
        jobs.push(await ground.register(`j-${n}`, { upstream: n % 2 === 0 ? 'dev' : 'prod' }))
      }
      const [first, second, third, fourth] = jobs as [Job, Job, Job, Job]
      await ground.store.stopJob(first, noon)
      const ended = { state: 'ended', status: 'FAILED' } as const
      await ground.look(second, [aDraft('job.failed')], { ...ended, looksLeft: 0 })
      await ground.look(third, [aDraft('job.failed')], { ...ended, looksLeft: 2 })
      await ground.look(fourth, [aDraft('job.lost')], { state: 'lost', lostSince: noon })

      const polled = [
        { ...third, ...ended, looksLeft: 2 },
        { ...fourth, state: 'lost' },
        ...jobs.slice(4),
      ].map(({ id, upstream, jobid, state, status, looksLeft }) => ({
        ...{ id, upstream, jobid, state, status, looksLeft },
      }))
      const pages = []
      let afterId = 0
      for (;;) {
        const page = await ground.store.listPolled({ afterId, limit: 4 })
        if (page.length === 0) break
        pages.push(page)
        afterId = page.at(-1)?.id ?? Infinity
      }
      expect(pages.map(({ length }) => length)).toEqual([4, 4, 1])
      expect(pages.flat()).toEqual(polled)

      await ground.register('j-1')
      await ground.store.stopJob(third, noon)
      const all = await ground.store.listPolled({ afterId: 0, limit: 100 })
      expect(all.map(({ jobid }) => jobid)).toEqual([
        'j-1',
        ...polled.slice(1).map(({ jobid }) => jobid),
      ])
    })

    test('a lost job that is registered again is lost no more', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.lost')], { state: 'lost', lostSince: noon })
      expect(await ground.register('j-1')).toMatchObject({ state: 'active', lostSince: null })
    })

    test('a new deadline can be missed anew, the same one given again cannot', async () => {
      const ground = await Ground.create(open)
      const deadline = { afterMs: minute }
      await ground.register('j-1', { deadline })
      await ground.look(key, [aDraft('job.overdue')], { isOverdue: true })
      expect(await ground.register('j-1', { deadline })).toMatchObject({ isOverdue: true })
      expect(await ground.register('j-1', { label: 'x' })).toMatchObject({ isOverdue: true })
      const longer = { afterMs: 60 * minute }
      expect(await ground.register('j-1', { deadline: longer })).toMatchObject({
        ...{ deadline: longer, isOverdue: false },
      })
    })
  })
}
