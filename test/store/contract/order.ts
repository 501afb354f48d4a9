import { describe, expect, test } from 'vitest'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, anEndpoint, minute, overtakeMs, someDrafts } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** The order in which deliveries become due. */
export function orderCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }
  const other = { upstream: 'prod', jobid: 'j-2' }

  describe('the order of deliveries', () => {
    test('a later one of the job has no time until the earlier one is delivered', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      expect(await ground.dueTimes(id)).toEqual([noon])
      expect(await ground.dueSeqs(id)).toEqual([1])

      ground.now += minute
      await ground.deliver(id, 1)
      expect(await ground.dueTimes(id)).toEqual([ground.now])
      expect(await ground.dueSeqs(id)).toEqual([2])
      await ground.deliver(id, 2)
      expect(await ground.dueSeqs(id)).toEqual([3])
      await ground.deliver(id, 3)
      expect(await ground.dueTimes(id)).toEqual([])
    })

    test('a later one waits through the retries of the earlier, and goes when that is given up', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, [aDraft()])
      await ground.refuse(id, 1, noon + minute)
      expect(await ground.dueTimes(id)).toEqual([noon + minute])
      ground.now += minute
      expect(await ground.dueSeqs(id)).toEqual([1])
      await ground.giveUp(id, 1)
      expect(await ground.dueSeqs(id)).toEqual([2])
      expect(await ground.dueTimes(id)).toEqual([ground.now])
    })

    test('the order holds over a restart', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      await ground.deliver(id, 1)
      await ground.reopen()
      await ground.sync(anEndpoint('ops'))
      expect(await ground.dueSeqs(id)).toEqual([2])
      await ground.look(key, [aDraft()])
      expect(await ground.dueSeqs(id)).toEqual([2])
      await ground.deliver(id, 2)
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    test('different jobs and endpoints do not wait for each other', async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      const [opsId, chatId] = [ops?.id ?? 0, chat?.id ?? 0]
      await ground.register('j-1')
      await ground.register('j-2')
      await ground.register('j-1', { upstream: 'dev' })
      await ground.look(key, [aDraft()])
      for (const seq of [1, 2, 3]) await ground.refuse(opsId, seq, noon + minute)
      await ground.look(other, [aDraft()])
      await ground.register('j-3')

      expect(await ground.dueSeqs(opsId)).toEqual([6])
      expect(await ground.dueSeqs(chatId)).toEqual([1, 2, 3, 6])
      await ground.deliver(chatId, 1)
      expect(new Set(await ground.dueSeqs(chatId))).toEqual(new Set([2, 3, 4, 6]))
      expect(await ground.dueSeqs(opsId)).toEqual([6])
      ground.now += minute
      await ground.deliver(opsId, 3)
      await ground.deliver(opsId, 2)
      expect(new Set(await ground.dueSeqs(opsId))).toEqual(new Set([1, 5, 6]))
    })

    test('a filter that leaves the earlier event out lets the later one go at once', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops', { types: ['job.stage.changed'] }))
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.executing'), aDraft()])
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    const urgent = [
      ...(['job.completed', 'job.failed', 'job.cancelled'] as const),
      ...(['job.lost', 'job.overdue', 'job.stalled'] as const),
    ]
    test.each(urgent)(
      '%s waits for an earlier one no longer than the overtake time',
      async (type) => {
        const ground = await Ground.create(open)
        const id = await ground.syncOne(anEndpoint('ops'))
        await ground.register('j-1')
        await ground.refuse(id, 1, noon + 60 * minute)
        ground.now += minute
        const committedAt = ground.now
        await ground.look(key, [aDraft(), aDraft(type), aDraft()])
        expect(await ground.dueTimes(id)).toEqual([committedAt + overtakeMs, noon + 60 * minute])

        ground.now = committedAt + overtakeMs
        expect(await ground.dueSeqs(id)).toEqual([3])
        await ground.deliver(id, 3)
        // It went first; the earlier one keeps its schedule, and what waits for that one waits on.
        expect(await ground.dueTimes(id)).toEqual([noon + 60 * minute])
        ground.now = noon + 60 * minute
        expect(await ground.dueSeqs(id)).toEqual([1])
        await ground.deliver(id, 1)
        expect(await ground.dueSeqs(id)).toEqual([2])
        await ground.deliver(id, 2)
        expect(await ground.dueSeqs(id)).toEqual([4])
      },
    )

    test('an urgent one with nothing before it goes at once', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.deliver(id, 1)
      await ground.look(key, [aDraft('job.failed')])
      expect(await ground.dueTimes(id)).toEqual([noon])
    })

    test('an urgent one whose turn comes earlier does not wait out the overtake time', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, [aDraft(), aDraft('job.failed')])
      ground.now += minute
      await ground.deliver(id, 1)
      expect(await ground.dueSeqs(id)).toEqual([2])
      await ground.deliver(id, 2)
      expect(await ground.dueTimes(id)).toEqual([ground.now])
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    test('an urgent one that has overtaken and failed keeps its own schedule', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.refuse(id, 1, noon + 10 * minute)
      await ground.look(key, [aDraft('job.failed'), aDraft()])
      ground.now += overtakeMs
      await ground.refuse(id, 2, noon + 30 * minute)
      expect(await ground.dueTimes(id)).toEqual([noon + 10 * minute, noon + 30 * minute])
      ground.now = noon + 10 * minute
      await ground.deliver(id, 1)
      // The last one waits for both.
      expect(await ground.dueTimes(id)).toEqual([noon + 30 * minute])
      ground.now = noon + 30 * minute
      await ground.deliver(id, 2)
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    test('each of two urgent ones waits its own time', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.refuse(id, 1, noon + 60 * minute)
      await ground.look(key, [aDraft('job.cancelled')])
      ground.now += 2 * minute
      await ground.look(key, [aDraft('job.failed')])
      const first = noon + overtakeMs
      expect(await ground.dueTimes(id)).toEqual([first, first + 2 * minute, noon + 60 * minute])
      ground.now = first
      await ground.deliver(id, 2)
      expect(await ground.dueTimes(id)).toEqual([first + 2 * minute, noon + 60 * minute])
    })
  })
}
