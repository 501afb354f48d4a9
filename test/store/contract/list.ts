import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobStates, jobStatuses } from '../../../src/core/job.ts'
import type { Job } from '../../../src/core/job.ts'
import type { JobPosition, JobQuery } from '../../../src/store/store.ts'
import { noon } from '../../helpers/builders.ts'
import { Ground, aDraft, minute, upTo } from '../harness.ts'
import type { OpenStore } from '../harness.ts'

type Filters = Omit<JobQuery, 'limit' | 'before'>

/** The list of jobs, page by page; a page longer than the limit or an endless list fails. */
async function pagesOf(ground: Ground, filters: Filters, limit: number) {
  const pages: (readonly Job[])[] = []
  let before: JobPosition | null = null
  do {
    const page = await ground.store.listJobs({ ...filters, limit, before })
    expect(page.jobs.length).toBeLessThanOrEqual(limit)
    // Only the last page may be short, and none is announced that would be empty.
    if (page.next !== null) expect(page.jobs).toHaveLength(limit)
    pages.push(page.jobs)
    before = page.next
  } while (before !== null && pages.length < 10_000)
  return pages
}

async function idsOf(ground: Ground, filters: Filters): Promise<readonly string[]> {
  return (await pagesOf(ground, filters, 100)).flat().map(({ jobid }) => jobid)
}

/** The list of jobs: order, pages, filters, search. */
export function listCases(open: OpenStore): void {
  describe('the list of jobs', () => {
    test('is empty at first', async () => {
      const ground = await Ground.create(open)
      const page = await ground.store.listJobs({ limit: 10, before: null })
      expect(page).toEqual({ jobs: [], next: null, newest: 0 })
    })

    test('comes newest first by the beginning of the watching', async () => {
      const ground = await Ground.create(open)
      for (const n of upTo(3)) {
        ground.now += minute
        await ground.register(`j-${n}`)
      }
      // At the same moment the one registered later comes first.
      await ground.register('j-4')
      expect(await idsOf(ground, {})).toEqual(['j-4', 'j-3', 'j-2', 'j-1'])

      ground.now += minute
      await ground.register('j-1', { label: 'changed, not begun' })
      await ground.store.stopJob({ upstream: 'prod', jobid: 'j-2' }, ground.now)
      await ground.register('j-2')
      expect(await idsOf(ground, {})).toEqual(['j-2', 'j-4', 'j-3', 'j-1'])
    })

    test('holds the jobs whole, and says how far the log reached', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1', { tags: ['a'] })
      const seen = await ground.look(job, [aDraft('job.executing')], { status: 'EXECUTING' })
      const page = await ground.store.listJobs({ limit: 10, before: null })
      expect(page).toEqual({ jobs: [seen], next: null, newest: 2 })
      expect(page.jobs[0]).toEqual(await ground.find(job))
    })

    test('a page that takes in the last job announces no further one', async () => {
      const ground = await Ground.create(open)
      for (const n of upTo(4)) await ground.register(`j-${n}`)
      const first = await ground.store.listJobs({ limit: 2, before: null })
      expect(first.next).not.toBeNull()
      const second = await ground.store.listJobs({ limit: 2, before: first.next })
      expect(second.jobs.map(({ jobid }) => jobid)).toEqual(['j-2', 'j-1'])
      expect(second.next).toBeNull()
    })

    test('pages are complete and without repeats under any filter', async () => {
      const ground = await Ground.create(open)
      const all: Job[] = []
      for (const n of upTo(120)) {
        if (n % 4 === 0) ground.now += 1
        const job = await ground.register(`j-${n}`, {
          upstream: ['prod', 'dev', 'test'][n % 3] ?? '',
          tags: n % 5 === 0 ? ['nightly', 'a'] : n % 7 === 0 ? ['a'] : [],
          label: n % 2 === 0 ? `Import ${n}` : null,
        })
        const state = jobStates[(n * 3) % 4] ?? 'active'
        const status = jobStatuses[(n * 5) % 7] ?? null
        all.push(await ground.look(job, [], { state, status }))
      }
      all.sort((a, b) => b.watchedAt - a.watchedAt || b.id - a.id)

      const maybe = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined })
      const queries = fc.record({
        state: maybe(...jobStates),
        status: maybe(...jobStatuses),
        upstream: maybe('prod', 'dev', 'absent'),
        tag: maybe('nightly', 'a', 'absent'),
        text: maybe('IMPORT', 'j-1', '7', 'absent'),
        limit: fc.integer({ min: 1, max: 50 }),
      })
      await fc.assert(
        fc.asyncProperty(queries, async ({ limit, ...filters }) => {
          const { state, status, upstream, tag, text } = filters
          const expected = all.filter(
            (job) =>
              (state === undefined || job.state === state) &&
              (status === undefined || job.status === status) &&
              (upstream === undefined || job.upstream === upstream) &&
              (tag === undefined || job.tags.includes(tag)) &&
              (text === undefined ||
                `${job.label ?? ''}\n${job.jobid}`.toLowerCase().includes(text.toLowerCase())),
          )
          const found = (await pagesOf(ground, filters, limit)).flat()
          expect(found.map(({ jobid }) => jobid)).toEqual(expected.map(({ jobid }) => jobid))
        }),
        { numRuns: 200 },
      )
    })

    test('a job that comes in between two pages neither repeats nor hides another', async () => {
      const ground = await Ground.create(open)
      for (const n of upTo(6)) await ground.register(`j-${n}`)
      const first = await ground.store.listJobs({ limit: 3, before: null })
      ground.now += 1
      await ground.register('j-7')
      await ground.store.stopJob({ upstream: 'prod', jobid: 'j-6' }, ground.now)
      await ground.register('j-6')
      const second = await ground.store.listJobs({ limit: 3, before: first.next })
      expect(second.jobs.map(({ jobid }) => jobid)).toEqual(['j-3', 'j-2', 'j-1'])
    })

    test('a search looks into label, title, operation, user and id, in any case', async () => {
      const ground = await Ground.create(open)
      await ground.register('labelled', { label: 'Nightly Import' })
      const named = await ground.register('named')
      await ground.look(named, [], { name: 'editContainerRegistry', resource: 'Default (id: 1)' })
      const operated = await ground.register('operated')
      await ground.look(operated, [], {
        operation: '/gis/admin/services/Parks.MapServer/edit',
        username: 'SiteAdmin',
      })

      const found = (text: string) => idsOf(ground, { text })
      expect(await found('night')).toEqual(['labelled'])
      expect(await found('LY IMP')).toEqual(['labelled'])
      expect(await found('containerregistry DEFAULT')).toEqual(['named'])
      expect(await found('edit services/parks')).toEqual(['operated'])
      expect(await found('/gis/admin')).toEqual(['operated'])
      expect(await found('siteADMIN')).toEqual(['operated'])
      expect(await found('ED')).toEqual(['operated', 'named', 'labelled'])
      expect(await found('edit')).toEqual(['operated', 'named'])
      expect(await found('prod')).toEqual([])
    })

    test('a search finds what a look or a new label has changed', async () => {
      const ground = await Ground.create(open)
      const job = await ground.register('j-1', { label: 'Before' })
      await ground.register('j-1', { label: 'After' })
      expect(await idsOf(ground, { text: 'before' })).toEqual([])
      expect(await idsOf(ground, { text: 'after' })).toEqual(['j-1'])
      await ground.register('j-1', { label: null })
      await ground.look(job, [], { name: 'export' })
      expect(await idsOf(ground, { text: 'after' })).toEqual([])
      expect(await idsOf(ground, { text: 'export' })).toEqual(['j-1'])
    })

    test.each([
      ['Übersicht', 'ÜBER'],
      ['ÜBERSICHT', 'übers'],
      ['Ночной импорт', 'НОЧНОЙ'],
      ['ΟΔΟΣΗΜΑΝΣΗ', 'οδος'],
      ['οδος', 'ΟΔΟΣ'],
      ['Hauptstraße', 'HAUPTSTRASSE'],
      ['Éclairage', 'éCLAIR'],
      ['地図の更新', '更新'],
      ['Rollout 😀', '😀'],
    ])(
      'a search for letters of any script ignores case: %s is found by %s',
      async (label, text) => {
        const ground = await Ground.create(open)
        await ground.register('j-1', { label })
        await ground.register('j-2', { label: 'another' })
        expect(await idsOf(ground, { text })).toEqual(['j-1'])
      },
    )

    test.each(['%', '_', '*', '?', '\\', '"', "'", '[', '(', '.', '^', '--'])(
      'a search takes %s as a plain character',
      async (character) => {
        const ground = await Ground.create(open)
        await ground.register('plain', { label: 'nothing to see' })
        await ground.register('marked', { label: `before${character}after` })
        expect(await idsOf(ground, { text: character })).toEqual(['marked'])
        expect(await idsOf(ground, { text: `e${character}a` })).toEqual(['marked'])
        expect(await idsOf(ground, { text: `x${character}` })).toEqual([])
      },
    )

    test('a tag is matched whole and by case', async () => {
      const ground = await Ground.create(open)
      await ground.register('j-1', { tags: ['nightly'] })
      await ground.register('j-2', { tags: ['night', 'a"b', '["x","y"]'] })
      await ground.register('j-3', { tags: ['NIGHT', '%'] })
      const tagged = (tag: string) => idsOf(ground, { tag })
      expect(await tagged('night')).toEqual(['j-2'])
      expect(await tagged('nightly')).toEqual(['j-1'])
      expect(await tagged('a"b')).toEqual(['j-2'])
      expect(await tagged('["x","y"]')).toEqual(['j-2'])
      expect(await tagged('x')).toEqual([])
      expect(await tagged('%')).toEqual(['j-3'])
      expect(await tagged('')).toEqual([])
    })

    test('a search among many finds the few, in pages too', async () => {
      const ground = await Ground.create(open)
      await Promise.all(
        upTo(1300).map((n) =>
          ground.register(`j-${n}`, { label: n % 400 === 1 ? 'needle' : 'hay', tags: ['t'] }),
        ),
      )
      const needles = ['j-1201', 'j-801', 'j-401', 'j-1']
      for (const limit of [1, 3, 4, 100]) {
        const found = (await pagesOf(ground, { text: 'Needle' }, limit)).flat()
        expect(found.map(({ jobid }) => jobid)).toEqual(needles)
      }
      expect(await idsOf(ground, { text: 'needle', tag: 't', state: 'active' })).toEqual(needles)
      expect(await idsOf(ground, { tag: 'u' })).toEqual([])
      expect((await pagesOf(ground, { tag: 't' }, 500)).flat()).toHaveLength(1300)
    })

    test('a list goes on from a position whose job has moved', async () => {
      const ground = await Ground.create(open)
      for (const n of upTo(3)) await ground.register(`j-${n}`)
      const before = { watchedAt: noon, id: 1_000_000 }
      const page = await ground.store.listJobs({ limit: 10, before })
      expect(page.jobs).toHaveLength(3)
      const none = await ground.store.listJobs({ limit: 10, before: { watchedAt: 0, id: 1 } })
      expect(none.jobs).toEqual([])
    })
  })
}
