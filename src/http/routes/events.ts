import type { FastifyInstance } from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseCursor, resolveCursor } from '../../core/cursor.ts'
import type { Cursor } from '../../core/cursor.ts'
import type { EventFilter } from '../../core/plan.ts'
import type { EventPage } from '../../store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidField, parseInput } from '../problem.ts'
import { ListEvents } from '../schemas.ts'

/** `GET /v1/events`: the log in pages, joined from the stored texts. */
export function eventRoutes(app: FastifyInstance, { store }: ApiDeps): void {
  /** Reads on until something matches, so that a page is empty only at the head of the log. */
  async function readPage(after: number, limit: number, filter: EventFilter): Promise<EventPage> {
    let page = await store.readEvents({ after, limit, filter })
    while (page.events.length === 0 && page.through < page.newest) {
      await nextTurn()
      page = await store.readEvents({ after: page.through, limit, filter })
    }
    return page
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
