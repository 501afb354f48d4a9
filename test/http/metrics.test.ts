import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventTypes } from '../../src/core/event.ts'
import { startReceiver } from '../../src/simulator/receiver.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { version } from '../../src/version.ts'
import { openFeed } from '../feed/reader.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import { parseExposition, valueOf } from '../helpers/exposition.ts'
import type { Family } from '../helpers/exposition.ts'
import { closedOrigin } from '../upstream/servers.ts'

/** What docs/metrics.md promises of a metric. `values` are those it names; other labels have any. */
interface Documented {
  readonly type: string
  readonly labels: readonly string[]
  readonly values: ReadonlyMap<string, readonly string[]>
}

/** The metrics of docs/metrics.md, by name. */
function documentedMetrics(): ReadonlyMap<string, Documented> {
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(
    /^\| `(jobwatch_\w+)` +\| (\w+) +\| ([^|]*)\|/gm,
  )
  const metrics = [...rows].map(([, name = '', type = '', labelCell = '']) => {
    const labels = [...labelCell.matchAll(/`(\w+)`(?: \(([^)]*)\))?/g)]
    const values = labels.flatMap(([, label = '', listed]) =>
      listed === undefined ? [] : [[label, listed.split(', ')] as const],
    )
    const names = labels.map(([, label = '']) => label)
    return [name, { type, labels: names, values: new Map(values) }] as const
  })
  expect(new Set(metrics.map(([name]) => name)).size).toBe(metrics.length)
  return new Map(metrics)
}

/** Values of labels that are not listed one by one: names of the configuration, and closed sets. */
const otherValues: Readonly<Record<string, (value: string) => boolean>> = {
  upstream: (value) => ['prod', 'gone'].includes(value),
  type: (value) => eventTypes.some((type) => type === value),
  format: (value) => ['webhook', 'slack'].includes(value),
  route: (value) => /^(none|\/[a-z0-9/:]*)$/.test(value),
  status: (value) => /^[1-5]\d\d$/.test(value),
  version: (value) => value === version,
}

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const operator = { authorization: 'Bearer canary-operator-token' }
const reader = { authorization: 'Bearer canary-reader-token' }

/**
 * A daemon that has been through everything it has a metric for: a job from its first look to its
 * end, one that its upstream does not know, an upstream that is not there, an endpoint that fails,
 * a reader of the feed with an old cursor, a caller without a token.
 */
async function eventfulLife() {
  const receiver = await startReceiver({ secret })
  const refusing = await startReceiver({ secret, answer: () => 500 })
  const gone = `${await closedOrigin()}/gis/admin`
  const app = await startApp({
    config: (simulator: Simulator) => ({
      api: {
        tokens: [
          { name: 'operator', token: 'canary-operator-token', scopes: ['write'] },
          { name: 'reader', token: 'canary-reader-token', scopes: ['read'] },
        ],
      },
      upstreams: [
        anUpstream('prod', simulator),
        { ...anUpstream('gone', simulator), root: gone, auth: { token: 'canary-upstream-token' } },
      ],
      endpoints: [
        { name: 'software', url: receiver.url, secret },
        { name: 'chat', format: 'slack', url: refusing.url, events: ['*'] },
      ],
      delivery: { retry: ['5ms'] },
    }),
  })
  const { simulator } = app
  const post = (path: string, body?: object) =>
    app.call(path, { method: 'POST', headers: operator, body })

  const stream = `${app.url}/v1/events/stream`
  const feed = await openFeed(stream, {
    headers: { ...reader, 'last-event-id': 'ffffffffffff-7' },
  })
  await feed.until('feed.gap')
  const { jobid } = simulator.submit('serviceEdit', { pace: 0.01 })
  expect((await post('/v1/jobs', { jobid, upstream: 'prod' })).status).toBe(201)
  await feed.until('job.completed')
  const leaving = await openFeed(stream, { headers: reader })
  leaving.close()

  for (const [unknown, upstream] of [
    ['canary-unknown-job', 'prod'],
    ['canary-gone-job', 'gone'],
  ]) {
    await post('/v1/jobs', { jobid: unknown, upstream })
    expect((await post(`/v1/jobs/${unknown ?? ''}/poll`)).status).toBe(200)
  }
  expect((await app.call('/v1/jobs')).status).toBe(401)
  // A job's deliveries wait for each other: at the third request the first has been given up.
  await refusing.waitFor(3)
  await receiver.waitFor(3)

  return {
    app,
    jobid,
    secrets: [
      ...['canary', jobid, secret, simulator.password, simulator.url, gone],
      ...[receiver.url, refusing.url, app.url],
    ],
    scrape: () => app.call('/metrics', { headers: reader }),
    async [Symbol.asyncDispose]() {
      feed.close()
      await app[Symbol.asyncDispose]()
      await Promise.all([receiver.close(), refusing.close()])
    },
  }
}

test('each documented metric is there, with its labels and no others, and nothing secret in any', async () => {
  await using life = await eventfulLife()
  const answer = await life.scrape()
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const families = parseExposition(answer.text)
  const documented = documentedMetrics()
  const own = [...families.keys()].filter(
    (name) => !/^jobwatch_(process|nodejs)_/.test(name) || documented.has(name),
  )
  expect(own.sort()).toEqual([...documented.keys()].sort())
  for (const name of families.keys()) expect(name).toMatch(/^jobwatch_/)

  for (const [name, { type, labels, values }] of documented) {
    const family = families.get(name)
    expect(family?.type, name).toBe(type)
    expect(family?.samples.length, name).toBeGreaterThan(0)
    for (const { labels: given, ...sample } of family?.samples ?? []) {
      const { le, ...own } = given
      expect(le === undefined, sample.name).toBe(!sample.name.endsWith('_bucket'))
      expect(Object.keys(own).sort(), name).toEqual([...labels].sort())
      for (const [label, value] of Object.entries(own)) {
        const isKnown = values.get(label)?.includes(value) ?? otherValues[label]?.(value)
        expect(isKnown, `${name} ${label}=${value}`).toBe(true)
      }
    }
  }
  for (const word of life.secrets) expect(answer.text).not.toContain(word)
})

test('every series keeps to its kind: counters do not fall, and buckets grow up to the count', async () => {
  await using life = await eventfulLife()
  const before = parseExposition((await life.scrape()).text)
  const after = parseExposition((await life.scrape()).text)
  for (const [name, { type, samples }] of after) {
    if (type === 'counter') {
      expect(name).toMatch(/_total$/)
      const earlier = samplesByLabels(before.get(name))
      for (const [labels, value] of samplesByLabels(after.get(name))) {
        expect(value, `${name} ${labels}`).toBeGreaterThanOrEqual(earlier.get(labels) ?? 0)
      }
    }
    if (type === 'histogram') {
      const counts = samples.filter((sample) => sample.name.endsWith('_count'))
      for (const { labels, value } of counts) {
        const buckets = samples.filter(({ name: sampleName, labels: { le, ...own } }) => {
          const isSame = JSON.stringify(Object.entries(own).sort()) === keyOf(labels)
          return sampleName.endsWith('_bucket') && le !== undefined && isSame
        })
        const values = buckets.map((bucket) => bucket.value)
        expect(values).toEqual([...values].sort((a, b) => a - b))
        expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value })
      }
    }
  }
})

test('the values tell what has happened', async () => {
  await using life = await eventfulLife()
  const { text } = await life.scrape()
  const value = (name: string, labels: Record<string, string> = {}) =>
    valueOf(text, `jobwatch_${name}`, labels)
  const prod = { upstream: 'prod' }
  const gone = { upstream: 'gone' }
  const now = Date.now() / 1000

  expect(value('build_info', { version })).toBe(1)
  expect(value('start_time_seconds')).toBeLessThanOrEqual(now)
  expect(value('jobs', { ...prod, state: 'active' })).toBe(1)
  expect(value('polls_total', { ...prod, result: 'seen' })).toBeGreaterThan(0)
  expect(value('polls_total', { ...prod, result: 'missing' })).toBeGreaterThan(0)
  expect(value('polls_total', { ...prod, result: 'failed' })).toBe(0)
  expect(value('polls_total', { ...gone, result: 'seen' })).toBe(0)
  expect(value('poll_errors_total', { ...gone, reason: 'connect' })).toBe(
    value('polls_total', { ...gone, result: 'failed' }),
  )
  expect(value('upstream_last_success_timestamp_seconds', prod)).toBeGreaterThan(now - 3600)
  expect(value('upstream_last_success_timestamp_seconds', gone)).toBeUndefined()
  expect(value('upstream_state', { ...prod, state: 'up' })).toBe(1)
  expect(value('upstream_state', { ...prod, state: 'down' })).toBe(0)
  expect(value('upstream_breaker_state', prod)).toBe(0)
  expect(value('upstream_token_renewals_total', { ...prod, result: 'renewed' })).toBe(1)
  expect(value('upstream_token_expiry_timestamp_seconds', prod)).toBeGreaterThan(now)
  expect(value('upstream_token_expiry_timestamp_seconds', gone)).toBeUndefined()
  // One machine, one clock, of which the header shows whole seconds.
  expect(Math.abs(value('upstream_clock_skew_seconds', prod) ?? NaN)).toBeLessThan(60)

  expect(value('events_total', { type: 'job.completed' })).toBe(1)
  expect(value('events_total', { type: 'job.watched' })).toBe(3)
  const types = [...(parseExposition(text).get('jobwatch_events_total')?.samples ?? [])]
  const total = types.reduce((sum, sample) => sum + sample.value, 0)
  expect(value('event_log_last_seq')).toBe(total)
  expect(value('event_log_oldest_seq')).toBe(1)

  const webhook = { format: 'webhook' }
  const slack = { format: 'slack' }
  expect(value('deliveries_total', { ...webhook, result: 'delivered' })).toBeGreaterThan(0)
  expect(value('deliveries_total', { ...webhook, result: 'failed' })).toBe(0)
  expect(value('deliveries_total', { ...slack, result: 'failed' })).toBeGreaterThan(0)
  expect(value('delivery_attempts_total', { ...slack, result: 'status' })).toBeGreaterThan(1)

  expect(value('sse_clients')).toBe(1)
  expect(value('sse_events_sent_total')).toBeGreaterThan(3)
  expect(value('sse_resets_total')).toBe(1)
  expect(value('sse_disconnects_total', { reason: 'left' })).toBe(1)

  const register = { method: 'POST', route: '/v1/jobs', status: '201' }
  expect(value('http_request_duration_seconds_count', register)).toBe(3)
  expect(text).not.toContain('route="/v1/events/stream"')
  expect(value('auth_failures_total', { reason: 'unauthorized' })).toBe(1)
  expect(value('db_size_bytes')).toBeGreaterThan(0)
  expect(value('wal_size_bytes')).toBeGreaterThan(0)
})

test('nobody makes a series of their own by what they ask for', async () => {
  await using app = await startApp()
  await app.call('/v1/nope/canary-path')
  await app.call('/v1/jobs/canary-job?upstream=canary')
  await app.call('/v1/jobs', { method: 'PROPFIND' as 'GET' })
  await app.call('/metrics', { headers: { origin: 'https://canary.example.com' } })
  const { text } = await app.call('/metrics')
  expect(text).not.toContain('canary')
  const count = 'jobwatch_http_request_duration_seconds_count'
  expect(valueOf(text, count, { method: 'GET', route: 'none', status: '404' })).toBe(1)
  expect(valueOf(text, count, { method: 'GET', route: '/v1/jobs/:jobid', status: '404' })).toBe(1)
  expect(valueOf(text, count, { method: 'other', route: '/v1/jobs', status: '405' })).toBe(1)
  expect(valueOf(text, 'jobwatch_auth_failures_total', { reason: 'origin_refused' })).toBe(1)
})

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort())
}

function samplesByLabels(family: Family | undefined): ReadonlyMap<string, number> {
  return new Map(family?.samples.map(({ labels, value }) => [keyOf(labels), value]))
}
