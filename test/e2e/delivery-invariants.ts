import type { EventAnswer } from '../../src/http/schemas.ts'
import type { Received } from './bad-receiver.ts'
import { isSuccess } from './bad-receiver.ts'
import type { DeliveryView } from './delivery-ground.ts'

/** All that was seen of one endpoint from outside, over all lives of the daemon. */
export interface Trace {
  readonly events: readonly EventAnswer[]
  /** The answer of the API that holds these events. */
  readonly log: string
  /** Every request, oldest first. */
  readonly received: readonly Received[]
  readonly deliveries: readonly DeliveryView[]
  /** When the daemon was killed, epoch ms. */
  readonly killedAt: readonly number[]
  readonly matches: (event: EventAnswer) => boolean
  readonly secret: string
  /** The pause after a failed attempt, before jitter: always the same. */
  readonly stepMs: number
  readonly maxAttempts: number
}

/** How long after it got an answer a daemon may be killed without having recorded it, in ms. */
const recordMs = 1000

/** What the trace shows that must not be; empty when every promise was kept. */
export function deliveryFaults(trace: Trace): string[] {
  const requestsById = grouped(trace.received, ({ id }) => id ?? 'no id')
  return [
    ...missing(trace, requestsById),
    ...trace.received.flatMap((one) => extra(trace, one)),
    ...[...requestsById].flatMap(([id, requests]) => impatient(trace, id, requests)),
    ...disordered(trace, requestsById),
  ]
}

/** At least once: taken by the receiver, or failed after every attempt it was entitled to. */
function missing(
  { events, matches, deliveries, maxAttempts }: Trace,
  requestsById: ReadonlyMap<string, readonly Received[]>,
): string[] {
  return events.filter(matches).flatMap(({ id, data }) => {
    const isTaken = requestsById.get(id)?.some(({ behaviour }) => isSuccess(behaviour))
    const delivery = deliveries.find(({ seq }) => seq === data.seq)
    const hasFailed = delivery?.state === 'failed' && delivery.attemptCount === maxAttempts
    if (isTaken === true && delivery?.state === 'delivered') return []
    return hasFailed ? [] : [`${id} is not delivered: ${delivery?.state ?? 'no delivery'}`]
  })
}

/** Nothing extra: of the log, matching, byte for byte, well signed, now. */
function extra({ events, matches, log, secret }: Trace, one: Received): string[] {
  const event = events.find(({ id }) => id === one.id)
  if (event === undefined) return [`${String(one.id)} is not in the log`]
  const faults: string[] = []
  if (!matches(event)) faults.push(`${event.id} does not match`)
  const isTheEvent = one.body.includes(`"id":"${event.id}"`) && log.includes(one.body)
  if (!isTheEvent) faults.push(`${event.id} has other bytes than the log`)
  if (!one.isSignedBy(secret)) faults.push(`${event.id} is signed badly`)
  const ageMs = one.at - Number(one.headers['webhook-timestamp']) * 1000
  if (ageMs < -1000 || ageMs > 3000) faults.push(`${event.id} has the timestamp of another attempt`)
  return faults
}

/** After a failure no sooner than the step less jitter; after a success only if a kill came between. */
function impatient({ stepMs, killedAt }: Trace, id: string, requests: readonly Received[]) {
  return requests.slice(1).flatMap((next, index) => {
    const one = requests[index]
    if (one === undefined) return []
    const kills = killedAt.filter((at) => at >= one.at && at <= next.at)
    const [kill] = kills
    if (isSuccess(one.behaviour)) {
      const answeredAt = one.answeredAt ?? Infinity
      const isUnrecorded = kill !== undefined && kill < answeredAt + recordMs
      return isUnrecorded ? [] : [`${id} was sent again after it was taken`]
    }
    const gapMs = next.at - one.at
    if (kill !== undefined || gapMs >= stepMs * 0.8) return []
    return [`${id} was repeated after ${Math.round(gapMs)} ms`]
  })
}

/** The first successes of a job come in order of seq. */
function disordered(
  { events, matches }: Trace,
  requestsById: ReadonlyMap<string, readonly Received[]>,
): string[] {
  const bySubject = grouped(events.filter(matches), ({ source }) => source)
  return [...bySubject.values()].flatMap((ofOne) => {
    const taken = ofOne.flatMap(({ id }) => {
      const first = requestsById.get(id)?.find(({ behaviour }) => isSuccess(behaviour))
      return first === undefined ? [] : [{ id, at: first.at }]
    })
    return taken.flatMap(({ id, at }, index) => {
      const before = taken[index - 1]
      return before !== undefined && before.at >= at ? [`${id} came before ${before.id}`] : []
    })
  })
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}
