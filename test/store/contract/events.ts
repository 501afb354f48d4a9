import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventType, LoggedEvent } from '../../../src/core/event.ts'
import type { EventFilter } from '../../../src/core/plan.ts'
import { Ground, aDraft, seqs, someDrafts, textOf, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

/** Which filter lets which event through, in other words than those of the program. */
function isWanted({ type, upstream, jobid, tags }: LoggedEvent, filter: EventFilter): boolean {
  const names = (list: readonly string[] | undefined, values: readonly (string | null)[]) =>
    list === undefined || list.length === 0 || values.some((value) => list.includes(value ?? ''))
  return (
    names(filter.upstreams, [upstream]) &&
    names(filter.jobids, [jobid]) &&
    names(filter.tags, tags) &&
    names(
      filter.types?.map((glob) => (isGlobOf(glob, type) ? type : '')),
      [type],
    )
  )
}

function isGlobOf(glob: string, type: string): boolean {
  if (glob === '') return type === ''
  if (glob.startsWith('*')) {
    const rests = Array.from({ length: type.length + 1 }, (_, n) => type.slice(n))
    return rests.some((rest) => isGlobOf(glob.slice(1), rest))
  }
  return type.startsWith(glob.charAt(0)) && isGlobOf(glob.slice(1), type.slice(1))
}

/** A log of several jobs at two upstreams with all sorts of events. */
async function variedLog(open: OpenStore): Promise<Ground> {
  const ground = await Ground.create(open)
  const types: EventType[] = ['job.executing', 'job.stage.changed', 'job.completed', 'job.failed']
  const jobs = [
    { upstream: 'prod', jobid: 'j-1', tags: ['nightly'] },
    { upstream: 'prod', jobid: 'j-2', tags: ['gis', 'nightly'] },
    { upstream: 'dev', jobid: 'j-1', tags: [] },
    { upstream: 'dev', jobid: 'j-3', tags: ['night'] },
  ]
  for (const job of jobs) await ground.register(job.jobid, job)
  for (const n of upTo(12)) {
    const job = jobs[(n * 7) % jobs.length]
    if (job === undefined) continue
    await ground.look(
      job,
      upTo((n % 4) + 1).map((i) => aDraft(types[(n + i) % types.length])),
    )
  }
  return ground
}

const some = <T>(...values: T[]) => fc.option(fc.subarray(values), { nil: undefined })

const someFilters = fc.record({
  types: some('job.*', '*.changed', 'job.failed', '*e*', 'upstream.*'),
  upstreams: some('prod', 'dev', 'test'),
  jobids: some('j-1', 'j-2', 'j-3', 'j-9'),
  tags: some('nightly', 'night', 'gis'),
})

/** The log of events: numbers, pages, filters. */
export function eventCases(open: OpenStore): void {
  const key = { upstream: 'prod', jobid: 'j-1' }

  describe('the log of events', () => {
    test('begins empty, under one epoch', async () => {
      const ground = await Ground.create(open)
      const bounds = await ground.store.readBounds()
      expect(bounds).toMatchObject({ newest: 0, oldest: null, epochs: [{ firstSeq: 1 }] })
      // What frames and URLs can carry (contract, sections 4 and 7).
      expect(bounds.epochs[0]?.epoch).toMatch(/^[0-9a-z]{1,32}$/)
      expect(await ground.store.readEvents({ after: 0, limit: 10, filter: {} })).toEqual({
        ...{ events: [], through: 0, newest: 0, oldest: null },
      })
      expect(await ground.store.readTail({ through: null, limit: 10, filter: {} })).toEqual({
        ...{ events: [], after: 0, newest: 0, oldest: null },
      })
    })

    test('keeps its epoch and its numbers over a restart', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(4))
      const before = await ground.store.readBounds()
      expect(before).toMatchObject({ newest: 5, oldest: 1 })
      await ground.reopen()
      expect(await ground.store.readBounds()).toEqual(before)
      await ground.look(key, [aDraft()])
      expect(await ground.store.readBounds()).toEqual({ ...before, newest: 6 })
    })

    test('two logs have different epochs', async () => {
      const [one, two] = await Promise.all([Ground.create(open), Ground.create(open)])
      const epochOf = async (ground: Ground) => (await ground.store.readBounds()).epochs[0]?.epoch
      expect(await epochOf(one)).not.toBe(await epochOf(two))
    })

    test('calls an event by epoch and seq, in the text and beside it', async () => {
      const ground = await variedLog(open)
      const { epochs } = await ground.store.readBounds()
      for (const event of await ground.events()) {
        const text = textOf(event)
        expect(event.id).toBe(`${epochs[0]?.epoch}-${event.seq}`)
        expect(text).toMatchObject({
          ...{ specversion: '1.0', id: event.id, type: event.type, subject: event.jobid },
          ...{ source: `/upstreams/${event.upstream}/jobs/${event.jobid}` },
          data: { seq: event.seq, job: { jobid: event.jobid, upstream: event.upstream } },
        })
        expect(text.data.job['tags']).toEqual(event.tags)
        expect(text.data.job['lastSeq']).toBe(event.seq)
      }
    })

    test('pages begin after a seq and hold no more than the limit', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(9))
      const page = (after: number, limit: number) =>
        ground.store.readEvents({ after, limit, filter: {} })

      const first = await page(0, 4)
      expect(first).toMatchObject({ through: 4, newest: 10 })
      expect(seqs(first.events)).toEqual([1, 2, 3, 4])
      expect(seqs((await page(4, 4)).events)).toEqual([5, 6, 7, 8])
      const last = await page(8, 4)
      expect(seqs(last.events)).toEqual([9, 10])
      expect(last.through).toBe(10)
      // A page that the limit ends exactly at the head has reached it all the same.
      expect(await page(6, 4)).toMatchObject({ through: 10, newest: 10 })
      expect(await page(10, 4)).toEqual({ events: [], through: 10, newest: 10, oldest: 1 })
    })

    test('a page stops after about maxBytes, but holds one event at least', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(9), { name: 'x'.repeat(5000) })
      const page = (maxBytes: number) =>
        ground.store.readEvents({ after: 1, limit: 100, maxBytes, filter: {} })

      const one = await page(1)
      expect(seqs(one.events)).toEqual([2])
      expect(one.through).toBe(2)
      const { events } = await page(20_000)
      const bytes = events.map(({ text }) => Buffer.byteLength(text))
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(20_000)
      expect(bytes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(20_000)
    })

    test('maxBytes counts bytes, not characters', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(10), { name: '地'.repeat(10_000) })
      const query = { after: 1, limit: 100, maxBytes: 100_000, filter: {} }
      const { events } = await ground.store.readEvents(query)
      expect(events.length).toBeLessThanOrEqual(4)
    })

    test('the text of an event is the same on every read', async () => {
      const ground = await variedLog(open)
      const before = await ground.events({}, 1000)
      await ground.register('j-1', { label: 'changed since', tags: ['other'] })
      await ground.look(key, [aDraft('job.failed')], { name: 'changed since', status: 'FAILED' })
      await ground.reopen()
      const filters: EventFilter[] = [{}, { jobids: ['j-1'] }, { upstreams: ['dev'] }]
      for (const filter of filters) {
        for (const limit of [1, 3, 1000]) {
          const again = (await ground.events(filter, limit)).filter(
            ({ seq }) => seq <= before.length,
          )
          expect(again).toEqual(before.filter((event) => isWanted(event, filter)))
        }
      }
    })

    test('an event keeps the tags that its job had when it happened', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1', { tags: ['old'] })
      await ground.register('j-1', { tags: ['new'] })
      await ground.look(key, [aDraft('job.executing')])
      expect(seqs(await ground.events({ tags: ['old'] }))).toEqual([1])
      expect(seqs(await ground.events({ tags: ['new'] }))).toEqual([2])
    })

    test('filters by type, upstream, job and tag; what is listed is an or, the rest an and', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1', { tags: ['a', 'b'] })
      await ground.register('j-2', { tags: ['b'] })
      await ground.register('j-1', { upstream: 'dev', tags: ['ab'] })
      await ground.look(key, [aDraft(), aDraft('job.executing')])
      await ground.look({ ...key, jobid: 'j-2' }, [aDraft('job.message.added')])
      await ground.look({ ...key, upstream: 'dev' }, [aDraft('job.failed')])

      const found = async (filter: EventFilter) => seqs(await ground.events(filter))
      expect(await found({})).toEqual(upTo(7))
      expect(await found({ types: [], upstreams: [], tags: [], jobids: [] })).toEqual(upTo(7))
      expect(await found({ types: ['job.failed'] })).toEqual([7])
      expect(await found({ types: ['job.*'] })).toEqual(upTo(7))
      expect(await found({ types: ['job.*.*'] })).toEqual([4, 6])
      expect(await found({ types: ['*changed', 'job.f*d'] })).toEqual([4, 7])
      expect(await found({ types: ['job'] })).toEqual([])
      expect(await found({ types: ['job.faile.'] })).toEqual([])
      expect(await found({ types: ['JOB.FAILED'] })).toEqual([])
      expect(await found({ jobids: ['j-1'] })).toEqual([1, 3, 4, 5, 7])
      expect(await found({ jobids: ['j-1', 'j-2', 'j-9'] })).toEqual(upTo(7))
      expect(await found({ jobids: ['j-9'] })).toEqual([])
      expect(await found({ jobids: ['j-1'], upstreams: ['dev'] })).toEqual([3, 7])
      expect(await found({ upstreams: ['dev', 'prod'] })).toEqual(upTo(7))
      expect(await found({ tags: ['b'] })).toEqual([1, 2, 4, 5, 6])
      expect(await found({ tags: ['a', 'ab'] })).toEqual([1, 3, 4, 5, 7])
      expect(await found({ jobids: ['j-1'], tags: ['b'], types: ['job.e*'] })).toEqual([5])
    })

    test('every page holds all that matches up to where it reaches, whatever the filter', async () => {
      const ground = await variedLog(open)
      const all = await ground.events()
      const asked = fc.record({
        filter: someFilters,
        limit: fc.integer({ min: 1, max: 12 }),
        after: fc.integer({ min: 0, max: all.length }),
        maxBytes: fc.constantFrom(1, 2000, 100_000),
      })
      await fc.assert(
        fc.asyncProperty(asked, async ({ filter, limit, after, maxBytes }) => {
          let position = after
          for (;;) {
            const page = await ground.store.readEvents({ after: position, limit, maxBytes, filter })
            const { events, through, newest, oldest } = page
            expect([oldest, newest]).toEqual([1, all.length])
            expect(events.length).toBeLessThanOrEqual(limit)
            expect(events).toEqual(
              all.filter(
                (event) => event.seq > position && event.seq <= through && isWanted(event, filter),
              ),
            )
            if (through === newest) break
            expect(through).toBeGreaterThan(position)
            position = through
          }
        }),
        { numRuns: 200 },
      )
    })

    test('paging over a filter that matches almost nothing reaches the head', async () => {
      const ground = await Ground.create(open)
      await ground.register('rare', { tags: ['rare'] })
      await ground.register('busy')
      for (let n = 0; n < 25; n += 1) {
        await ground.look({ ...key, jobid: 'busy' }, someDrafts(100))
      }
      await ground.look({ ...key, jobid: 'rare' }, [aDraft('job.failed')])
      const newest = 2 + 25 * 100 + 1
      const rare: EventFilter[] = [
        { tags: ['rare'] },
        { types: ['job.failed', 'job.watched'], jobids: ['rare', 'absent'] },
        { jobids: ['rare'] },
      ]
      for (const filter of rare) {
        expect(seqs(await ground.events(filter, 10))).toEqual([1, newest])
        // A search backwards examines a bounded number of events at a time, too.
        const tail = await ground.store.readTail({ through: newest - 1, limit: 10, filter })
        expect(tail.after).toBe(filter.jobids?.length === 1 ? 0 : newest - 1 - 1000)
      }
      expect(await ground.events({ types: ['job.lost'] })).toEqual([])
      expect(await ground.events({ jobids: ['busy'], types: ['job.failed'] })).toEqual([])
    })

    test('its tail is the newest events, or the newest up to a seq, in ascending order', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1')
      await ground.look(key, someDrafts(9))
      const tail = (through: number | null, limit: number) =>
        ground.store.readTail({ through, limit, filter: {} })

      const newest = await tail(null, 4)
      expect(newest).toMatchObject({ after: 6, newest: 10, oldest: 1 })
      expect(seqs(newest.events)).toEqual([7, 8, 9, 10])
      expect(seqs((await tail(6, 4)).events)).toEqual([3, 4, 5, 6])
      const first = await tail(2, 4)
      expect(first).toMatchObject({ after: 0, newest: 10 })
      expect(seqs(first.events)).toEqual([1, 2])
      expect(await tail(0, 4)).toEqual({ events: [], after: 0, newest: 10, oldest: 1 })
    })

    test('every tail holds all that matches from where it begins, whatever the filter', async () => {
      const ground = await variedLog(open)
      const all = await ground.events()
      const asked = fc.record({
        filter: someFilters,
        limit: fc.integer({ min: 1, max: 12 }),
        through: fc.option(fc.integer({ min: 0, max: all.length })),
        maxBytes: fc.constantFrom(1, 2000, 100_000),
      })
      await fc.assert(
        fc.asyncProperty(asked, async ({ filter, limit, through, maxBytes }) => {
          let end = through
          for (;;) {
            const tail = await ground.store.readTail({ through: end, limit, maxBytes, filter })
            expect(tail).toMatchObject({ newest: all.length, oldest: 1 })
            expect(tail.events.length).toBeLessThanOrEqual(limit)
            const last = end ?? all.length
            expect(tail.events).toEqual(
              all.filter(
                (event) => event.seq > tail.after && event.seq <= last && isWanted(event, filter),
              ),
            )
            if (tail.after === 0) break
            expect(tail.after).toBeLessThan(last)
            end = tail.after
          }
        }),
        { numRuns: 200 },
      )
    })

    test('numbers are given once and without holes when many write at once', async () => {
      const ground = await Ground.create(open)
      await Promise.all(
        upTo(40).map(async (n) => {
          const job = await ground.register(`j-${n}`)
          await ground.look(job, someDrafts(3))
          await ground.store.stopJob(job, ground.now)
        }),
      )
      const events = await ground.events()
      expect(seqs(events)).toEqual(upTo(40 * 5))
      const last = new Map<string | null, number>()
      for (const event of events) {
        expect(textOf(event).data.previousSeq).toBe(last.get(event.jobid) ?? null)
        last.set(event.jobid, event.seq)
      }
    })
  })
}
