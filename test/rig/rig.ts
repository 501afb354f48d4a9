import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { search } from './canaries.ts'
import type { Canaries } from './canaries.ts'
import { Clients } from './clients.ts'
import { drained, writeDatabaseLog, writeEnd } from './end.ts'
import { FaultProxy } from './fault-proxy.ts'
import { performLoad } from './load.ts'
import { Random } from './random.ts'
import { Reader } from './readers.ts'
import type { ReaderOptions } from './readers.ts'
import { startReceivers } from './receivers.ts'
import { upstreamNames, writeScript } from './script.ts'
import type { Script } from './script.ts'
import { fickle, made, receivers, secrets, settingsOf, setupOf } from './settings.ts'
import { Supervisor } from './supervisor.ts'
import { Trail } from './trail.ts'
import { now } from './trace.ts'
import { startUpstream } from './upstream.ts'
import { describe, verify } from './verifier.ts'
import type { Report } from './verifier.ts'

export interface RigOptions {
  readonly seed: number
  /** How long the load lasts; healing and draining come on top. */
  readonly seconds: number
  readonly jobs: number
  /** The daemon's `main.js`; the built one unless told otherwise. */
  readonly program?: string
  readonly say?: (text: string) => void
  /** In place of those of the script. */
  readonly blows?: Script['blows']
  /** How long everything must stay at rest in the end, in ms: the looks at jobs that have ended. */
  readonly restMs?: number
  /** After healing everything owed must have come within this time, in ms. */
  readonly drainMs?: number
}

export interface Outcome {
  readonly report: Report
  readonly text: string
  /** Where the traces are; gone when there is no finding. */
  readonly folder: string
}

/** Runs the built daemon amid everything that can go wrong, and holds what happened against what it promises. */
export async function runRig(options: RigOptions): Promise<Outcome> {
  const { seed, restMs = 5000, drainMs = 60_000, say = () => undefined } = options
  const whole = writeScript(options)
  const script = { ...whole, blows: options.blows ?? whole.blows }
  const folder = await mkdtemp(join(tmpdir(), `jobwatch-rig-${seed}-`))
  const trail = new Trail(join(folder, 'trace.jsonl'))
  say(`seed ${seed}, traces in ${folder}`)
  trail.write(setupOf(script))

  const upstreams = await Promise.all(
    upstreamNames.map((name) =>
      startUpstream({
        ...{ name, seed, trail },
        jobs: script.jobs.filter((job) => job.upstream === name),
        token: name === 'prod' ? secrets.prodToken : secrets.labToken,
        password: name === 'prod' ? secrets.password : null,
      }),
    ),
  )
  const hooks = await startReceivers([...receivers, made, fickle], new Random(seed + 1), trail)
  const proxy = (name: string, to: string) =>
    FaultProxy.open({ name, to, trail, random: Random.of(seed, name) })
  const [toProd, toLab, toHooks] = await Promise.all([
    proxy('prod', upstreams[0]?.origin ?? ''),
    proxy('lab', upstreams[1]?.origin ?? ''),
    proxy('hook', hooks.origin),
  ])
  const { config, endpoints } = settingsOf(folder, {
    prod: toProd.url,
    lab: toLab.url,
    ...{ near: hooks.origin, far: toHooks.url },
  })
  for (const { name, secret } of endpoints) hooks.expect(name, secret)
  const program = options.program ?? 'dist/main.js'
  await using daemon = new Supervisor({ program, folder, config, trail })
  const startedAt = now()
  await daemon.start()
  for (const { name, events } of endpoints) {
    trail.write({ kind: 'endpoint', at: startedAt, to: now(), name, events })
  }
  const { name, events } = fickle
  const random = new Random(seed + 2)
  const clients = new Clients({ url: () => daemon.url, token: secrets.token, trail, random })
  hooks.expect(name, await clients.makeEndpoint(name, `${hooks.origin}/${name}`, events))
  const toDaemon = await proxy('feed', daemon.url)
  const reader = (fields: Omit<ReaderOptions, 'token' | 'random' | 'trail'>) =>
    new Reader({ ...fields, token: secrets.token, random: Random.of(seed, fields.name), trail })
  const near = () => daemon.url
  const far = () => toDaemon.url
  const readers = [
    reader({ name: 'good', url: near, type: '*', from: 'beginning', manners: 'good' }),
    reader({ name: 'live', url: near, type: '*', from: 'now', manners: 'good' }),
    reader({ name: 'slow', url: near, type: '*', from: 'beginning', manners: 'slow' }),
    reader({ name: 'restless', url: far, type: 'job.*', from: 'beginning', manners: 'restless' }),
    reader({ name: 'far', url: far, type: 'job.*ed', from: 'beginning', manners: 'good' }),
  ]

  const phase = (name: 'load' | 'heal' | 'drained' | 'stopped'): void => {
    trail.write({ kind: 'phase', at: now(), phase: name })
    say(name)
  }
  phase('load')
  const sampling = setInterval(() => daemon.sample({ isAtRest: false }), 2000)
  for (const upstream of upstreams) upstream.begin()
  const load = performLoad(script, {
    daemon,
    clients,
    random,
    proxies: { prod: toProd, lab: toLab },
    trail,
    fickle: fickle.name,
  })
  const making = clients
    .makeEndpoint(made.name, `${toHooks.url}/${made.name}`, made.events)
    .then((secret) => hooks.expect(made.name, secret))
  await Promise.all([load, making])

  phase('heal')
  for (const one of [toProd, toLab, toHooks, toDaemon]) one.heal()
  for (const upstream of upstreams) upstream.heal()
  hooks.heal()
  for (const one of readers) one.heal()
  for (const upstream of upstreams) upstream.end()
  await daemon.startRival()
  const isDrained = await drained({ clients, script, readers, restMs, drainMs })
  phase('drained')
  if (!isDrained) say('it has not come to rest in time')

  clearInterval(sampling)
  const listed = daemon.sample({ isAtRest: isDrained })
  const files = ['jobwatch.db', 'jobwatch.db-wal']
  const written = files.map((name) => readIfThere(join(folder, name))).join('')
  const apiText = await writeEnd(clients, trail)
  await Promise.all(readers.map((one) => one.stop()))
  await daemon.stop()
  phase('stopped')
  writeDatabaseLog(join(folder, 'jobwatch.db'), trail)
  const canaries: Canaries = secrets
  trail.write(search('what it printed', daemon.printed, canaries))
  trail.write(search('the API', apiText, canaries))
  trail.write(search('what receivers got', hooks.bodies.join('\n'), canaries))
  // Its own secrets are in the database; those of the configuration are not.
  trail.write(search('its files while it ran', written, canaries))
  trail.write(search('the database', readIfThere(join(folder, 'jobwatch.db')), canaries))
  trail.write(search('the list of processes', listed, canaries))

  await Promise.all([toProd, toLab, toHooks, toDaemon].map((one) => one.close()))
  await Promise.all([...upstreams, hooks].map((one) => one.close()))
  await trail.close()
  const report = verify(trail.records)
  const text = `seed ${seed}\n${describe(report)}`
  await writeFile(join(folder, 'printed.log'), daemon.printed)
  await writeFile(join(folder, 'report.txt'), text)
  if (report.findings.length === 0) await rm(folder, { recursive: true, force: true })
  return { report, text, folder }
}

/** The bytes of a file, each as a character. */
function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'latin1') : ''
}
