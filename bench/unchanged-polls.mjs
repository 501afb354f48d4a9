// How many looks at unchanged jobs a second: the daemon against a bare loop, with and without p-queue.
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import { fetch, Pool } from 'undici'
import { createApp } from '../dist/app.js'
import { parseConfig } from '../dist/config/load.js'
import { createLogger } from '../dist/log.js'

const jobs = 500
const concurrency = 32
const rate = 10_000

/** @returns ratios by name, one a round */
export async function unchangedPolls({ port, rounds, seconds, upstream }) {
  const measure = async (run) => {
    const stop = await run(port)
    await sleep(500)
    const before = await requestsOf(upstream)
    const cpuBefore = process.cpuUsage()
    await sleep(seconds * 1000)
    const looks = (await requestsOf(upstream)) - before
    const { user, system } = process.cpuUsage(cpuBefore)
    await stop()
    return { perSecond: looks / seconds, perCpuSecond: looks / ((user + system) / 1e6) }
  }
  const ratios = {
    'unchanged polls / bare loop': [],
    'unchanged polls / bare loop with p-queue': [],
    'unchanged polls per CPU second / bare loop with p-queue': [],
  }
  for (let round = 0; round < rounds; round += 1) {
    const bare = await measure(bareLoop)
    const queued = await measure(queuedLoop)
    const daemon = await measure(daemonLoop)
    ratios['unchanged polls / bare loop'].push(daemon.perSecond / bare.perSecond)
    ratios['unchanged polls / bare loop with p-queue'].push(daemon.perSecond / queued.perSecond)
    ratios['unchanged polls per CPU second / bare loop with p-queue'].push(
      daemon.perCpuSecond / queued.perCpuSecond,
    )
  }
  return ratios
}

async function requestsOf(upstream) {
  upstream.send('count')
  const [{ requests }] = await once(upstream, 'message')
  return requests
}

function looker(port) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: concurrency })
  let next = 0
  const look = async () => {
    const path = `/gis/admin/jobs/j${next++ % jobs}?f=json`
    const { body } = await pool.request({ path, method: 'GET' })
    JSON.parse(await body.text())
  }
  return { pool, look }
}

async function bareLoop(port) {
  const { pool, look } = looker(port)
  let isRunning = true
  const lanes = Array.from({ length: concurrency }, async () => {
    while (isRunning) await look()
  })
  return async () => {
    isRunning = false
    await Promise.all(lanes)
    await pool.close()
  }
}

async function queuedLoop(port) {
  const { pool, look } = looker(port)
  const queue = new PQueue({ concurrency, interval: 10, intervalCap: rate / 100 })
  let isRunning = true
  const lanes = Array.from({ length: concurrency }, async () => {
    while (isRunning) await queue.add(look)
  })
  return async () => {
    isRunning = false
    await Promise.all(lanes)
    await pool.close()
  }
}

async function daemonLoop(port) {
  const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
  const root = `http://127.0.0.1:${port}/gis/admin`
  const polling = { interval: '1ms', maxInterval: '1ms', concurrency, rate }
  const config = parseConfig(
    {
      listen: '127.0.0.1:0',
      database: join(folder, 'jobwatch.db'),
      upstreams: [{ name: 'bench', root, auth: { token: 'none' }, polling }],
    },
    'the benchmark',
    {},
  )
  const app = await createApp(config, { log: createLogger('silent') })
  await app.start()
  for (let n = 0; n < jobs; n += 1) {
    await fetch(`${app.url}/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jobid: `j${n}` }),
    })
  }
  return async () => {
    await app.stop()
    await rm(folder, { recursive: true })
  }
}
