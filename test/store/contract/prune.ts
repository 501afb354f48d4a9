import { describe, expect, test } from 'vitest'
import type { PruneQuery, Store } from '../../../src/store/store.ts'
import { Ground, aDraft, anEndpoint, seqs, someDrafts, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

const day = 86_400_000

/** Prunes to the end; how many rows went, and in how many slices. */
async function pruneAll(store: Store, what: PruneQuery['what'], before: number) {
  let removed = 0
  let slices = 0
  let from: PruneQuery['from'] = null
  do {
    const slice = await store.prune({ what, before, from })
    removed += slice.removed
    slices += 1
    from = slice.next
    if (slices > 1000) throw new Error('pruning comes to no end')
  } while (from !== null)
  return { removed, slices }
}

/** What is taken away when it is old enough. */
export function pruneCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('events that are old enough', () => {
    test('go from the beginning of the log on; what is kept has no hole, and no seq comes again', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(4))
      const old = await ground.newest()
      ground.now += day
      await ground.look(key, someDrafts(3))
      const { removed } = await pruneAll(ground.store, 'events', ground.now)
      expect(removed).toBe(old)
      expect(seqs(await ground.events())).toEqual(upTo(3).map((n) => old + n))
      expect(await ground.store.readBounds()).toMatchObject({ oldest: old + 1, newest: old + 3 })
      ground.now += day
      await pruneAll(ground.store, 'events', ground.now)
      expect(await ground.store.readBounds()).toMatchObject({ oldest: null, newest: old + 3 })
      await ground.reopen()
      await ground.look(key, someDrafts(1))
      expect(await ground.newest()).toBe(old + 4)
    })

    test('are kept while one of them is still to be delivered, with all that came after it', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(3))
      await ground.deliver(id, 1)
      await ground.deliver(id, 2)
      ground.now += day
      await pruneAll(ground.store, 'events', ground.now)
      expect(seqs(await ground.events())).toEqual([3, 4])
      expect(await ground.dueSeqs(id)).toEqual([3])
      await ground.deliver(id, 3)
      await ground.deliver(id, 4)
      await pruneAll(ground.store, 'events', ground.now)
      expect(await ground.events()).toEqual([])
    })

    test('take their finished deliveries with them', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.deliver(id, 1)
      ground.now += day
      await pruneAll(ground.store, 'events', ground.now)
      const { deliveries } = await ground.store.listDeliveries({ limit: 10, before: null })
      expect(deliveries).toEqual([])
    })

    test('go in slices, however many there are', async () => {
      const ground = await Ground.create(open)
      await ground.sync(anEndpoint('one'), anEndpoint('two'), anEndpoint('three'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(500))
      await ground.sync()
      ground.now += day
      const { removed, slices } = await pruneAll(ground.store, 'events', ground.now)
      expect(removed).toBe(501)
      expect(slices).toBeGreaterThan(5)
      expect(await ground.events()).toEqual([])
    })
  })

  describe('deliveries that are old enough', () => {
    test('go when they are finished; those that are pending stay', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.register('j-2')
      await ground.register('j-3')
      await ground.deliver(id, 1)
      await ground.giveUp(id, 2)
      ground.now += day
      await ground.look(key, someDrafts(1))
      await ground.deliver(id, 4)
      const { removed } = await pruneAll(ground.store, 'deliveries', ground.now)
      expect(removed).toBe(2)
      const { deliveries } = await ground.store.listDeliveries({ limit: 10, before: null })
      expect(deliveries.map(({ seq, state }) => [seq, state])).toEqual([
        [4, 'delivered'],
        [3, 'pending'],
      ])
      expect(seqs(await ground.events())).toEqual(upTo(4))
    })
  })

  describe('jobs that are old enough', () => {
    const ended = { state: 'ended', status: 'COMPLETED', outcome: 'success' } as const

    test('go when they have ended; the log keeps what happened to them', async () => {
      const ground = await Ground.create(open)
      const old = { upstream: 'prod', jobid: 'old' }
      const running = { upstream: 'prod', jobid: 'running' }
      const young = { upstream: 'prod', jobid: 'young' }
      for (const { jobid } of [old, running, young]) await ground.register(jobid)
      await ground.look(old, [aDraft('job.completed')], { ...ended, changedAt: ground.now })
      await ground.look(running, [aDraft('job.executing')], {
        status: 'EXECUTING',
        changedAt: ground.now,
      })
      ground.now += day
      await ground.look(young, [aDraft('job.completed')], { ...ended, changedAt: ground.now })
      const { removed } = await pruneAll(ground.store, 'jobs', ground.now)
      expect(removed).toBe(1)
      expect(await ground.store.findJob(old)).toBeNull()
      expect(await ground.store.readDocument(old)).toBeNull()
      expect(await ground.store.findJob(running)).not.toBeNull()
      expect(await ground.store.findJob(young)).not.toBeNull()
      expect(seqs(await ground.events())).toEqual(upTo(6))
    })

    test('stay while they are still looked at after their end', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.completed')], {
        ...ended,
        looksLeft: 1,
        changedAt: ground.now,
      })
      ground.now += day
      expect((await pruneAll(ground.store, 'jobs', ground.now)).removed).toBe(0)
    })

    test('stay when they were stopped while they ran, which keeps discovery from taking them up', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.executing')], {
        status: 'EXECUTING',
        changedAt: ground.now,
      })
      await ground.store.stopJob(key, ground.now)
      ground.now += 10 * day
      expect((await pruneAll(ground.store, 'jobs', ground.now)).removed).toBe(0)
      expect(await ground.store.findJob(key)).toMatchObject({ state: 'stopped' })
    })

    test('go, however many of those that stay lie between them', async () => {
      const ground = await Ground.create(open)
      for (const n of upTo(450)) {
        const jobid = `j-${n}`
        await ground.register(jobid)
        const state = n % 3 === 0 ? ended : { status: 'EXECUTING' as const }
        await ground.look({ upstream: 'prod', jobid }, [], { ...state, changedAt: ground.now })
        if (n % 3 === 1) await ground.store.stopJob({ upstream: 'prod', jobid }, ground.now)
      }
      ground.now += day
      expect((await pruneAll(ground.store, 'jobs', ground.now)).removed).toBe(150)
    })
  })
}
