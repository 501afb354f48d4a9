import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFeed } from '../src/feed.ts'
import { connectGauges } from '../src/gauges.ts'
import type { GaugeSources } from '../src/gauges.ts'
import { createLogger } from '../src/log.ts'
import { createMetrics } from '../src/metrics.ts'
import { openSqliteStore } from '../src/store/sqlite/store.ts'
import { anEndpointSpec } from './helpers/builders.ts'
import { temporaryFolder } from './helpers/daemon.ts'
import { parseExposition, valueOf } from './helpers/exposition.ts'
import { FakeClock } from './helpers/fake-clock.ts'

type Status = ReturnType<GaugeSources['upstreams'][number]['status']>

/** The gauges on a real store, and one upstream whose status the test decides. */
async function ground() {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const database = join(folder.path, 'test.db')
  const store = openSqliteStore({ file: database, overtakeMs: 1000, now: () => clock.now() })
  const feed = createFeed({ store, clock, random: () => 0.5, log, metrics })
  let status: Status = {
    ...{ state: 'up', since: clock.now(), lastSuccessAt: null, lastError: null },
    ...{ tokenExpiresAt: null, requestsPerSecond: 0, clockSkewMs: null, jobs: 0 },
  }
  const upstreams = [{ name: 'prod', status: () => status }]
  connectGauges(metrics, { upstreams, store, feed, database, clock, log })
  return {
    clock,
    store,
    feed,
    text: () => metrics.text(),
    value: async (name: string, labels: Record<string, string> = {}) =>
      valueOf(await metrics.text(), `jobwatch_${name}`, labels),
    set(next: Partial<Status>) {
      status = { ...status, ...next }
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('an upstream is shown as it is when someone asks', async () => {
  await using at = await ground()
  const prod = { upstream: 'prod' }
  const shown = async () => ({
    jobs: await at.value('jobs', { ...prod, state: 'active' }),
    up: await at.value('upstream_state', { ...prod, state: 'up' }),
    down: await at.value('upstream_state', { ...prod, state: 'down' }),
    denied: await at.value('upstream_state', { ...prod, state: 'denied' }),
    breaker: await at.value('upstream_breaker_state', prod),
    lastSuccess: await at.value('upstream_last_success_timestamp_seconds', prod),
    tokenExpiry: await at.value('upstream_token_expiry_timestamp_seconds', prod),
    clockSkew: await at.value('upstream_clock_skew_seconds', prod),
  })
  const unknown = { lastSuccess: undefined, tokenExpiry: undefined, clockSkew: undefined }
  const fresh = { jobs: 0, up: 1, down: 0, denied: 0, breaker: 0, ...unknown }
  expect(await shown()).toEqual(fresh)
  at.set({
    state: 'down',
    lastSuccessAt: 1500,
    tokenExpiresAt: 2500,
    clockSkewMs: -90_000,
    jobs: 7,
  })
  expect(await shown()).toEqual({
    ...{ jobs: 7, up: 0, down: 1, denied: 0, breaker: 1 },
    ...{ lastSuccess: 1.5, tokenExpiry: 2.5, clockSkew: -90 },
  })
  at.set({ state: 'denied', lastSuccessAt: null, tokenExpiresAt: null, clockSkewMs: null, jobs: 0 })
  expect(await shown()).toEqual({ ...fresh, up: 0, denied: 1, breaker: 1 })
})

test('the log and the outbox are shown as the database has them', async () => {
  await using at = await ground()
  expect(await at.value('event_log_last_seq')).toBe(0)
  expect(await at.value('event_log_oldest_seq')).toBeUndefined()
  expect(await at.value('outbox_pending')).toBe(0)
  expect(await at.value('outbox_oldest_age_seconds')).toBe(0)
  await at.store.syncEndpoints([anEndpointSpec('ops')], at.clock.now())
  for (const jobid of ['j1', 'j2']) {
    await at.store.registerJob({ upstream: 'prod', jobid }, at.clock.now())
    await at.clock.advance(5000)
  }
  expect(await at.value('event_log_last_seq')).toBe(2)
  expect(await at.value('event_log_oldest_seq')).toBe(1)
  expect(await at.value('outbox_pending')).toBe(2)
  expect(await at.value('outbox_oldest_age_seconds')).toBe(10)
  // A clock that was set back makes nothing younger than new.
  at.clock.jump(-3_600_000)
  expect(await at.value('outbox_oldest_age_seconds')).toBe(0)
})

test('the readers of the feed are shown by what waits for them and how far they are behind', async () => {
  await using at = await ground()
  const shown = () =>
    Promise.all(['sse_clients', 'sse_queued_bytes', 'sse_lag_events'].map((name) => at.value(name)))
  const register = (jobid: string) =>
    at.store.registerJob({ upstream: 'prod', jobid }, at.clock.now())
  await register('j1')
  expect(await shown()).toEqual([0, 0, 0])
  const sink = {
    write: () => true,
    onDrain: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
    ...{ queuedBytes: 1234, takenBytes: 0 },
  }
  const leave = await at.feed.open({ from: 'live', asked: '', filter: {} }, sink)
  expect(await shown()).toEqual([1, 1234, 0])
  // Nobody wakes this feed.
  await register('j2')
  await register('j3')
  expect(await shown()).toEqual([1, 1234, 2])
  leave()
  expect(await shown()).toEqual([0, 0, 0])
})

test('what needs the database is left out once it is closed, and the rest is still told', async () => {
  await using at = await ground()
  const samplesOf = async (name: string) =>
    parseExposition(await at.text()).get(`jobwatch_${name}`)?.samples
  const [scrape] = await Promise.all([at.text(), at.store.close()])
  parseExposition(scrape)
  for (const name of ['event_log_last_seq', 'outbox_pending', 'outbox_oldest_age_seconds']) {
    expect(await samplesOf(name), name).toEqual([])
  }
  expect(await at.value('sse_clients')).toBe(0)
  expect(await at.value('db_size_bytes')).toBeGreaterThan(0)
  expect(await at.value('wal_size_bytes')).toBeUndefined()
})

test('scrapes at the same time get the same', async () => {
  await using at = await ground()
  const own = (text: string) => text.match(/^jobwatch_(?!process_|nodejs_).*$/gm)
  const texts = await Promise.all([at.text(), at.text(), at.text()])
  const [first = [], ...others] = texts.map(own)
  expect(first?.length).toBeGreaterThan(10)
  for (const other of others) expect(other).toEqual(first)
})
