import { describe, expect, test } from 'vitest'
import type { EventType } from '../../../src/core/event.ts'
import type { Delivery, StoredEndpoint } from '../../../src/store/store.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, anEndpoint, delivered, minute, someDrafts, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

const key = { upstream: 'prod', jobid: 'j-1' }
const folding = (name: string) => anEndpoint(name, {}, { fold: true })

/** A ground with one folding endpoint, to which a job owes what a look of these types yields. */
async function groundOwing(open: OpenStore, ...types: readonly EventType[]) {
  const ground = await Ground.create(open)
  const id = await ground.syncOne(folding('chat'), anEndpoint('all'))
  // Event 1: the job is watched.
  await ground.register('j-1')
  if (types.length > 0)
    await ground.look(
      key,
      types.map((type) => aDraft(type)),
    )
  return { ground, id }
}

/** What the log says of each delivery of an endpoint: its seq and its state. */
async function states(ground: Ground, endpoint: string) {
  const page = await ground.store.listDeliveries({ endpoint, limit: 1000, before: null })
  return [...page.deliveries].reverse().map(({ seq, state }) => [seq, state] as const)
}

async function fold(ground: Ground, endpointId: number, seq: number): Promise<boolean> {
  return ground.store.fold((await ground.delivery(endpointId, seq)).id, ground.now)
}

async function leftOut(ground: Ground, delivery: Delivery) {
  const { leftOut: events, leftOutCount } = await ground.store.readPresent(delivery)
  return { seqs: events.map(({ seq }) => seq), count: leftOutCount }
}

/** Deliveries that later ones made pointless, and what is told in their place. */
export function foldCases(open: OpenStore): void {
  describe('folding', () => {
    test('leaves out what may be, up to the next that must be told, which is due then', async () => {
      const { ground, id } = await groundOwing(
        open,
        'job.executing',
        'job.stage.changed',
        'job.failed',
        'job.reopened',
        'job.stage.changed',
      )
      expect(await fold(ground, id, 1)).toBe(true)
      expect(await states(ground, 'chat')).toEqual([
        [1, 'superseded'],
        [2, 'superseded'],
        [3, 'superseded'],
        [4, 'pending'],
        [5, 'pending'],
        [6, 'pending'],
      ])
      expect(await ground.dueSeqs(id)).toEqual([4])
      const told = await ground.delivery(id, 4)
      expect(await leftOut(ground, told)).toEqual({ seqs: [1, 2, 3], count: 3 })
    })

    test('leaves out all but the last when nothing must be told', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.stage.changed')
      expect(await fold(ground, id, 1)).toBe(true)
      expect(await states(ground, 'chat')).toEqual([
        [1, 'superseded'],
        [2, 'superseded'],
        [3, 'pending'],
      ])
      expect(await ground.dueSeqs(id)).toEqual([3])
      expect(await fold(ground, id, 3)).toBe(false)
      expect(await ground.dueSeqs(id)).toEqual([3])
    })

    test('leaves out what a later one has told already', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.failed')
      await ground.refuse(id, 1, noon + 60 * minute)
      ground.now += 10 * minute
      await ground.deliver(id, 3)
      ground.now += 60 * minute
      expect(await fold(ground, id, 1)).toBe(true)
      expect(await states(ground, 'chat')).toEqual([
        [1, 'superseded'],
        [2, 'pending'],
        [3, 'delivered'],
      ])
      expect(await fold(ground, id, 2)).toBe(true)
      expect(await ground.dueTimes(id)).toEqual([])
    })

    test.each<EventType>([
      'job.completed',
      'job.failed',
      'job.cancelled',
      'job.lost',
      'job.overdue',
      'job.stalled',
      'job.reopened',
    ])('never leaves out %s', async (type) => {
      const { ground, id } = await groundOwing(open, type, 'job.stage.changed', 'job.failed')
      await ground.deliver(id, 1)
      expect((await ground.delivery(id, 2)).isFoldable).toBe(false)
      expect(await fold(ground, id, 2)).toBe(false)
      expect(await ground.dueSeqs(id)).toEqual([2])
    })

    test('happens only where it was asked for, and only to what is pending', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.failed')
      const [, all] = await ground.store.listEndpoints()
      expect(await fold(ground, all?.id ?? 0, 1)).toBe(false)
      const first = await ground.delivery(id, 1)
      await ground.deliver(id, 1)
      expect(await ground.store.fold(first.id, ground.now)).toBe(false)
      expect(await ground.store.fold(9999, ground.now)).toBe(false)
      expect((await states(ground, 'chat')).map(([, state]) => state)).toEqual([
        'delivered',
        'pending',
        'pending',
      ])
    })

    test('touches no other job, no job of that id elsewhere, and no other endpoint', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(folding('chat'), folding('other'))
      const keys = [key, { upstream: 'prod', jobid: 'j-2' }, { upstream: 'dev', jobid: 'j-1' }]
      for (const { upstream, jobid } of keys) await ground.register(jobid, { upstream })
      for (const one of keys)
        await ground.look(one, [aDraft('job.executing'), aDraft('job.failed')])
      expect(await fold(ground, id, 1)).toBe(true)
      const left = (await states(ground, 'chat')).filter(([, state]) => state === 'superseded')
      expect(left.map(([seq]) => seq)).toEqual([1, 4])
      expect((await states(ground, 'other')).map(([, state]) => state)).toEqual(
        Array(9).fill('pending'),
      )
      expect(await ground.dueSeqs(id)).toEqual([2, 3, 5])
    })

    test('never happens to what is about no job', async () => {
      const ground = await Ground.create(open)
      const id = await ground.syncOne(folding('chat'), anEndpoint('ops'))
      const [, ops] = await ground.store.listEndpoints()
      await ground.store.disableEndpoint(ops?.id ?? 0, 'by hand', ground.now)
      await ground.store.enableEndpoint(ops?.id ?? 0, ground.now)
      await ground.store.disableEndpoint(ops?.id ?? 0, 'again', ground.now)
      expect(await fold(ground, id, 1)).toBe(false)
      expect((await states(ground, 'chat')).map(([, state]) => state)).toEqual([
        'pending',
        'pending',
      ])
    })

    test('never happens to what was asked for again', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.failed')
      for (const seq of upTo(3)) await ground.deliver(id, seq)
      const replay = { endpointId: id, from: { after: 0 }, until: null, types: [] }
      expect(await ground.store.replay(replay, ground.now)).toBe(3)
      const first = await ground.delivery(id, 1)
      expect(first).toMatchObject({ isReplay: true, isFoldable: false })
      expect(await fold(ground, id, 1)).toBe(false)
    })

    test('lets the one that is told keep the schedule that it has', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.failed')
      await ground.refuse(id, 1, noon + 60 * minute)
      ground.now += 5 * minute
      await ground.refuse(id, 3, noon + 120 * minute)
      ground.now = noon + 60 * minute
      expect(await fold(ground, id, 1)).toBe(true)
      expect(await ground.dueTimes(id)).toEqual([noon + 120 * minute])
    })

    test('hands on what was left out when the one that was to tell it is left out itself', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.stage.changed')
      expect(await fold(ground, id, 1)).toBe(true)
      await ground.look(key, someDrafts(2))
      expect(await fold(ground, id, 3)).toBe(true)
      await ground.look(key, [aDraft('job.message.added'), aDraft('job.failed')])
      expect(await fold(ground, id, 5)).toBe(true)
      expect(await ground.dueSeqs(id)).toEqual([7])
      const end = await ground.delivery(id, 7)
      expect(await leftOut(ground, end)).toEqual({ seqs: upTo(6), count: 6 })
      await ground.reopen()
      await ground.sync(folding('chat'), anEndpoint('all'))
      expect(await leftOut(ground, await ground.delivery(id, 7))).toEqual({
        seqs: upTo(6),
        count: 6,
      })
    })
  })

  describe('the present of a late message', () => {
    test('is the job as it is now and what was left out in its favour', async () => {
      const { ground, id } = await groundOwing(open, 'job.executing', 'job.failed')
      await fold(ground, id, 1)
      ground.now += minute
      const now = await ground.look(key, [], { label: 'changed since' })
      const { job, ...rest } = await ground.store.readPresent(await ground.delivery(id, 3))
      expect(job).toEqual(now)
      expect(rest.leftOut).toEqual((await ground.events()).slice(0, 2))
      expect(rest.leftOutCount).toBe(2)
    })

    test('names the twenty newest, oldest first, and counts all', async () => {
      const { ground, id } = await groundOwing(open)
      await ground.look(key, [...someDrafts(40), aDraft('job.failed')])
      await fold(ground, id, 1)
      const end = await ground.delivery(id, 42)
      expect(await leftOut(ground, end)).toEqual({ seqs: upTo(41).slice(-20), count: 41 })
    })

    test('has nothing to say of what is about no job, and nothing left out where nothing was', async () => {
      const { ground, id } = await groundOwing(open)
      const all: StoredEndpoint | undefined = (await ground.store.listEndpoints())[1]
      await ground.store.disableEndpoint(all?.id ?? 0, 'by hand', ground.now)
      const nothing = { leftOut: [], leftOutCount: 0 }
      const own = await ground.store.readPresent(await ground.delivery(id, 2))
      expect(own).toEqual({ job: null, ...nothing })
      const watched = await ground.delivery(id, 1)
      expect(await ground.store.readPresent(watched)).toMatchObject(nothing)
      await ground.store.recordAttempt(delivered(watched, ground.now))
      expect((await ground.store.readPresent(watched)).job?.jobid).toBe('j-1')
    })
  })
}
