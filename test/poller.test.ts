import { expect, test } from 'vitest'
import type { Look } from '../src/upstream/upstream.ts'
import { settle } from './helpers/fake-clock.ts'
import { completed, running, watching } from './helpers/watching.ts'

test('a registered job is looked at without waiting for its interval', async () => {
  await using at = await watching()
  await at.watch('j1')
  expect(at.upstream.asked).toEqual(['j1'])
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
})

test('pauses stretch from interval to maxInterval while nothing changes, and shrink on a change', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const pauses: number[] = []
  const pauseBefore = () => (at.poller.statusOf(job.id)?.nextPollAt ?? 0) - at.clock.now()
  for (let look = 0; look < 6; look += 1) {
    pauses.push(pauseBefore())
    await at.clock.advance(pauseBefore())
  }
  expect(pauses).toEqual([5000, 7500, 11_250, 16_875, 20_000, 20_000])
  at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
  await at.clock.advance(pauseBefore())
  expect(pauseBefore()).toBe(5000)
})

test('a job whose stages follow each other closely is looked at every interval between them, too', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const pauseBefore = () => (at.poller.statusOf(job.id)?.nextPollAt ?? 0) - at.clock.now()
  at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
  await at.clock.advance(pauseBefore())
  const pauses: number[] = []
  for (let look = 0; look < 4; look += 1) {
    pauses.push(pauseBefore())
    await at.clock.advance(pauseBefore())
  }
  expect(pauses).toEqual([5000, 5000, 5000, 5000])
})

test('how late a look begins is measured, but not for one that is asked for', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  expect(await at.metric('jobwatch_poll_lag_seconds_count')).toBe(1)
  expect(await at.metric('jobwatch_poll_lag_seconds_sum')).toBe(0)
  // It was due after five seconds.
  at.clock.jump(8000)
  await at.clock.advance(0)
  expect(await at.metric('jobwatch_poll_lag_seconds_count')).toBe(2)
  expect(await at.metric('jobwatch_poll_lag_seconds_sum')).toBe(3)
  at.clock.jump(1000)
  await at.poller.pollNow(job)
  expect(at.upstream.asked).toHaveLength(3)
  expect(await at.metric('jobwatch_poll_lag_seconds_count')).toBe(2)
})

test('a look that changed nothing writes nothing', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const before = await at.store.findJob(job)
  await at.clock.advance(60_000)
  expect(at.upstream.asked.length).toBeGreaterThan(3)
  expect(await at.store.findJob(job)).toEqual(before)
  expect(at.poller.statusOf(job.id)?.polledAt).toBeGreaterThan(before?.polledAt ?? 0)
})

test('what makes no event is still in the job after the look', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  at.upstream.look = () => running('b', { updatedAt: at.clock.now() })
  await at.clock.advance(5000)
  expect((await at.store.findJob(job))?.updatedAt).toBe(at.clock.now())
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
})

test('an ended job is looked at after 6 and 20 intervals, and then no more', async () => {
  await using at = await watching()
  at.upstream.look = () => completed('done')
  const job = await at.watch('j1')
  await at.clock.advance(29_999)
  expect(at.upstream.asked).toHaveLength(1)
  await at.clock.advance(1)
  expect(at.upstream.asked).toHaveLength(2)
  await at.clock.advance(99_999)
  expect(at.upstream.asked).toHaveLength(2)
  await at.clock.advance(1)
  expect(at.upstream.asked).toHaveLength(3)
  await at.clock.advance(6_000_000)
  expect(at.upstream.asked).toHaveLength(3)
  expect(at.poller.statusOf(job.id)).toBeNull()
  expect(await at.types()).toEqual(['job.watched', 'job.completed'])
})

test('a job that runs again after its end is reopened and followed as before', async () => {
  await using at = await watching()
  at.upstream.look = () => completed('done')
  const job = await at.watch('j1')
  at.upstream.look = () => running('again')
  await at.clock.advance(30_000)
  expect(await at.types()).toEqual(['job.watched', 'job.completed', 'job.reopened'])
  expect(await at.store.findJob(job)).toMatchObject({ state: 'active', outcome: null })
  at.upstream.look = () => completed('done at last')
  await at.clock.advance(5000)
  expect(await at.types()).toEqual([
    'job.watched',
    'job.completed',
    'job.reopened',
    'job.completed',
  ])
})

test('a COMPLETED that does not look finished is looked at three times more before it is told', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const unfinished = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: null } as const
  at.upstream.look = () => running('too early', unfinished)
  await at.clock.advance(5000)
  for (const pause of [5000, 10_000, 30_000]) {
    expect(await at.types()).toEqual(['job.watched', 'job.executing'])
    expect(at.poller.statusOf(job.id)).toMatchObject({
      problem: { kind: 'unconfirmed' },
      nextPollAt: at.clock.now() + pause,
    })
    await at.clock.advance(pause)
  }
  expect(await at.types()).toEqual(['job.watched', 'job.executing', 'job.completed'])
  expect(at.poller.statusOf(job.id)?.problem).toBeNull()
})

test('an error before it does not make the confirmation of an end, or the way to lost, another one', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const away = { outcome: 'failed', failure: 'transient', detail: '', retryAfterMs: null } as const
  at.upstream.look = () => away
  await at.clock.advance(5000)
  const unfinished = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: null } as const
  at.upstream.look = () => running('too early', unfinished)
  await at.clock.advance(5000)
  const pause = () => (at.poller.statusOf(job.id)?.nextPollAt ?? 0) - at.clock.now()
  const pauses: number[] = []
  for (let look = 0; look < 3; look += 1) {
    pauses.push(pause())
    await at.clock.advance(pause())
  }
  expect(pauses).toEqual([5000, 10_000, 30_000])
  expect((await at.types()).at(-1)).toBe('job.completed')

  const other = await at.watch('j2')
  at.upstream.look = () => away
  await at.clock.advance(200_000)
  at.upstream.look = () => ({ outcome: 'missing', detail: 'HTTP 404' })
  await at.clock.advance(200_000)
  expect((await at.store.findJob(other))?.state).toBe('lost')
  expect((at.poller.statusOf(other.id)?.nextPollAt ?? 0) - at.clock.now()).toBeLessThanOrEqual(
    20_000,
  )
})

test('a job that had ended, was stopped and is watched again tells its end again', async () => {
  await using at = await watching()
  at.upstream.look = () => completed('done')
  const job = await at.watch('j1')
  await at.store.stopJob(job, at.clock.now())
  at.poller.unwatch(job.id)
  await at.watch('j1')
  expect(await at.types()).toEqual([
    'job.watched',
    'job.completed',
    'job.unwatched',
    'job.watched',
    'job.completed',
  ])
})

test('a COMPLETED that is taken back was never told', async () => {
  await using at = await watching()
  const unfinished = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: null } as const
  at.upstream.look = () => running('too early', unfinished)
  await at.watch('j1')
  at.upstream.look = () => running('still at it')
  await at.clock.advance(5000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
})

test('a job that the upstream no longer knows is lost after a minute, and found when it is back', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  at.upstream.look = () => ({ outcome: 'missing', detail: 'HTTP 404' })
  await at.clock.advance(60_000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  expect(at.poller.statusOf(job.id)?.problem?.kind).toBe('missing')
  await at.clock.advance(25_000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing', 'job.lost'])
  expect((await at.store.findJob(job))?.state).toBe('lost')
  const asked = at.upstream.asked.length
  await at.clock.advance(200_000)
  expect(at.upstream.asked.length - asked).toBe(10)
  at.upstream.look = () => running('back')
  await at.clock.advance(20_000)
  expect((await at.types()).slice(3)).toEqual(['job.found'])
  expect((await at.store.findJob(job))?.state).toBe('active')
})

test('a job that is told of again while it is lost is looked at anew, without job.found', async () => {
  await using at = await watching()
  at.upstream.look = () => ({ outcome: 'missing', detail: 'HTTP 404' })
  await at.watch('j1')
  await at.clock.advance(100_000)
  at.upstream.look = () => running('back')
  await at.watch('j1')
  expect(await at.types()).toEqual(['job.watched', 'job.lost', 'job.watched', 'job.executing'])
})

test('a job without a change for stallAfter is stalled, and resumed with its next change', async () => {
  await using at = await watching({ stallAfterMs: 600_000 })
  const job = await at.watch('j1')
  const since = new Date(at.clock.now()).toISOString()
  await at.clock.advance(599_000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  await at.clock.advance(22_000)
  expect((await at.types()).slice(2)).toEqual(['job.stalled'])
  const stored = await at.store.findJob(job)
  await at.clock.advance(6_000_000)
  expect((await at.types()).slice(3)).toEqual([])
  expect(await at.store.findJob(job)).toEqual(stored)
  at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
  await at.clock.advance(22_000)
  expect((await at.types()).slice(3)).toEqual(['job.resumed', 'job.cancelling'])
  const { events } = await at.store.readEvents({ after: 2, limit: 2, filter: {} })
  for (const { text } of events) {
    expect((JSON.parse(text) as { data: { change: object } }).data.change).toEqual({
      kind: 'stall',
      since,
    })
  }
})

test('a job past its deadline is overdue once, also while the upstream is away', async () => {
  await using at = await watching()
  const { job } = await at.store.registerJob(
    { upstream: 'prod', jobid: 'j1', deadline: { atMs: at.clock.now() + 300_000 } },
    at.clock.now(),
  )
  at.poller.watch(job)
  await settle()
  at.upstream.look = () => ({
    outcome: 'failed',
    failure: 'transient',
    detail: 'HTTP 503',
    retryAfterMs: null,
  })
  await at.clock.advance(290_000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing', 'upstream.down'])
  await at.clock.advance(3_000_000)
  expect((await at.types()).slice(3)).toEqual(['job.overdue'])
})

test('failed looks are no events: the job keeps its state, shows the problem, and is asked less often', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  const before = await at.store.findJob(job)
  at.upstream.look = () => ({
    outcome: 'failed',
    failure: 'transient',
    detail: 'HTTP 503',
    retryAfterMs: null,
  })
  const since = at.clock.now() + 5000
  await at.clock.advance(5000)
  await at.clock.advance(5000)
  expect(at.poller.statusOf(job.id)).toMatchObject({
    problem: { kind: 'transient', detail: 'HTTP 503', since, attempts: 2 },
    nextPollAt: at.clock.now() + 10_000,
  })
  await at.clock.advance(600_000)
  const pause = (at.poller.statusOf(job.id)?.nextPollAt ?? 0) - at.clock.now()
  expect(pause).toBeLessThanOrEqual(60_000)
  expect(await at.store.findJob(job)).toEqual(before)

  at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
  await at.clock.advance(60_000)
  expect(at.poller.statusOf(job.id)?.problem).toBeNull()
  expect((await at.types()).filter((type) => type.startsWith('job.'))).toEqual([
    'job.watched',
    'job.executing',
    'job.cancelling',
  ])
})

test('Retry-After silences the whole upstream until then', async () => {
  await using at = await watching()
  await at.watch('j1')
  await at.watch('j2')
  at.upstream.look = () => ({
    outcome: 'failed',
    failure: 'throttled',
    detail: 'HTTP 429',
    retryAfterMs: 120_000,
  })
  await at.clock.advance(5000)
  const asked = at.upstream.asked.length
  at.upstream.look = () => running('b')
  await at.clock.advance(119_000)
  // The one that was in flight at the same moment may still have gone out.
  expect(at.upstream.asked.length - asked).toBe(0)
  await at.clock.advance(30_000)
  expect(at.upstream.asked.slice(asked).sort()).toContain('j1')
  expect(at.upstream.asked.slice(asked).sort()).toContain('j2')
})

test('no more requests are in flight than concurrency allows, and one per job', async () => {
  await using at = await watching({ concurrency: 3 })
  const open = new Map<string, () => void>()
  let most = 0
  at.upstream.look = (jobid) =>
    new Promise((resolve) => {
      expect(open.has(jobid)).toBe(false)
      open.set(jobid, () => {
        open.delete(jobid)
        resolve(running('a'))
      })
      most = Math.max(most, open.size)
    })
  for (let n = 0; n < 10; n += 1) await at.watch(`j${n}`)
  for (let round = 0; round < 30; round += 1) {
    await at.clock.advance(5000)
    for (const finish of [...open.values()]) finish()
    await settle()
  }
  expect(most).toBe(3)
  expect(new Set(at.upstream.asked).size).toBe(10)
  for (const finish of [...open.values()]) finish()
})

test('a job that was stopped while it was being looked at gets no event of that look', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  let answer: (look: Look) => void = () => undefined
  at.upstream.look = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  await at.clock.advance(5000)
  await at.store.stopJob(job, at.clock.now())
  answer(completed('done'))
  await settle()
  expect(await at.types()).toEqual(['job.watched', 'job.executing', 'job.unwatched'])
  expect(at.poller.statusOf(job.id)).toBeNull()
})

test('a label that is set while a job is being looked at costs neither the label nor the look', async () => {
  await using at = await watching()
  const job = await at.watch('j1')
  let answer: (look: Look) => void = () => undefined
  at.upstream.look = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  await at.clock.advance(5000)
  await at.store.registerJob(
    { ...job, label: 'mine', tags: undefined, deadline: undefined },
    at.clock.now(),
  )
  answer(completed('done'))
  await settle()
  expect(await at.types()).toEqual(['job.watched', 'job.executing', 'job.completed'])
  expect((await at.store.findJob(job))?.label).toBe('mine')
})

test('a crash of a look is logged and the job is looked at again', async () => {
  await using at = await watching()
  at.upstream.look = () => {
    throw new Error('a bug')
  }
  await at.watch('j1')
  expect(await at.types()).toEqual(['job.watched'])
  at.upstream.look = () => running('a')
  await at.clock.advance(6000)
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
})

test('after a restart all active jobs are due again, spread over their interval', async () => {
  await using at = await watching()
  for (let n = 0; n < 50; n += 1) {
    await at.store.registerJob({ upstream: 'prod', jobid: `j${n}` }, at.clock.now())
  }
  await at.store.registerJob({ upstream: 'other', jobid: 'elsewhere' }, at.clock.now())
  let draws = 0
  await at.restart(() => (draws++ % 50) / 50)
  await at.clock.advance(2400)
  expect(at.upstream.asked.length).toBeGreaterThan(20)
  expect(at.upstream.asked.length).toBeLessThan(30)
  await at.clock.advance(2600)
  expect(new Set(at.upstream.asked).size).toBe(50)
  expect(at.upstream.asked).not.toContain('elsewhere')
})

test('stop waits for the looks in flight and begins no other', async () => {
  await using at = await watching()
  let answer: (look: Look) => void = () => undefined
  at.upstream.look = () =>
    new Promise((resolve) => {
      answer = resolve
    })
  await at.watch('j1')
  const stopped = at.poller.stop()
  answer(running('a'))
  await stopped
  expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  await at.clock.advance(60_000)
  expect(at.upstream.asked).toEqual(['j1'])
})
