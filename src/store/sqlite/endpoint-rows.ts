import type { EndpointSpec, FormatName, MailSettings } from '../../core/endpoint.ts'
import type { EndpointState } from '../../core/endpoint-state.ts'
import type { EventFilter } from '../../core/plan.ts'
import { Secret } from '../../core/secret.ts'
import type { StoredEndpoint } from '../store.ts'

/** The columns of `endpoints` that are read, in the order of the statements. */
export const endpointColumns = [
  'id',
  'name',
  'origin',
  'definition',
  'secret',
  'old_secret',
  'old_secret_until',
  'state',
  'since',
  'reason',
  'failures',
  'failures_since',
  'paused_until',
  'last_delivered_at',
] as const

/** A row of `endpoints` as the statements select it. */
export interface EndpointRow {
  readonly id: number
  readonly name: string
  readonly origin: string
  readonly definition: string | null
  readonly secret: string | null
  readonly old_secret: string | null
  readonly old_secret_until: number | null
  readonly state: string
  readonly since: number
  readonly reason: string | null
  readonly failures: number
  readonly failures_since: number | null
  readonly paused_until: number | null
  readonly last_delivered_at: number | null
}

/** What is kept of an endpoint made over the API; its name and secret have columns of their own. */
interface Definition {
  readonly format: FormatName
  readonly url: string | null
  readonly mail: (Omit<MailSettings, 'password'> & { readonly password: string | null }) | null
  readonly filter: EventFilter
  readonly headers: Readonly<Record<string, string>>
  readonly fold: boolean
  readonly timeoutMs: number
}

/** A spec as its column holds it. */
export function fromSpec({ format, url, mail, filter, headers, fold, timeoutMs }: EndpointSpec) {
  const definition: Definition = {
    format,
    url: url?.reveal() ?? null,
    mail: mail && { ...mail, password: mail.password?.reveal() ?? null },
    filter,
    headers,
    fold,
    timeoutMs,
  }
  return JSON.stringify(definition)
}

/** A row as the endpoint it stands for; `configured` is what the configuration says of its own. */
export function toStoredEndpoint(
  row: EndpointRow,
  configured: EndpointSpec | undefined,
): StoredEndpoint {
  const spec = row.origin === 'config' ? configured : toSpec(row)
  if (spec === undefined) throw new Error(`the endpoint ${row.name} is described nowhere`)
  const made = secretOf(row.secret)
  const old = secretOf(row.old_secret)
  return {
    id: row.id,
    origin: row.origin === 'config' ? 'config' : 'api',
    spec,
    secret: spec.secret ?? made,
    oldSecret:
      old === null || row.old_secret_until === null
        ? null
        : { secret: old, until: row.old_secret_until },
    health: {
      state: row.state as EndpointState,
      since: row.since,
      reason: row.reason,
      failures: row.failures,
      failuresSince: row.failures_since,
    },
    pausedUntil: row.paused_until,
    lastDeliveredAt: row.last_delivered_at,
  }
}

function toSpec({ name, definition }: EndpointRow): EndpointSpec | undefined {
  if (definition === null) return undefined
  const { url, mail, ...rest } = JSON.parse(definition) as Definition
  return {
    ...rest,
    name,
    url: secretOf(url),
    mail: mail && { ...mail, password: secretOf(mail.password) },
    // It may have been rotated since: the column has it.
    secret: null,
  }
}

function secretOf(text: string | null): Secret | null {
  return text === null ? null : new Secret(text)
}
