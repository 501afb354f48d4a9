import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseCursor } from '../../core/cursor.ts'
import type { FeedSink } from '../../feed-reader.ts'
import type { FeedRequest } from '../../feed.ts'
import { accepts } from '../accept.ts'
import type { ApiDeps } from '../deps.ts'
import type { Places } from '../places.ts'
import { HttpProblem, parseInput } from '../problem.ts'
import { StreamEvents } from '../requests/events.ts'
import { StreamSink } from '../stream-sink.ts'
import { filterOf, readCursor } from './events.ts'

export const streamPath = '/v1/events/stream'
const streamType = 'text/event-stream'
const streamHeaders = {
  'content-type': `${streamType}; charset=utf-8`,
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
}
const keepAliveMs = 15_000

/** `GET /v1/events/stream`: the feed. */
export function streamRoute(
  app: FastifyInstance,
  { feed, access, log }: ApiDeps,
  places: Places,
): void {
  app.head(streamPath, { config: { scope: 'read' } }, (request, reply) => {
    readRequest(request)
    return reply.headers(streamHeaders).send()
  })

  app.get(
    streamPath,
    { config: { scope: 'read' }, exposeHeadRoute: false },
    async (request, reply) => {
      const { socket } = request.raw
      // Anything but a stream, a 503 included, would end a browser's EventSource for good.
      if (feed.isClosing || socket.destroyed) {
        reply.hijack()
        socket.destroy()
        return
      }
      const feedRequest = readRequest(request)
      const leavePlace = places.take(request.owner)
      // Not that of the answer: a request behind another on its connection may never get its turn.
      socket.once('close', leavePlace)
      // It may be open for as long as a session lasts: only a fresh one is good when it comes again.
      const cookie = access.identify(request)?.session?.renew()
      const sink = beginStream(request, reply, cookie)
      try {
        const leave = await feed.open(feedRequest, sink)
        if (request.raw.socket.destroyed) leave()
        else socket.once('close', leave)
      } catch (error) {
        log.error({ err: error }, 'feed.open_failed')
        sink.destroy()
      }
    },
  )
}

/** What is asked for; throws when it is no stream that is wanted, or cannot be read. */
function readRequest(request: FastifyRequest): FeedRequest {
  if (!accepts(request.headers.accept, streamType)) {
    throw new HttpProblem(
      406,
      'not_acceptable',
      `Accept: this is an event stream; ask for ${streamType} or */*, or read /v1/events`,
    )
  }
  const query = parseInput(StreamEvents, request.query)
  const filter = filterOf(query)
  // It wins over the query, whose value is frozen in a browser's URL; an empty one is none.
  const header = request.headers['last-event-id']
  if (typeof header === 'string' && header !== '') {
    return { from: parseCursor(header) ?? 'unreadable', asked: header, filter }
  }
  if (query.after === undefined || query.after === '') return { from: 'live', asked: '', filter }
  return { from: readCursor(query.after), asked: query.after, filter }
}

function beginStream(request: FastifyRequest, reply: FastifyReply, cookie?: string): FeedSink {
  reply.hijack()
  const { raw } = reply
  const { socket } = request.raw
  socket.setNoDelay(true)
  socket.setKeepAlive(true, keepAliveMs)
  // The connection ends with its stream: kept for later it would hold up the stop of the daemon.
  raw.writeHead(200, {
    ...streamHeaders,
    connection: 'close',
    ...(cookie !== undefined && { 'set-cookie': cookie }),
  })
  raw.flushHeaders()
  return new StreamSink(raw, socket)
}
