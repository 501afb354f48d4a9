// Looks at jobs that do not change: what a daemon does most of the time.
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'looks at jobs that do not change, as fast as they go'

const jobCount = 500
/** One upstream may be asked ten thousand times a second at most; four hold nothing up. */
const upstreamCount = 4
const concurrency = 8
const rate = 10_000
/** Esri's client has a timer for each job and no limit of any kind: it is held to a pace it can keep. */
const paceMs = 500

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const seconds = isQuick ? 2 : 4
    const upstream = keep(launchPart('world/upstream.mjs', ['steady']))
    const origin = `http://127.0.0.1:${await upstream.call('port')}`

    const contenders = {
      bare: () => pollLoop([]),
      queued: () => pollLoop([rate]),
      daemon: () => daemon('1ms'),
      esri: () => launchPart('yardsticks/esri-job.mjs', [`${origin}/gp`, jobCount, paceMs]),
      paced: () => daemon(`${paceMs}ms`),
    }
    const readings = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, start] of Object.entries(contenders)) {
        readings[name].push(await reading(start))
      }
    }
    const { bare, queued, daemon: ours, esri, paced } = readings
    const target = { atLeast: 0.8 }
    return [
      line('looks a second / with p-queue', ratios(ours, queued, 'perSecond'), target),
      line('looks a CPU second / with p-queue', ratios(ours, queued, 'perCpuSecond'), target),
      line('looks a second / bare loop', ratios(ours, bare, 'perSecond')),
      line("CPU a look at the same pace / Esri's Job", ratios(paced, esri, 'cpuUs')),
      line('CPU a look', each(ours, 'cpuUs'), { unit: 'µs' }),
      line('looks a second', each(ours, 'perSecond')),
      line('memory', each(ours, 'rssBytes', 1e-6), { unit: 'MB' }),
    ]

    function pollLoop(limits) {
      const args = [origin, jobCount, upstreamCount, concurrency, ...limits]
      return launchPart('yardsticks/poll-loop.mjs', args)
    }

    async function daemon(interval) {
      const polling = { interval, maxInterval: interval, concurrency, rate }
      const upstreams = Array.from({ length: upstreamCount }, (_, n) => ({
        name: `bench-${n}`,
        root: `${origin}/${n}/admin`,
        auth: { token: 'none' },
        polling,
      }))
      const started = await launchDaemon({ upstreams })
      const jobs = Array.from({ length: jobCount }, (_, n) => ({
        jobid: `j${n}`,
        upstream: `bench-${n % upstreamCount}`,
      }))
      await register(started.url, jobs)
      return started
    }

    function reading(start) {
      return scoped(async (keep) => {
        const process = keep(await start())
        await sleep(isQuick ? 500 : 1500)
        const { result, ...used } = await whileDoing(process, async () => {
          const before = await upstream.call('requests')
          await sleep(seconds * 1000)
          return (await upstream.call('requests')) - before
        })
        return {
          perSecond: result / used.seconds,
          perCpuSecond: (result / used.cpuMs) * 1000,
          cpuUs: (used.cpuMs / result) * 1000,
          rssBytes: used.rssBytes,
        }
      })
    }
  })
