import { nextTurn } from '../../clock.ts'
import type { EndpointSpec } from '../../core/endpoint.ts'
import { afterEndpointAttempt, afterTime, disabled } from '../../core/endpoint-state.ts'
import type { EndpointChange, EndpointHealth } from '../../core/endpoint-state.ts'
import { compileFilter } from '../../core/plan.ts'
import type { AttemptRecord, ReplayQuery, Store, StoredEndpoint } from '../store.ts'
import type { EndpointTable } from './endpoints.ts'
import type { EventLog } from './log.ts'
import type { Outbox } from './outbox.ts'
import type { Writer } from './writer.ts'

/** A replay looks at so many events in one unit. */
const replaySlice = 200

export type EndpointVerbs = Pick<
  Store,
  | 'syncEndpoints'
  | 'addEndpoint'
  | 'changeEndpoint'
  | 'removeEndpoint'
  | 'disableEndpoint'
  | 'expireEndpoint'
  | 'enableEndpoint'
  | 'rotateSecret'
  | 'noteSuccess'
  | 'replay'
  | 'recordAttempt'
>

/** What is done with endpoints: each verb is one transaction, but for what is done in slices. */
export function createEndpointVerbs({
  writer,
  log,
  endpoints,
  outbox,
}: {
  writer: Writer
  log: EventLog
  endpoints: EndpointTable
  outbox: Outbox
}): EndpointVerbs {
  /** Writes how an endpoint is by now, the event that tells it and the deliveries it owes. */
  function apply({ id, spec }: StoredEndpoint, change: EndpointChange, at: number): StoredEndpoint {
    const { health, draft } = change
    const changed = endpoints.setHealth(id, health)
    if (draft !== null) {
      const heads = log.appendOfEndpoint(spec.name, endpoints.lastSeqOf(id), [draft], at)
      for (const { seq } of heads) endpoints.setLastSeq(id, seq)
      outbox.owe(heads, at)
    }
    return changed
  }

  /**
   * Cancels what is pending for an endpoint up to a delivery; what is newer it got after it was
   * enabled again. In slices: it may be a hundred thousand. What a crash leaves of it, the next start
   * goes on with.
   */
  async function cancelPending(id: number, through: number, at: number): Promise<void> {
    while (await writer.write(() => outbox.cancelSome(id, through, at))) await nextTurn()
  }

  /**
   * Runs a unit that concerns an endpoint; when nothing is delivered to it after that, all that is
   * pending for it is cancelled. Answers with it as it is by then.
   */
  async function settle(
    id: number,
    at: number,
    unit: () => StoredEndpoint | null,
  ): Promise<StoredEndpoint | null> {
    const { endpoint, through } = await writer.write(() => {
      const endpoint = unit()
      return { endpoint, through: endpoints.isPlanned(id) ? null : outbox.newestId() }
    })
    if (through === null) return endpoint
    await cancelPending(id, through, at)
    return endpoints.find(id)
  }

  async function syncEndpoints(
    configured: readonly EndpointSpec[],
    at: number,
  ): Promise<readonly StoredEndpoint[]> {
    const through = await writer.write(() => {
      endpoints.sync(configured, at)
      return outbox.newestId()
    })
    for (const id of endpoints.idsWithoutDeliveries()) await cancelPending(id, through, at)
    return endpoints.all()
  }

  function change(
    id: number,
    at: number,
    next: (health: EndpointHealth) => EndpointChange,
  ): Promise<StoredEndpoint | null> {
    return settle(id, at, () => {
      const endpoint = endpoints.find(id)
      return endpoint && apply(endpoint, next(endpoint.health), at)
    })
  }

  function record(attempt: AttemptRecord): StoredEndpoint | null {
    const { endpointId, result, after, now } = attempt
    outbox.record(attempt)
    if (after.pauseUntil !== null) endpoints.pause(endpointId, after.pauseUntil)
    if (result.verdict === 'delivered') endpoints.noteDelivered(endpointId, now)
    const endpoint = endpoints.find(endpointId)
    if (endpoint === null) return null
    const { health } = endpoint
    const next = afterEndpointAttempt(health, result, now)
    // Most attempts are successes of an endpoint that is well: nothing to write.
    if (isSame(next.health, health)) return endpoint
    return apply(endpoint, next, now)
  }

  async function replay(
    { endpointId, from, until, types }: ReplayQuery,
    at: number,
  ): Promise<number> {
    let after = 'after' in from ? from.after : log.firstSince(from.since) - 1
    const newest = log.newest()
    const through = Math.min(
      newest,
      until === null ? newest : 'seq' in until ? until.seq : log.firstSince(until.at + 1) - 1,
    )
    const isWanted = compileFilter({ types })
    let queued = 0
    for (;;) {
      const events = log.slice(after, through, replaySlice)
      const last = events.at(-1)
      if (last === undefined) return queued
      queued += await writer.write(() => {
        const owed = events.filter((event) => isWanted(event) && endpoints.wants(endpointId, event))
        for (const event of owed) outbox.oweAnew(event, endpointId, at)
        return owed.length
      })
      after = last.seq
    }
  }

  return {
    syncEndpoints,
    addEndpoint: (spec, at) => writer.write(() => endpoints.add(spec, at)),
    changeEndpoint: (id, spec) => writer.write(() => endpoints.change(id, spec)),
    async removeEndpoint(id, at) {
      await settle(id, at, () => {
        endpoints.remove(id, at)
        return null
      })
    },
    disableEndpoint: (id, reason, at) => change(id, at, (health) => disabled(health, reason, at)),
    expireEndpoint: (id, at) => change(id, at, (health) => afterTime(health, at)),
    enableEndpoint: (id, at) => writer.write(() => endpoints.enable(id, at)),
    rotateSecret: (id, secret, at) => writer.write(() => endpoints.rotate(id, secret, at)),
    noteSuccess: (id, at) =>
      change(id, at, (health) =>
        afterEndpointAttempt(health, { verdict: 'delivered', detail: '' }, at),
      ),
    replay,
    recordAttempt: (attempt) => settle(attempt.endpointId, attempt.now, () => record(attempt)),
  }
}

function isSame(a: StoredEndpoint['health'], b: StoredEndpoint['health']): boolean {
  return a.state === b.state && a.failures === b.failures && a.reason === b.reason
}
