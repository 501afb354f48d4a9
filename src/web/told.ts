import type { DeliveryAnswer, EventAnswer } from '../http/schemas.ts'

/** What an endpoint was told of how a job came out. */
export interface Told {
  readonly endpoint: string
  readonly delivery: DeliveryAnswer
}

const newsTypes = new Set([
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.lost',
  'job.overdue',
  'job.stalled',
])

/** The last event of a job that people are to be told of; null while there is none. */
export function newsOf(events: readonly EventAnswer[]): EventAnswer | null {
  return events.findLast(({ type }) => newsTypes.has(type)) ?? null
}

/** Whom the deliveries of one event have reached: each endpoint once, as it is now. */
export function toldOf(deliveries: readonly DeliveryAnswer[], seq: number): Told[] {
  const byEndpoint = new Map<string, DeliveryAnswer>()
  for (const delivery of deliveries.filter((one) => one.seq === seq)) {
    const before = byEndpoint.get(delivery.endpoint)
    if (before === undefined || tellsMore(delivery, before)) {
      byEndpoint.set(delivery.endpoint, delivery)
    }
  }
  return [...byEndpoint.entries()]
    .map(([endpoint, delivery]) => ({ endpoint, delivery }))
    .sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1))
}

/** A replay makes a second delivery of an event: whichever arrived has told it, else the last may. */
function tellsMore(one: DeliveryAnswer, other: DeliveryAnswer): boolean {
  const hasArrived = one.state === 'delivered'
  if (hasArrived !== (other.state === 'delivered')) return hasArrived
  return one.id > other.id
}
