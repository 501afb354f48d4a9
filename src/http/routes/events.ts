import type { FastifyInstance } from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseCursor, resolveCursor } from '../../core/cursor.ts'
import type { Cursor } from '../../core/cursor.ts'
import type { EventFilter } from '../../core/plan.ts'
import type { LoggedEvent } from '../../core/event.ts'
import type { EventPage } from '../../store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidField, parseInput } from '../problem.ts'
import { ListEvents } from '../schemas.ts'

/** `GET /v1/events`: the log in pages, joined from the stored texts. */
export function eventRoutes(app: FastifyInstance, { store }: ApiDeps): void {
  /**
   * Reads on, letting others have the event loop in between, until the page is full. It is short
   * only at the head of the log, or when its events are very large.
   */
  async function readPage(after: number, limit: number, filter: EventFilter): Promise<EventPage> {
    const events: LoggedEvent[] = []
    let bytes = 0
    let from = after
    for (;;) {
      const page = await store.readEvents({ after: from, limit: limit - events.length, filter })
      events.push(...page.events)
      for (const { text } of page.events) bytes += text.length
      const isFull = events.length >= limit || bytes >= maxPageLength
      if (isFull || page.through >= page.newest) return { ...page, events }
      from = page.through
      await nextTurn()
    }
  }

  app.get('/v1/events', { config: { scope: 'read' } }, async (request, reply) => {
    const query = parseInput(ListEvents, request.query)
    const bounds = await store.readBounds()
    const cursor = query.after ? readCursor(query.after) : startOfLog
    const { after, gap } = resolveCursor(cursor, bounds)
    const { events, through, newest } = await readPage(after, query.limit, filterOf(query))
    const items = events.map(({ text }) => text).join(',')
    const rest = JSON.stringify({ next: through, newest, oldest: bounds.oldest, gap })
    return reply
      .type('application/json; charset=utf-8')
      .send(`{"items":[${items}],${rest.slice(1)}`)
  })
}

/** Characters of events in one answer, about. */
const maxPageLength = 8_388_608
const startOfLog: Cursor = { kind: 'seq', seq: 0 }

/** A cursor from a query; a malformed one is the client's mistake. */
export function readCursor(text: string): Cursor {
  const cursor = parseCursor(text)
  if (cursor !== null) return cursor
  throw invalidField('after', 'must be a seq such as 1042, or the id of an event')
}

/** The filter that a query's parameters name. */
export function filterOf(query: {
  readonly type?: string[] | undefined
  readonly jobid?: string[] | undefined
  readonly upstream?: string[] | undefined
  readonly tag?: string[] | undefined
}): EventFilter {
  return {
    types: query.type,
    jobids: query.jobid,
    upstreams: query.upstream,
    tags: query.tag,
  }
}
