import type { Clock } from './clock.ts'
import type { AttemptResult } from './core/delivery.ts'
import type { EndpointSpec } from './core/endpoint.ts'
import { testEvent } from './core/event.ts'
import { Secret } from './core/secret.ts'
import type { Dispatcher } from './dispatcher.ts'
import { newTestEventId, newWebhookSecret } from './ids.ts'
import type { LaneTarget } from './lane.ts'
import type { Logger } from './log.ts'
import type { Carrier } from './notify/send.ts'
import type { DeliveryRecord, ReplayQuery, Store, StoredEndpoint } from './store/store.ts'

export interface EndpointsDeps {
  readonly store: Pick<
    Store,
    | 'listEndpoints'
    | 'countPending'
    | 'addEndpoint'
    | 'changeEndpoint'
    | 'removeEndpoint'
    | 'disableEndpoint'
    | 'enableEndpoint'
    | 'rotateSecret'
    | 'noteSuccess'
    | 'replay'
  >
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly log: Logger
  /** Makes what an endpoint is delivered through; a carrier that is given is kept. */
  targetOf(endpoint: StoredEndpoint, carrier?: Carrier): LaneTarget
  /** Why an endpoint made over the API may not be where it is; null when it may. */
  refusalOf(spec: EndpointSpec): Promise<string | null>
}

/** What people do with endpoints. Null stands for one that was removed meanwhile. */
export interface Endpoints {
  /** Begins to deliver to those that are there. */
  start(endpoints: readonly StoredEndpoint[]): void
  list(): Promise<readonly StoredEndpoint[]>
  find(name: string): Promise<StoredEndpoint | null>
  /** How many deliveries are pending for it. */
  countPending(endpointId: number): Promise<number>
  refusalOf(spec: EndpointSpec): Promise<string | null>
  /** Null when the name is taken. */
  add(spec: EndpointSpec): Promise<StoredEndpoint | null>
  change(id: number, spec: EndpointSpec): Promise<StoredEndpoint | null>
  remove(id: number): Promise<void>
  enable(id: number): Promise<StoredEndpoint | null>
  disable(id: number): Promise<StoredEndpoint | null>
  /** Its new `secret` signs from now on, beside the old one for a while. */
  rotateSecret(id: number): Promise<StoredEndpoint | null>
  /** Sends a test event now; a success ends the patience with a failing endpoint. */
  test(endpoint: StoredEndpoint): Promise<AttemptResult | null>
  /** Owes an endpoint past events anew; answers how many. */
  replay(query: ReplayQuery): Promise<number>
  /** Makes one attempt at a delivery, now. */
  retry(delivery: Pick<DeliveryRecord, 'id' | 'endpointId'>): void
  /** Closes all connections. */
  close(): Promise<void>
}

/** Counting more would hold the event loop up for too long. */
const maxCounted = 100_000

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  const { store, dispatcher, clock, log } = deps
  const carriers = new Map<number, Carrier>()
  /** Those that only wait for what is under way. */
  const retired = new Set<Carrier>()

  /** Delivers to an endpoint as it is now, over the connections it has. */
  function put<T extends StoredEndpoint | null>(endpoint: T, carrier?: Carrier): T {
    if (endpoint !== null) {
      const target = deps.targetOf(endpoint, carrier)
      carriers.set(endpoint.id, target.carrier)
      dispatcher.put(target)
    }
    return endpoint
  }

  function retire(carrier: Carrier | undefined): void {
    if (carrier === undefined) return
    retired.add(carrier)
    const forget = (): void => {
      retired.delete(carrier)
    }
    carrier.close().then(forget, forget)
  }

  const keep = <T extends StoredEndpoint | null>(endpoint: T): T =>
    put(endpoint, endpoint === null ? undefined : carriers.get(endpoint.id))

  return {
    start(endpoints) {
      for (const endpoint of endpoints) {
        put(endpoint)
        const { state, reason } = endpoint.health
        if (state !== 'disabled') continue
        log.warn({ endpoint: endpoint.spec.name, reason }, 'endpoint.is_disabled')
      }
    },
    list: () => store.listEndpoints(),
    async find(name) {
      return (await store.listEndpoints()).find(({ spec }) => spec.name === name) ?? null
    },
    countPending: (endpointId) => store.countPending({ endpointId, maxCounted }),
    refusalOf: (spec) => deps.refusalOf(spec),
    async add(spec) {
      return put(await store.addEndpoint(spec, clock.now()))
    },
    async change(id, spec) {
      const old = carriers.get(id)
      const endpoint = put(await store.changeEndpoint(id, spec))
      retire(old)
      return endpoint
    },
    async remove(id) {
      await store.removeEndpoint(id, clock.now())
      dispatcher.remove(id)
      retire(carriers.get(id))
      carriers.delete(id)
    },
    enable: async (id) => keep(await store.enableEndpoint(id, clock.now())),
    disable: async (id) =>
      keep(await store.disableEndpoint(id, 'disabled over the API', clock.now())),
    rotateSecret: async (id) =>
      keep(await store.rotateSecret(id, new Secret(newWebhookSecret()), clock.now())),
    async test({ id, spec }) {
      const event = testEvent(spec.name, newTestEventId(), clock.now())
      const result = await dispatcher.sendTest(id, event)
      if (result?.verdict === 'delivered') keep(await store.noteSuccess(id, clock.now()))
      return result
    },
    async replay(query) {
      const queued = await store.replay(query, clock.now())
      // It wrote no event, which would have said so.
      dispatcher.wake()
      return queued
    },
    retry({ id, endpointId }) {
      dispatcher.retryNow(endpointId, id)
    },
    async close() {
      await Promise.all([...carriers.values(), ...retired].map((carrier) => carrier.destroy()))
    },
  }
}
