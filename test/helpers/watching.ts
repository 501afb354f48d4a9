import { join } from 'node:path'
import type { LifePolicy } from '../../src/core/advance.ts'
import type { Failed } from '../../src/core/observation.ts'
import { createDiscovery } from '../../src/discovery.ts'
import type { DiscoveryPolicy } from '../../src/discovery.ts'
import { createGate } from '../../src/gate.ts'
import type { GatePolicy } from '../../src/gate.ts'
import { createLogger } from '../../src/log.ts'
import { createLooks } from '../../src/looks.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPoller } from '../../src/poller.ts'
import type { PollingPolicy } from '../../src/poller.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type {
  Finding,
  Listing,
  Look,
  Upstream,
  UpstreamStatus,
} from '../../src/upstream/upstream.ts'
import { aSnapshot } from './builders.ts'
import { temporaryFolder } from './daemon.ts'
import { valueOf } from './exposition.ts'
import { FakeClock, settle } from './fake-clock.ts'

const policies = {
  intervalMs: 5000,
  maxIntervalMs: 20_000,
  concurrency: 4,
  lostAfterMs: 60_000,
  stallAfterMs: 7_200_000,
  // The gate's queue keeps its rate by the real clock: it must not be the one to wait for.
  rate: 1_000_000,
  downAfterMs: 30_000,
} satisfies PollingPolicy & LifePolicy & GatePolicy
const discoveryPolicy = {
  intervalMs: 30_000,
  match: { operation: ['*'], username: ['*'] },
  looksPerRound: 100,
}

/** A deployment whose looks the test decides, one after another; the last one stays. */
export class ScriptedUpstream implements Upstream {
  readonly name = 'prod'
  readonly kind = 'scripted'
  readonly root = 'http://upstream.invalid/gis/admin'
  readonly asked: string[] = []
  readonly known: (string | null)[] = []
  tokenRetries = 0
  lists = 0
  look: (jobid: string) => Look | Promise<Look> = () => running('a')

  async fetchJob(jobid: string, known: string | null): Promise<Look> {
    this.asked.push(jobid)
    this.known.push(known)
    const look = await this.look(jobid)
    return look.outcome === 'seen' && look.fingerprint === known ? { outcome: 'same' } : look
  }
  list: () => Listing = () => ({ outcome: 'listed', jobids: [] })

  listJobs(): Promise<Listing> {
    this.lists += 1
    return Promise.resolve(this.list())
  }
  retryToken(): void {
    this.tokenRetries += 1
  }
  status(): UpstreamStatus {
    return { tokenExpiresAt: null, requestsPerSecond: 0, clockSkewMs: null }
  }
  examine(): AsyncIterable<Finding> {
    throw new Error('nothing is examined here')
  }
  jobidOf(): string | null {
    return null
  }
  async close(): Promise<void> {
    // Nothing is open.
  }
}

/** A document of a job that runs, in which the text stands for all of it. */
export function running(document: string, fields: Parameters<typeof aSnapshot>[0] = {}): Look {
  return { outcome: 'seen', snapshot: aSnapshot(fields), document, fingerprint: document }
}

export function completed(document: string): Look {
  return running(document, { status: 'COMPLETED', rawStatus: 'COMPLETED', endedAt: 1 })
}

/** A look that failed. */
export function failing(failure: Failed['failure'], more: Partial<Failed> = {}): Failed {
  return { outcome: 'failed', failure, detail: `as if ${failure}`, retryAfterMs: null, ...more }
}

export const missing: Look = { outcome: 'missing', detail: 'HTTP 404' }

export interface WatchingOptions extends Partial<typeof policies> {
  readonly discovery?: Partial<DiscoveryPolicy>
}

/** All that watches one upstream, on a database of its own and a clock that the test moves. */
export async function watching({ discovery: discovered, ...options }: WatchingOptions = {}) {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const store = openSqliteStore({
    file: join(folder.path, 'test.db'),
    overtakeMs: 300_000,
    now: () => clock.now(),
  })
  const upstream = new ScriptedUpstream()
  const log = createLogger('silent')
  const policy = { ...policies, ...options }
  const metrics = createMetrics({ version: '1.2.3' })

  const put = (random = () => 0.5) => {
    const gate = createGate({ upstream, store, clock, random, log }, policy)
    const looks = createLooks({ store, upstream, gate, clock, log }, policy)
    const poller = createPoller(
      { store, upstream, looks, gate, clock, random, log, metrics },
      policy,
    )
    const discovery = createDiscovery(
      {
        ...{ store, upstream, gate, looks, clock, random, log },
        watch: (job) => {
          poller.watch(job, { seenAlready: true })
        },
      },
      { ...policy, ...discoveryPolicy, ...discovered },
    )
    return { gate, looks, poller, discovery }
  }
  let parts = put()

  return {
    clock,
    store,
    upstream,
    get gate() {
      return parts.gate
    },
    get poller() {
      return parts.poller
    },
    get discovery() {
      return parts.discovery
    },
    /** Stops what watches and starts it anew on the same database, as a restart would. */
    async restart(random?: () => number) {
      await Promise.all([parts.discovery.stop(), parts.poller.stop()])
      parts = put(random)
      await parts.gate.start()
      await parts.poller.start()
      await settle()
    },
    async watch(jobid: string) {
      const { job } = await store.registerJob({ upstream: 'prod', jobid }, clock.now())
      parts.poller.watch(job)
      await settle()
      return job
    },
    /** The value of a metric of the upstream. */
    async metric(name: string) {
      return valueOf(await metrics.text(), name, { upstream: upstream.name })
    },
    /** The types of all events so far. */
    async types() {
      const { events } = await store.readEvents({ after: 0, limit: 10_000, filter: {} })
      return events.map(({ type }) => type)
    },
    /** The events of the upstream itself, each with its change. */
    async upstreamEvents() {
      const filter = { types: ['upstream.*'] }
      const { events } = await store.readEvents({ after: 0, limit: 1000, filter })
      return events.map(({ type, text }) => {
        const { data } = JSON.parse(text) as { data: { change: object } }
        return { type, ...data.change }
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([parts.discovery.stop(), parts.poller.stop()])
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export type Watching = Awaited<ReturnType<typeof watching>>
