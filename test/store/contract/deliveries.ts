import { describe, expect, test } from 'vitest'
import type { DeliveryQuery, DeliveryRecord } from '../../../src/store/store.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, anEndpoint, minute, refused, someDrafts, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

type Filters = Omit<DeliveryQuery, 'limit' | 'before'>

/** The lists of deliveries, and one delivery with its attempts. */
export function deliveryCases(open: OpenStore): void {
  /** All pages of a list, put together. */
  async function list(ground: Ground, filters: Filters, limit: number) {
    const found: DeliveryRecord[] = []
    let before: number | null = null
    do {
      const page = await ground.store.listDeliveries({ ...filters, limit, before })
      if (page.next !== null) expect(page.deliveries).toHaveLength(limit)
      expect(page.deliveries.length).toBeLessThanOrEqual(limit)
      found.push(...page.deliveries)
      before = page.next
    } while (before !== null)
    return found
  }

  /** Two endpoints, three jobs, and deliveries in all kinds of states. */
  async function groundWithAll() {
    const ground = await Ground.create(open)
    const [ops, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat', {}, { fold: true }))
    for (const n of upTo(3)) await ground.register(`j-${n}`)
    for (const n of upTo(3)) {
      ground.now += minute
      const drafts = [aDraft('job.executing'), aDraft('job.failed')]
      await ground.look({ upstream: 'prod', jobid: `j-${n}` }, drafts)
    }
    const [opsId, chatId] = [ops?.id ?? 0, chat?.id ?? 0]
    await ground.deliver(opsId, 1)
    await ground.giveUp(opsId, 2)
    await ground.deliver(opsId, 4)
    const folded = await ground.delivery(chatId, 1)
    await ground.store.fold(folded.id, ground.now)
    // The name comes back: what was pending is cancelled, and the old ones stay to be seen.
    await ground.sync(anEndpoint('ops'))
    await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
    ground.now += minute
    await ground.register('j-4')
    return ground
  }

  describe('a list of deliveries', () => {
    test('shows each as it is, newest first', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      ground.now += minute
      await ground.register('j-2')
      await ground.deliver(id, 1)
      await ground.refuse(id, 2, ground.now + minute)
      const common = { endpointId: id, endpoint: 'ops', type: 'job.watched', attemptCount: 1 }
      const { deliveries, next } = await ground.store.listDeliveries({ limit: 10, before: null })
      expect(next).toBeNull()
      expect(deliveries).toEqual([
        {
          ...common,
          ...{ id: 2, seq: 2, jobid: 'j-2', state: 'pending', createdAt: noon + minute },
          ...{ nextAttemptAt: noon + 2 * minute, deliveredAt: null },
        },
        {
          ...common,
          ...{ id: 1, seq: 1, jobid: 'j-1', state: 'delivered', createdAt: noon },
          ...{ nextAttemptAt: null, deliveredAt: noon + minute },
        },
      ])
    })

    test('has every filter and every pair of them, in pages without repeats or gaps', async () => {
      const ground = await groundWithAll()
      const all = await list(ground, {}, 1000)
      expect(all.map(({ id }) => id)).toEqual([...upTo(all.length)].reverse())
      expect(new Set(all.map(({ state }) => state)).size).toBe(5)
      for (const endpoint of [undefined, 'ops', 'chat', 'nobody']) {
        for (const state of [
          undefined,
          'pending',
          'delivered',
          'cancelled',
          'superseded',
        ] as const) {
          for (const seq of [undefined, 1, 5, 99]) {
            for (const jobid of [undefined, 'j-1', 'j-3', 'j-9']) {
              const filters: Filters = { endpoint, state, seq, jobid }
              const expected = all.filter(
                (one) =>
                  one.endpoint === (endpoint ?? one.endpoint) &&
                  one.state === (state ?? one.state) &&
                  one.seq === (seq ?? one.seq) &&
                  one.jobid === (jobid ?? one.jobid),
              )
              for (const limit of [1, 3, 1000]) {
                expect(await list(ground, filters, limit), JSON.stringify(filters)).toEqual(
                  expected,
                )
              }
            }
          }
        }
      }
    })

    test('finds the few among many', { timeout: 30_000 }, async () => {
      const ground = await Ground.create(open)
      await ground.sync(anEndpoint('ops'), anEndpoint('chat', { jobids: ['j-1'] }))
      await ground.register('j-1')
      await ground.register('j-2')
      const key = { upstream: 'prod', jobid: 'j-2' }
      for (let n = 0; n < 3; n += 1) await ground.look(key, someDrafts(700))
      await ground.store.stopJob({ upstream: 'prod', jobid: 'j-1' }, ground.now)
      const filters = { endpoint: 'ops', jobid: 'j-1', state: 'pending' } as const
      expect((await list(ground, filters, 1)).map(({ seq }) => seq)).toEqual([2103, 1])
      const ofOps = await list(ground, { endpoint: 'ops', state: 'pending' }, 1000)
      expect(ofOps.map(({ seq }) => seq)).toEqual([...upTo(2103)].reverse())
    })

    test('goes on where a page ended, whatever comes in between', async () => {
      const ground = await Ground.create(open)
      await ground.sync(anEndpoint('ops'))
      for (const n of upTo(5)) await ground.register(`j-${n}`)
      const first = await ground.store.listDeliveries({ limit: 2, before: null })
      await ground.register('j-6')
      const second = await ground.store.listDeliveries({ limit: 2, before: first.next })
      const seqs = [...first.deliveries, ...second.deliveries].map(({ seq }) => seq)
      expect(seqs).toEqual([5, 4, 3, 2])
    })
  })

  describe('one delivery', () => {
    test('comes with its attempts in order; an unknown one is null', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.refuse(id, 1, noon)
      ground.now += minute
      await ground.deliver(id, 1)
      expect(await ground.store.findDelivery(1)).toMatchObject({
        ...{ id: 1, endpoint: 'ops', state: 'delivered', attemptCount: 2 },
        attempts: [
          { at: noon, durationMs: 12, status: 500, error: 'status', answer: 'no' },
          { at: noon + minute, durationMs: 12, status: 204, error: null, answer: '' },
        ],
      })
      expect(await ground.store.findDelivery(2)).toBeNull()
    })

    test('can be taken for an attempt whatever its state; an unknown one is null', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      const due = await ground.delivery(id, 1)
      expect(await ground.store.takeDelivery(due.id)).toEqual(due)
      await ground.giveUp(id, 1)
      expect(await ground.store.takeDelivery(due.id)).toMatchObject({
        ...{ id: due.id, state: 'failed', attemptCount: 1, event: due.event },
      })
      expect(await ground.store.takeDelivery(due.id + 1)).toBeNull()
    })
  })

  describe('an attempt by hand', () => {
    const unchanged = { state: 'unchanged', dueAt: null, pauseUntil: null } as const
    const key = { upstream: 'prod', jobid: 'j-1' }

    /** Records a failed attempt by hand. */
    async function failByHand(ground: Ground, endpointId: number, deliveryId: number) {
      const delivery = await ground.store.takeDelivery(deliveryId)
      if (delivery === null) throw new Error(`there is no delivery ${deliveryId}`)
      const record = refused({ ...delivery, endpointId }, ground.now, 0)
      await ground.store.recordAttempt({ ...record, after: unchanged, isByHand: true })
    }

    test('that fails is written down and leaves state and time as they are', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.refuse(id, 1, noon + minute)
      const before = await ground.store.findDelivery(1)
      await failByHand(ground, id, 1)
      const { attempts, ...after } = (await ground.store.findDelivery(1)) ?? { attempts: [] }
      expect(attempts).toHaveLength(2)
      expect(after).toEqual({ ...before, attempts: undefined, attemptCount: 2 })
      expect(await ground.store.takeDelivery(1)).toMatchObject({ attemptCount: 2, byHandCount: 1 })
    })

    test('that fails does not keep a delivery from its turn', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(2))
      await failByHand(ground, id, 2)
      expect(await ground.dueSeqs(id)).toEqual([1])
      await ground.deliver(id, 1)
      expect(await ground.dueSeqs(id)).toEqual([2])
      await ground.deliver(id, 2)
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    test.each(['failed', 'cancelled', 'superseded'] as const)(
      'that succeeds makes a delivery that was %s a delivered one',
      async (state) => {
        const ground = await Ground.create(open)
        const id = await ground.syncOne(anEndpoint('ops', {}, { fold: true }))
        await ground.register('j-1')
        await ground.look(key, [aDraft()])
        const delivery = await ground.delivery(id, 1)
        if (state === 'failed') await ground.giveUp(id, 1)
        if (state === 'superseded') await ground.store.fold(delivery.id, ground.now)
        if (state === 'cancelled') await ground.store.disableEndpoint(id, 'by hand', ground.now)
        expect((await ground.store.findDelivery(delivery.id))?.state).toBe(state)
        ground.now += minute
        const after = { state: 'delivered', dueAt: null, pauseUntil: null } as const
        const { result } = refused(delivery, ground.now, 0)
        await ground.store.recordAttempt({
          ...{ deliveryId: delivery.id, endpointId: id, after, isByHand: true, now: ground.now },
          result: { ...result, verdict: 'delivered', status: 204, error: null },
        })
        expect(await ground.store.findDelivery(delivery.id)).toMatchObject({
          ...{ state: 'delivered', deliveredAt: ground.now, nextAttemptAt: null },
        })
      },
    )

    test('that succeeds lets the one behind it go', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(1))
      await ground.refuse(id, 1, noon + 60 * minute)
      await ground.store.recordAttempt({
        ...{ deliveryId: 1, endpointId: id, isByHand: true, now: ground.now },
        after: { state: 'delivered', dueAt: null, pauseUntil: null },
        result: {
          ...refused({ ...(await takeFirst(ground)) }, ground.now, 0).result,
          ...{ verdict: 'delivered', status: 204, error: null },
        },
      })
      expect(await ground.dueSeqs(id)).toEqual([2])
    })

    async function takeFirst(ground: Ground) {
      const first = await ground.store.takeDelivery(1)
      if (first === null) throw new Error('a delivery was made')
      return first
    }
  })
}
