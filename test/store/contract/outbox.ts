import { describe, expect, test } from 'vitest'
import { Secret } from '../../../src/core/secret.ts'
import { noon } from '../../helpers/builders.ts'
import {
  Ground,
  aDraft,
  anAnswer,
  anEndpoint,
  delivered,
  minute,
  refused,
  upTo,
} from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Endpoints, and what is owed to them. */
export function outboxCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }
  const other = { upstream: 'prod', jobid: 'j-2' }

  describe('the endpoints', () => {
    test('come back in the order of the configuration and keep their numbers', async () => {
      const ground = await Ground.create(open)
      const first = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      expect(first.map(({ spec }) => spec.name)).toEqual(['ops', 'chat'])
      expect(first).toMatchObject(Array(2).fill({ secret: null, pausedUntil: null }))
      const [ops, chat] = first
      const again = await ground.sync(anEndpoint('new'), anEndpoint('chat'), anEndpoint('ops'))
      expect(again.map(({ spec }) => spec.name)).toEqual(['new', 'chat', 'ops'])
      expect(again.slice(1)).toEqual([chat, ops])
      expect(new Set(again.map(({ id }) => id)).size).toBe(3)
      await ground.reopen()
      expect(await ground.sync(anEndpoint('ops'))).toEqual([ops])
      expect(await ground.sync()).toEqual([])
    })

    test('get a secret where they need one, and keep it', async () => {
      const ground = await Ground.create(open)
      const needing = (name: string) => anEndpoint(name, {}, { format: 'webhook' })
      const [ops, chat, audit] = await ground.sync(needing('ops'), anEndpoint('chat'), needing('a'))
      // Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
      expect(ops?.secret?.reveal()).toMatch(/^whsec_[A-Za-z0-9+/]+={0,2}$/)
      const bytes = Buffer.from(ops?.secret?.reveal().slice('whsec_'.length) ?? '', 'base64').length
      expect(bytes).toBeGreaterThanOrEqual(24)
      expect(bytes).toBeLessThanOrEqual(64)
      expect(audit?.secret?.reveal()).not.toBe(ops?.secret?.reveal())
      expect(chat?.secret).toBeNull()

      const [again] = await ground.sync(needing('ops'), anEndpoint('chat'))
      expect(again?.secret?.reveal()).toBe(ops?.secret?.reveal())
      await ground.reopen()
      const [later] = await ground.sync(needing('ops'), anEndpoint('chat'))
      expect(later?.secret?.reveal()).toBe(ops?.secret?.reveal())
    })

    test('forget a secret that the configuration has taken over', async () => {
      const ground = await Ground.create(open)
      const needing = anEndpoint('ops', {}, { format: 'webhook' })
      const [made] = await ground.sync(needing)
      const given = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
      const giving = anEndpoint('ops', {}, { format: 'webhook', secret: new Secret(given) })
      const [taken] = await ground.sync(giving)
      expect(taken?.id).toBe(made?.id)
      expect(taken?.secret?.reveal()).toBe(given)
      const [fresh] = await ground.sync(needing)
      expect(fresh?.secret?.reveal()).not.toBe(made?.secret?.reveal())
    })
  })

  describe('the outbox', () => {
    test('owes an endpoint what its filter lets through, and an event of no endpoint to none', async () => {
      const ground = await Ground.create(open)
      const [all, ends, dev, tagged, one] = await ground.sync(
        anEndpoint('all'),
        anEndpoint('ends', { types: ['job.failed', 'job.comp*'] }),
        anEndpoint('dev', { upstreams: ['dev'] }),
        anEndpoint('tagged', { tags: ['nightly'], types: ['job.*'] }),
        anEndpoint('one', { jobids: ['j-2'] }),
      )
      await ground.register('j-1', { tags: ['nightly'] })
      await ground.register('j-2')
      await ground.register('j-1', { upstream: 'dev' })
      await ground.look(key, [aDraft('job.failed')])
      await ground.look(other, [aDraft('job.completed')])

      const owed = async (id = 0) => {
        const found: number[] = []
        for (;;) {
          const [next] = await ground.due(id)
          if (next === undefined) return found.sort((a, b) => a - b)
          found.push(next.event.seq)
          await ground.store.recordAttempt(delivered(next, ground.now))
        }
      }
      expect(await owed(all?.id)).toEqual(upTo(5))
      expect(await owed(ends?.id)).toEqual([4, 5])
      expect(await owed(dev?.id)).toEqual([3])
      expect(await owed(tagged?.id)).toEqual([1, 4])
      expect(await owed(one?.id)).toEqual([2, 5])

      await ground.sync(anEndpoint('dev', { upstreams: ['dev'] }))
      await ground.look(key, [aDraft('job.failed')])
      expect(await ground.dueTimes(dev?.id ?? 0)).toEqual([])
    })

    test('hands an event out as the log has it', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1', { tags: ['nightly'], label: 'é — 😀' })
      const [event] = await ground.events()
      expect(await ground.due(id)).toMatchObject([{ endpointId: id, attemptCount: 0, event }])
      await ground.reopen()
      await ground.sync(anEndpoint('ops'))
      expect((await ground.due(id))[0]?.event).toEqual(event)
    })

    test('owes an endpoint what is committed while it exists', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      const [ops] = await ground.sync(anEndpoint('ops'))
      const opsId = ops?.id ?? 0
      await ground.register('j-2')
      const [, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      const chatId = chat?.id ?? 0
      await ground.register('j-3')
      expect(await ground.dueSeqs(opsId)).toEqual([2, 3])
      expect(await ground.dueSeqs(chatId)).toEqual([3])

      // Gone: what is pending is cancelled, and nothing more is made.
      await ground.sync(anEndpoint('chat'))
      expect(await ground.dueTimes(opsId)).toEqual([])
      await ground.register('j-4')
      expect(await ground.dueTimes(opsId)).toEqual([])
      expect(await ground.dueSeqs(chatId)).toEqual([3, 4])

      // The same name later is a new endpoint, which knows nothing of the old one.
      const newId = await ground.syncOne(anEndpoint('ops'), anEndpoint('chat'))
      expect(newId).not.toBe(opsId)
      await ground.register('j-5')
      expect(await ground.dueSeqs(newId)).toEqual([5])
      expect(await ground.dueTimes(opsId)).toEqual([])
    })

    test('owes nothing anew when the endpoints are made known again', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.register('j-2')
      await ground.deliver(id, 1)
      await ground.sync(anEndpoint('ops'))
      await ground.reopen()
      await ground.sync(anEndpoint('ops'))
      expect(await ground.dueSeqs(id)).toEqual([2])
    })

    test('takes a changed filter for what comes, and still owes what it owed', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops', { types: ['job.watched'] }))
      await ground.register('j-1')
      await ground.sync(anEndpoint('ops', { types: ['job.unwatched'] }))
      await ground.register('j-2')
      await ground.store.stopJob(other, ground.now)
      expect(await ground.dueSeqs(id)).toEqual([1, 3])
    })

    test('an attempt on a delivery that was cancelled meanwhile brings nothing back', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, [aDraft()])
      const delivery = await ground.delivery(id, 1)
      await ground.sync()
      await ground.store.recordAttempt(refused(delivery, ground.now, ground.now))
      await ground.store.recordAttempt(delivered(delivery, ground.now))
      expect(await ground.dueTimes(id)).toEqual([])
      expect(await ground.dueSeqs(id)).toEqual([])
    })

    test('tells how much is pending, and since when', async () => {
      const ground = await Ground.create(open)
      const backlog = (maxCounted = 100) => ground.store.readBacklog({ maxCounted })
      expect(await backlog()).toEqual({ pending: 0, oldestAt: null })
      const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      await ground.register('j-1')
      ground.now += 1000
      await ground.look(key, [aDraft(), aDraft()])
      // What waits for its turn is pending as well.
      expect(await backlog()).toEqual({ pending: 6, oldestAt: noon })
      expect(await backlog(4)).toEqual({ pending: 4, oldestAt: noon })
      await ground.refuse(ops?.id ?? 0, 1, noon + minute)
      await ground.deliver(chat?.id ?? 0, 1)
      expect(await backlog()).toEqual({ pending: 5, oldestAt: noon })
      await ground.sync(anEndpoint('chat'))
      expect(await backlog()).toEqual({ pending: 2, oldestAt: noon + 1000 })
      await ground.reopen()
      expect(await backlog()).toEqual({ pending: 2, oldestAt: noon + 1000 })
    })

    test('an attempt on an unknown delivery is refused', async () => {
      const ground = await Ground.create(open)
      const endpointId = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const after = { state: 'delivered', dueAt: null, pauseUntil: null } as const
      const record = {
        deliveryId: 99,
        endpointId,
        result: anAnswer(),
        after,
        isByHand: false,
        now: noon,
      }
      await expect(ground.store.recordAttempt(record)).rejects.toThrow()
      expect(await ground.dueSeqs(endpointId)).toEqual([1])
    })
  })
}
