import Database from 'better-sqlite3'
import { get } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { until } from '../e2e/ground.ts'
import { callApi } from '../helpers/app.ts'
import { eventsOf, seqsOf, wrongFieldsOf } from './answers.ts'
import { startServer } from './bare-server.ts'

/** A server with a log of so many events; every hundredth is tagged `rare`, and of job `often`. */
async function startWithLog(count: number, seen: (store: Store) => Store = (store) => store) {
  const at = await startServer({ seen })
  await append(at.store, 1, count)
  return { ...at, events: (query: string) => callApi(`${at.url}/v1/events?${query}`, {}) }
}

/** Each registration of a job is one event. */
async function append(store: Store, from: number, to: number): Promise<void> {
  for (let seq = from; seq <= to; seq += 100) {
    const batch = range(seq, Math.min(seq + 99, to)).map((n) => {
      const tags = n % 100 === 0 ? ['rare'] : []
      return store.registerJob({ upstream: 'prod', jobid: `j-${n}`, tags }, 0)
    })
    await Promise.all(batch)
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

describe('last', () => {
  test('is so many of the newest events, in ascending order', async () => {
    await using at = await startWithLog(50)
    expect(seqsOf(await at.events('last=20'))).toEqual(range(31, 50))
    expect(seqsOf(await at.events('last=1'))).toEqual([50])
    expect(seqsOf(await at.events('last=50'))).toEqual(range(1, 50))
    expect(seqsOf(await at.events('last=1000'))).toEqual(range(1, 50))
  })

  test('of an empty log is an empty page', async () => {
    await using at = await startWithLog(0)
    const page = { items: [], next: 0, newest: 0, oldest: null, gap: false }
    expect(eventsOf(await at.events('last=20'))).toEqual(page)
  })

  test('goes on from next without a miss or a repetition, whatever the filter left out', async () => {
    await using at = await startWithLog(250)
    const page = eventsOf(await at.events('last=1&tag=rare'))
    expect(page.items.map(({ data }) => data.seq)).toEqual([200])
    expect(page).toMatchObject({ next: 250, newest: 250, oldest: 1, gap: false })
    await append(at.store, 251, 320)
    expect(seqsOf(await at.events(`after=${page.next}&tag=rare`))).toEqual([300])
    expect(seqsOf(await at.events(`after=${page.next}`))).toEqual(range(251, 320).slice(0, 100))
  })

  test('goes back as far as it must, to the beginning of the log if need be', async () => {
    await using at = await startWithLog(3210)
    expect(seqsOf(await at.events('last=3&tag=rare'))).toEqual([3000, 3100, 3200])
    const all = range(1, 32).map((n) => n * 100)
    expect(seqsOf(await at.events('last=1000&tag=rare'))).toEqual(all)
    expect(seqsOf(await at.events('last=20&jobid=j-7'))).toEqual([7])
    expect(seqsOf(await at.events('last=20&jobid=j-7&jobid=j-3007'))).toEqual([7, 3007])
    expect(seqsOf(await at.events('last=20&type=job.failed'))).toEqual([])
    expect(seqsOf(await at.events('last=1000'))).toEqual(range(2211, 3210))
  })

  test('of very large events are fewer, but the newest and without a hole', async () => {
    await using at = await startServer()
    const tags = range(1, 50).map((n) => String(n).padStart(100, 't'))
    const label = 'ä'.repeat(200)
    const jobs = range(1, 2000).map((n) => ({ upstream: 'prod', jobid: `j-${n}`, tags, label }))
    await Promise.all(jobs.map((job) => at.store.registerJob(job, 0)))
    const answer = await callApi(`${at.url}/v1/events?last=1000`, {})
    expect(answer.text.length).toBeLessThan(12_000_000)
    const seqs = seqsOf(answer)
    expect(seqs.length).toBeGreaterThan(500)
    expect(seqs).toEqual(range(2001 - seqs.length, 2000))
  })

  test('of a pruned log are those that are kept, and that is no gap', async () => {
    await using at = await startWithLog(30)
    const db = new Database(at.file)
    db.exec('DELETE FROM events WHERE seq <= 25')
    expect(eventsOf(await at.events('last=20'))).toMatchObject({ next: 30, oldest: 26, gap: false })
    expect(seqsOf(await at.events('last=20'))).toEqual(range(26, 30))
    db.exec('DELETE FROM events')
    db.close()
    const page = { items: [], next: 30, newest: 30, oldest: null, gap: false }
    expect(eventsOf(await at.events('last=20'))).toEqual(page)
  })

  test('is between 1 and 1000', async () => {
    await using at = await startWithLog(1)
    for (const last of ['0', '-1', '1001', '1.5', 'all', '', '5&last=6']) {
      expect(wrongFieldsOf(await at.events(`last=${last}`)), last).toEqual(['last'])
    }
  })

  test.each([
    ['after=1', 'last'],
    ['after=x', 'last'],
    ['limit=100', 'limit'],
    ['wait=30s', 'wait'],
  ])('does not go with %s', async (other, field) => {
    await using at = await startWithLog(1)
    expect(wrongFieldsOf(await at.events(`last=20&${other}`))).toEqual([field])
  })

  test('goes with an empty after, which is none', async () => {
    await using at = await startWithLog(3)
    expect(seqsOf(await at.events('last=2&after='))).toEqual([2, 3])
  })
})

describe('a search that goes far back', () => {
  test('lets others have the event loop in between', async () => {
    let turn = 0
    const turns: number[] = []
    await using at = await startWithLog(5000, (store) => ({
      ...store,
      readTail(query) {
        turns.push(turn)
        setImmediate(() => (turn += 1))
        return store.readTail(query)
      },
    }))
    expect(seqsOf(await at.events('last=1&tag=absent'))).toEqual([])
    expect(turns.length).toBeGreaterThanOrEqual(5)
    expect(new Set(turns).size).toBe(turns.length)
  })

  test.each(['last=1&tag=absent', 'tag=absent'])(
    'ends when its client leaves: %s',
    async (query) => {
      let reads = 0
      let leave = (): void => undefined
      const left = new Promise<void>((resolve) => (leave = resolve))
      /** The second read is answered when the client is gone. */
      const held = async <T>(read: Promise<T>): Promise<T> => {
        reads += 1
        if (reads === 2) await left
        return read
      }
      await using at = await startWithLog(5000, (store) => ({
        ...store,
        readTail: (asked) => held(store.readTail(asked)),
        readEvents: (asked) => held(store.readEvents(asked)),
      }))
      const request = get(`${at.url}/v1/events?${query}`).on('error', () => undefined)
      await until(() => reads === 2)
      request.destroy()
      await until(
        () => new Promise((resolve) => at.server.server.getConnections((_, n) => resolve(n === 0))),
      )
      leave()
      // What would be read besides is read within these turns.
      expect(seqsOf(await at.events('last=1'))).toEqual([5000])
      expect(reads).toBe(3)
    },
  )
})
