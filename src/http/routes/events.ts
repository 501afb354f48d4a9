import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseCursor, resolveCursor } from '../../core/cursor.ts'
import type { Cursor } from '../../core/cursor.ts'
import type { EventFilter } from '../../core/plan.ts'
import type { ApiDeps } from '../deps.ts'
import { readAfter, readNewest } from '../event-reader.ts'
import type { EventsRead } from '../event-reader.ts'
import { eventOperations } from '../operations/events.ts'
import type { Places } from '../places.ts'
import { invalidField } from '../problem.ts'
import { serve } from '../serve.ts'
import { createWaitingRoom } from '../waiting-room.ts'

/** `GET /v1/events`: the log in pages, joined from the stored texts. */
export function eventRoutes(app: FastifyInstance, { store, clock }: ApiDeps, places: Places): void {
  const room = createWaitingRoom({ clock })
  store.onCommit(() => {
    room.wake()
  })
  app.addHook('preClose', (done) => {
    room.close()
    done()
  })

  serve(app, eventOperations.list, async ({ query }, request, reply) => {
    const { last, limit = 100, wait: waitMs } = query
    const filter = filterOf(query)
    const gone = goneSignal(reply)
    if (last !== undefined) {
      return send(reply, await readNewest(store, { limit: last, filter, gone }))
    }
    const cursor = query.after ? readCursor(query.after) : startOfLog
    const { after, gap } = resolveCursor(cursor, await store.readBounds())
    const reading = { limit, filter, gone }
    const page = await readAfter(store, after, reading)
    const isToldNow = page.events.length > 0 || page.gap || gap
    if (waitMs === undefined || isToldNow) return send(reply, { ...page, gap: page.gap || gap })
    return send(reply, await waitFor(page.next, reading, { request, waitMs }))
  })

  /** What comes after a seq as soon as there is something, or an empty page when the wait is over. */
  async function waitFor(
    after: number,
    reading: Parameters<typeof readAfter>[2],
    { request, waitMs }: { request: FastifyRequest; waitMs: number },
  ): Promise<EventsRead> {
    const { gone } = reading
    const release = places.take(request.owner)
    const wait = room.enter(waitMs)
    const leave = () => {
      wait.end()
    }
    gone.addEventListener('abort', leave, { once: true })
    request.hasWaited = true
    try {
      for (let next = after; ;) {
        // The first one finds what was committed before the room was entered.
        const page = await readAfter(store, next, reading)
        if (page.events.length > 0 || page.gap || gone.aborted) return page
        if (!(await wait.next())) return page
        next = page.next
      }
    } finally {
      gone.removeEventListener('abort', leave)
      wait.end()
      release()
    }
  }
}

const startOfLog: Cursor = { kind: 'seq', seq: 0 }

/** Aborts when the client has left; also once it has its answer, which does no harm. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    controller.abort()
  })
  return controller.signal
}

function send(reply: FastifyReply, { events, ...rest }: EventsRead): FastifyReply {
  const items = events.map(({ text }) => text).join(',')
  return reply
    .type('application/json; charset=utf-8')
    .send(`{"items":[${items}],${JSON.stringify(rest).slice(1)}`)
}

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
