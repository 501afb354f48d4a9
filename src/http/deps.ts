import type { Clock } from '../clock.ts'
import type { Feed } from '../feed.ts'
import type { Logger } from '../log.ts'
import type { PolledJob, Store } from '../store/store.ts'
import type { Access } from './auth.ts'
import type { LiveStatus } from './job-answer.ts'

/** An upstream as the API needs it. */
export interface ApiUpstream {
  readonly name: string
  readonly root: string
  jobidOf(url: URL): string | null
  watch(job: PolledJob): void
  unwatch(jobId: number): void
  statusOf(jobId: number): LiveStatus | null
}

/** What the routes stand on. */
export interface ApiDeps {
  readonly store: Store
  readonly feed: Feed
  /** In the order of the configuration. */
  readonly upstreams: readonly ApiUpstream[]
  readonly access: Access
  readonly clock: Clock
  readonly log: Logger
  readonly maxStreams: number
  /** What is not well; empty when the daemon is ready. */
  readonly notReady: () => readonly string[]
}
