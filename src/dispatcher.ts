import PQueue from 'p-queue'
import type { Clock } from './clock.ts'
import { afterAttempt } from './core/delivery.ts'
import type { RetryPolicy } from './core/delivery.ts'
import type { Random } from './core/backoff.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Send, Target } from './notify/send.ts'
import type { Delivery, Store } from './store/store.ts'

export interface DispatcherDeps {
  readonly store: Pick<Store, 'readDue' | 'nextDueAt' | 'recordAttempt'>
  readonly send: Send
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
}

export interface DispatchPolicy extends RetryPolicy {
  /** Requests in flight per endpoint. */
  readonly concurrency: number
}

/** An endpoint as it is delivered to. */
export interface DispatchTarget extends Target {
  readonly endpointId: number
  readonly pausedUntil: number | null
  readonly formatName: string
}

/** Sends what is due to the endpoints. */
export interface Dispatcher {
  start(): void
  /** Says that there may be new deliveries. A hint: what is due is found without it, later. */
  wake(): void
  /** Begins no more attempts; resolves when those in flight are recorded. */
  stop(): Promise<void>
}

/** A lost hint costs at most this long. */
const maxIdleMs = 30_000
const errorPauseMs = 1000

/**
 * One lane per endpoint, so that a dead endpoint slows nobody. What is in flight is known in memory
 * alone: after a crash everything pending is simply due again, under the same id.
 */
export function createDispatcher(
  deps: DispatcherDeps,
  targets: readonly DispatchTarget[],
  policy: DispatchPolicy,
): Dispatcher {
  const lanes = targets.map((target) => createLane(deps, target, policy))
  return {
    start() {
      for (const lane of lanes) lane.pump()
    },
    wake() {
      for (const lane of lanes) lane.pump()
    },
    async stop() {
      await Promise.all(lanes.map((lane) => lane.stop()))
    },
  }
}

function createLane(
  { store, send, clock, random, log, metrics }: DispatcherDeps,
  target: DispatchTarget,
  policy: DispatchPolicy,
) {
  const { endpointId, name, formatName: format } = target
  const queue = new PQueue({ concurrency: policy.concurrency })
  const inFlight = new Set<number>()
  let pausedUntil = target.pausedUntil ?? 0
  let cancelTimer = (): void => undefined
  let isPumping = false
  let isWoken = false
  const stopping = new AbortController()
  const isStopped = (): boolean => stopping.signal.aborted
  // A rate can only be told of what has been there before it grew.
  for (const result of ['delivered', 'failed']) metrics.deliveries.inc({ format, result }, 0)

  /** Starts what is due; a call during a round makes for another one after it. */
  function pump(): void {
    isWoken = true
    if (isPumping || isStopped()) return
    isPumping = true
    cancelTimer()
    // Never rejects: its errors end in the log.
    void runRounds()
  }

  async function runRounds(): Promise<void> {
    let waitMs = maxIdleMs
    try {
      while (isWoken && !isStopped()) {
        isWoken = false
        waitMs = await startDue(clock.now())
      }
    } catch (error) {
      log.error({ err: error, endpoint: name }, 'dispatcher.round_failed')
      waitMs = errorPauseMs
    }
    // In one step with the last look at isWoken, or a call in between would be lost.
    isPumping = false
    if (!isStopped()) cancelTimer = clock.after(waitMs, pump)
  }

  async function startDue(now: number): Promise<number> {
    if (now < pausedUntil) return pausedUntil - now
    const free = policy.concurrency - inFlight.size
    // The end of an attempt wakes the lane.
    if (free <= 0) return maxIdleMs
    // What is in flight is still due in the store, so it takes up a part of the page.
    const due = await store.readDue({ endpointId, now, limit: policy.concurrency })
    const startable = due.filter(({ id }) => !inFlight.has(id)).slice(0, free)
    startable.forEach(begin)
    const nextDueAt = await store.nextDueAt({ endpointId, after: now })
    return nextDueAt === null ? maxIdleMs : Math.min(maxIdleMs, nextDueAt - now)
  }

  function begin(delivery: Delivery): void {
    inFlight.add(delivery.id)
    queue
      .add(() => attempt(delivery))
      .catch((error: unknown) => {
        log.error({ err: error, endpoint: name, deliveryId: delivery.id }, 'delivery.crashed')
        pausedUntil = Math.max(pausedUntil, clock.now() + errorPauseMs)
      })
      .finally(() => {
        inFlight.delete(delivery.id)
        pump()
      })
  }

  async function attempt(delivery: Delivery): Promise<void> {
    const { id: deliveryId, attemptCount, event } = delivery
    if (isStopped()) return
    const result = await send(event, target)
    // While stopping, connections are cut by us: such a failure is not held against the endpoint,
    // and the delivery stays due.
    if (isStopped() && result.error !== null) return
    const now = clock.now()
    const after = afterAttempt(attemptCount, result, policy, { now, random })
    if (after.pauseUntil !== null) pausedUntil = Math.max(pausedUntil, after.pauseUntil)
    const { status, error, durationMs } = result
    log[after.state === 'delivered' ? 'info' : 'warn'](
      {
        deliveryId,
        endpoint: name,
        seq: event.seq,
        type: event.type,
        attempt: attemptCount + 1,
        outcome: after.state,
        status,
        error,
        durationMs,
        nextAttemptAt: after.dueAt,
      },
      'delivery.attempted',
    )
    metrics.deliveryAttempts.inc({ format, result: error ?? 'delivered' })
    metrics.deliveryDuration.observe({ format }, durationMs / 1000)
    await store.recordAttempt({ deliveryId, endpointId, result, after, now })
    if (after.state !== 'pending') metrics.deliveries.inc({ format, result: after.state })
  }

  return {
    pump,
    async stop() {
      stopping.abort()
      cancelTimer()
      await queue.onIdle()
    },
  }
}
