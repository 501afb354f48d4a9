// Looks of which each shows a change: from the upstream's answer to the reader and the receiver.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, metricOf, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'looks that each show a change, with one endpoint and one reader'

const jobCount = 500
const concurrency = 32
const rate = 10_000
/** At this pace, 250 changes a second, neither contender is busy, so what is measured is no queue. */
const pacedMs = 2000

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const seconds = isQuick ? 2 : 6
    const upstream = keep(launchPart('world/upstream.mjs', ['changing']))
    const receiver = keep(launchPart('world/receiver.mjs'))
    const reader = keep(launchPart('world/reader.mjs'))
    const root = `http://127.0.0.1:${await upstream.call('port')}/gis/admin`
    const hook = `http://127.0.0.1:${await receiver.call('port')}/hook`
    const seen = await seenJobs(keep)

    const contenders = {
      line: () => straightLine(0),
      daemon: () => daemon('1ms'),
      pacedLine: () => straightLine(pacedMs),
      pacedDaemon: () => daemon(`${pacedMs}ms`),
    }
    const readings = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, start] of Object.entries(contenders)) {
        readings[name].push(await reading(start))
      }
    }
    const { line: straight, daemon: ours, pacedLine, pacedDaemon } = readings
    const quick = { atMost: 1.3 }
    const rarelySlow = { atMost: 1.5 }
    return [
      line('changes a second / straight line', ratios(ours, straight, 'perSecond'), {
        atLeast: 0.8,
      }),
      line('changes a CPU second / straight line', ratios(ours, straight, 'perCpuSecond')),
      line('p50 to the feed / straight line', ratios(pacedDaemon, pacedLine, 'feedP50'), quick),
      line(
        'p99 to the feed / straight line',
        ratios(pacedDaemon, pacedLine, 'feedP99'),
        rarelySlow,
      ),
      line('p50 to the webhook / straight line', ratios(pacedDaemon, pacedLine, 'hookP50'), quick),
      line(
        'p99 to the webhook / straight line',
        ratios(pacedDaemon, pacedLine, 'hookP99'),
        rarelySlow,
      ),
      line('p50 to the feed', each(pacedDaemon, 'feedP50'), { unit: 'ms' }),
      line('p99 to the feed', each(pacedDaemon, 'feedP99'), { unit: 'ms' }),
      line('p50 to the webhook', each(pacedDaemon, 'hookP50'), { unit: 'ms' }),
      line('p99 to the webhook', each(pacedDaemon, 'hookP99'), { unit: 'ms' }),
      line('CPU a change', each(ours, 'cpuUs'), { unit: 'µs' }),
      line('CPU a change, paced', each(pacedDaemon, 'cpuUs'), { unit: 'µs' }),
      line('changes a second', each(ours, 'perSecond')),
      line('events that readers get a second', each(ours, 'framesPerSecond')),
      line('memory', each(ours, 'rssBytes', 1e-6), { unit: 'MB' }),
    ]

    /** A folder with the database of a daemon that has seen all jobs: both contenders go on from it. */
    async function seenJobs(keep) {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
      keep({ stop: () => rm(folder, { recursive: true }) })
      const first = await launchDaemon(settings('1d'), { folder })
      await register(
        first.url,
        Array.from({ length: jobCount }, (_, n) => ({ jobid: `j${n}` })),
      )
      // Of each job that it is watched and that it runs.
      while ((await metricOf(first.url, 'jobwatch_deliveries_total')) < 2 * jobCount)
        await sleep(100)
      await first.stop()
      return folder
    }

    function settings(interval) {
      const polling = { interval, maxInterval: interval, concurrency, rate }
      return {
        upstreams: [{ name: 'bench', root, auth: { token: 'none' }, polling }],
        endpoints: [{ name: 'hook', url: hook }],
        delivery: { concurrency },
      }
    }

    /** Takes a copy of the folder along, which goes when the process does. */
    async function onCopy(start) {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
      await cp(seen, folder, { recursive: true })
      const process = await start(folder)
      return {
        ...process,
        async stop() {
          await process.stop()
          await rm(folder, { recursive: true })
        },
      }
    }

    function daemon(interval) {
      return onCopy(async (folder) => {
        const process = await launchDaemon(settings(interval), { folder })
        await reader.call('open', `${process.url}/v1/events/stream`)
        return process
      })
    }

    function straightLine(intervalMs) {
      return onCopy(async (folder) => {
        const file = join(folder, 'jobwatch.db')
        const options = { file, root, hook, intervalMs, batch: concurrency }
        const process = launchPart('yardsticks/straight-line-process.mjs', [
          JSON.stringify(options),
        ])
        await reader.call('open', await process.call('streamUrl'))
        return process
      })
    }

    function reading(start) {
      return scoped(async (keep) => {
        const process = keep(await start())
        await sleep(isQuick ? 1000 : 2500)
        await Promise.all([receiver.call('take'), reader.call('take')])
        const { result, ...used } = await whileDoing(process, async () => {
          await sleep(seconds * 1000)
          return Promise.all([receiver.call('take'), reader.call('take')])
        })
        const [hooks, frames] = result
        return {
          perSecond: hooks.count / used.seconds,
          framesPerSecond: frames.count / used.seconds,
          perCpuSecond: (hooks.count / used.cpuMs) * 1000,
          cpuUs: (used.cpuMs / hooks.count) * 1000,
          rssBytes: used.rssBytes,
          hookP50: hooks.p50,
          hookP99: hooks.p99,
          feedP50: frames.p50,
          feedP99: frames.p99,
        }
      })
    }
  })
