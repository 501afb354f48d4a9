// How long anything holds the event loop up, under loads that make for long stretches of work.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, metricOf, register, scoped } from '../process.mjs'
import { each, line } from '../report.mjs'

export const about = 'the longest work that nothing can interrupt, and how late the event loop is'

const maxMs = 20
const kinds = ['commit', 'parse', 'page', 'readers', 'batch']
const readerCount = 200
const never = { interval: '365d', maxInterval: '365d', concurrency: 8, rate: 10_000 }

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const seconds = isQuick ? 1 : 5
    const listedCount = isQuick ? 2000 : 20_000
    const receiver = keep(launchPart('world/receiver.mjs'))
    const hook = `http://127.0.0.1:${await receiver.call('port')}/hook`
    const listed = await listedJobs(keep)

    const loads = {
      '500 changes a second': () => looks({ mode: ['changing'], jobs: 500, every: '1s' }),
      '5,000 messages': () => looks({ mode: ['talkative'], jobs: 10, every: '1s', streams: 1 }),
      'results of 1 MB': () => looks({ mode: ['bulky'], jobs: 10, every: '1s', streams: 1 }),
      'batches of 1,000': batches,
      pages,
      '50 stages at once': () => looks({ mode: ['busy', 50], jobs: 5, every: '1s', streams: 1 }),
      '200 stages at once': () => looks({ mode: ['busy', 200], jobs: 2, every: '1s', streams: 1 }),
    }
    const readings = Object.fromEntries(Object.keys(loads).map((name) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, load] of Object.entries(loads)) readings[name].push(await load())
    }
    const atMost20 = { unit: 'ms', atMost: maxMs }
    return [
      ...Object.entries(readings).flatMap(([name, of]) => [
        line(`${name}: loop delay p99`, each(of, 'delayP99Ms'), atMost20),
        line(`${name}: loop delay at most`, each(of, 'delayMaxMs'), { unit: 'ms' }),
        line(`${name}: longest stretch within`, of.map(longestMs), atMost20),
      ]),
      ...kinds.flatMap((kind) => {
        const rounds = together(Object.values(readings), kind)
        return [
          line(`${kind}: longest within`, rounds.map(withinMs), atMost20),
          line(`${kind}: over ${maxMs} ms`, rounds.map(shareOver), { unit: '%' }),
        ]
      }),
    ]

    /** Jobs that change with every look, an endpoint, and streams. */
    function looks({ mode, jobs, every, streams = readerCount }) {
      return scoped(async (keep) => {
        const upstream = keep(launchPart('world/upstream.mjs', mode))
        const readers = keep(launchPart('world/readers.mjs'))
        const polling = { interval: every, maxInterval: every, concurrency: 32, rate: 10_000 }
        const daemon = keep(await launchDaemon(await settings(upstream, polling, { hook })))
        await readers.call('open', { url: `${daemon.url}/v1/events/stream`, count: streams })
        await register(daemon.url, jobsNamed(jobs))
        await sleep(isQuick ? 1000 : 2000)
        return reading(daemon, () => sleep(seconds * 1000))
      })
    }

    function batches() {
      return scoped(async (keep) => {
        const upstream = keep(launchPart('world/upstream.mjs', ['steady']))
        const daemon = keep(await launchDaemon(await settings(upstream, never)))
        let from = 0
        const registerMore = async () => {
          await register(daemon.url, jobsNamed(1000, from))
          from += 1000
        }
        await registerMore()
        return reading(daemon, () => untilOver(registerMore))
      })
    }

    /** Pages of the log and of lists, searches that find nothing, and readers that begin at the first event. */
    function pages() {
      return scoped(async (keep) => {
        const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
        keep({ stop: () => rm(folder, { recursive: true }) })
        await cp(listed, folder, { recursive: true })
        const upstream = keep(launchPart('world/upstream.mjs', ['steady']))
        const readers = keep(launchPart('world/readers.mjs'))
        const daemon = keep(await launchDaemon(await settings(upstream, never), { folder }))
        const asked = [
          '/v1/events?limit=1000',
          '/v1/events?limit=1000&type=job.lost',
          '/v1/events?last=1000',
          '/v1/jobs?limit=1000',
          '/v1/jobs?limit=100',
          '/v1/jobs?limit=1000&q=number',
          '/v1/jobs?q=nothing-of-this-name',
          '/v1/deliveries?limit=1000',
        ]
        const askAll = async () => {
          const url = `${daemon.url}/v1/events/stream?after=0`
          await readers.call('open', { url, count: 20 })
          for (const path of asked) await get(`${daemon.url}${path}`)
          await readers.call('close')
        }
        await askAll()
        return reading(daemon, () => untilOver(askAll))
      })
    }

    /** A folder with the database of a daemon that has seen many jobs. */
    async function listedJobs(keep) {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
      keep({ stop: () => rm(folder, { recursive: true }) })
      await scoped(async (keep) => {
        const upstream = keep(launchPart('world/upstream.mjs', ['steady']))
        const daemon = keep(
          await launchDaemon(await settings(upstream, never, { hook }), { folder }),
        )
        await register(daemon.url, jobsNamed(listedCount))
        // Of each job that it is watched and that it runs.
        while ((await metricOf(daemon.url, 'jobwatch_deliveries_total')) < 2 * listedCount) {
          await sleep(500)
        }
      })
      return folder
    }

    async function settings(upstream, polling, { hook: url } = {}) {
      const root = `http://127.0.0.1:${await upstream.call('port')}/gis/admin`
      return {
        upstreams: [{ name: 'bench', root, auth: { token: 'none' }, polling }],
        ...(url !== undefined && { endpoints: [{ name: 'hook', url }] }),
        feed: { maxStreams: readerCount },
      }
    }

    async function untilOver(work) {
      const until = performance.now() + seconds * 1000
      while (performance.now() < until) await work()
    }
  })

function jobsNamed(count, from = 0) {
  return Array.from({ length: count }, (_, n) => ({ jobid: `j${from + n}` }))
}

async function get(url) {
  const answer = await fetch(url)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}: ${text}`)
}

/** The stretches of a daemon while something is done, and how late its event loop was. */
async function reading(daemon, work) {
  const before = await stretchesOf(daemon.url)
  await daemon.resetGauge()
  await work()
  const { delayP99Ms, delayMaxMs } = await daemon.gauge()
  const after = await stretchesOf(daemon.url)
  const stretches = Object.fromEntries(
    kinds.map((kind) => [kind, difference(after[kind], before[kind])]),
  )
  return { delayP99Ms, delayMaxMs, stretches }
}

/** By kind, how many there were, and how many up to each bound in ms. */
async function stretchesOf(url) {
  const text = await (await fetch(`${url}/metrics`)).text()
  const pattern = /^jobwatch_stretch_duration_seconds_bucket\{le="([^"]+)",what="(\w+)"\} (\d+)$/gm
  const stretches = Object.fromEntries(kinds.map((kind) => [kind, { count: 0, upTo: new Map() }]))
  for (const [, bound, kind, count] of text.matchAll(pattern)) {
    if (bound === '+Inf') stretches[kind].count = Number(count)
    else stretches[kind].upTo.set(Number(bound) * 1000, Number(count))
  }
  return stretches
}

function difference(after, before) {
  const upTo = [...after.upTo].map(([bound, count]) => [bound, count - before.upTo.get(bound)])
  return { count: after.count - before.count, upTo: new Map(upTo) }
}

/** The smallest bound that holds all of them. */
function withinMs({ count, upTo }) {
  return [...upTo].find(([, within]) => within === count)?.[0] ?? Infinity
}

function longestMs({ stretches }) {
  return Math.max(...kinds.map((kind) => withinMs(stretches[kind])))
}

/** In percent. */
function shareOver({ count, upTo }) {
  return count === 0 ? 0 : 100 * (1 - upTo.get(maxMs) / count)
}

/** The stretches of one kind under all loads, once a round. */
function together(loads, kind) {
  const [first] = loads
  return first.map((_, round) => {
    const all = loads.map((of) => of[round].stretches[kind])
    const bounds = [...all[0].upTo.keys()]
    return {
      count: sum(all, ({ count }) => count),
      upTo: new Map(bounds.map((bound) => [bound, sum(all, ({ upTo }) => upTo.get(bound))])),
    }
  })
}

function sum(items, value) {
  return items.reduce((total, item) => total + value(item), 0)
}
