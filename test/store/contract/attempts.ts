import { describe, expect, test } from 'vitest'
import { noon } from '../../helpers/builders.ts'
import { Ground, anEndpoint, delivered, minute, refused, someDrafts, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Attempts, and what is due next. */
export function attemptCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('an attempt', () => {
    test('that failed is counted, and the delivery comes again at its time', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      for (const count of upTo(3)) {
        const next = ground.now + count * minute
        await ground.refuse(id, 1, next)
        expect(await ground.due(id, next - 1)).toEqual([])
        expect(await ground.due(id, next)).toMatchObject([{ attemptCount: count }])
        ground.now = next
      }
      await ground.reopen()
      await ground.sync(anEndpoint('ops'))
      expect(await ground.due(id)).toMatchObject([{ attemptCount: 3, event: { seq: 1 } }])
      await ground.giveUp(id, 1)
      expect(await ground.dueTimes(id)).toEqual([])
      expect(await ground.due(id)).toEqual([])
    })

    test('on a delivery that is settled changes nothing more', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      const delivery = await ground.delivery(id, 1)
      await ground.deliver(id, 1)
      await ground.refuse(id, 2, noon + minute)
      await ground.store.recordAttempt(refused(delivery, ground.now, ground.now))
      await ground.store.recordAttempt(delivered(delivery, ground.now))
      expect(await ground.dueTimes(id)).toEqual([noon + minute])
    })

    test('leaves a Retry-After pause with the endpoint, over a restart too', async () => {
      const ground = await Ground.create(open)
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      await ground.register('j-1')
      const delivery = await ground.delivery(ops?.id ?? 0, 1)
      const until = noon + 10 * minute
      await ground.store.recordAttempt(refused(delivery, noon, until, until))
      const paused = [{ id: ops?.id, pausedUntil: until }, chat]
      expect(await ground.sync(anEndpoint('ops'), anEndpoint('chat'))).toMatchObject(paused)
      await ground.reopen()
      expect(await ground.sync(anEndpoint('ops'), anEndpoint('chat'))).toMatchObject(paused)
    })

    test('cannot shorten a pause that another one was asked for', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.register('j-2')
      const [one, two] = await ground.due(id)
      if (one === undefined || two === undefined) throw new Error('two deliveries are due')
      const long = noon + 60 * minute
      await ground.store.recordAttempt(refused(one, noon, long, long))
      await ground.store.recordAttempt(refused(two, noon, noon + minute, noon + minute))
      expect(await ground.sync(anEndpoint('ops'))).toMatchObject([{ pausedUntil: long }])
    })

    test('without Retry-After leaves the pause as it is', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const delivery = await ground.delivery(id, 1)
      await ground.store.recordAttempt(refused(delivery, noon, noon, noon + minute))
      await ground.deliver(id, 1)
      expect(await ground.sync(anEndpoint('ops'))).toMatchObject([{ pausedUntil: noon + minute }])
    })
  })

  describe('what is due', () => {
    test('comes the longest due first, no more than the limit', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      for (const n of upTo(6)) await ground.register(`j-${n}`)
      const dueAt = [5, 3, 6, 1, 4, 2]
      for (const seq of upTo(6)) await ground.refuse(id, seq, noon + (dueAt[seq - 1] ?? 0))
      const due = async (now: number, limit: number) => {
        const found = await ground.store.readDue({ endpointId: id, now, limit })
        return found.map(({ event }) => event.seq)
      }
      expect(await due(noon, 10)).toEqual([])
      expect(await due(noon + 1, 10)).toEqual([4])
      expect(await due(noon + 4, 10)).toEqual([4, 6, 2, 5])
      expect(await due(noon + minute, 10)).toEqual([4, 6, 2, 5, 1, 3])
      expect(await due(noon + minute, 2)).toEqual([4, 6])
    })

    test('since the same moment comes in order of seq', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      for (const n of upTo(5)) await ground.register(`j-${n}`)
      for (const seq of [3, 1, 5, 2, 4]) await ground.refuse(id, seq, noon + minute)
      expect(await ground.dueSeqs(id, noon + minute)).toEqual(upTo(5))
    })

    test('nextDueAt names the first time after the one given', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'), anEndpoint('chat'))
      const next = (after: number) => ground.store.nextDueAt({ endpointId: id, after })
      expect(await next(0)).toBeNull()
      await ground.register('j-1')
      await ground.register('j-2')
      expect(await next(noon - 1)).toBe(noon)
      expect(await next(noon)).toBeNull()
      await ground.refuse(id, 1, noon + minute)
      expect(await next(noon - 1)).toBe(noon)
      expect(await next(noon)).toBe(noon + minute)
      expect(await next(noon + minute - 1)).toBe(noon + minute)
      expect(await next(noon + minute)).toBeNull()
    })
  })
}
