import { describe, expect, test } from 'vitest'
import { noon } from './helpers/builders.ts'
import { settle } from './helpers/fake-clock.ts'
import { failing, missing, running, watching } from './helpers/watching.ts'
import type { Watching } from './helpers/watching.ts'

const minute = 60_000
const iso = (ms: number) => new Date(ms).toISOString()

async function watchMany(at: Watching, count: number) {
  const jobs = []
  for (let n = 1; n <= count; n += 1) jobs.push(await at.watch(`j${n}`))
  return jobs
}

/** Requests that were made while time passed. */
async function askedIn(at: Watching, ms: number): Promise<number> {
  const before = at.upstream.asked.length
  await at.clock.advance(ms)
  return at.upstream.asked.length - before
}

describe('an upstream that is away', () => {
  test('is told once when it is down and once when it is up, and its jobs keep their state', async () => {
    await using at = await watching()
    const jobs = await watchMany(at, 3)
    const before = await at.store.findJob(jobs[0] ?? { upstream: '', jobid: '' })
    at.upstream.look = () => failing('transient')
    await at.clock.advance(10 * minute)
    expect(at.gate.status()).toMatchObject({
      state: 'down',
      since: noon + 5000,
      lastError: 'as if transient',
    })
    at.upstream.look = () => running('a')
    await at.clock.advance(2 * minute)
    expect(at.gate.status()).toMatchObject({ state: 'up', lastError: null })
    const since = iso(noon + 5000)
    expect(await at.upstreamEvents()).toEqual([
      { type: 'upstream.down', kind: 'upstream', reason: 'as if transient', since },
      { type: 'upstream.up', kind: 'upstream', reason: 'it answers again', since },
    ])
    expect((await at.types()).filter((type) => type.startsWith('job.'))).toHaveLength(6)
    expect(await at.store.findJob(jobs[0] ?? { upstream: '', jobid: '' })).toEqual(before)
  })

  test('is up because it answered, whatever fails while that is written', async () => {
    await using at = await watching()
    const failed = failing('transient')
    for (const ms of [0, 20_000]) await at.gate.failed(failed, noon + ms)
    // None of these waits for the one before it to be written.
    await Promise.all([
      at.gate.failed(failed, noon + 40_000),
      at.gate.worked(noon + 40_001),
      at.gate.failed(failed, noon + 40_002),
    ])
    await settle()
    const told = (await at.upstreamEvents()).map((event) => [
      event.type,
      'reason' in event && event.reason,
    ])
    expect(told).toEqual([
      ['upstream.down', 'as if transient'],
      ['upstream.up', 'it answers again'],
    ])
  })

  test('is not down before downAfter, however many looks failed', async () => {
    await using at = await watching()
    await watchMany(at, 20)
    at.upstream.look = () => failing('transient')
    // The first look of the row is at 5 s.
    await at.clock.advance(34_900)
    expect(await at.upstreamEvents()).toEqual([])
    await at.clock.advance(20_000)
    expect(await at.upstreamEvents()).toHaveLength(1)
  })

  test('costs one probe each maxInterval, whatever the number of jobs, and all are looked at again soon after', async () => {
    await using at = await watching()
    const jobs = await watchMany(at, 50)
    at.upstream.look = () => failing('transient')
    await at.clock.advance(2 * minute)
    expect(at.gate.status().state).toBe('down')
    expect(await askedIn(at, 10 * minute)).toBeLessThanOrEqual(31)
    at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
    await at.clock.advance(45_000)
    for (const job of jobs) {
      expect(await at.store.findJob(job)).toMatchObject({ status: 'CANCELLING' })
    }
  })

  test('is soon asked again when it has just gone down, and ever less often after that', async () => {
    await using at = await watching()
    await watchMany(at, 50)
    at.upstream.look = () => failing('transient')
    while (at.gate.status().state === 'up') await at.clock.advance(100)
    const pauses: number[] = []
    for (let probe = 0; probe < 5; probe += 1) {
      pauses.push((at.gate.probeAt ?? 0) - at.clock.now())
      expect(await askedIn(at, pauses.at(-1) ?? 0)).toBe(1)
    }
    expect(pauses[0]).toBeLessThanOrEqual(5000)
    expect(pauses.slice(1)).toEqual([10_000, 20_000, 20_000, 20_000])
  })

  test('is asked by another job when the one that probed was stopped', async () => {
    await using at = await watching()
    const [first, second] = await watchMany(at, 2)
    at.upstream.look = () => failing('transient')
    await at.clock.advance(2 * minute)
    if (first === undefined || second === undefined) throw new Error('two jobs are watched')
    await at.store.stopJob(first, at.clock.now())
    at.poller.unwatch(first.id)
    at.upstream.look = () => running('b')
    await at.clock.advance(25_000)
    expect(at.gate.status().state).toBe('up')
  })

  test('stays down over a restart, is asked at once then, and up is told though down was before', async () => {
    await using at = await watching()
    await watchMany(at, 3)
    at.upstream.look = () => failing('transient')
    await at.clock.advance(5 * minute)
    at.upstream.asked.length = 0
    await at.restart()
    expect(at.upstream.asked).toHaveLength(1)
    expect(at.gate.status()).toMatchObject({ state: 'down', since: noon + 5000 })
    at.upstream.look = () => running('b')
    await at.clock.advance(25_000)
    expect((await at.upstreamEvents()).map(({ type }) => type)).toEqual([
      'upstream.down',
      'upstream.up',
    ])
  })

  test('is not down while anything of it works', async () => {
    await using at = await watching()
    await watchMany(at, 4)
    at.upstream.look = (jobid) => (jobid === 'j1' ? running('a') : failing('transient'))
    await at.clock.advance(20 * minute)
    expect(await at.upstreamEvents()).toEqual([])
  })

  test('is looked at all the same for someone who asks, and that look may find it up', async () => {
    await using at = await watching()
    const [job] = await watchMany(at, 1)
    if (job === undefined) throw new Error('a job is watched')
    at.upstream.look = () => failing('transient')
    await at.clock.advance(5 * minute)
    at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
    await at.poller.pollNow(job)
    expect(await at.store.findJob(job)).toMatchObject({ status: 'CANCELLING' })
    expect((await at.types()).slice(-2)).toEqual(['upstream.up', 'job.cancelling'])
  })
})

describe('an upstream that wants to be left alone', () => {
  test('is left alone, and its jobs are overdue and stalled in time all the same', async () => {
    await using at = await watching({ stallAfterMs: 5 * minute })
    const deadline = { atMs: at.clock.now() + 3 * minute }
    const { job } = await at.store.registerJob({ upstream: 'prod', jobid: 'j1', deadline }, noon)
    at.poller.watch(job)
    await settle()
    at.upstream.look = () => failing('throttled', { retryAfterMs: 15 * minute })
    await at.clock.advance(5000)
    expect(await askedIn(at, 3.5 * minute)).toBe(0)
    expect((await at.types()).slice(2)).toEqual(['job.overdue'])
    expect(await askedIn(at, 6 * minute)).toBe(0)
    expect((await at.types()).slice(3)).toEqual(['job.stalled'])
    at.upstream.look = () => running('b')
    await at.clock.advance(6 * minute)
    expect(at.poller.statusOf(job.id)?.problem).toBeNull()
  })
})

describe('an upstream that refuses', () => {
  test('is denied after three looks in a row, and then asked every five minutes', async () => {
    await using at = await watching()
    await watchMany(at, 10)
    at.upstream.look = () => failing('denied', { detail: 'You do not have permissions' })
    await at.clock.advance(20_000)
    const [event, ...more] = await at.upstreamEvents()
    expect(event).toMatchObject({
      type: 'upstream.denied',
      reason: 'You do not have permissions',
    })
    expect(more).toEqual([])
    at.upstream.tokenRetries = 0
    expect(await askedIn(at, 60 * minute)).toBe(12)
    // Each probe may ask for a token, whatever pause the failures before have led to.
    expect(at.upstream.tokenRetries).toBe(12)
    at.upstream.look = () => running('b')
    await at.clock.advance(6 * minute)
    expect((await at.upstreamEvents()).map(({ type }) => type)).toEqual([
      'upstream.denied',
      'upstream.up',
    ])
  })

  test('the credentials is denied at once', async () => {
    await using at = await watching()
    await at.watch('j1')
    at.upstream.look = () => failing('auth', { badCredentials: true })
    await at.clock.advance(5000)
    expect(at.gate.status().state).toBe('denied')
    expect(await askedIn(at, 4 * minute)).toBe(0)
  })

  test('is asked at once for whoever asks, with a new token if need be, and after a restart', async () => {
    await using at = await watching()
    const job = await at.watch('j1')
    at.upstream.look = () => failing('auth', { badCredentials: true })
    await at.clock.advance(5000)
    at.upstream.asked.length = 0
    await at.poller.pollNow(job)
    expect(at.upstream.asked).toEqual(['j1'])
    expect(at.upstream.tokenRetries).toBe(1)
    await at.restart()
    expect(at.upstream.asked).toEqual(['j1', 'j1'])
  })

  test('is not denied for one job that the account may not see among others that it may', async () => {
    await using at = await watching()
    await watchMany(at, 4)
    at.upstream.look = (jobid) => (jobid === 'j1' ? failing('denied') : running('a'))
    await at.clock.advance(20 * minute)
    expect(await at.upstreamEvents()).toEqual([])
  })
})

describe('jobs that go missing together', () => {
  test('are held against the upstream: none is lost, and it is down', async () => {
    await using at = await watching()
    await watchMany(at, 6)
    at.upstream.look = () => missing
    await at.clock.advance(5 * minute)
    expect(at.gate.status()).toMatchObject({ state: 'down' })
    expect(at.gate.status().lastError).toMatch(/6 of 6 running jobs are unknown at once/)
    at.upstream.look = () => running('b')
    await at.clock.advance(2 * minute)
    const types = await at.types()
    expect(types.filter((type) => /lost|found/.test(type))).toEqual([])
    expect(types.filter((type) => type.startsWith('upstream.'))).toEqual([
      'upstream.down',
      'upstream.up',
    ])
  })

  test('are lost when they are still missing after ten times lostAfter: the upstream has forgotten them', async () => {
    await using at = await watching()
    await watchMany(at, 6)
    at.upstream.look = () => missing
    await at.clock.advance(15 * minute)
    const types = (await at.types()).slice(12)
    expect(types.filter((type) => type === 'job.lost')).toHaveLength(6)
    expect(types.slice(0, 2)).toEqual(['upstream.down', 'upstream.up'])
    expect(at.gate.status().state).toBe('up')
  })

  test('are not thought to be back for a job that is lost already or was never there', async () => {
    await using at = await watching()
    at.upstream.look = (jobid) => (jobid === 'never' ? missing : running('a'))
    await at.watch('never')
    await at.clock.advance(2 * minute)
    expect((await at.types()).slice(-1)).toEqual(['job.lost'])
    await watchMany(at, 6)
    at.upstream.look = () => missing
    await at.clock.advance(9 * minute)
    expect((await at.upstreamEvents()).map(({ type }) => type)).toEqual(['upstream.down'])
    expect((await at.types()).filter((type) => type === 'job.lost')).toHaveLength(1)
  })

  test('are not thought to be back for a list that can be read', async () => {
    await using at = await watching({ discovery: { intervalMs: 10_000 } })
    at.discovery.start()
    await watchMany(at, 6)
    at.upstream.look = () => missing
    await at.clock.advance(9 * minute)
    expect((await at.upstreamEvents()).map(({ type }) => type)).toEqual(['upstream.down'])
  })

  test('are lost as ever when most of the others are there', async () => {
    await using at = await watching()
    await watchMany(at, 7)
    const gone = new Set(['j1', 'j2', 'j3'])
    at.upstream.look = (jobid) => (gone.has(jobid) ? missing : running('a'))
    await at.clock.advance(3 * minute)
    expect((await at.types()).filter((type) => type === 'job.lost')).toHaveLength(3)
    expect(await at.upstreamEvents()).toEqual([])
  })

  test('are known to be missing after a restart too', async () => {
    await using at = await watching()
    await watchMany(at, 6)
    at.upstream.look = () => missing
    await at.restart()
    await at.clock.advance(5 * minute)
    expect((await at.types()).filter((type) => /lost|upstream/.test(type))).toEqual([
      'upstream.down',
    ])
  })
})

describe('a look that is asked for', () => {
  test('is made at once and taken in before the answer', async () => {
    await using at = await watching()
    const job = await at.watch('j1')
    at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
    await at.poller.pollNow(job)
    expect(await at.store.findJob(job)).toMatchObject({ status: 'CANCELLING' })
    expect(at.upstream.asked).toHaveLength(2)
  })

  test('is one that begins after it was asked for, also while another is under way', async () => {
    await using at = await watching()
    const job = await at.watch('j1')
    let finish: () => void = () => undefined
    at.upstream.look = () =>
      new Promise((resolve) => {
        finish = () => {
          resolve(running('a'))
        }
      })
    await at.clock.advance(5000)
    const asked = [at.poller.pollNow(job), at.poller.pollNow(job)]
    at.upstream.look = () => running('b', { status: 'CANCELLING', rawStatus: 'CANCELLING' })
    finish()
    await Promise.all(asked)
    expect(at.upstream.asked).toHaveLength(3)
    expect(await at.store.findJob(job)).toMatchObject({ status: 'CANCELLING' })
  })

  test('is made for a job that has ended, which may run again', async () => {
    await using at = await watching()
    const ended = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: noon } as const
    at.upstream.look = () => running('done', ended)
    const job = await at.watch('j1')
    await at.clock.advance(60 * minute)
    expect(at.poller.statusOf(job.id)).toBeNull()
    const now = await at.store.findJob(job)
    if (now === null) throw new Error('the job is kept')
    await at.poller.pollNow(now)
    expect(at.poller.statusOf(job.id)).toBeNull()
    at.upstream.look = () => running('again')
    await at.poller.pollNow(now)
    expect((await at.types()).at(-1)).toBe('job.reopened')
    expect(await askedIn(at, 5000)).toBe(1)
  })

  test('is none of the two that are made after an end', async () => {
    await using at = await watching()
    const ended = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: noon } as const
    at.upstream.look = () => running('done', ended)
    const job = await at.watch('j1')
    for (let n = 0; n < 3; n += 1) {
      await at.clock.advance(1000)
      await at.poller.pollNow(job)
    }
    at.upstream.asked.length = 0
    // Six intervals after the end, and twenty after that.
    await at.clock.advance(26_999)
    expect(at.upstream.asked).toHaveLength(0)
    await at.clock.advance(1)
    expect(at.upstream.asked).toHaveLength(1)
    await at.clock.advance(99_999)
    expect(at.upstream.asked).toHaveLength(1)
    await at.clock.advance(1)
    expect(at.upstream.asked).toHaveLength(2)
    await at.clock.advance(60 * minute)
    expect(at.upstream.asked).toHaveLength(2)
  })

  test('is not made while the upstream wants to be left alone, and does not wait for it either', async () => {
    await using at = await watching()
    const job = await at.watch('j1')
    at.upstream.look = () => failing('throttled', { retryAfterMs: 10 * minute })
    await at.clock.advance(5000)
    at.upstream.asked.length = 0
    await at.poller.pollNow(job)
    expect(at.upstream.asked).toEqual([])
  })

  test('does not wait for ever when the job is stopped or the daemon ends', async () => {
    await using at = await watching()
    const [first, second] = await watchMany(at, 2)
    if (first === undefined || second === undefined) throw new Error('two jobs are watched')
    let finish: () => void = () => undefined
    at.upstream.look = () =>
      new Promise((resolve) => {
        const before = finish
        finish = () => {
          before()
          resolve(running('a'))
        }
      })
    await at.clock.advance(5000)
    const asked = [at.poller.pollNow(first), at.poller.pollNow(second)]
    at.poller.unwatch(first.id)
    const stopped = at.poller.stop()
    await Promise.all(asked)
    finish()
    await stopped
    await settle()
  })
})
