import { describe, expect, test } from 'vitest'
import { noon } from '../../helpers/builders.ts'
import {
  Ground,
  aDraft,
  anAnswer,
  anEndpoint,
  delivered,
  minute,
  overtakeMs,
  refused,
  someDrafts,
  upTo,
} from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Endpoints, deliveries and attempts. */
export function outboxCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }
  const other = { upstream: 'prod', jobid: 'j-2' }

  describe('the endpoints', () => {
    test('come back in the order of the configuration and keep their numbers', async () => {
      const ground = await Ground.create(open)
      const first = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      expect(first.map(({ name }) => name)).toEqual(['ops', 'chat'])
      expect(first).toMatchObject(Array(2).fill({ secret: null, pausedUntil: null }))
      const [ops, chat] = first
      const again = await ground.sync(anEndpoint('new'), anEndpoint('chat'), anEndpoint('ops'))
      expect(again.map(({ name }) => name)).toEqual(['new', 'chat', 'ops'])
      expect(again.slice(1)).toEqual([chat, ops])
      expect(new Set(again.map(({ id }) => id)).size).toBe(3)
      await ground.reopen()
      expect(await ground.sync(anEndpoint('ops'))).toEqual([ops])
      expect(await ground.sync()).toEqual([])
    })

    test('get a secret where they need one, and keep it', async () => {
      const ground = await Ground.create(open)
      const needing = (name: string) => anEndpoint(name, {}, { needsSecret: true })
      const [ops, chat, audit] = await ground.sync(needing('ops'), anEndpoint('chat'), needing('a'))
      // Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
      expect(ops?.secret).toMatch(/^whsec_[A-Za-z0-9+/]+={0,2}$/)
      const bytes = Buffer.from(ops?.secret?.slice('whsec_'.length) ?? '', 'base64').length
      expect(bytes).toBeGreaterThanOrEqual(24)
      expect(bytes).toBeLessThanOrEqual(64)
      expect(audit?.secret).not.toBe(ops?.secret)
      expect(chat?.secret).toBeNull()

      expect(await ground.sync(needing('ops'), anEndpoint('chat'))).toEqual([ops, chat])
      await ground.reopen()
      expect(await ground.sync(needing('ops'), anEndpoint('chat'))).toEqual([ops, chat])
    })

    test('forget a secret that the configuration has taken over', async () => {
      const ground = await Ground.create(open)
      const needing = anEndpoint('ops', {}, { needsSecret: true })
      const [made] = await ground.sync(needing)
      expect((await ground.sync(anEndpoint('ops')))[0]).toEqual({ ...made, secret: null })
      const [fresh] = await ground.sync(needing)
      expect(fresh?.secret).not.toBe(made?.secret)
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

    test('an attempt on an unknown delivery is refused', async () => {
      const ground = await Ground.create(open)
      const endpointId = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const after = { state: 'delivered', dueAt: null, pauseUntil: null } as const
      const record = { deliveryId: 99, endpointId, result: anAnswer(), after, now: noon }
      await expect(ground.store.recordAttempt(record)).rejects.toThrow()
      expect(await ground.dueSeqs(endpointId)).toEqual([1])
    })
  })

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

    const urgent = ['job.completed', 'job.failed', 'job.cancelled'] as const
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
      const paused = [{ ...ops, pausedUntil: until }, chat]
      expect(await ground.sync(anEndpoint('ops'), anEndpoint('chat'))).toEqual(paused)
      await ground.reopen()
      expect(await ground.sync(anEndpoint('ops'), anEndpoint('chat'))).toEqual(paused)
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
