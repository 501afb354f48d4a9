import type { Clock } from './clock.ts'
import { endpointStates } from './core/endpoint-state.ts'
import { upstreamStates } from './core/upstream-state.ts'
import { freeBytesBeside, sizeOf } from './disk.ts'
import type { Feed } from './feed.ts'
import type { GateStatus } from './gate.ts'
import type { Logger } from './log.ts'
import type { Metrics, Readings } from './metrics.ts'
import type { Store } from './store/store.ts'
import type { UpstreamStatus } from './upstream/upstream.ts'

/** What an upstream tells of itself, with the number of its active jobs. */
type Status = GateStatus & UpstreamStatus & { readonly jobs: number }

export interface GaugeSources {
  readonly upstreams: readonly { readonly name: string; readonly status: () => Status }[]
  readonly store: Pick<Store, 'readBounds' | 'readBacklog' | 'listEndpoints'>
  readonly feed: Pick<Feed, 'readerCount' | 'queuedBytes' | 'lowestCursor'>
  /** The database file. */
  readonly database: string
  readonly clock: Clock
  readonly log: Logger
}

/** Counting more would hold the event loop up for too long. */
const maxCounted = 100_000

/** Says where each gauge is read when someone asks for the metrics; nothing is kept up to date for it. */
export function connectGauges(
  metrics: Metrics,
  { upstreams, store, feed, database, clock, log }: GaugeSources,
): void {
  const ofEach = (valueOf: (status: Status) => number | null) => () =>
    upstreams.map(({ name, status }) => [{ upstream: name }, valueOf(status())] as const)

  metrics.jobs.readWith(() =>
    upstreams.map(({ name, status }) => [{ upstream: name, state: 'active' }, status().jobs]),
  )
  metrics.upstreamLastSuccess.readWith(ofEach(({ lastSuccessAt }) => seconds(lastSuccessAt)))
  metrics.upstreamState.readWith(() =>
    upstreams.flatMap(({ name, status }) => {
      const { state: current } = status()
      const is = (state: string) => (state === current ? 1 : 0)
      return upstreamStates.map((state) => [{ upstream: name, state }, is(state)] as const)
    }),
  )
  metrics.upstreamBreaker.readWith(ofEach(({ state }) => (state === 'up' ? 0 : 1)))
  metrics.tokenExpiry.readWith(ofEach(({ tokenExpiresAt }) => seconds(tokenExpiresAt)))
  metrics.clockSkew.readWith(ofEach(({ clockSkewMs }) => seconds(clockSkewMs)))

  /** The rest is still of use while the database is not, or no longer, to be read. */
  const ofStore = (read: () => Promise<number | null>) => async (): Promise<Readings<never>> => {
    try {
      return only(await read())
    } catch (error) {
      log.warn({ err: error }, 'metrics.store_unreadable')
      return []
    }
  }
  const readBacklog = () => store.readBacklog({ maxCounted })
  metrics.lastSeq.readWith(ofStore(async () => (await store.readBounds()).newest))
  metrics.oldestSeq.readWith(ofStore(async () => (await store.readBounds()).oldest))
  metrics.outboxPending.readWith(ofStore(async () => (await readBacklog()).pending))
  metrics.outboxOldestAge.readWith(
    ofStore(async () => {
      const { oldestAt } = await readBacklog()
      return oldestAt === null ? 0 : Math.max(0, clock.now() - oldestAt) / 1000
    }),
  )

  metrics.endpoints.readWith(async () => {
    try {
      const all = await store.listEndpoints()
      const countOf = (state: string) => all.filter(({ health }) => health.state === state).length
      return endpointStates.map((state) => [{ state }, countOf(state)] as const)
    } catch (error) {
      log.warn({ err: error }, 'metrics.store_unreadable')
      return []
    }
  })

  metrics.sseClients.readWith(() => only(feed.readerCount))
  metrics.sseQueuedBytes.readWith(() => only(feed.queuedBytes))
  metrics.sseLag.readWith(
    ofStore(async () => {
      const { newest } = await store.readBounds()
      return Math.max(0, newest - (feed.lowestCursor ?? newest))
    }),
  )
  metrics.dbSize.readWith(async () => only(await sizeOf(database)))
  metrics.diskFree.readWith(async () => only(await freeBytesBeside(database)))
  metrics.walSize.readWith(async () => only(await sizeOf(`${database}-wal`)))
}

function only(value: number | null): Readings<never> {
  return [[{}, value]]
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000
}
