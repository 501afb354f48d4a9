import { describe, expect, test } from 'vitest'
import type { Job } from '../../../src/core/job.ts'
import { aStage, noon } from '../../helpers/builders.ts'
import { settle } from '../../helpers/fake-clock.ts'
import { Ground, aDraft, anEndpoint, minute, seqs, someDrafts, textOf, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** What a look writes, and when it writes nothing. */
export function lookCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('a look', () => {
    test('writes the job whole', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1', {
        label: 'Nightly',
        tags: ['a'],
        stallAfterMs: minute,
        deadline: { afterMs: 2 * minute },
      })
      const seen: Partial<Job> = {
        state: 'ended',
        status: 'COMPLETED',
        rawStatus: 'completed',
        outcome: 'error',
        reason: 'No space left — “disk” 満杯',
        name: 'editContainerRegistry',
        operation: '/gis/admin/system/edit',
        resource: 'default (id: 1)',
        username: 'siteadmin',
        requestId: 'r-1',
        startedAt: noon - minute,
        endedAt: noon,
        updatedAt: noon + 1,
        stages: [
          aStage('validating', 'completed', { startedAt: noon, endedAt: noon + 1 }),
          aStage('validating', 'failed', { occurrence: 2, rawState: 'Failed!' }),
        ],
        messages: [
          { text: 'first\nline', level: 'ERROR', at: noon },
          { text: '', level: null, at: null },
        ],
        result: { status: 'error', nested: [1, null, { a: 'b' }], big: 9_007_199_254_740_991 },
        resultBytes: 77,
        looksLeft: 2,
        stalledSince: noon - 5,
        lostSince: noon - 6,
        isOverdue: true,
        polledAt: noon + 2,
        changedAt: noon + 3,
      }
      const written = await ground.look(job, [aDraft('job.failed')], seen)
      expect(written).toMatchObject({ ...job, ...seen, revision: written.revision, lastSeq: 2 })
      expect(written.revision).toBeGreaterThan(job.revision)
      expect(await ground.find(key)).toEqual(written)
      await ground.reopen()
      expect(await ground.find(key)).toEqual(written)
    })

    test('numbers its events in the order of the drafts, without holes', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.register('j-2')
      const drafts = [
        aDraft('job.stage.changed', 'first'),
        aDraft('job.stage.changed', 'second'),
        aDraft('job.message.added', 'hello'),
        aDraft('job.executing'),
      ]
      const job = await ground.look(key, drafts)
      expect(job.lastSeq).toBe(6)

      const events = (await ground.events()).slice(2)
      expect(events.map(({ seq, type }) => [seq, type])).toEqual([
        [3, 'job.stage.changed'],
        [4, 'job.stage.changed'],
        [5, 'job.message.added'],
        [6, 'job.executing'],
      ])
      expect(events.map((event) => textOf(event).data.change)).toEqual(
        drafts.map(({ change }) => change),
      )
      expect(events.map((event) => textOf(event).data.previousSeq)).toEqual([1, 3, 4, 5])
    })

    test('gives all its events the job as it is after the look, but each its own lastSeq', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      ground.now += minute
      await ground.look(key, [aDraft(), aDraft('job.executing')], {
        status: 'EXECUTING',
        startedAt: noon,
        stages: [aStage('validating', 'running')],
      })
      const [, one, two] = (await ground.events()).map(textOf)
      expect(one?.data.job).toMatchObject({ status: 'EXECUTING', durationMs: minute, lastSeq: 2 })
      expect(two?.data.job).toEqual({ ...one?.data.job, lastSeq: 3 })
      for (const unknown of ['polledAt', 'nextPollAt', 'problem', 'id', 'revision']) {
        expect(one?.data.job).not.toHaveProperty(unknown)
      }
      expect([one?.time, two?.time]).toEqual(Array(2).fill(new Date(ground.now).toISOString()))
    })

    test('brings job, events and deliveries to light together', async () => {
      const ground = await Ground.create(open)
      const endpointId = await ground.syncOne(anEndpoint('ops'))
      const job = await ground.register('j-1')
      const committed = ground.store.commitLook({
        job: { ...job, status: 'EXECUTING' },
        drafts: [aDraft('job.executing'), aDraft()],
        document: '{"a":1}',
        at: noon,
      })
      // Whoever sees the one before the commit settles must then see the other.
      for (let isSeen = false; !isSeen;) {
        const earlier = await ground.find(key)
        const { events } = await ground.store.readEvents({ after: 1, limit: 10, filter: {} })
        if (earlier.status === 'EXECUTING') expect(events).toHaveLength(2)
        isSeen = events.length > 0
        if (!isSeen) {
          await settle(1)
          continue
        }
        expect(seqs(events)).toEqual([2, 3])
        expect(await ground.find(key)).toMatchObject({ status: 'EXECUTING', lastSeq: 3 })
        expect(await ground.store.readDocument(key)).toBe('{"a":1}')
      }
      expect(await committed).toMatchObject({ outcome: 'written' })
      await ground.deliver(endpointId, 1)
      await ground.deliver(endpointId, 2)
      expect(await ground.dueSeqs(endpointId)).toEqual([3])
    })

    test('that changed nothing worth an event changes the job and logs nothing', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, [aDraft('job.executing')], { document: '{"v":1}' })
      const job = await ground.look(key, [], { updatedAt: noon + 5, document: '{"v":2}' })
      expect(job.lastSeq).toBe(2)
      expect(await ground.find(key)).toMatchObject({ updatedAt: noon + 5, lastSeq: 2 })
      expect(await ground.newest()).toBe(2)
      expect(await ground.store.readDocument(key)).toBe('{"v":1}')
    })

    test('keeps the document of the last change verbatim, a megabyte of it too', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      expect(await ground.store.readDocument(key)).toBeNull()
      await ground.look(key, [aDraft()], { document: '{"v":1}' })
      const odd = '\ufeff{ "a" : 1.0,\r\n\t"b":"é — 😀 \\u00e9",  "a":2 }  \n'
      const large = odd + 'é'.repeat(1_048_576)
      await ground.look(key, [aDraft()], { document: large })
      expect((await ground.store.readDocument(key)) === large).toBe(true)
      await ground.reopen()
      expect((await ground.store.readDocument(key)) === large).toBe(true)
      expect(await ground.store.readDocument({ ...key, upstream: 'dev' })).toBeNull()
    })

    test('that showed no document leaves the one of the last change', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1')
      const lost = { ...job, state: 'lost', lostSince: noon } as const
      const drafts = [aDraft('job.lost')]
      const look = { job: lost, drafts, document: null, at: noon }
      expect(await ground.store.commitLook(look)).toMatchObject({ outcome: 'written' })
      expect(await ground.store.readDocument(key)).toBeNull()
      await ground.look(key, [aDraft('job.found')], { state: 'active', document: '{"v":1}' })
      const again = { ...(await ground.find(key)), state: 'lost' } as const
      await ground.store.commitLook({ ...look, job: again })
      expect(await ground.store.readDocument(key)).toBe('{"v":1}')
      expect(await ground.newest()).toBe(4)
    })

    test.each([
      ['was changed by another look', (ground: Ground) => ground.look(key, [aDraft()])],
      ['was given a label', (ground: Ground) => ground.register('j-1', { label: 'new' })],
      ['was stopped', (ground: Ground) => ground.store.stopJob(key, noon)],
      [
        'was stopped and registered again',
        async (ground: Ground) => {
          await ground.store.stopJob(key, noon)
          await ground.register('j-1')
        },
      ],
    ])('at a job that meanwhile %s is a conflict and writes nothing', async (_, meanwhile) => {
      const ground = await Ground.create(open)
      const endpointId = await ground.syncOne(anEndpoint('ops', { types: ['job.completed'] }))
      const stale = await ground.register('j-1')
      await meanwhile(ground)
      const before = {
        job: await ground.find(key),
        events: await ground.events(),
        document: await ground.store.readDocument(key),
      }
      const result = await ground.store.commitLook({
        job: { ...stale, state: 'ended', status: 'COMPLETED' },
        drafts: [aDraft(), aDraft('job.completed')],
        document: '{"stale":true}',
        at: noon,
      })
      expect(result).toEqual({ outcome: 'conflict' })
      expect({
        job: await ground.find(key),
        events: await ground.events(),
        document: await ground.store.readDocument(key),
      }).toEqual(before)
      expect(await ground.dueTimes(endpointId)).toEqual([])
      // And the number that was not used is not lost.
      await ground.look(key, [aDraft()])
      expect(await ground.newest()).toBe(before.events.length + 1)
    })

    test('at a job that is not in the registry is a conflict', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1')
      const result = await ground.store.commitLook({
        job: { ...job, id: job.id + 1, jobid: 'j-2' },
        drafts: [aDraft()],
        document: '{}',
        at: noon,
      })
      expect(result).toEqual({ outcome: 'conflict' })
      expect(await ground.newest()).toBe(1)
    })

    test('of ten that were read at one moment, one is written', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1')
      const looks = upTo(10).map((n) => ({
        job: { ...job, name: `look ${n}` },
        drafts: someDrafts(3),
        document: `{"look":${n}}`,
        at: noon,
      }))
      const results = await Promise.all(looks.map((look) => ground.store.commitLook(look)))
      expect(results.filter(({ outcome }) => outcome === 'written')).toHaveLength(1)
      const winner = results.findIndex(({ outcome }) => outcome === 'written')
      expect(await ground.find(key)).toMatchObject({ name: `look ${winner + 1}`, lastSeq: 4 })
      expect(await ground.store.readDocument(key)).toBe(`{"look":${winner + 1}}`)
      expect(await ground.newest()).toBe(4)
    })

    test('that cannot be written fails alone among those that can', async () => {
      const ground = await Ground.create(open)
      const endpointId = await ground.syncOne(anEndpoint('ops'))
      const job = await ground.register('j-1')
      const stale = await ground.register('j-2')
      await ground.register('j-2', { label: 'changed' })
      const { store } = ground
      const look = { drafts: someDrafts(2), document: '{}', at: noon }
      const [before, bad, conflict, after, good] = await Promise.allSettled([
        store.registerJob({ upstream: 'prod', jobid: 'j-3' }, noon),
        store.commitLook({ ...look, job: { ...job, state: 'dreaming' as Job['state'] } }),
        store.commitLook({ ...look, job: stale }),
        store.registerJob({ upstream: 'prod', jobid: 'j-4' }, noon),
        store.commitLook({ ...look, job }),
      ])
      expect(bad.status).toBe('rejected')
      expect([before, after]).toMatchObject(
        [3, 4].map((lastSeq) => ({
          status: 'fulfilled',
          value: { began: true, job: { lastSeq } },
        })),
      )
      expect(conflict).toMatchObject({ value: { outcome: 'conflict' } })
      expect(good).toMatchObject({ value: { outcome: 'written' } })

      const events = await ground.events()
      expect(seqs(events)).toEqual(upTo(6))
      expect(events.map(({ jobid }) => jobid)).toEqual(['j-1', 'j-2', 'j-3', 'j-4', 'j-1', 'j-1'])
      expect(await ground.find(key)).toMatchObject({ state: 'active', lastSeq: 6 })
      // Of each job the first delivery is due, the others wait behind it: none is of the bad look.
      expect(await ground.dueSeqs(endpointId)).toEqual([1, 2, 3, 4])
    })
  })
}
