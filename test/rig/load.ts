import { setTimeout as pause } from 'node:timers/promises'
import type { Clients } from './clients.ts'
import type { FaultProxy } from './fault-proxy.ts'
import type { Random } from './random.ts'
import type { Script, ScriptedJob } from './script.ts'
import type { Supervisor } from './supervisor.ts'
import { now } from './trace.ts'
import type { Trail } from './trail.ts'

export interface Load {
  readonly daemon: Supervisor
  readonly clients: Clients
  readonly random: Random
  readonly proxies: Readonly<Record<string, FaultProxy>>
  readonly trail: Trail
  /** The endpoint that is disabled and enabled all the time. */
  readonly fickle: string
}

/** Everything that the script holds for the time of the load. */
export async function performLoad(script: Script, load: Load): Promise<void> {
  const { daemon, clients, random, proxies, trail, fickle } = load
  const beganAt = now()
  const at = (ms: number) => pause(Math.max(0, beganAt + ms - now()))

  async function strike(): Promise<void> {
    for (const { atMs, how, forMs } of script.blows) {
      await at(atMs)
      if (how === 'pause') {
        daemon.pause()
        await pause(forMs)
        daemon.resume()
        continue
      }
      await (how === 'kill' ? daemon.kill() : daemon.stop())
      await pause(forMs)
      await daemon.start()
    }
  }
  async function cutOff({ upstream, atMs, forMs }: Script['outages'][number]): Promise<void> {
    await at(atMs)
    const from = now()
    proxies[upstream]?.fail()
    await pause(forMs)
    proxies[upstream]?.mend()
    trail.write({ kind: 'outage', at: from, to: now(), upstream })
  }
  async function register(job: ScriptedJob): Promise<void> {
    await at(job.registerAtMs)
    await clients.register(job)
    if (job.stopAtMs === null) return
    await at(job.stopAtMs)
    await clients.interrupt(job)
  }
  async function registerTogether(jobs: readonly ScriptedJob[]): Promise<void> {
    await at(jobs[0]?.registerAtMs ?? 0)
    await clients.registerBatch(jobs)
  }
  async function meddle(): Promise<void> {
    for (let ms = 1000; ms < script.loadMs; ms += random.between(50, 400)) {
      await at(ms)
      await clients.glance()
      const known = script.jobs.filter(
        (job) => job.registerAtMs < ms - 1000 && job.stopAtMs === null,
      )
      const job = known[random.int(0, known.length - 1)]
      if (job !== undefined) await clients.meddle(job).catch(() => undefined)
    }
  }
  async function waver(): Promise<void> {
    for (let ms = 1000; ms < script.loadMs - 1000; ms += random.between(500, 3000)) {
      await at(ms)
      await clients.turn(fickle, false)
      await pause(random.between(0, 1500))
      await clients.turn(fickle, true)
    }
  }
  const alone = script.jobs.filter(({ how }) => how !== 'batch')
  const together = script.jobs.filter(({ how }) => how === 'batch')
  const batches = Array.from({ length: Math.ceil(together.length / 20) }, (_, n) =>
    together.slice(n * 20, n * 20 + 20),
  )
  await Promise.all([
    strike(),
    meddle(),
    waver(),
    ...script.outages.map(cutOff),
    ...alone.map(register),
    ...batches.map(registerTogether),
    at(script.loadMs),
  ])
}
