import { describe, expect, test } from 'vitest'
import { createLogger } from '../src/log.ts'
import { createMetrics } from '../src/metrics.ts'
import { createRetention } from '../src/retention.ts'
import type { Pruned, PruneQuery } from '../src/store/store.ts'
import { eventsOf } from './http/answers.ts'
import { until } from './e2e/ground.ts'
import { startApp } from './helpers/app.ts'
import { FakeClock } from './helpers/fake-clock.ts'

const day = 86_400_000

/** A loop over a store that has so many slices of each kind, or that fails. */
function looping(slices: number, fail: () => Error | null = () => null) {
  const clock = new FakeClock()
  const asked: PruneQuery[] = []
  const left = { events: slices, deliveries: slices, jobs: slices }
  const retention = createRetention(
    {
      clock,
      log: createLogger('silent'),
      metrics: createMetrics({ version: 'test' }),
      store: {
        prune: (query): Promise<Pruned> => {
          asked.push(query)
          const error = fail()
          if (error !== null) return Promise.reject(error)
          left[query.what] -= 1
          const isMore = left[query.what] > 0
          return Promise.resolve({
            removed: 10,
            next: isMore ? { part: 0, watchedAt: left[query.what], id: 0 } : null,
          })
        },
      },
    },
    { eventsMs: 90 * day, deliveriesMs: 30 * day, jobsMs: 90 * day },
  )
  return { clock, asked, retention }
}

describe('the loop of retention', () => {
  test('goes slice by slice to the end of each kind, each with its own age, and begins anew later', async () => {
    const { clock, asked, retention } = looping(3)
    const begun = clock.now()
    retention.start()
    expect(asked).toEqual([])
    await clock.advance(601_000)
    expect(asked.map(({ what }) => what)).toEqual([
      ...Array<string>(3).fill('deliveries'),
      ...Array<string>(3).fill('events'),
      ...Array<string>(3).fill('jobs'),
    ])
    expect(asked[1]?.from).toMatchObject({ watchedAt: 2 })
    expect(asked[0]?.before).toBeGreaterThanOrEqual(begun + 600_000 - 30 * day)
    expect(asked[3]?.before).toBeLessThan(begun + 601_000 - 89 * day)
    await clock.advance(601_000)
    expect(asked.length).toBeGreaterThan(9)
    await retention.stop()
    expect(clock.timerCount).toBe(0)
  })

  test('goes on at the next round when the database cannot be written', async () => {
    let isBroken = true
    const { clock, asked, retention } = looping(1, () =>
      isBroken ? new Error('database is locked') : null,
    )
    retention.start()
    await clock.advance(601_000)
    expect(asked).toHaveLength(1)
    isBroken = false
    await clock.advance(601_000)
    expect(asked).toHaveLength(4)
    await retention.stop()
  })

  test('stops between two slices', async () => {
    const { clock, asked, retention } = looping(1000)
    retention.start()
    await clock.advance(600_050)
    const before = asked.length
    await retention.stop()
    await clock.advance(601_000)
    expect(asked.length).toBeLessThanOrEqual(before + 1)
  })
})

test('the daemon keeps no longer than it is told, and says what it no longer has', async () => {
  await using app = await startApp({
    config: () => ({ retention: { events: '1s', deliveries: '1s', jobs: '1s' } }),
  })
  await app.post('/v1/jobs', { jobid: 'j1' })
  const first = eventsOf(await app.call('/v1/events?after=0'))
  expect(first.oldest).toBe(1)
  await until(async () => eventsOf(await app.call('/v1/events?after=0')).oldest === null)
  const after = eventsOf(await app.call('/v1/events?after=0'))
  expect(after).toMatchObject({ items: [], gap: true, newest: 1 })
  const { text } = await app.call('/metrics')
  expect(text).toMatch(/^jobwatch_pruned_total\{what="events"\} [1-9]/m)
  // It runs still, and is kept whatever its age.
  expect((await app.call('/v1/jobs/j1')).status).toBe(200)
})
