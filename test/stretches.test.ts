import { expect, test } from 'vitest'
import { openFeed } from './feed/reader.ts'
import { noPolling, anUpstream, startApp } from './helpers/app.ts'
import type { TestApp } from './helpers/app.ts'
import { parseExposition } from './helpers/exposition.ts'
import { FakeClock, settle } from './helpers/fake-clock.ts'

/** How many stretches of each kind there have been. */
async function stretchesOf(app: TestApp): Promise<Readonly<Record<string, number>>> {
  const { text } = await app.call('/metrics')
  const { samples = [] } = parseExposition(text).get('jobwatch_stretch_duration_seconds') ?? {}
  const counts = samples.filter(({ name }) => name.endsWith('_count'))
  return Object.fromEntries(counts.map(({ labels, value }) => [labels['what'] ?? '', value]))
}

/** How many of each kind something takes; kinds of which it takes none are left out. */
async function taken(app: TestApp, work: () => Promise<unknown>) {
  const before = await stretchesOf(app)
  await work()
  await settle()
  const after = await stretchesOf(app)
  const differences = Object.entries(after).map(([kind, n]) => [kind, n - (before[kind] ?? 0)])
  return Object.fromEntries(differences.filter(([, n]) => n !== 0)) as Record<string, number>
}

/** A daemon in which nothing happens but what is asked for. */
function anIdleApp() {
  return startApp({
    clock: new FakeClock(),
    config: (simulator) => ({
      upstreams: [{ ...anUpstream('prod', simulator), polling: { ...noPolling, rate: 1000 } }],
    }),
  })
}

test('all kinds of stretches are told from the start', async () => {
  await using app = await anIdleApp()
  expect(Object.keys(await stretchesOf(app)).sort()).toEqual(
    ['batch', 'commit', 'page', 'parse', 'readers'].sort(),
  )
})

test('a page is one stretch, whatever it is of', async () => {
  await using app = await anIdleApp()
  const pages = ['/v1/events', '/v1/events?last=10', '/v1/jobs', '/v1/deliveries', '/v1/jobs?q=a']
  for (const path of pages) {
    expect(await taken(app, () => app.call(path)), path).toEqual({ page: 1 })
  }
})

test('of a list of jobs, what is read is a stretch, and what is written is', async () => {
  await using app = await anIdleApp()
  await app.post('/v1/jobs', { jobid: 'j-1' })
  await settle()
  expect(await taken(app, () => app.call('/v1/jobs'))).toEqual({ page: 2 })
})

test('a batch is checked in one stretch, written in one or more, and answered in another', async () => {
  await using app = await anIdleApp()
  const jobs = [{ jobid: 'j-1' }, { jobid: 'j-2' }, { jobid: 'not a jobid' }]
  const { batch, commit } = await taken(app, () => app.post('/v1/jobs/batch', { jobs }))
  expect(batch).toBe(2)
  expect(commit).toBeGreaterThan(0)
})

test('an answer of the upstream is a stretch, and what it changes is written in another', async () => {
  await using app = await anIdleApp()
  const { jobid } = app.simulator.submit('serviceEdit', { pace: 1000 })
  const { parse, commit } = await taken(app, async () => {
    await app.post('/v1/jobs', { jobid })
    await app.call(`/v1/jobs/${jobid}/poll`, { method: 'POST' })
  })
  expect(parse).toBeGreaterThan(0)
  expect(commit).toBeGreaterThan(0)
})

test('readers are served in one stretch, after the page that they are served from', async () => {
  await using app = await anIdleApp()
  using feed = await openFeed(`${app.url}/v1/events/stream`)
  await feed.hello()
  const { readers, page, commit } = await taken(app, async () => {
    await app.post('/v1/jobs', { jobid: 'j-1' })
    await feed.until('job.watched')
  })
  expect(readers).toBeGreaterThan(0)
  expect(page).toBe(readers)
  expect(commit).toBeGreaterThan(0)
})

test('with no reader there is nothing to be served', async () => {
  await using app = await anIdleApp()
  expect(await taken(app, () => app.post('/v1/jobs', { jobid: 'j-1' }))).not.toHaveProperty(
    'readers',
  )
})
