import Database from 'better-sqlite3'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { search } from './canaries.ts'
import type { Canaries } from './canaries.ts'
import { Clients } from './clients.ts'
import { FaultProxy } from './fault-proxy.ts'
import { Random } from './random.ts'
import { Reader } from './readers.ts'
import type { ReaderOptions } from './readers.ts'
import { startReceivers } from './receivers.ts'
import type { Receiver } from './receivers.ts'
import { upstreamNames, writeScript } from './script.ts'
import type { Script, ScriptedJob } from './script.ts'
import { Supervisor } from './supervisor.ts'
import { Trail } from './trail.ts'
import { now } from './trace.ts'
import type { Setup } from './trace.ts'
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

const polling = {
  interval: '200ms',
  maxInterval: '400ms',
  rate: 100,
  concurrency: 8,
  timeout: '1s',
}
const retryMs = [200, 400, 800, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600]
const overtakeMs = 2000
const inFlight = 8
const lostAfterMs = 1000

const secrets = {
  token: 'canary-api-token-5b2e9f40c7d14a',
  password: 'canary+password/with=signs 77',
  prodToken: 'canary-prod-token-0c8f2ad1e6',
  labToken: 'canary-lab-token-93be5d1fa2',
  all: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1hbGwtMDAwMQ==',
  ends: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1lbmRzLTAwMg==',
  moody: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1tb29keS0wMw==',
  dead: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1kZWFkLTAwNA==',
} as const

const receivers: readonly (Receiver & {
  readonly events: readonly string[]
  readonly isFar: boolean
})[] = [
  { name: 'all', manners: 'good', events: ['*'], isFar: false },
  { name: 'ends', manners: 'good', events: ['job.completed', 'job.failed'], isFar: true },
  { name: 'moody', manners: 'moody', events: ['job.*'], isFar: true },
  { name: 'dead', manners: 'dead', events: ['job.stage.*', 'job.cancelled'], isFar: false },
]
/** The one that is made over the API while everything goes wrong. */
const made = { name: 'made', manners: 'moody', events: ['job.*ed', 'upstream.*'] } as const

/** One that is disabled and enabled all the time. */
const fickle = { name: 'fickle', manners: 'moody', events: ['job.*'] } as const

/** Runs the built daemon amid everything that can go wrong, and holds what happened against what it promises. */
export async function runRig(options: RigOptions): Promise<Outcome> {
  const { seed, restMs = 5000, drainMs = 60_000, say = () => undefined } = options
  const written = writeScript(options)
  const script = { ...written, blows: options.blows ?? written.blows }
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
  const configured = receivers.map(({ name, events, isFar }) => ({
    ...{ name, events, secret: secrets[name as keyof typeof secrets] },
    url: `${isFar ? toHooks.url : hooks.origin}/${name}`,
  }))
  for (const { name, secret } of configured) hooks.expect(name, secret)
  const upstreamOf = (name: string, origin: string, auth: object) => ({
    ...{
      name,
      polling,
      downAfter: '2s',
      lostAfter: `${lostAfterMs}ms`,
      root: `${origin}/gis/admin`,
    },
    auth,
  })
  await using daemon = new Supervisor({
    program: options.program ?? 'dist/main.js',
    folder,
    trail,
    config: {
      database: join(folder, 'jobwatch.db'),
      api: { tokens: [{ name: 'rig', token: secrets.token, scopes: ['write'] }] },
      feed: { maxStreams: 100 },
      upstreams: [
        upstreamOf('prod', toProd.url, { username: 'rig', password: secrets.password }),
        upstreamOf('lab', toLab.url, { token: secrets.labToken }),
      ],
      endpoints: configured,
      delivery: {
        retry: retryMs.map((ms) => `${ms}ms`),
        ...{
          timeout: '1s',
          concurrency: inFlight,
          overtake: `${overtakeMs}ms`,
          allow: ['127.0.0.0/8'],
        },
      },
      shutdownTimeout: '3s',
    },
  })
  const startedAt = now()
  await daemon.start()
  for (const { name, events } of configured) {
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
  for (const upstream of upstreams) upstream.begin()
  const load = performLoad(script, {
    daemon,
    clients,
    random,
    proxies: { prod: toProd, lab: toLab },
    trail,
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
  const bytes = readFileSync(join(folder, 'jobwatch.db'), 'latin1')
  trail.write(search('the database', bytes, canaries))

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

function setupOf({ seed, jobs }: Script): Setup {
  return {
    ...{ kind: 'setup', at: now(), seed, retryMs, overtakeMs, inFlight },
    upstreams: upstreamNames.map((name) => ({
      ...{ name, maxIntervalMs: 400, timeoutMs: 1000 },
      ...{ rate: polling.rate, concurrency: polling.concurrency, lostAfterMs },
      jobs: jobs.filter((job) => job.upstream === name).length,
    })),
  }
}

interface Load {
  readonly daemon: Supervisor
  readonly clients: Clients
  readonly random: Random
  readonly proxies: Readonly<Record<string, FaultProxy>>
  readonly trail: Trail
}

/** Everything that the script holds for the time of the load. */
async function performLoad(script: Script, load: Load): Promise<void> {
  const { daemon, clients, random, proxies, trail } = load
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
      await clients.turn(fickle.name, false)
      await pause(random.between(0, 1500))
      await clients.turn(fickle.name, true)
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

interface List<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

async function readAll<Item>(clients: Clients, path: string): Promise<Item[]> {
  const all: Item[] = []
  let cursor = ''
  for (;;) {
    const page = await clients.read(`${path}${path.includes('?') ? '&' : '?'}limit=1000${cursor}`)
    const { items, next } = JSON.parse(page) as List<Item>
    all.push(...items)
    if (next === null) return all
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
}

interface JobView {
  readonly upstream: string
  readonly jobid: string
  readonly state: string
  readonly status: string | null
  readonly problem: { readonly kind: string } | null
  readonly label: string | null
}

/** Waits until nothing more is owed to anybody; false when that takes too long. */
async function drained({
  clients,
  script,
  readers,
  restMs,
  drainMs,
}: {
  readonly clients: Clients
  readonly script: Script
  readonly readers: readonly Reader[]
  readonly restMs: number
  readonly drainMs: number
}): Promise<boolean> {
  const giveUpAt = now() + drainMs
  const isAtRest = async (): Promise<boolean> => {
    const jobs = await readAll<JobView>(clients, '/v1/jobs')
    if (jobs.length < script.jobs.length) return false
    if (jobs.some(({ state, problem }) => state !== 'ended' || problem !== null)) return false
    const pending = await readAll<object>(clients, '/v1/deliveries?state=pending')
    if (pending.length > 0) return false
    const { newest } = JSON.parse(await clients.read('/v1/events?last=1')) as { newest: number }
    return readers.every(({ position }) => Number(position?.split('-')[1]) >= newest - 50)
  }
  while (now() < giveUpAt) {
    if (await isAtRest()) {
      // The last two looks at a job that has ended, and what is on its way to readers.
      await pause(restMs)
      if (await isAtRest()) return true
    }
    await pause(300)
  }
  return false
}

/** Writes down how everything is in the end; answers all that the API has said of it. */
async function writeEnd(clients: Clients, trail: Trail): Promise<string> {
  const texts: string[] = []
  const keep = (all: readonly object[]): void => void texts.push(JSON.stringify(all))
  const jobs = await readAll<JobView>(clients, '/v1/jobs')
  keep(jobs)
  for (const { upstream, jobid, state, status, problem, label } of jobs) {
    const of = { upstream, jobid, state, status, problem: problem?.kind ?? null, label }
    trail.write({ kind: 'job', ...of })
  }
  interface DeliveryView {
    readonly endpoint: string
    readonly seq: number
    readonly state: string
    readonly attemptCount: number
  }
  const deliveries = await readAll<DeliveryView>(clients, '/v1/deliveries')
  keep(deliveries)
  for (const { endpoint, seq, state, attemptCount } of deliveries) {
    trail.write({ kind: 'delivery', endpoint, seq, state, attemptCount })
  }
  const endpoints = await readAll<{ name: string; state: string }>(clients, '/v1/endpoints')
  keep(endpoints)
  for (const { name, state } of endpoints) trail.write({ kind: 'final-endpoint', name, state })
  const ready = await clients.call('/readyz')
  trail.write({ kind: 'ready', at: now(), status: ready?.status ?? 0 })
  for (const path of ['/metrics', '/v1/upstreams']) texts.push(await clients.read(path))
  for (const [id, text] of await clients.readLog()) {
    texts.push(text)
    trail.write({ kind: 'logged', via: 'api', id, text })
  }
  return texts.join('\n')
}

/** The log as it lies in the file, after everyone has left it. */
function writeDatabaseLog(file: string, trail: Trail): void {
  const db = new Database(file, { readonly: true })
  try {
    const rows = db.prepare<[], { text: string }>('SELECT text FROM events ORDER BY seq').all()
    for (const { text } of rows) {
      const { id } = JSON.parse(text) as { id: string }
      trail.write({ kind: 'logged', via: 'database', id, text })
    }
  } finally {
    db.close()
  }
}
