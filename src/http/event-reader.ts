import { nextTurn } from '../clock.ts'
import { positionAfter } from '../core/cursor.ts'
import type { LoggedEvent } from '../core/event.ts'
import type { EventFilter } from '../core/plan.ts'
import type { Store } from '../store/store.ts'

/** A page of the log as `GET /v1/events` answers it. */
export interface EventsRead {
  /** In order of seq. */
  readonly events: readonly LoggedEvent[]
  /** The seq to go on from. */
  readonly next: number
  readonly newest: number
  readonly oldest: number | null
  /** True when events that were asked for are no longer kept. */
  readonly gap: boolean
}

/** What is common to both ways of reading. */
interface Reading {
  readonly limit: number
  readonly filter: EventFilter
  /** Aborted when nobody wants the answer any more; what is answered then is of no use. */
  readonly gone: AbortSignal
}

type LogReads = Pick<Store, 'readEvents' | 'readTail'>

/** Characters of events in one answer, about. */
const maxPageLength = 8_388_608

/**
 * The events after a seq. Reads on, letting others have the event loop in between, until the page
 * is full. It is short only at the head of the log, or when its events are very large.
 */
export async function readAfter(
  store: LogReads,
  after: number,
  { limit, filter, gone }: Reading,
): Promise<EventsRead> {
  const events: LoggedEvent[] = []
  let length = 0
  let next = after
  let gap = false
  for (;;) {
    const page = await store.readEvents({ after: next, limit: limit - events.length, filter })
    const { newest, oldest, through } = page
    // Something may have been pruned since the position was found to be good.
    gap ||= positionAfter(next, page).gap
    events.push(...page.events)
    for (const { text } of page.events) length += text.length
    next = through
    const isFull = events.length >= limit || length >= maxPageLength
    if (isFull || next >= newest || gone.aborted) return { events, next, newest, oldest, gap }
    await nextTurn()
  }
}

/**
 * The newest events, read backwards likewise, to the beginning of the log if need be: it has fewer
 * than asked only when no more are kept, or when its events are very large. `next` is the head of
 * the log as it was when the reading began.
 */
export async function readNewest(
  store: LogReads,
  { limit, filter, gone }: Reading,
): Promise<EventsRead> {
  const pages: (readonly LoggedEvent[])[] = []
  let count = 0
  let length = 0
  let through: number | null = null
  let head: number | null = null
  for (;;) {
    const page = await store.readTail({ through, limit: limit - count, filter })
    const { events, after, oldest } = page
    head ??= page.newest
    pages.unshift(events)
    count += events.length
    for (const { text } of events) length += text.length
    through = after
    const isFull = count >= limit || length >= maxPageLength
    if (isFull || through < (oldest ?? Infinity) || gone.aborted) {
      return { events: pages.flat(), next: head, newest: head, oldest, gap: false }
    }
    await nextTurn()
  }
}
