import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseCursor } from '../../core/cursor.ts'
import type { FeedRequest, FeedSink, Leave } from '../../feed.ts'
import type { ApiDeps } from '../deps.ts'
import type { Places } from '../places.ts'
import { parseInput } from '../problem.ts'
import { StreamEvents } from '../schemas.ts'
import { filterOf, readCursor } from './events.ts'

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
}
/**
 * A socket that takes nothing for 30 s is closed. Node's timer has to go off twice for that: the
 * first time it only notes how much of the last write is still to be taken.
 */
const idleSocketMs = 15_000

export const streamPath = '/v1/events/stream'

/** `GET /v1/events/stream`: the feed. */
export function streamRoute(app: FastifyInstance, { feed, log }: ApiDeps, places: Places): void {
  app.head(streamPath, { config: { scope: 'read' } }, (_, reply) =>
    reply.headers(streamHeaders).send(),
  )

  app.get(
    streamPath,
    { config: { scope: 'read' }, exposeHeadRoute: false },
    async (request, reply) => {
      // Anything but a stream, a 503 included, would end a browser's EventSource for good.
      if (feed.isClosing) {
        reply.hijack()
        request.raw.socket.destroy()
        return
      }
      const feedRequest = readRequest(request)
      const release = places.take(request.owner)
      let leave: Leave = () => undefined
      let isStalled = false
      reply.raw.once('close', () => {
        leave(isStalled ? 'stalled' : 'left')
        release()
      })
      const sink = beginStream(request, reply, () => {
        isStalled = true
      })
      try {
        leave = await feed.open(feedRequest, sink)
        if (request.raw.socket.destroyed) leave()
      } catch (error) {
        log.error({ err: error }, 'feed.open_failed')
        sink.destroy()
      }
    },
  )
}

/** The header wins over the query, whose value is frozen in a browser's URL; an empty one is none. */
function readRequest(request: FastifyRequest): FeedRequest {
  const query = parseInput(StreamEvents, request.query)
  const filter = filterOf(query)
  const header = request.headers['last-event-id']
  if (typeof header === 'string' && header !== '') {
    return { from: parseCursor(header) ?? 'unreadable', asked: header, filter }
  }
  if (query.after === undefined || query.after === '') return { from: 'live', asked: '', filter }
  return { from: readCursor(query.after), asked: query.after, filter }
}

function beginStream(
  request: FastifyRequest,
  reply: FastifyReply,
  onStalled: () => void,
): FeedSink {
  reply.hijack()
  const { raw } = reply
  const { socket } = request.raw
  socket.setNoDelay(true)
  socket.setKeepAlive(true, idleSocketMs)
  // Node's timer looks at what the socket has taken, so a slow reader is not an idle one.
  raw.setTimeout(idleSocketMs, () => {
    // Nothing was owed: a quiet stream between two bookmarks.
    if (socket.writableLength === 0) return
    onStalled()
    socket.destroy()
  })
  raw.on('error', () => {
    socket.destroy()
  })
  // The connection ends with its stream: kept for later it would hold up the stop of the daemon.
  raw.writeHead(200, { ...streamHeaders, connection: 'close' })
  raw.flushHeaders()
  return {
    write: (chunk) => raw.write(chunk),
    onDrain: (listener) => raw.on('drain', listener),
    end: () => raw.end(),
    destroy: () => socket.destroy(),
  }
}
