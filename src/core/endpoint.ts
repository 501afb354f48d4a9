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
  /** The secret that its owner gave it to sign with; null: jobwatch makes one where it takes one. */
  readonly secret: Secret | null
  readonly filter: EventFilter
  readonly headers: Readonly<Record<string, string>>
  /** After an outage, leave out what later events of the same job made pointless. */
  readonly fold: boolean
  /** The longest one attempt may take, in ms. */
  readonly timeoutMs: number
}

/** Whether what goes there is signed. */
export function isSigned({ format }: Pick<EndpointSpec, 'format'>): boolean {
  return format === 'webhook'
}

/** For how long the secret before a rotation signs along, in ms. */
export const rotationOverlapMs = 86_400_000

/** What an endpoint signs with; the old secret signs along until its time is over, epoch ms. */
export interface Signing {
  readonly secret: Secret | null
  readonly oldSecret: { readonly secret: Secret; readonly until: number } | null
}

/** All secrets that sign at a moment, the newest first. */
export function secretsAt({ secret, oldSecret }: Signing, now: number): readonly Secret[] {
  const old = oldSecret !== null && now < oldSecret.until ? [oldSecret.secret] : []
  return secret === null ? old : [secret, ...old]
}
