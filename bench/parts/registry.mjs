// A hundred thousand jobs in one daemon: memory, processor, restart, and how fast they are registered.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'a hundred thousand jobs that do not change (a tenth of that with --quick)'

/** One upstream may be asked ten thousand times a second at most. */
const upstreamCount = 4
const polling = { concurrency: 8, rate: 10_000 }
const fewJobs = 1000
/** Registered first, so that no contender is measured while its code is still being compiled. */
const warmUpJobs = 5000

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const manyJobs = isQuick ? 10_000 : 100_000
    const intervalSeconds = isQuick ? 3 : 20
    const upstream = keep(launchPart('world/upstream.mjs', ['steady']))
    const origin = `http://127.0.0.1:${await upstream.call('port')}`
    const silent = keep(await silentServer())

    const readings = { few: [], many: [], ours: [], bare: [] }
    for (let round = 0; round < rounds; round += 1) {
      readings.bare.push(await bareRegistration())
      readings.ours.push(await registration())
      readings.few.push(await watching(fewJobs))
      readings.many.push(await watching(manyJobs))
    }
    const { few, many, ours, bare } = readings
    return [
      line('memory, all jobs looked at twice', each(many, 'rssBytes', 1e-6), {
        unit: 'MB',
        atMost: 300,
      }),
      line('CPU a job / with a thousand jobs', ratios(many, few, 'cpuUs'), { atMost: 1.2 }),
      line('all jobs watched again after a restart', each(many, 'restartSeconds'), {
        unit: 's',
        atMost: 5,
      }),
      line('registered a second / bare loop', ratios(ours, bare, 'perSecond'), { atLeast: 0.5 }),
      line('registered a second', each(ours, 'perSecond')),
      line('registered a second, looks meanwhile', each(many, 'registeredPerSecond')),
      line('CPU a job and second', each(many, 'cpuUs'), { unit: 'µs' }),
      line('memory with a thousand jobs', each(few, 'rssBytes', 1e-6), { unit: 'MB' }),
    ]

    /** Jobs from their registration on: what they need at rest, and how soon they are back. */
    async function watching(jobCount) {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
      try {
        const settings = { upstreams: upstreamsAt(origin, `${intervalSeconds}s`) }
        const atRest = await scoped(async (keep) => {
          const daemon = keep(await launchDaemon(settings, { folder }))
          const before = await upstream.call('requests')
          const registeredPerSecond = await pace(jobCount, () =>
            register(daemon.url, jobsOf(jobCount)),
          )
          while ((await upstream.call('requests')) - before < jobCount) await sleep(100)
          // Each job's next look, which is spread by a tenth to both sides, and as long again.
          await sleep(intervalSeconds * 200)
          const used = await whileDoing(daemon, () => sleep(intervalSeconds * 1000))
          const cpuUs = (used.cpuMs * 1000) / used.seconds / jobCount
          return { registeredPerSecond, cpuUs, rssBytes: used.rssBytes }
        })
        return { ...atRest, restartSeconds: await restartSeconds(settings, folder, jobCount) }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }

    /** From starting the process until it watches all jobs and has begun to look at them. */
    function restartSeconds(settings, folder, jobCount) {
      return scoped(async (keep) => {
        const before = await upstream.call('requests')
        const begunAt = performance.now()
        const daemon = keep(await launchDaemon(settings, { folder }))
        while ((await watchedJobs(daemon.url)) < jobCount) await sleep(20)
        while ((await upstream.call('requests')) === before) await sleep(5)
        return (performance.now() - begunAt) / 1000
      })
    }

    /** Nothing but registration: no look comes to an end meanwhile. */
    function registration() {
      return scoped(async (keep) => {
        const settings = { upstreams: upstreamsAt(silent.origin, '60s') }
        const daemon = keep(await launchDaemon(settings))
        return registrationWith((jobs) => register(daemon.url, jobs))
      })
    }

    function bareRegistration() {
      return scoped(async (keep) => {
        const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
        keep({ stop: () => rm(folder, { recursive: true, force: true }) })
        const loop = keep(launchPart('yardsticks/registration.mjs', [join(folder, 'jobwatch.db')]))
        return registrationWith((jobs) => loop.call('write', jobs))
      })
    }

    async function registrationWith(write) {
      const jobs = jobsOf(warmUpJobs + manyJobs)
      await write(jobs.slice(0, warmUpJobs))
      return { perSecond: await pace(manyJobs, () => write(jobs.slice(warmUpJobs))) }
    }
  })

function upstreamsAt(origin, interval) {
  return Array.from({ length: upstreamCount }, (_, n) => ({
    name: `bench-${n}`,
    root: `${origin}/${n}/admin`,
    auth: { token: 'none' },
    polling: { ...polling, interval, maxInterval: interval },
  }))
}

function jobsOf(count) {
  return Array.from({ length: count }, (_, n) => ({
    jobid: `j${n}`,
    upstream: `bench-${n % upstreamCount}`,
  }))
}

async function pace(count, work) {
  const begunAt = performance.now()
  await work()
  return (count / (performance.now() - begunAt)) * 1000
}

async function watchedJobs(url) {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts = text.matchAll(/^jobwatch_jobs\{[^}]*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Takes connections and answers none. */
async function silentServer() {
  const sockets = new Set()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
