import type { EventFilter } from './plan.ts'
import type { Secret } from './secret.ts'

export const formatNames = ['webhook', 'slack', 'teams', 'email'] as const
/** How events are rendered for an endpoint. */
export type FormatName = (typeof formatNames)[number]

/** Where mail goes and how. */
export interface MailSettings {
  readonly host: string
  readonly port: number
  readonly user: string | null
  readonly password: Secret | null
  readonly from: string
  readonly to: readonly string[]
}

/** An endpoint as someone described it, in the configuration or over the API. */
export interface EndpointSpec {
  readonly name: string
  readonly format: FormatName
  /** Where requests go; null for mail, which has its settings instead. */
  readonly url: Secret | null
  readonly mail: MailSettings | null
  readonly filter: EventFilter
  readonly headers: Readonly<Record<string, string>>
  /** After an outage, leave out what later events of the same job made pointless. */
  readonly fold: boolean
  /** The longest one attempt may take, in ms. */
  readonly timeoutMs: number
}
