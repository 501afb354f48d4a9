import PQueue from 'p-queue'
import type { Clock } from './clock.ts'
import type { Random } from './core/backoff.ts'
import { afterAttempt, retryJitter, unchanged } from './core/delivery.ts'
import type { AttemptResult, RetryPolicy } from './core/delivery.ts'
import { disablesAt } from './core/endpoint-state.ts'
import type { LoggedEvent } from './core/event.ts'
import { isoTime, jobView, maxListedMessages } from './core/job.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Late } from './notify/format.ts'
import type { Send, Target } from './notify/send.ts'
import { StoreUnwritable } from './store/store.ts'
import type { Delivery, Store, StoredEndpoint } from './store/store.ts'

export interface LaneDeps {
  readonly store: Pick<
    Store,
    | 'readDue'
    | 'nextDueAt'
    | 'fold'
    | 'readPresent'
    | 'takeDelivery'
    | 'recordAttempt'
    | 'expireEndpoint'
    | 'assertWritable'
  >
  readonly send: Send
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
}

export interface LanePolicy extends RetryPolicy {
  /** Requests in flight per endpoint. */
  readonly concurrency: number
}

/** An endpoint as it is delivered to. */
export interface LaneTarget extends Target {
  readonly endpoint: StoredEndpoint
}

/** The way to one endpoint: what is due goes out along it, and along no other. */
export interface Lane {
  /** Starts what is due; a call during a round makes for another one after it. */
  pump(): void
  /** Takes over what somebody changed about the endpoint. */
  use(target: LaneTarget): void
  retryNow(deliveryId: number): void
  sendTest(event: LoggedEvent): Promise<AttemptResult>
  stop(): Promise<void>
}

/** A lost hint costs at most this long. */
const maxIdleMs = 30_000
const errorPauseMs = 1000
/** After so many failures in a row, whatever the delivery, an endpoint is only probed. */
const failuresUntilProbed = 50
/** It is tried this often at least, as long as something is due: what is well again is soon seen. */
const maxProbeMs = 5000
/** What was owed so long ago comes late, whatever kept it. */
const lateAfterMs = 60_000
/** Chats take so many messages per window (Slack: about one a second, in short bursts). */
const paceWindowMs = 10_000

/**
 * An endpoint that goes on failing is not hammered with all that waits for it, but probed: one
 * attempt at a time, every few seconds. What waits does not use up its attempts meanwhile.
 */
export function createLane(
  { store, send, clock, random, log, metrics }: LaneDeps,
  first: LaneTarget,
  policy: LanePolicy,
): Lane {
  let target = first
  const format = first.endpoint.spec.format
  const { per10s } = first.format
  const pace = per10s === null ? {} : { interval: paceWindowMs, intervalCap: per10s }
  const queue = new PQueue({ concurrency: policy.concurrency, ...pace })
  const inFlight = new Set<number>()
  const byHand = new Set<Promise<void>>()
  /** Until when the endpoint asked for silence. */
  let pausedUntil = first.endpoint.pausedUntil ?? 0
  /** While it is probed: when it may be tried again. */
  let probeAt = 0
  let lastFailedAt = -Infinity
  let cancelTimer = (): void => undefined
  let isPumping = false
  let isWoken = false
  const stopping = new AbortController()
  const isStopped = (): boolean => stopping.signal.aborted
  // A rate can only be told of what has been there before it grew.
  for (const result of ['delivered', 'failed']) metrics.deliveries.inc({ format, result }, 0)

  const health = () => target.endpoint.health
  const openAt = () => Math.max(pausedUntil, probeAt)
  const isProbed = () => health().state === 'failing' && health().failures >= failuresUntilProbed

  function pump(): void {
    isWoken = true
    if (isPumping || isStopped() || health().state === 'disabled') return
    isPumping = true
    cancelTimer()
    // Never rejects: its errors end in the log.
    void runRounds()
  }

  /** That nothing can be written is told once, and not by everyone who wanted to write. */
  function logUnless(error: unknown, about: object, event: string): void {
    if (!(error instanceof StoreUnwritable)) log.error({ err: error, ...about }, event)
  }

  async function runRounds(): Promise<void> {
    let waitMs = maxIdleMs
    try {
      while (isWoken && !isStopped()) {
        isWoken = false
        waitMs = await startDue(clock.now())
      }
    } catch (error) {
      logUnless(error, { endpoint: target.name }, 'dispatcher.round_failed')
      waitMs = errorPauseMs
    }
    // In one step with the last look at isWoken, or a call in between would be lost.
    isPumping = false
    if (!isStopped()) cancelTimer = clock.after(waitMs, pump)
  }

  /** Starts what is due; answers how long there is nothing to do. */
  async function startDue(now: number): Promise<number> {
    const endpointId = target.endpoint.id
    const expiresAt = disablesAt(health()) ?? Infinity
    if (now >= expiresAt) {
      takeIn(await store.expireEndpoint(endpointId, now))
      return maxIdleMs
    }
    const maxWaitMs = Math.min(maxIdleMs, expiresAt - now)
    if (now < openAt()) return Math.min(maxWaitMs, openAt() - now)
    const free = (isProbed() ? 1 : policy.concurrency) - inFlight.size
    // The end of an attempt wakes the lane.
    if (free <= 0) return maxWaitMs
    // What comes of an attempt has to be written down, or it would be made again and again.
    await store.assertWritable()
    // What is in flight is still due in the store, so it takes up a part of the page.
    const due = await store.readDue({ endpointId, now, limit: policy.concurrency })
    const startable = due.filter(({ id }) => !inFlight.has(id)).slice(0, free)
    startable.forEach(begin)
    const nextDueAt = await store.nextDueAt({ endpointId, after: now })
    return nextDueAt === null ? maxWaitMs : Math.min(maxWaitMs, nextDueAt - now)
  }

  function begin(delivery: Delivery): void {
    inFlight.add(delivery.id)
    queue
      .add(() => attempt(delivery, { isByHand: false }))
      .catch((error: unknown) => {
        logUnless(error, { endpoint: target.name, deliveryId: delivery.id }, crashed)
        pausedUntil = Math.max(pausedUntil, clock.now() + errorPauseMs)
      })
      .finally(() => {
        inFlight.delete(delivery.id)
        pump()
      })
  }

  async function attempt(delivery: Delivery, { isByHand }: { isByHand: boolean }): Promise<void> {
    const { id: deliveryId, attemptCount, event } = delivery
    if (isStopped() || (!isByHand && !isOpen())) return
    const isLate = comesLate(delivery)
    if (isLate && delivery.isFoldable && !isByHand) {
      if (await store.fold(deliveryId, clock.now())) {
        log.info(
          { deliveryId, endpoint: target.name, seq: event.seq, type: event.type },
          'delivery.superseded',
        )
        return
      }
    }
    const late = isLate && target.format.isMessage ? await lateOf(delivery) : null
    const isProbe = isProbed()
    const result = await send(event, target, late)
    // While stopping, connections are cut by us: such a failure is not held against the endpoint,
    // and the delivery stays due.
    if (isStopped() && result.error !== null) return
    await record(delivery, result, { isByHand, isProbe, attempt: attemptCount + 1 })
  }

  /** False when the endpoint was silenced or disabled while the pace held an attempt back. */
  function isOpen(): boolean {
    return health().state !== 'disabled' && clock.now() >= openAt()
  }

  /** True when an outage lies between what happened and now: of the endpoint, or our own. */
  function comesLate({ createdAt, attemptCount, isReplay }: Delivery): boolean {
    const isOld = clock.now() - createdAt > lateAfterMs
    return isReplay || isOld || attemptCount > 0 || createdAt <= lastFailedAt
  }

  async function lateOf(delivery: Delivery): Promise<Late> {
    const { job, ...leftOut } = await store.readPresent(delivery)
    const now = clock.now()
    const view = job && jobView(job, { at: now, maxMessages: maxListedMessages })
    return { now, job: view, ...leftOut }
  }

  async function record(
    { id: deliveryId, event, attemptCount, byHandCount }: Delivery,
    result: AttemptResult,
    {
      isByHand,
      isProbe,
      attempt: number,
    }: { isByHand: boolean; isProbe: boolean; attempt: number },
  ): Promise<void> {
    const now = clock.now()
    const endpointId = target.endpoint.id
    const isDelivered = result.verdict === 'delivered'
    const failedBefore = attemptCount - byHandCount
    const judged = afterAttempt(failedBefore, result, policy, { now, random })
    const after =
      isByHand && !isDelivered ? { ...unchanged, pauseUntil: judged.pauseUntil } : judged
    const { status, error, durationMs, detail } = result
    log[isDelivered ? 'info' : 'warn'](
      {
        deliveryId,
        endpoint: target.name,
        seq: event.seq,
        type: event.type,
        attempt: number,
        outcome: after.state,
        status,
        error,
        durationMs,
        detail,
        nextAttemptAt: isoTime(after.dueAt),
      },
      'delivery.attempted',
    )
    metrics.deliveryAttempts.inc({ format, result: error ?? 'delivered' })
    metrics.deliveryDuration.observe({ format }, durationMs / 1000)
    const endpoint = await store.recordAttempt({
      deliveryId,
      endpointId,
      result,
      after,
      isByHand,
      now,
    })
    if (after.state === 'delivered' || after.state === 'failed') {
      metrics.deliveries.inc({ format, result: after.state })
    }
    if (after.pauseUntil !== null) pausedUntil = Math.max(pausedUntil, after.pauseUntil)
    const wasProbed = isProbed()
    takeIn(endpoint)
    if (isDelivered) {
      probeAt = 0
    } else {
      // An answer that refuses what was sent is no outage.
      if (result.verdict !== 'refused') lastFailedAt = now
      // What was in flight when that began is no probe.
      if (isProbed() && (isProbe || !wasProbed)) probeAt = now + probePauseMs()
    }
  }

  /** No longer than until the first retry of a delivery could come, so that none waits for a probe. */
  function probePauseMs(): number {
    const [firstMs = maxProbeMs] = policy.scheduleMs
    return Math.min(maxProbeMs, firstMs * (1 - retryJitter))
  }

  /** How the endpoint feels after what was just written down. */
  function takeIn(endpoint: StoredEndpoint | null): void {
    if (endpoint === null) return
    const { state, reason } = endpoint.health
    if (state !== health().state) {
      log[state === 'active' ? 'info' : 'warn'](
        { endpoint: target.name, state, reason },
        'endpoint.state_changed',
      )
    }
    target = { ...target, endpoint }
  }

  return {
    pump,
    use(next) {
      target = next
      // Whoever changed something about it has a reason to expect better.
      pausedUntil = next.endpoint.pausedUntil ?? 0
      probeAt = 0
      pump()
    },
    retryNow(deliveryId) {
      if (inFlight.has(deliveryId)) return
      inFlight.add(deliveryId)
      const done = (async () => {
        await store.assertWritable()
        const delivery = await store.takeDelivery(deliveryId)
        if (delivery !== null) await attempt(delivery, { isByHand: true })
      })()
        .catch((error: unknown) => {
          logUnless(error, { endpoint: target.name, deliveryId }, crashed)
        })
        .finally(() => {
          inFlight.delete(deliveryId)
          byHand.delete(done)
          pump()
        })
      byHand.add(done)
    },
    sendTest: (event) => send(event, target, null),
    async stop() {
      stopping.abort()
      cancelTimer()
      // What the pace holds back would be waited for.
      queue.clear()
      await Promise.all([queue.onIdle(), ...byHand])
    },
  }
}

const crashed = 'delivery.crashed'
