import { describe, expect, test } from 'vitest'
import type { Look } from '../src/upstream/upstream.ts'
import { noon } from './helpers/builders.ts'
import { settle } from './helpers/fake-clock.ts'
import { completed, failing, missing, running, watching } from './helpers/watching.ts'
import type { Watching, WatchingOptions } from './helpers/watching.ts'

const round = 33_000

/** A deployment that lists these ids, with discovery about to begin. */
async function discovering(listed: string[], options: WatchingOptions = {}) {
  const at = await watching(options)
  at.upstream.list = () => ({ outcome: 'listed', jobids: listed })
  return at
}

async function begin(at: Watching): Promise<void> {
  at.discovery.start()
  await at.clock.advance(0)
  await settle(30)
}

function by(username: string, operation = '/gis/admin/services/Parks.MapServer/edit'): Look {
  return running(`${username} ${operation}`, { username, operation })
}

describe('a listed job that nobody registered', () => {
  test('is recorded with job.watched and its status when it runs, and followed from then on', async () => {
    await using at = await discovering(['j1'])
    await begin(at)
    const { events } = await at.store.readEvents({ after: 0, limit: 10, filter: {} })
    const told = events.map(({ text }) => {
      const { type, data } = JSON.parse(text) as { type: string; data: { change: object } }
      return { type, change: data.change }
    })
    expect(told).toEqual([
      { type: 'job.watched', change: { kind: 'registry', by: 'discovery' } },
      {
        type: 'job.executing',
        change: { kind: 'status', from: null, to: 'EXECUTING', rawTo: 'EXECUTING' },
      },
    ])
    expect(at.upstream.asked).toEqual(['j1'])
    at.upstream.look = () => completed('done')
    await at.clock.advance(5000)
    expect((await at.types()).slice(2)).toEqual(['job.completed'])
  })

  test('is recorded in silence when it has ended, and looked at no more', async () => {
    await using at = await discovering(['j1'])
    at.upstream.look = () => completed('done')
    await begin(at)
    await at.clock.advance(3_600_000)
    expect(await at.types()).toEqual([])
    expect(at.upstream.asked).toEqual(['j1'])
    const job = await at.store.findJob({ upstream: 'prod', jobid: 'j1' })
    expect(job).toMatchObject({ state: 'ended', status: 'COMPLETED', outcome: 'success' })
    expect(await at.store.readDocument({ upstream: 'prod', jobid: 'j1' })).toBe('done')
    if (job === null) throw new Error('the job is recorded')
    at.upstream.look = () => running('again')
    await at.poller.pollNow(job)
    expect(await at.types()).toEqual(['job.reopened'])
  })

  test('that says COMPLETED too early is watched when it turns out to run', async () => {
    await using at = await discovering(['j1'])
    const tooEarly = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: null } as const
    at.upstream.look = () => running('too early', tooEarly)
    await begin(at)
    await at.clock.advance(round)
    expect(await at.store.findJob({ upstream: 'prod', jobid: 'j1' })).toBeNull()
    at.upstream.look = () => running('a')
    await at.clock.advance(round)
    expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  })

  test('that goes on saying so has ended, and is recorded in silence', async () => {
    await using at = await discovering(['j1'])
    const tooEarly = { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: null } as const
    at.upstream.look = () => running('too early', tooEarly)
    await begin(at)
    await at.clock.advance(5 * round)
    expect(await at.types()).toEqual([])
    expect(at.upstream.asked).toHaveLength(4)
    expect(await at.store.findJob({ upstream: 'prod', jobid: 'j1' })).toMatchObject({
      state: 'ended',
    })
  })

  test('is left alone when it is known, ended or stopped', async () => {
    await using at = await discovering(['j1', 'j2'])
    const job = await at.watch('j1')
    at.upstream.look = () => completed('done')
    await at.watch('j2')
    await at.store.stopJob(job, at.clock.now())
    at.poller.unwatch(job.id)
    const before = await at.types()
    at.upstream.asked.length = 0
    await begin(at)
    await at.clock.advance(10 * round)
    expect(await at.types()).toEqual(before)
    expect(at.upstream.asked).not.toContain('j1')
  })

  test('comes and goes without a trace when its document is gone already', async () => {
    const listed = ['j1']
    await using at = await discovering(listed)
    at.upstream.look = () => missing
    await begin(at)
    await at.clock.advance(10 * round)
    expect(at.upstream.asked).toHaveLength(3)
    expect(await at.types()).toEqual([])
    listed.length = 0
    await at.clock.advance(round)
    listed.push('j1')
    at.upstream.look = () => running('a')
    await at.clock.advance(round)
    expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  })

  test('whose id could lead elsewhere is not asked for', async () => {
    await using at = await discovering(['..', 'a/b', '', 'x'.repeat(200), 'j1', 'j1'])
    await begin(at)
    expect(at.upstream.asked).toEqual(['j1'])
  })
})

describe('the filter', () => {
  const match = { operation: ['*/backups/create', '*Parks*'], username: ['ops-*'] }

  test('takes up what fits both lists, and remembers what does not as long as it is listed', async () => {
    const listed = ['fits', 'who', 'what']
    await using at = await discovering(listed, { discovery: { match } })
    at.upstream.look = (jobid) => {
      if (jobid === 'fits') return by('ops-anna')
      return jobid === 'who' ? by('eve') : by('ops-anna', '/gis/admin/services/Roads/start')
    }
    await begin(at)
    at.upstream.asked.length = 0
    await at.clock.advance(3 * round)
    expect(at.upstream.asked).not.toContain('who')
    expect(at.upstream.asked).not.toContain('what')
    const { events } = await at.store.readEvents({ after: 0, limit: 10, filter: {} })
    expect(new Set(events.map(({ jobid }) => jobid))).toEqual(new Set(['fits']))

    listed.splice(1, 1)
    await at.clock.advance(round)
    listed.push('who')
    await at.clock.advance(round)
    expect(at.upstream.asked.filter((jobid) => jobid === 'who')).toHaveLength(1)
  })

  test('waits for a job that runs but has not said whose it is', async () => {
    await using at = await discovering(['j1'], { discovery: { match } })
    const bare = { status: 'UNAVAILABLE', rawStatus: 'UNAVAILABLE' } as const
    at.upstream.look = () => running('bare', { ...bare, username: null, operation: null })
    await begin(at)
    await at.clock.advance(5 * round)
    expect(await at.types()).toEqual([])
    at.upstream.look = () => by('ops-anna')
    await at.clock.advance(round)
    expect(await at.types()).toEqual(['job.watched', 'job.executing'])
  })
})

describe('rounds', () => {
  test('look at a bounded number of jobs, the newly listed first, until all ten thousand are known', async () => {
    const listed = Array.from({ length: 10_000 }, (_, n) => `old-${n}`)
    await using at = await discovering(listed, { discovery: { looksPerRound: 1000 } })
    at.upstream.look = () => completed('done')
    at.discovery.start()
    await at.clock.advance(0)
    await settle(1500)
    expect(at.upstream.asked).toHaveLength(1000)
    listed.push('new')
    await at.clock.advance(round)
    await settle(1500)
    expect(at.upstream.asked[1000]).toBe('new')
    expect(at.upstream.asked).toHaveLength(2000)
    for (let n = 0; n < 9; n += 1) {
      await at.clock.advance(round)
      await settle(1500)
    }
    expect(new Set(at.upstream.asked).size).toBe(10_001)
    expect(at.upstream.asked).toHaveLength(10_001)
    expect(await at.types()).toEqual([])
  })

  test('end early when the upstream fails, and go on with the others', async () => {
    await using at = await discovering(['j1', 'j2', 'j3', 'j4'], { discovery: { concurrency: 1 } })
    at.upstream.look = (jobid) => (jobid === 'j2' ? failing('transient') : completed(jobid))
    await begin(at)
    expect(at.upstream.asked).toEqual(['j1', 'j2'])
    at.upstream.look = (jobid) => completed(jobid)
    await at.clock.advance(round)
    expect(at.upstream.asked).toEqual(['j1', 'j2', 'j3', 'j4', 'j2'])
  })

  test('end early also when other looks of the moment work', async () => {
    const listed = Array.from({ length: 40 }, (_, n) => `j${n}`)
    await using at = await discovering(listed, { discovery: { concurrency: 2 } })
    at.upstream.look = (jobid) => (jobid === 'j1' ? failing('transient') : completed(jobid))
    await begin(at)
    expect(at.upstream.asked.length).toBeLessThan(5)
  })

  test('come to every job, whatever some of them do', async () => {
    const bad = Array.from({ length: 9 }, (_, n) => `bad-${n}`)
    const good = Array.from({ length: 9 }, (_, n) => `good-${n}`)
    await using at = await discovering([...bad, ...good])
    at.upstream.look = (jobid) =>
      jobid.startsWith('bad') ? failing('transient') : completed(jobid)
    await begin(at)
    await at.clock.advance(15 * round)
    for (const jobid of good) {
      expect(await at.store.findJob({ upstream: 'prod', jobid })).not.toBeNull()
    }
  })

  test('are not made while the upstream is down, but the list may be the probe that finds it up', async () => {
    await using at = await discovering([], { discovery: { intervalMs: 1000 } })
    at.upstream.list = () => failing('transient')
    await begin(at)
    await at.clock.advance(120_000)
    expect(at.gate.status().state).toBe('down')
    const before = at.upstream.lists
    await at.clock.advance(600_000)
    expect(at.upstream.lists - before).toBeLessThanOrEqual(33)
    at.upstream.list = () => ({ outcome: 'listed', jobids: [] })
    await at.clock.advance(30_000)
    expect((await at.upstreamEvents()).map(({ type }) => type)).toEqual([
      'upstream.down',
      'upstream.up',
    ])
  })

  test('do not make the upstream denied for an account that may not list', async () => {
    await using at = await discovering([])
    at.upstream.list = () => failing('denied')
    await begin(at)
    await at.clock.advance(10 * round)
    await at.watch('j1')
    expect(await at.types()).toEqual(['job.watched', 'job.executing'])
    expect(at.upstream.lists).toBeGreaterThan(5)
  })

  test('do not make the upstream denied for jobs of others that the account may not see', async () => {
    await using at = await discovering(Array.from({ length: 20 }, (_, n) => `theirs-${n}`))
    at.upstream.look = () => failing('denied')
    await begin(at)
    await at.clock.advance(10 * round)
    expect(at.gate.status().state).toBe('up')
    expect(await at.types()).toEqual([])
    // Each a few times, and then no more while they are listed.
    expect(at.upstream.asked.length).toBe(60)
  })

  test('leave a job to whoever registered it while it was being looked at', async () => {
    await using at = await discovering(['j1'])
    at.upstream.look = async () => {
      await at.store.registerJob({ upstream: 'prod', jobid: 'j1', label: 'mine' }, noon)
      return running('a')
    }
    await begin(at)
    expect(await at.types()).toEqual(['job.watched'])
    expect(await at.store.findJob({ upstream: 'prod', jobid: 'j1' })).toMatchObject({
      label: 'mine',
      status: null,
    })
  })

  test('end with the daemon', async () => {
    await using at = await discovering(['j1'])
    await begin(at)
    await at.discovery.stop()
    const { lists } = at.upstream
    await at.clock.advance(10 * round)
    expect(at.upstream.lists).toBe(lists)
  })
})
