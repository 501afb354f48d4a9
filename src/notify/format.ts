import type { Verdict } from '../core/delivery.ts'
import type { LoggedEvent } from '../core/event.ts'

/** A request as a format wants it sent; what is the same for all formats is added when it is sent. */
export interface Outbound {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** True when the request is to be signed as Standard Webhooks says. */
  readonly signed: boolean
}

/** An answer as far as a format needs it. */
export interface Answer {
  readonly status: number
  /** The first 4 KiB. */
  readonly text: string
}

/** How an event is rendered for an endpoint, and how the endpoint's answer is judged. Pure. */
export interface Format {
  request(event: LoggedEvent): Outbound
  judge(answer: Answer): Verdict
}
