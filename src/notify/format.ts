import type { Verdict } from '../core/delivery.ts'
import type { LoggedEvent } from '../core/event.ts'
import type { jobView } from '../core/job.ts'

/** A request as a format wants it sent; what is the same for all formats is added when it is sent. */
export interface HttpOutbound {
  readonly via: 'http'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** True when the request is to be signed as Standard Webhooks says. */
  readonly signed: boolean
}

/** A mail; who it comes from and goes to, the endpoint says. */
export interface MailOutbound {
  readonly via: 'mail'
  readonly subject: string
  readonly text: string
  readonly html: string
}

export type Outbound = HttpOutbound | MailOutbound

/** An answer as far as a format needs it. */
export interface Answer {
  /** Of HTTP or of SMTP. */
  readonly status: number
  /** The first 4 KiB. */
  readonly text: string
}

export type JobView = ReturnType<typeof jobView>

/** What a message says besides when it comes long after its event. */
export interface Late {
  /** The moment at which it is sent, epoch ms. */
  readonly now: number
  /** The job as it is now; null when the event is about none, or about one that is no longer kept. */
  readonly job: JobView | null
  /** The newest of the earlier events that were left out in favour of this one, oldest first. */
  readonly leftOut: readonly LoggedEvent[]
  readonly leftOutCount: number
}

/** What a message is written from besides the event. */
export interface Surroundings {
  readonly late: Late | null
  /** jobwatch's own address, for links to its page; null when it is not known. */
  readonly publicUrl: string | null
  /** The root URL of an upstream, for links to its jobs; null when it is no longer configured. */
  rootOf(upstream: string): string | null
}

/** How an event is rendered for an endpoint, and how the endpoint's answer is judged. Pure. */
export interface Format {
  /** True for messages that people read: one that comes late says so and shows the job as it is now. */
  readonly isMessage: boolean
  /** So many may be sent within 10 s; null: as many as the endpoint takes. */
  readonly per10s: number | null
  request(event: LoggedEvent, surroundings: Surroundings): Outbound
  /** The same in the plainest form, for when the other was refused or could not be rendered. */
  plain?(event: LoggedEvent, surroundings: Surroundings): Outbound
  judge(answer: Answer): Verdict
}
