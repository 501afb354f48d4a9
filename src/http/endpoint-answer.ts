import type { AttemptResult } from '../core/delivery.ts'
import { disablesAt } from '../core/endpoint-state.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { isoTime } from '../core/job.ts'
import type { Attempt, DeliveryRecord, StoredEndpoint } from '../store/store.ts'
import type { AttemptAnswer, DeliveryAnswer, EndpointAnswer } from './schemas.ts'

/** An endpoint as the API shows it. */
export function toEndpointAnswer(endpoint: StoredEndpoint, pending: number): EndpointAnswer {
  const { origin, spec, health, lastDeliveredAt } = endpoint
  const { types = [], upstreams = [], tags = [], jobids = [] } = spec.filter
  return {
    name: spec.name,
    origin,
    format: spec.format,
    url: shownUrl(spec),
    events: [...types],
    match: { upstream: [...upstreams], tag: [...tags], jobid: [...jobids] },
    fold: spec.fold,
    state: health.state,
    since: timeOf(health.since),
    reason: health.reason,
    disablesAt: isoTime(disablesAt(health)),
    lastDeliveredAt: isoTime(lastDeliveredAt),
    pending,
  }
}

/** The URL of a chat is its password: of it only scheme and host are shown. */
function shownUrl({ format, url, mail }: EndpointSpec): string {
  if (mail !== null)
    return `smtp://${mail.host.includes(':') ? `[${mail.host}]` : mail.host}:${mail.port}`
  const shown = new URL(url?.reveal() ?? '')
  if (format !== 'webhook') return shown.origin
  shown.username = ''
  shown.password = ''
  return shown.href
}

export function toDeliveryAnswer(delivery: DeliveryRecord): DeliveryAnswer {
  const { id, endpoint, seq, type, jobid, state, attemptCount } = delivery
  return {
    id,
    endpoint,
    seq,
    type,
    jobid,
    state,
    attemptCount,
    nextAttemptAt: isoTime(delivery.nextAttemptAt),
    createdAt: timeOf(delivery.createdAt),
    deliveredAt: isoTime(delivery.deliveredAt),
  }
}

export function toAttemptAnswer({
  at,
  durationMs,
  status,
  error,
  answer,
}: Attempt | AttemptResult): AttemptAnswer {
  return { at: timeOf(at), durationMs, status, error, answer }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
