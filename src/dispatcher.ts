import type { AttemptResult } from './core/delivery.ts'
import type { LoggedEvent } from './core/event.ts'
import { createLane } from './lane.ts'
import type { Lane, LaneDeps, LanePolicy, LaneTarget } from './lane.ts'

/** Sends what is due to the endpoints, each in a lane of its own: a dead one slows nobody. */
export interface Dispatcher {
  start(): void
  /** Delivers to an endpoint from now on, or goes on as it is described and feels now. */
  put(target: LaneTarget): void
  /** Begins no more attempts at an endpoint; what is in flight comes to its end. */
  remove(endpointId: number): void
  /** Says that there may be new deliveries. A hint: what is due is found without it, later. */
  wake(): void
  /** Makes one attempt at a delivery at once, outside the order; nothing while one is under way. */
  retryNow(endpointId: number, deliveryId: number): void
  /** Sends an event that is in no log, now. Null when the endpoint is not delivered to. */
  sendTest(endpointId: number, event: LoggedEvent): Promise<AttemptResult | null>
  /** Begins no more attempts; resolves when those in flight are recorded. */
  stop(): Promise<void>
}

/**
 * What is in flight is known in memory alone: after a crash everything pending is simply due again,
 * under the same id.
 */
export function createDispatcher(deps: LaneDeps, policy: LanePolicy): Dispatcher {
  const lanes = new Map<number, Lane>()
  /** The ends of the lanes that were removed. */
  const ending = new Set<Promise<void>>()
  let isStarted = false
  return {
    start() {
      isStarted = true
      for (const lane of lanes.values()) lane.pump()
    },
    put(target) {
      const { id } = target.endpoint
      const lane = lanes.get(id)
      if (lane !== undefined) {
        lane.use(target)
        return
      }
      const fresh = createLane(deps, target, policy)
      lanes.set(id, fresh)
      if (isStarted) fresh.pump()
    },
    remove(endpointId) {
      const lane = lanes.get(endpointId)
      if (lane === undefined) return
      lanes.delete(endpointId)
      const end = lane.stop().finally(() => {
        ending.delete(end)
      })
      ending.add(end)
    },
    wake() {
      if (!isStarted) return
      for (const lane of lanes.values()) lane.pump()
    },
    retryNow(endpointId, deliveryId) {
      lanes.get(endpointId)?.retryNow(deliveryId)
    },
    async sendTest(endpointId, event) {
      return (await lanes.get(endpointId)?.sendTest(event)) ?? null
    },
    async stop() {
      await Promise.all([...ending, ...[...lanes.values()].map((lane) => lane.stop())])
    },
  }
}
