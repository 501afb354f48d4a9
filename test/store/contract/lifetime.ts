import { describe, expect, test } from 'vitest'
import { settle } from '../../helpers/fake-clock.ts'
import { noon } from '../../helpers/builders.ts'
import {
  Ground,
  aDraft,
  anEndpoint,
  delivered,
  minute,
  seqs,
  someDrafts,
  upTo,
} from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Hints, closing and opening again. */
export function lifetimeCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('the hint of new events', () => {
    test('comes after a commit that wrote events, which can then be read', async () => {
      const ground = await Ground.create(open)
      const heard = new Promise<number>((resolve, reject) => {
        ground.store.onCommit(() => {
          ground.newest().then(resolve, reject)
        })
      })
      await ground.register('j-1')
      expect(await heard).toBe(1)
    })

    test('goes to every listener', async () => {
      const ground = await Ground.create(open)
      const heard = [1, 2].map(() => new Promise((done) => ground.store.onCommit(done)))
      await ground.register('j-1')
      await Promise.all(heard)
    })

    test('names the types of what was written, in order, and of nothing else', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await settle()
      const types: string[] = []
      ground.store.onCommit((commit) => {
        types.push(...commit.types)
        expect(commit.durationMs).toBeGreaterThan(0)
      })
      const bad = { ...(await ground.find(key)), state: 'dreaming' as 'active' }
      const look = { job: bad, drafts: [aDraft('job.failed')], document: '{}', at: noon }
      const refused = expect(ground.store.commitLook(look)).rejects.toThrow()
      await ground.look(key, [aDraft('job.executing'), aDraft('job.completed')])
      await refused
      await ground.store.stopJob(key, noon)
      await settle()
      expect(types).toEqual(['job.executing', 'job.completed', 'job.unwatched'])
    })

    test('does not come after a commit that wrote none', async () => {
      const ground = await Ground.create(open)
      const { store } = ground
      const id = await ground.syncOne(anEndpoint('ops'))
      const job = await ground.register('j-1')
      await settle()
      let hints = 0
      store.onCommit(() => {
        hints += 1
      })
      await ground.register('j-1', { label: 'new' })
      await ground.look(key, [], { name: 'changed' })
      const look = { drafts: [aDraft()], document: '{}', at: noon }
      expect(await store.commitLook({ ...look, job })).toEqual({ outcome: 'conflict' })
      const bad = { ...(await ground.find(key)), state: 'dreaming' as 'active' }
      await expect(store.commitLook({ ...look, job: bad })).rejects.toThrow()
      await store.stopJob({ ...key, jobid: 'j-9' }, noon)
      await store.recordAttempt(delivered(await ground.delivery(id, 1), noon))
      await ground.sync()
      await store.checkWritable()
      await settle()
      expect(hints).toBe(0)
      await ground.look(key, [aDraft()])
      await settle()
      expect(hints).toBe(1)
    })
  })

  describe('a store', () => {
    test('is writable while it is open', async () => {
      const ground = await Ground.create(open)
      await ground.store.checkWritable()
      expect(await ground.newest()).toBe(0)
    })

    test('may be closed twice, also at once', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await Promise.all([ground.store.close(), ground.store.close()])
      await ground.store.close()
      await ground.reopen()
      expect(await ground.newest()).toBe(1)
    })

    test('writes or refuses what was asked for before it was closed, and leaves nothing open', async () => {
      const ground = await Ground.create(open)
      const asked = upTo(50).map((n) =>
        ground.store.registerJob({ ...key, jobid: `j-${n}` }, ground.now),
      )
      const [, ...answers] = await Promise.allSettled([ground.store.close(), ...asked])
      await ground.reopen()
      for (const [index, answer] of answers.entries()) {
        const job = await ground.store.findJob({ ...key, jobid: `j-${index + 1}` })
        expect(job).toEqual(answer.status === 'fulfilled' ? answer.value.job : null)
      }
      const written = answers.filter(({ status }) => status === 'fulfilled')
      expect(seqs(await ground.events())).toEqual(upTo(written.length))
    })

    test('refuses everything once it is closed', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1')
      const { store } = ground
      await store.close()
      const look = { job, drafts: [aDraft()], document: '{}', at: noon }
      const calls = [
        () => store.registerJob(key, noon),
        () => store.stopJob(key, noon),
        () => store.commitLook(look),
        () => store.findJob(key),
        () => store.listJobs({ limit: 1, before: null }),
        () => store.readEvents({ after: 0, limit: 1, filter: {} }),
        () => store.readBounds(),
        () => store.syncEndpoints([], noon),
        () => store.nextDueAt({ endpointId: 1, after: 0 }),
        () => store.readBacklog({ maxCounted: 1 }),
        () => store.checkWritable(),
      ]
      for (const call of calls) await expect(call()).rejects.toThrow()
      await ground.reopen()
      expect(await ground.find(key)).toEqual(job)
    })

    test('that is opened again shows everything', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops', {}, { format: 'webhook' }))
      await ground.register('j-1', { label: 'Nightly', tags: ['a'], deadline: { atMs: noon } })
      await ground.look(key, [...someDrafts(3), aDraft('job.failed')], {
        ...{ state: 'ended', status: 'FAILED', document: '{"v":1}' },
      })
      await ground.register('j-2')
      await ground.store.stopJob({ ...key, jobid: 'j-2' }, noon)
      await ground.deliver(id, 1)
      await ground.refuse(id, 2, noon + minute)

      const shown = async () => ({
        jobs: await ground.store.listJobs({ limit: 10, before: null }),
        polled: await ground.store.listPolled({ afterId: 0, limit: 10 }),
        document: await ground.store.readDocument(key),
        bounds: await ground.store.readBounds(),
        events: await ground.events(),
        endpoints: await ground.sync(anEndpoint('ops', {}, { format: 'webhook' })),
        due: await ground.due(id, noon + 60 * minute),
        times: await ground.dueTimes(id),
      })
      const before = await shown()
      expect(before.jobs.jobs).toHaveLength(2)
      expect(before.due).toHaveLength(3)
      await ground.reopen()
      expect(await shown()).toEqual(before)
      // And it goes on where it was.
      ground.now += minute
      await ground.register('j-2')
      expect((await ground.find({ ...key, jobid: 'j-2' })).lastSeq).toBe(8)
    })
  })
}
