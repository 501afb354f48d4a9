import { describe, expect, test } from 'vitest'
import type { ReplayQuery } from '../../../src/store/store.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, anEndpoint, minute, someDrafts, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

const key = { upstream: 'prod', jobid: 'j-1' }

/** Past events that are owed to an endpoint anew. */
export function replayCases(open: OpenStore): void {
  /** Seven events a minute apart, the fourth and fifth at one moment; one endpoint, owed nothing. */
  async function pastGround() {
    const ground = await Ground.create(open)
    for (const n of upTo(3)) {
      await ground.register(`j-${n}`, n === 2 ? { tags: ['nightly'] } : {})
      ground.now += minute
    }
    await ground.look(key, [aDraft('job.executing'), aDraft('job.stage.changed')])
    ground.now += minute
    await ground.look(key, [aDraft('job.failed')])
    ground.now += minute
    await ground.look({ ...key, jobid: 'j-2' }, [aDraft('job.completed')])
    ground.now += minute
    const id = await ground.syncOne(anEndpoint('ops'))
    return { ground, id }
  }

  async function replay(ground: Ground, endpointId: number, query: Partial<ReplayQuery> = {}) {
    const whole = { endpointId, from: { after: 0 }, until: null, types: [] }
    const queued = await ground.store.replay({ ...whole, ...query }, ground.now)
    const { deliveries } = await ground.store.listDeliveries({
      ...{ endpoint: 'ops', state: 'pending', limit: 1000, before: null },
    })
    expect(deliveries).toHaveLength(queued)
    return [...deliveries].reverse().map(({ seq }) => seq)
  }

  describe('a replay', () => {
    test('owes past events anew, in order of seq, as the log has them', async () => {
      const { ground, id } = await pastGround()
      expect(await replay(ground, id)).toEqual(upTo(7))
      expect(await ground.dueSeqs(id)).toEqual([1, 2, 3])
      const log = await ground.events()
      for (const { event } of await ground.due(id)) expect(event).toEqual(log[event.seq - 1])
      for (const seq of [1, 4, 5]) await ground.deliver(id, seq)
      expect(await ground.dueSeqs(id)).toEqual([2, 3, 6])
    })

    test('of what was delivered makes new deliveries', async () => {
      const { ground, id } = await pastGround()
      await replay(ground, id, { until: { seq: 1 } })
      const first = await ground.delivery(id, 1)
      await ground.deliver(id, 1)
      expect(await replay(ground, id, { until: { seq: 1 } })).toEqual([1])
      const again = await ground.delivery(id, 1)
      expect(again).toMatchObject({ isReplay: true, attemptCount: 0, event: first.event })
      expect(again.id).toBeGreaterThan(first.id)
      expect((await ground.store.findDelivery(first.id))?.state).toBe('delivered')
    })

    test.each<[string, Partial<ReplayQuery>, readonly number[]]>([
      ['after a seq', { from: { after: 5 } }, [6, 7]],
      ['after the newest', { from: { after: 7 } }, []],
      ['after what is yet to come', { from: { after: 99 } }, []],
      ['up to a seq, inclusive', { until: { seq: 3 } }, [1, 2, 3]],
      ['up to a seq that is yet to come', { from: { after: 5 }, until: { seq: 99 } }, [6, 7]],
      ['between two', { from: { after: 2 }, until: { seq: 4 } }, [3, 4]],
      ['between none', { from: { after: 4 }, until: { seq: 4 } }, []],
      ['backwards', { from: { after: 5 }, until: { seq: 2 } }, []],
      ['since a moment', { from: { since: noon + minute + 1 } }, [3, 4, 5, 6, 7]],
      ['since the moment of two', { from: { since: noon + 3 * minute } }, [4, 5, 6, 7]],
      ['since the moment after two', { from: { since: noon + 3 * minute + 1 } }, [6, 7]],
      ['since before the log', { from: { since: 0 } }, upTo(7)],
      ['since after the log', { from: { since: noon + 60 * minute } }, []],
      ['up to the moment of two', { until: { at: noon + 3 * minute } }, upTo(5)],
      ['up to the moment before two', { until: { at: noon + 3 * minute - 1 } }, upTo(3)],
      ['up to before the log', { until: { at: noon - 1 } }, []],
      ['up to after the log', { until: { at: noon + 60 * minute } }, upTo(7)],
      ['up to the end of time', { until: { at: Date.parse('9999-12-31T23:59:59.999Z') } }, upTo(7)],
      ['between moments', { from: { since: noon + minute }, until: { at: noon + minute } }, [2]],
      ['of a type', { types: ['job.failed'] }, [6]],
      ['of some types', { types: ['job.c*', 'job.exec*'] }, [4, 7]],
      ['of no type that there is', { types: ['upstream.*'] }, []],
    ])('%s brings what was asked for', async (_, query, expected) => {
      const { ground, id } = await pastGround()
      expect(await replay(ground, id, query)).toEqual(expected)
    })

    test('keeps to the filter of the endpoint, beside the types that were asked for', async () => {
      const { ground } = await pastGround()
      const filter = { types: ['job.watched', 'job.completed'], tags: ['nightly'] }
      const id = await ground.syncOne(anEndpoint('ops', filter))
      expect(await replay(ground, id)).toEqual([2, 7])
      await ground.sync()
      const anew = await ground.syncOne(anEndpoint('ops', filter))
      expect(await replay(ground, anew, { types: ['job.comp*', 'job.failed'] })).toEqual([7])
    })

    test('brings no event about the endpoint itself, but those about others', async () => {
      const { ground, id } = await pastGround()
      const [, chat] = await ground.sync(anEndpoint('ops'), anEndpoint('chat'))
      for (const one of [id, chat?.id ?? 0]) {
        await ground.store.disableEndpoint(one, 'by hand', ground.now)
        await ground.store.enableEndpoint(one, ground.now)
      }
      // What was owed to it as it happened.
      await ground.deliver(id, 9)
      expect(await replay(ground, id, { from: { after: 7 } })).toEqual([9])
    })

    test('of a disabled endpoint brings nothing', async () => {
      const { ground, id } = await pastGround()
      await ground.store.disableEndpoint(id, 'by hand', ground.now)
      expect(await replay(ground, id)).toEqual([])
    })

    test('waits behind what is pending of the same job from before, not from after', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(anEndpoint('ops'))
      await ground.register('j-1')
      await ground.look(key, someDrafts(3))
      await ground.deliver(id, 1)
      await ground.deliver(id, 2)
      // 3 is due, 4 is behind it.
      ground.now += minute
      const query = { endpointId: id, from: { after: 0 }, until: null, types: [] }
      expect(await ground.store.replay(query, ground.now)).toBe(4)
      expect(await ground.dueSeqs(id)).toEqual([3, 1])
      const order: number[] = []
      for (;;) {
        const due = await ground.due(id)
        const next = due.find(({ isReplay }) => isReplay) ?? due[0]
        if (next === undefined) break
        order.push(next.event.seq)
        await ground.deliver(id, next.event.seq)
      }
      // The replay's 1 and 2, one 3 and the other, and only then both of 4.
      expect(order).toEqual([1, 2, 3, 3, 4, 4])
    })

    test('of more than one slice is whole, in order and without repeats', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(501))
      await ground.register('j-2')
      const id = await ground.syncOne(anEndpoint('ops'))
      ground.now += minute
      expect(await replay(ground, id, { from: { after: 1 } })).toEqual(upTo(503).slice(1))
      expect(await ground.dueSeqs(id)).toEqual([2, 503])
      await ground.reopen()
      await ground.sync(anEndpoint('ops'))
      expect(await ground.dueSeqs(id)).toEqual([2, 503])
    })

    test('of an end that waits for an earlier event waits as long as any end does', async () => {
      const { ground, id } = await pastGround()
      await replay(ground, id, { from: { after: 3 }, until: { seq: 6 } })
      expect(await ground.dueTimes(id)).toEqual([ground.now, ground.now + 5 * minute])
    })
  })
}
