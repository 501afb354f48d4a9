import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { PruneQuery, Store } from './store/store.ts'

export interface RetentionDeps {
  readonly store: Pick<Store, 'prune'>
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** How long what is kept, in ms. */
export interface RetentionPolicy {
  readonly eventsMs: number
  readonly deliveriesMs: number
  readonly jobsMs: number
}

/** Takes away what is older than people want to keep, a little at a time. */
export interface Retention {
  start(): void
  /** Resolves when no slice is under way any more. */
  stop(): Promise<void>
}

/** Between two slices, so that what is urgent never waits for more than one. */
const pauseMs = 10
const mostOftenMs = 1000
const leastOftenMs = 600_000

export function createRetention(
  { store, clock, log, metrics }: RetentionDeps,
  { eventsMs, deliveriesMs, jobsMs }: RetentionPolicy,
): Retention {
  const kinds = [
    { what: 'deliveries', keptMs: deliveriesMs },
    { what: 'events', keptMs: eventsMs },
    { what: 'jobs', keptMs: jobsMs },
  ] as const
  // What is kept for seconds is looked at every second, what is kept for months every ten minutes.
  const shortestMs = Math.min(eventsMs, deliveriesMs, jobsMs)
  const everyMs = Math.min(Math.max(shortestMs / 10, mostOftenMs), leastOftenMs)
  let isStopped = false
  let cancel = (): void => undefined
  let round: Promise<void> | null = null
  let endPause = (): void => undefined

  function schedule(): void {
    if (isStopped) return
    cancel = clock.after(everyMs, () => {
      round = pruneAll()
        .catch((error: unknown) => log.warn({ err: error }, 'retention.failed'))
        .finally(() => {
          round = null
          schedule()
        })
    })
  }

  async function pruneAll(): Promise<void> {
    const removed: Partial<Record<PruneQuery['what'], number>> = {}
    for (const { what, keptMs } of kinds) {
      if (isStopped) break
      const count = await pruneKind(what, clock.now() - keptMs)
      if (count > 0) removed[what] = count
    }
    if (Object.keys(removed).length > 0) log.info(removed, 'retention.pruned')
  }

  async function pruneKind(what: PruneQuery['what'], before: number): Promise<number> {
    let count = 0
    let from: PruneQuery['from'] = null
    do {
      const { removed, next } = await store.prune({ what, before, from })
      count += removed
      if (removed > 0) metrics.pruned.inc({ what }, removed)
      from = next
      if (from !== null && !isStopped) await pause()
    } while (from !== null && !isStopped)
    return count
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      endPause = resolve
      cancel = clock.after(pauseMs, resolve)
    })
  }

  // A series that begins with its first increment hides that increment.
  for (const { what } of kinds) metrics.pruned.inc({ what }, 0)

  return {
    start: schedule,
    async stop() {
      isStopped = true
      cancel()
      endPause()
      await round
    },
  }
}
