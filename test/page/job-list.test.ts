import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JobAnswer } from '../../src/http/schemas.ts'
import { noFilters } from '../../src/web/address.ts'
import {
  countRunning,
  failedAt,
  keyOf,
  listed,
  withAnswers,
  withEvents,
} from '../../src/web/job-list.ts'
import type { KnownJobs } from '../../src/web/job-list.ts'
import { noon } from '../helpers/builders.ts'
import { aJobAnswer, anEvent, isoAt } from './answers.ts'

const hour = 3_600_000

function knowing(...jobs: readonly JobAnswer[]): KnownJobs {
  return withAnswers(new Map(), jobs, noon)
}

function seqOf(known: KnownJobs, jobid: string): number | null | undefined {
  return known.get(keyOf({ upstream: 'prod', jobid }))?.job.lastSeq
}

describe('answers and events that cross on their way', () => {
  const jobids = ['j1', 'j2', 'j3']
  /** A log of three jobs, and what tells of it: snapshots as of some seq, and the events. */
  const news = fc
    .array(fc.constantFrom(...jobids), { minLength: 1, maxLength: 30 })
    .chain((log) => {
      const snapshots = fc.array(fc.nat({ max: log.length }), { minLength: 1, maxLength: 10 })
      return snapshots.chain((seqs) => {
        const answers = seqs.map((seq) => (known: KnownJobs) => {
          const jobs = jobids.map((jobid) => jobAsOf(log, jobid, seq))
          return withAnswers(known, jobs, noon + seq * 1000)
        })
        const events = log.map((jobid, index) => (known: KnownJobs) => {
          return withEvents(known, [anEvent(jobAsOf(log, jobid, index + 1))])
        })
        const all = [...answers, ...events]
        return fc.record({
          log: fc.constant(log),
          order: fc.shuffledSubarray(all, { minLength: all.length }),
        })
      })
    })

  function jobAsOf(log: readonly string[], jobid: string, seq: number): JobAnswer {
    const last = log.slice(0, seq).lastIndexOf(jobid)
    return aJobAnswer({ jobid, title: `as of ${last + 1}`, lastSeq: last < 0 ? null : last + 1 })
  }

  test('leave each job as its last event did, and never take it back, in whatever order', () => {
    fc.assert(
      fc.property(news, ({ log, order }) => {
        let known: KnownJobs = new Map()
        for (const take of order) {
          const before = known
          known = take(known)
          for (const jobid of jobids) {
            expect(seqOf(known, jobid) ?? 0).toBeGreaterThanOrEqual(seqOf(before, jobid) ?? 0)
          }
        }
        for (const jobid of new Set(log)) {
          const seq = log.lastIndexOf(jobid) + 1
          const job = known.get(`prod/${jobid}`)?.job
          expect(job).toMatchObject({ lastSeq: seq, title: `as of ${seq}` })
        }
      }),
    )
  })

  test('taken in twice change nothing', () => {
    const event = anEvent(aJobAnswer({ lastSeq: 4 }))
    const once = withEvents(new Map(), [event])
    expect(withEvents(once, [event, event])).toEqual(once)
  })

  test('leave what was known before as it was', () => {
    const before = knowing(aJobAnswer({ lastSeq: 1 }))
    withEvents(before, [anEvent(aJobAnswer({ lastSeq: 2 }))])
    withAnswers(before, [aJobAnswer({ lastSeq: 3 })], noon)
    expect(seqOf(before, 'j1')).toBe(1)
  })

  test('an answer says what no event tells, such as a label', () => {
    const known = withEvents(new Map(), [anEvent(aJobAnswer({ lastSeq: 4 }))])
    const named = withAnswers(known, [aJobAnswer({ lastSeq: 4, label: 'Night run' })], noon)
    expect(named.get('prod/j1')?.job.label).toBe('Night run')
  })

  test('tell when a job was so: an event by its time, an answer by the last look', () => {
    const byEvent = withEvents(new Map(), [anEvent(aJobAnswer({ lastSeq: 4 }))])
    expect(byEvent.get('prod/j1')?.at).toBe(noon + 4000)
    const polledAt = isoAt(noon - hour)
    expect(knowing(aJobAnswer({ polledAt })).get('prod/j1')?.at).toBe(noon - hour)
    expect(knowing(aJobAnswer()).get('prod/j1')?.at).toBe(noon)
  })

  test('events of no job leave the jobs alone', () => {
    const { data, ...event } = anEvent(aJobAnswer())
    const { seq, previousSeq, change } = data
    const ofUpstream = { ...event, data: { seq, previousSeq, change } }
    expect(withEvents(new Map(), [ofUpstream]).size).toBe(0)
  })

  test('jobs of the same id in two upstreams are two', () => {
    expect(knowing(aJobAnswer(), aJobAnswer({ upstream: 'test' })).size).toBe(2)
  })
})

describe('the list', () => {
  const ids = (known: KnownJobs, filters: Partial<typeof noFilters> = {}) =>
    listed(known, { ...noFilters, ...filters }).map(({ job }) => job.jobid)
  const ended = (jobid: string, endedAt: number | null, fields: Partial<JobAnswer> = {}) =>
    aJobAnswer({
      jobid,
      state: 'ended',
      status: 'COMPLETED',
      outcome: 'success',
      endedAt: endedAt === null ? null : isoAt(endedAt),
      ...fields,
    })

  test('begins with what runs, the latest start first, then what ended, the latest end first', () => {
    const known = knowing(
      ended('ended long ago', noon),
      aJobAnswer({ jobid: 'runs long', startedAt: isoAt(noon - hour) }),
      ended('ended now', noon + hour, { startedAt: isoAt(noon - 2 * hour) }),
      aJobAnswer({ jobid: 'just begun', startedAt: isoAt(noon + hour) }),
    )
    expect(ids(known)).toEqual(['just begun', 'runs long', 'ended now', 'ended long ago'])
  })

  test('goes by when a job was first watched or last changed where no better time is known', () => {
    const known = knowing(
      ended('changed', null, { changedAt: isoAt(noon + 1) }),
      ended('watched', null, { watchedAt: isoAt(noon + 2) }),
      aJobAnswer({ jobid: 'unseen', startedAt: null, watchedAt: isoAt(noon + 3) }),
    )
    expect(ids(known)).toEqual(['unseen', 'watched', 'changed'])
  })

  test('keeps jobs of the same time in the order of their ids', () => {
    const jobs = ['b', 'a', 'c'].map((jobid) => aJobAnswer({ jobid }))
    expect(ids(knowing(...jobs))).toEqual(['a', 'b', 'c'])
    expect(ids(knowing(...jobs.toReversed()))).toEqual(['a', 'b', 'c'])
  })

  test('counts as ended what is lost or no longer watched', () => {
    const known = knowing(
      aJobAnswer({ jobid: 'lost', state: 'lost' }),
      aJobAnswer({ jobid: 'stopped', state: 'stopped' }),
      aJobAnswer({ jobid: 'runs', startedAt: isoAt(noon - hour) }),
    )
    expect(ids(known)[0]).toBe('runs')
    expect(countRunning(known)).toBe(1)
  })

  const filtered = knowing(
    aJobAnswer({ jobid: 'plain' }),
    aJobAnswer({ jobid: 'tagged', tags: ['nightly'] }),
    aJobAnswer({ jobid: 'elsewhere', upstream: 'test' }),
    ended('over', noon),
    aJobAnswer({
      jobid: 'AFC-7',
      label: 'Würmer',
      title: 'Tiles',
      username: 'Ada',
      operation: '/x',
    }),
  )
  test.each([
    [{ state: 'ended' }, ['over']],
    [{ status: 'COMPLETED' }, ['over']],
    [{ upstream: 'test' }, ['elsewhere']],
    [{ tag: 'nightly' }, ['tagged']],
    [{ tag: 'night' }, []],
    [{ q: 'WÜRM' }, ['AFC-7']],
    [{ q: 'tiles' }, ['AFC-7']],
    [{ q: 'ada' }, ['AFC-7']],
    [{ q: 'afc-7' }, ['AFC-7']],
    [{ q: '/x' }, ['AFC-7']],
    [{ q: 'ada', state: 'ended' }, []],
  ])('lets through what fits %o', (filters, jobids) => {
    expect(ids(filtered, filters)).toEqual(jobids)
  })
})

describe('when a job failed', () => {
  test.each([
    ['runs', aJobAnswer(), null],
    ['succeeded', aJobAnswer({ outcome: 'success', endedAt: isoAt(noon) }), null],
    ['was cancelled', aJobAnswer({ outcome: 'cancelled', endedAt: isoAt(noon) }), null],
    ['is no longer watched', aJobAnswer({ state: 'stopped' }), null],
    ['failed', aJobAnswer({ outcome: 'error', endedAt: isoAt(noon + 5) }), noon + 5],
    [
      'failed, when is not said',
      aJobAnswer({ outcome: 'error', changedAt: isoAt(noon + 6) }),
      noon + 6,
    ],
    ['was lost', aJobAnswer({ state: 'lost', changedAt: isoAt(noon + 7) }), noon + 7],
    ['was lost unseen', aJobAnswer({ state: 'lost' }), noon],
  ])('one that %s', (_, job, at) => {
    expect(failedAt(job)).toBe(at)
  })
})
