import type { Clock } from '../clock.ts'
import type { Endpoints } from '../endpoints.ts'
import type { Feed } from '../feed.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { PolledJob, Store } from '../store/store.ts'
import type { UpstreamState } from '../core/upstream-state.ts'
import type { Access } from './auth.ts'
import type { LiveStatus } from './job-answer.ts'

/** An upstream as the API needs it. */
export interface ApiUpstream {
  readonly name: string
  readonly kind: string
  readonly root: string
  jobidOf(url: URL): string | null
  watch(job: PolledJob): void
  unwatch(jobId: number): void
  /** Resolves when a look that began after the call was taken in, or when none can be made now. */
  pollNow(job: PolledJob): Promise<void>
  statusOf(jobId: number): LiveStatus | null
  status(): UpstreamStatus
}

/** How an upstream is at this moment. Times are epoch ms. */
export interface UpstreamStatus {
  readonly state: UpstreamState
  readonly since: number
  readonly lastSuccessAt: number | null
  readonly lastError: string | null
  readonly requestsPerSecond: number
  readonly tokenExpiresAt: number | null
  /** Active jobs. */
  readonly jobs: number
}

/** What the routes stand on. */
export interface ApiDeps {
  readonly store: Store
  readonly feed: Feed
  /** In the order of the configuration. */
  readonly upstreams: readonly ApiUpstream[]
  readonly endpoints: Endpoints
  /** What endpoints have that do not say. */
  readonly endpointDefaults: { readonly timeoutMs: number }
  readonly access: Access
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly maxStreams: number
  /** The daemon's own. */
  readonly version: string
  /** Where the built page is. */
  readonly pageFolder: string
  /** What is not well; empty when the daemon is ready. */
  readonly notReady: () => readonly string[]
}
