import PQueue from 'p-queue'
import type { Cancel, Clock } from './clock.ts'
import { exponential, jitter } from './core/backoff.ts'
import type { Random } from './core/backoff.ts'
import { afterSignal, healthOf } from './core/health.ts'
import type { Health, Signal } from './core/health.ts'
import type { Failed } from './core/observation.ts'
import { healthStateOf, signalOf, upstreamDraft, upstreamStateOf } from './core/upstream-state.ts'
import type { UpstreamState } from './core/upstream-state.ts'
import type { Logger } from './log.ts'
import type { Store } from './store/store.ts'
import type { Upstream } from './upstream/upstream.ts'

export interface GatePolicy {
  /** Requests in flight, at most. */
  readonly concurrency: number
  /** Requests per second, at most, spread evenly. */
  readonly rate: number
  /** No usable answer for so long makes an upstream count as down. */
  readonly downAfterMs: number
  /** Probes of an upstream that is down begin with this pause, */
  readonly intervalMs: number
  /** which doubles up to this one. */
  readonly maxIntervalMs: number
}

export interface GateDeps {
  readonly upstream: Pick<Upstream, 'name' | 'retryToken'>
  readonly store: Pick<Store, 'findUpstream' | 'commitUpstream'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** What a request is for: what a person waits for goes first, what nobody asked for goes last. */
export type Urgency = 'asked' | 'watched' | 'discovery'

export interface GateStatus {
  readonly state: UpstreamState
  /** Epoch ms. */
  readonly since: number
  readonly lastSuccessAt: number | null
  /** Why the last look failed, in words; null when it did not. */
  readonly lastError: string | null
}

/**
 * The one way to an upstream: its requests go through here in their turn, at most so many at once
 * and per second. What they yield is its health; while it is down or denied only a probe now and
 * then is let through, and nobody waits for an answer that will not come.
 */
export interface Gate {
  /** Takes up how the upstream was when this was last written down; it is then asked at once. */
  start(): Promise<void>
  /** Runs a request when it is its turn; null when the gate was stopped before that. */
  run<T>(request: () => Promise<T>, urgency: Urgency): Promise<T | null>
  /** True when a request may be made now; for a probe that is said once, during a pause never. */
  admits(now: number): boolean
  /** When the next probe may be made, epoch ms; null while everything is let through. */
  readonly probeAt: number | null
  /** True while the upstream wants to be left alone (`Retry-After`). */
  readonly isPaused: boolean
  /** Takes in that a request got a usable answer. Resolves when what that changes is written. */
  worked(now: number): Promise<void>
  /** Takes in that a request got none. */
  failed(failed: Failed, now: number): Promise<void>
  status(): GateStatus
  /** Lets no more requests begin; resolves when those in flight are done. */
  stop(): Promise<void>
}

const refusalsToDeny = 3
const failuresToBeDown = 3
/** More often would risk that the account is locked. */
const deniedProbeMs = 300_000
/** What nobody asked for waits for everything else, but no longer than this. */
const patienceMs = 5000
const priorities: Readonly<Record<Urgency, number>> = { asked: 2, watched: 1, discovery: 0 }

export function createGate(
  { upstream, store, clock, random, log }: GateDeps,
  { concurrency, rate, downAfterMs, intervalMs, maxIntervalMs }: GatePolicy,
): Gate {
  const { name } = upstream
  const thresholds = {
    failing: { count: failuresToBeDown, afterMs: downAfterMs },
    off: { refusals: refusalsToDeny, afterMs: Infinity },
  }
  const queue = new PQueue({ concurrency, ...evenly(rate) })
  let health: Health = healthOf('ok', clock.now())
  /** What the log tells; it follows `health` as soon as it can be written. */
  let told: UpstreamState = 'up'
  let toldSince = health.since
  let writing: Promise<void> | null = null
  let lastSuccessAt: number | null = null
  let lastError: string | null = null
  let probeAt: number | null = null
  let probes = 0
  let discoveries = 0
  let notedAt = 0
  let pausedUntil = 0
  let cancelPause: Cancel = () => undefined
  /** What ends the waiting of those whose turn has not come. */
  const waiting = new Set<() => void>()

  function note(signal: Signal, now: number): Promise<void> {
    notedAt = now
    const before = health.state
    health = afterSignal(health, signal, now, thresholds)
    if (health.state !== before) {
      probes = 0
      probeAt = health.state === 'ok' ? null : nextProbeAt(now)
    }
    return told === upstreamStateOf(health.state) ? settled : (writing ??= tell())
  }

  function nextProbeAt(now: number): number {
    if (health.state === 'off') return now + deniedProbeMs
    probes += 1
    const pause = exponential(probes, intervalMs, Math.max(intervalMs, maxIntervalMs))
    return now + jitter(pause, 0.1, random)
  }

  /** Writes what has changed, and what changes meanwhile; a failed write is made up for at the next look. */
  async function tell(): Promise<void> {
    try {
      for (;;) {
        const state = upstreamStateOf(health.state)
        if (state === told) return
        const { since } = health
        const at = notedAt
        // What failed after that is no reason of its being up.
        const reason = state === 'up' ? 'it answers again' : (lastError ?? 'no usable answer')
        // That it is over is told with the time since when it was not well.
        const draft = upstreamDraft(state, reason, state === 'up' ? toldSince : since)
        await store.commitUpstream({ name, state, since, lastSuccessAt, draft, at })
        log[state === 'up' ? 'info' : 'warn']({ upstream: name, reason }, `upstream.${state}`)
        told = state
        toldSince = since
      }
    } catch (error) {
      log.error({ err: error, upstream: name }, 'upstream.not_told')
    } finally {
      writing = null
    }
  }

  /** `Retry-After` speaks for the whole upstream. */
  function pause(ms: number): void {
    const until = clock.now() + ms
    if (until <= pausedUntil) return
    pausedUntil = until
    queue.pause()
    cancelPause()
    cancelPause = clock.after(ms, () => queue.start())
  }

  /** Where a request stands in line; what waits long enough moves to the front. */
  function placeFor(urgency: Urgency) {
    const priority = priorities[urgency]
    if (urgency !== 'discovery') return { options: { priority }, leave: () => undefined }
    discoveries += 1
    const id = `discovery ${discoveries}`
    const leave = clock.after(patienceMs, () => {
      queue.setPriority(id, priorities.asked)
    })
    return { options: { priority, id }, leave }
  }

  return {
    async start() {
      const stored = await store.findUpstream(name)
      if (stored === null) {
        const { since } = health
        const at = clock.now()
        await store.commitUpstream({ name, state: 'up', since, lastSuccessAt, draft: null, at })
        return
      }
      health = healthOf(healthStateOf(stored.state), stored.since)
      told = stored.state
      toldSince = stored.since
      lastSuccessAt = stored.lastSuccessAt
      probeAt = stored.state === 'up' ? null : clock.now()
    },
    run: <T>(request: () => Promise<T>, urgency: Urgency) =>
      new Promise<T | null>((resolve, reject) => {
        const place = placeFor(urgency)
        const giveUp = (): void => {
          place.leave()
          resolve(null)
        }
        waiting.add(giveUp)
        const turn = async (): Promise<void> => {
          place.leave()
          waiting.delete(giveUp)
          resolve(await request())
        }
        queue.add(turn, place.options).catch(reject)
      }),
    admits(now) {
      if (now < pausedUntil) return false
      if (probeAt === null) return true
      if (now < probeAt) return false
      probeAt = nextProbeAt(now)
      // How often may be asked is decided here: a pause of the token's own must not add to it.
      upstream.retryToken()
      return true
    },
    get probeAt() {
      return probeAt
    },
    get isPaused() {
      return clock.now() < pausedUntil
    },
    worked(now) {
      lastSuccessAt = now
      lastError = null
      return note('success', now)
    },
    failed(failed, now) {
      lastError = failed.detail
      if (failed.failure === 'throttled' && failed.retryAfterMs !== null) {
        pause(failed.retryAfterMs)
      }
      return note(signalOf(failed), now)
    },
    status: () => ({
      state: upstreamStateOf(health.state),
      since: health.since,
      lastSuccessAt,
      lastError,
    }),
    async stop() {
      cancelPause()
      queue.clear()
      for (const giveUp of waiting) giveUp()
      queue.start()
      await queue.onIdle()
    },
  }
}

const settled = Promise.resolve()

/**
 * The rate as p-queue wants it. A whole second's worth at once would be a burst, so the interval is
 * cut as small as its timer can hold.
 */
function evenly(rate: number): { interval: number; intervalCap: number } {
  const intervalCap = Math.max(1, Math.floor(rate / 100))
  return { interval: (intervalCap * 1000) / rate, intervalCap }
}
