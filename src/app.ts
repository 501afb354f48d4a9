import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import type { Config, UpstreamConfig } from './config/load.ts'
import type { Random } from './core/backoff.ts'
import { AppError } from './core/errors.ts'
import { secretsAt } from './core/endpoint.ts'
import { createDiscovery } from './discovery.ts'
import { freeBytesBeside } from './disk.ts'
import { createDispatcher } from './dispatcher.ts'
import { toEndpointSpec } from './endpoint-settings.ts'
import { createEndpoints } from './endpoints.ts'
import { createFeed } from './feed.ts'
import { connectGauges } from './gauges.ts'
import { createGate } from './gate.ts'
import { createAccess } from './http/auth.ts'
import { createServer } from './http/server.ts'
import { createLogger } from './log.ts'
import type { Logger } from './log.ts'
import { createLooks } from './looks.ts'
import { createMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import { createSend } from './notify/send.ts'
import { createTargets } from './notify/target.ts'
import { createPoller } from './poller.ts'
import { createRetention } from './retention.ts'
import { createStorageWatch } from './storage-watch.ts'
import { openSqliteStore } from './store/sqlite/store.ts'
import type { PolledJob, Store } from './store/store.ts'
import { measured } from './upstream/measured.ts'
import { upstreamKinds } from './upstream/registry.ts'
import type { Upstream } from './upstream/upstream.ts'
import { version } from './version.ts'

/** The daemon, put together. */
export interface App {
  /** Resolves when everything runs; rejects when something cannot. */
  start(): Promise<void>
  /** Ends everything in order, within `shutdownTimeout`; may be called twice and during the start. */
  stop(): Promise<void>
  /** Makes `stop` wait no longer for what is in flight. */
  hurry(): void
  /** Where the API listens, once started. */
  readonly url: string
  /** Rejects when the daemon has to end: its database can no longer be relied on. Never resolves. */
  readonly failed: Promise<never>
}

/** What a test, or the demo, puts in place of the real thing. */
export interface AppOverrides {
  readonly clock?: Clock
  readonly random?: Random
  readonly log?: Logger
}

const userAgent = `jobwatch/${version}`

/** The composition root: the one place that knows every implementation. */
export async function createApp(config: Config, overrides: AppOverrides = {}): Promise<App> {
  const clock = overrides.clock ?? systemClock
  const random = overrides.random ?? Math.random
  const log = overrides.log ?? createLogger(config.log.level)
  const now = () => clock.now()
  const metrics = createMetrics({ version })

  const store = openSqliteStore({
    file: config.database,
    overtakeMs: config.delivery.overtake,
    now,
    onStretch: metrics.noteStretch,
  })
  const { delivery, publicUrl = null } = config
  const defaults = { timeoutMs: delivery.timeout }
  const configured = config.endpoints.map((endpoint) => toEndpointSpec(endpoint, defaults))
  const stored = await store.syncEndpoints(configured, now())
  const surroundings = { store, clock, random, log, metrics }
  const upstreams = createUpstreams(config, clock, metrics)
  const watched = upstreams.map((upstream, index) => {
    const settings = config.upstreams[index]
    if (settings === undefined) throw new Error('every upstream comes from the configuration')
    return watchOver(upstream, settings, surroundings)
  })
  const rootOf = (name: string) =>
    upstreams.find((upstream) => upstream.name === name)?.root ?? null
  const dispatcher = createDispatcher(
    { ...surroundings, send: createSend({ clock, userAgent, publicUrl, rootOf }) },
    { concurrency: delivery.concurrency, scheduleMs: delivery.retry },
  )
  const targets = createTargets({
    clock,
    connections: delivery.concurrency,
    allow: delivery.allow,
    proxy: delivery.proxy,
  })
  const endpoints = createEndpoints({
    ...surroundings,
    dispatcher,
    targetOf: (endpoint, carrier) => ({
      ...targets.targetOf(endpoint.spec, endpoint.origin, carrier),
      secretsAt: (at) => secretsAt(endpoint, at),
      endpoint,
    }),
    refusalOf: (spec) => targets.refusalOf(spec),
  })
  const failed = new Promise<never>((_, reject) => {
    store.onLost(reject)
  })
  // Whoever runs the daemon hears of it; a test may not listen.
  failed.catch(() => undefined)
  const storageWatch = createStorageWatch({
    ...surroundings,
    freeBytes: () => freeBytesBeside(config.database),
  })
  const feed = createFeed(surroundings)
  const { events: eventsMs, deliveries: deliveriesMs, jobs: jobsMs } = config.retention
  const retention = createRetention(surroundings, { eventsMs, deliveriesMs, jobsMs })
  store.onCommit(({ types, durationMs }) => {
    dispatcher.wake()
    feed.wake()
    metrics.commitDuration.observe(durationMs / 1000)
    for (const type of types) metrics.events.inc({ type })
  })
  const statuses = watched.map(({ upstream: { name }, status }) => ({ name, status }))
  const { database } = config
  connectGauges(metrics, { ...surroundings, upstreams: statuses, feed, database })

  let phase: 'new' | 'starting' | 'running' | 'stopping' = 'new'
  const server: FastifyInstance = await createServer({
    store,
    feed,
    upstreams: watched.map(({ upstream, poller, status }) => ({
      name: upstream.name,
      kind: upstream.kind,
      root: upstream.root,
      jobidOf: (url) => upstream.jobidOf(url),
      watch: (job) => {
        poller.watch(job)
      },
      unwatch: (jobId) => {
        poller.unwatch(jobId)
      },
      pollNow: (job) => poller.pollNow(job),
      statusOf: (jobId) => poller.statusOf(jobId),
      status,
    })),
    access: createAccess({ tokens: config.api.tokens, publicUrl: config.publicUrl, clock }),
    endpoints,
    endpointDefaults: defaults,
    clock,
    log,
    metrics,
    maxStreams: config.feed.maxStreams,
    version,
    // The same for the built daemon and for its sources.
    pageFolder: fileURLToPath(new URL('../dist/web', import.meta.url)),
    notReady: () => (phase === 'running' ? [] : [`the daemon is ${phase}`]),
  })

  let url = ''
  let stopped: Promise<void> | null = null
  const hurried = new AbortController()

  async function start(): Promise<void> {
    phase = 'starting'
    warnOfWhatIsMissing(config, log)
    const { host, port } = config.listen
    await server.listen({ host, port }).catch((error: unknown) => {
      const reason = (error as Error).message
      throw new AppError('cannot_listen', `Cannot listen on ${host}:${port}: ${reason}`, {
        cause: error,
      })
    })
    const address = server.server.address() as AddressInfo
    url = `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
    await Promise.all(watched.map(({ gate }) => gate.start()))
    await Promise.all(watched.map(({ poller }) => poller.start()))
    for (const { discovery } of watched) discovery?.start()
    endpoints.start(stored)
    dispatcher.start()
    retention.start()
    storageWatch.start()
    phase = 'running'
    log.info({ url, version, database: config.database }, 'app.listening')
  }

  async function stop(): Promise<void> {
    phase = 'stopping'
    log.info({}, 'app.stopping')
    storageWatch.stop()
    // New looks and attempts end first; then the streams, or the server would wait for them for ever.
    const drained = Promise.all([
      ...watched.flatMap(({ poller, discovery }) => [discovery?.stop(), poller.stop()]),
      dispatcher.stop(),
      retention.stop(),
    ])
    const closed = server.close()
    const work = Promise.all([drained, closed])
    const isDrained = await within(clock, config.shutdownTimeout, work, hurried.signal)
    if (!isDrained) log.warn({ timeoutMs: config.shutdownTimeout }, 'app.stop_cut_short')
    server.server.closeAllConnections()
    await Promise.all([...upstreams.map((upstream) => upstream.close()), endpoints.close()])
    // What fails here has failed before and was told; everything else is in order by now.
    await store.close().catch((error: unknown) => log.error({ err: error }, 'app.close_failed'))
    log.info({}, 'app.stopped')
  }

  return {
    start,
    stop: () => (stopped ??= stop()),
    failed,
    hurry: () => {
      hurried.abort()
    },
    get url() {
      return url
    },
  }
}

/** Everything that watches one upstream. */
function watchOver(
  upstream: Upstream,
  settings: UpstreamConfig,
  surroundings: { store: Store; clock: Clock; random: Random; log: Logger; metrics: Metrics },
) {
  const { polling, discover, downAfter: downAfterMs } = settings
  const { interval: intervalMs, maxInterval: maxIntervalMs, concurrency, rate } = polling
  const life = { lostAfterMs: settings.lostAfter, stallAfterMs: settings.stallAfter }

  const gate = createGate(
    { upstream, ...surroundings },
    { concurrency, rate, downAfterMs, intervalMs, maxIntervalMs },
  )
  const looks = createLooks({ upstream, gate, ...surroundings }, life)
  const pace = { intervalMs, maxIntervalMs, concurrency }
  const poller = createPoller({ upstream, looks, gate, ...surroundings }, pace)
  const watch = (job: PolledJob): void => {
    poller.watch(job, { seenAlready: true })
  }
  const discovery = createDiscovery(
    { upstream, gate, looks, watch, ...surroundings },
    {
      ...life,
      intervalMs: discover.interval,
      match: discover.match,
      concurrency: Math.max(1, concurrency >> 1),
      // At most half of what the upstream lets through until the next round.
      looksPerRound: Math.min(Math.max(10, Math.floor((rate * discover.interval) / 2000)), 1000),
    },
  )
  const status = () => ({ ...gate.status(), ...upstream.status(), jobs: looks.activeCount })
  return { upstream, gate, poller, discovery: discover.enabled ? discovery : null, status }
}

/** The upstreams of a configuration; with these alone they can be asked without a daemon. */
export function createUpstreams(
  { upstreams }: Pick<Config, 'upstreams'>,
  clock: Clock = systemClock,
  metrics?: Metrics,
): Upstream[] {
  return upstreams.map((upstream) => createUpstream(upstream, clock, metrics))
}

function createUpstream(config: UpstreamConfig, clock: Clock, metrics?: Metrics): Upstream {
  const { name, kind, root, auth, polling, tls } = config
  const upstream = upstreamKinds[kind](
    {
      name,
      root,
      auth: toCredentials(auth),
      referer: auth.referer,
      timeoutMs: polling.timeout,
      maxBodyBytes: polling.maxBodyBytes,
      concurrency: polling.concurrency,
      tls,
    },
    {
      clock,
      userAgent,
      onTokenRequest: (result) => metrics?.tokenRenewals.inc({ upstream: name, result }),
      onParsed: (durationMs) => metrics?.noteStretch('parse', durationMs),
    },
  )
  return metrics === undefined ? upstream : measured(upstream, metrics)
}

function toCredentials(auth: UpstreamConfig['auth']) {
  if (auth.token !== undefined) return { token: auth.token.reveal() }
  const { username, password, tokenUrl, expiration } = auth
  if (username === undefined || password === undefined || tokenUrl === undefined) {
    throw new Error('the configuration lets no upstream through without credentials')
  }
  return { username, password: password.reveal(), tokenUrl, expirationMs: expiration }
}

/** What is allowed but hardly meant must not go unsaid. */
function warnOfWhatIsMissing({ upstreams }: Config, log: Logger): void {
  if (upstreams.length === 0) log.warn({}, 'config.no_upstream')
}

/** True when the work was done before the time was up and before anyone lost patience. */
async function within(
  clock: Clock,
  ms: number,
  work: Promise<unknown>,
  impatience: AbortSignal,
): Promise<boolean> {
  let cancel = (): void => undefined
  const late = new Promise<boolean>((resolve) => {
    const giveUp = (): void => {
      resolve(false)
    }
    cancel = clock.after(ms, giveUp)
    if (impatience.aborted) giveUp()
    else impatience.addEventListener('abort', giveUp, { once: true })
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    cancel()
  }
}
