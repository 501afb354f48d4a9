import type { Change, LoggedEvent } from '../core/event.ts'
import type { JobView } from './format.ts'

/** What an event's text says, as far as a message is made of it. */
export interface Told {
  readonly id: string
  readonly type: string
  readonly subject: string
  /** RFC 3339, like all times in it. */
  readonly time: string
  readonly data: {
    readonly change: Change | { readonly kind: 'test' }
    /** Absent where the event is about no job. */
    readonly job?: JobView
  }
}

/** Reads an event's text, which is jobwatch's own. */
export function toldBy(event: LoggedEvent): Told {
  return JSON.parse(event.text) as Told
}
