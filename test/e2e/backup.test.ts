import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EventList } from '../../src/http/schemas.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { openFeed } from '../feed/reader.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import { Run, serve, temporaryFolder } from '../helpers/daemon.ts'
import { until } from './ground.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())

/** A daemon that writes all the time: ever more jobs are registered until it is told to end. */
async function busyDaemon() {
  const folder = await temporaryFolder()
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    upstreams: [anUpstream('prod', simulator)],
  }
  const daemon = await serve(config, folder.path)
  const over = new AbortController()
  let count = 0
  const writing = (async () => {
    while (!over.signal.aborted) {
      const jobs = Array.from({ length: 20 }, () => ({ jobid: `j${(count += 1)}` }))
      await callApi(`${daemon.url}/v1/jobs/batch`, { method: 'POST', body: { jobs } })
    }
  })()
  return {
    ...{ folder: folder.path, config, daemon },
    registered: () => count,
    backUp: (file: string, ...words: string[]) =>
      new Run(['backup', file, '--config', join(folder.path, 'jobwatch.yaml'), ...words]),
    async stopWriting() {
      over.abort()
      await writing
    },
    async [Symbol.asyncDispose]() {
      over.abort()
      await writing.catch(() => undefined)
      await daemon[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function eventsOf(url: string, after: number): Promise<EventList> {
  return (await callApi(`${url}/v1/events?after=${after}&limit=1000`, {})).json as EventList
}

test('a copy that is made while the daemon writes is whole; a daemon on it tells of the gap', async () => {
  await using at = await busyDaemon()
  await until(() => at.registered() > 200)
  const target = join(at.folder, 'copy.db')
  const run = at.backUp(target, '--json')
  const { code } = await run.ended
  expect(code, run.stderr).toBe(0)
  const made = JSON.parse(run.stdout) as { file: string; newestSeq: number; bytes: number }
  expect(made).toMatchObject({ file: target, bytes: statSync(target).size })
  expect(made.newestSeq).toBeGreaterThan(0)
  expect(statSync(target).mode & 0o777).toBe(0o600)
  await at.stopWriting()
  const { items } = await eventsOf(at.daemon.url, made.newestSeq - 3)
  const shared = items[0]
  const own = items.find(({ data }) => data.seq === made.newestSeq + 1)
  if (shared === undefined || own === undefined) throw new Error('the original went on')

  await using restored = await serve({ ...at.config, database: target }, at.folder)
  const kept = await eventsOf(restored.url, made.newestSeq - 3)
  expect(kept.items[0]).toEqual(shared)
  // Whoever had come no further than the copy goes on; whoever knows more is told.
  expect(await begin(restored.url, shared.id)).toBe('job.watched')
  expect(await begin(restored.url, own.id)).toBe('feed.gap')
})

/** What comes after the hello for a reader that resumes. */
async function begin(url: string, id: string): Promise<string | null> {
  using reader = await openFeed(`${url}/v1/events/stream`, { headers: { 'last-event-id': id } })
  await reader.hello()
  return (await reader.frame()).event
}

test('a backup that is killed at any moment leaves the older one, or a whole new one', async () => {
  await using at = await busyDaemon()
  await until(() => at.registered() > 200)
  const target = join(at.folder, 'copy.db')
  await at.backUp(target).ended
  let before = readFileSync(target)
  for (const afterMs of [120, 160, 200, 240, 280, 320]) {
    const run = at.backUp(target)
    // It is killed at a moment, not when something is so: that is the point.
    const timer = setTimeout(() => run.child.kill('SIGKILL'), afterMs)
    const { code } = await run.ended
    clearTimeout(timer)
    const now = readFileSync(target)
    if (code !== 0 && now.equals(before)) continue
    const check = await at.backUp(join(at.folder, 'check.db'), '--json').ended
    expect(check.code).toBe(0)
    before = now
  }
  expect((await at.backUp(target).ended).code).toBe(0)
  expect(readdirSync(at.folder).filter((name) => name.endsWith('.partial'))).toEqual([])
})

test('a backup says what is wrong, and with what', async () => {
  await using at = await busyDaemon()
  const onItself = at.backUp(join(at.folder, 'jobwatch.db'))
  expect((await onItself.ended).code).toBe(2)
  expect(onItself.stderr).toMatch(/belongs to the database itself/)
  const nowhere = at.backUp(join(at.folder, 'none', 'copy.db'))
  expect((await nowhere.ended).code).toBe(1)
  expect(nowhere.stderr).toMatch(/No backup was written to .*none/)
  expect(existsSync(join(at.folder, 'none'))).toBe(false)
})
