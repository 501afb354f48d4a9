import { fastify } from 'fastify'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { maxHeaderSize, METHODS, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Scope } from './auth.ts'
import type { ApiDeps } from './deps.ts'
import { createPlaces } from './places.ts'
import { StoreUnwritable } from '../store/store.ts'
import { HttpProblem, problemBody } from './problem.ts'
import { deliveryRoutes } from './routes/deliveries.ts'
import { endpointRoutes } from './routes/endpoints.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { jobRoutes } from './routes/jobs.ts'
import { metricsRoute } from './routes/metrics.ts'
import { openApiRoute } from './routes/openapi.ts'
import { pageRoutes } from './routes/page.ts'
import { sessionRoutes } from './routes/session.ts'
import { streamPath, streamRoute } from './routes/stream.ts'
import { upstreamRoutes } from './routes/upstreams.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow; null where none is needed. A route without one is a mistake. */
    scope: Scope | null
  }
  interface FastifyRequest {
    /** Whose request it is: a token's name, or an address where there are no tokens. */
    owner: string
    /** It waited for events to come: how long that took says nothing of the daemon. */
    hasWaited: boolean
  }
}

const maxBodyBytes = 1_048_576
const requestTimeoutMs = 30_000
/** Methods with a time of their own; nobody should be able to fill the memory with odd ones. */
const timedMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const problemType = 'application/problem+json; charset=utf-8'
const securityHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** The HTTP server, not yet listening. */
export async function createServer(deps: ApiDeps): Promise<FastifyInstance> {
  const { access, feed, log, metrics } = deps
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    // Never reached: how long an id may be is said by the schemas, in an answer like any other.
    routerOptions: { maxParamLength: maxHeaderSize },
    // While it stops, Fastify would answer 503, which ends a browser's EventSource for good.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    // No hook has run for a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => {
      try {
        admit(request, reply, 'read')
        answerError(error, request, reply)
      } catch (refusal) {
        answerError(refusal, request, reply)
      }
    },
    clientErrorHandler: answerUnreadable,
  })
  app.decorateRequest('owner', '')
  app.decorateRequest('hasWaited', false)

  // A form of any site can send text/plain without asking first: only JSON is taken.
  app.removeContentTypeParser('text/plain')
  acceptEmptyJson(app)

  app.addHook('onRequest', (request, reply, done) => {
    admit(request, reply, request.routeOptions.config.scope)
    done()
  })
  const closeUnused = trackUnused(app, () => feed.isClosing)
  app.addHook('preClose', (done) => {
    feed.close()
    closeUnused()
    done()
  })
  // A connection kept for later would hold up the stop.
  app.addHook('onSend', (_, reply, __, done) => {
    if (feed.isClosing) void reply.header('connection', 'close')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions, hasWaited } = request
    const { statusCode, elapsedTime } = reply
    const durationMs = Math.round(elapsedTime)
    log.debug({ method, route: routeOptions.url, status: statusCode, durationMs }, 'http.answered')
    if (routeOptions.url !== streamPath && !hasWaited) {
      metrics.httpDuration.observe(
        {
          method: timedMethods.has(method) ? method : 'other',
          route: routeOptions.url ?? 'none',
          status: statusCode,
        },
        elapsedTime / 1000,
      )
    }
    done()
  })
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((request, reply) =>
    answerError(new HttpProblem(404, 'not_found', 'There is nothing at this path'), request, reply),
  )
  const methodsByPath = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method, config }) => {
    if (config?.scope === undefined) throw new Error(`${url} does not say who may call it`)
    const methods = methodsByPath.get(url) ?? new Set()
    for (const item of [method].flat()) methods.add(item)
    methodsByPath.set(url, methods)
  })

  jobRoutes(app, deps)
  const places = createPlaces(deps.maxStreams)
  eventRoutes(app, deps, places)
  streamRoute(app, deps, places)
  upstreamRoutes(app, deps)
  endpointRoutes(app, deps)
  deliveryRoutes(app, deps)
  sessionRoutes(app, deps)
  healthRoutes(app, deps)
  metricsRoute(app, deps)
  openApiRoute(app, deps)
  pageRoutes(app, deps.pageFolder)
  for (const method of allMethods) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  for (const [url, methods] of [...methodsByPath]) refuseOtherMethods(app, url, methods)
  await app.ready()
  return app

  /** Before the body is read, and for unknown paths too: those tell nothing without a token. */
  function admit(
    request: FastifyRequest,
    reply: FastifyReply,
    scope: Scope | null | undefined,
  ): void {
    void reply.headers(securityHeaders)
    access.checkOrigin(request)
    if (scope === null) {
      access.checkSite(request)
      return
    }
    const { name, session } = access.authorize(request, scope ?? 'read')
    request.owner = name ?? request.ip
    if (session?.isDue) void reply.header('set-cookie', session.renew())
  }

  function answerError(error: unknown, _: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = toProblem(error)
    if (problem.status >= 500) log.error({ err: error }, 'http.failed')
    if (problem.status === 401 || problem.status === 403) {
      metrics.authFailures.inc({ reason: problem.code })
    }
    return reply
      .code(problem.status)
      .headers(problem.headers)
      .type(problemType)
      .send(JSON.stringify(problemBody(problem)))
  }
}

/**
 * Browsers open connections in advance. To Node one that has asked nothing yet is busy, and its
 * `close` waits for it; the answer closes them all.
 */
function trackUnused(app: FastifyInstance, isClosing: () => boolean): () => void {
  const unused = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    if (isClosing()) {
      socket.destroy()
      return
    }
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  app.server.on('request', ({ socket }) => unused.delete(socket))
  return () => {
    for (const socket of unused) socket.destroy()
  }
}

/** An empty body counts as none; everything else is left to Fastify's own parser. */
function acceptEmptyJson(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (body === '') done(null, undefined)
      else void parseJson(request, body, done)
    },
  )
}

/** All that Node's parser lets through; a CONNECT never comes to a route. */
const allMethods = METHODS.filter((method) => method !== 'CONNECT')

/** Fastify knows only 404 for a known path with another method. */
function refuseOtherMethods(app: FastifyInstance, url: string, known: ReadonlySet<string>): void {
  const allow = [...known].sort().join(', ')
  const refuse = (): never => {
    throw new HttpProblem(405, 'method_not_allowed', `This path takes ${allow}`, {
      headers: { allow },
    })
  }
  app.route({
    method: allMethods.filter((method) => !known.has(method)),
    url,
    config: { scope: 'read' },
    onRequest: refuse,
    handler: refuse,
  })
}

/** Answers what is no request at all, or one that takes too long; there is only the socket. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = unreadable(error.code)
  const body = JSON.stringify(problemBody(problem))
  const headers = {
    ...securityHeaders,
    connection: 'close',
    'content-type': problemType,
    'content-length': Buffer.byteLength(body),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const status = `${problem.status} ${STATUS_CODES[problem.status] ?? ''}`
  socket.write(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
}

function unreadable(code: string | undefined): HttpProblem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpProblem(408, 'request_timeout', 'The request did not come to its end in time')
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HttpProblem(431, 'headers_too_large', `Headers may have ${maxHeaderSize} bytes`)
  }
  return new HttpProblem(400, 'bad_request', 'The request cannot be read: it is not HTTP/1.1')
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  if (error instanceof StoreUnwritable) {
    return new HttpProblem(503, 'database_unwritable', sentence(error.message), {
      headers: { 'retry-after': '30' },
    })
  }
  const { code, statusCode } = error as Partial<FastifyError>
  if (code === 'FST_ERR_BAD_URL') {
    return new HttpProblem(400, 'bad_request', 'The path is not percent-encoded as it should be')
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const detail = 'Send application/json, as curl --json does'
    return new HttpProblem(415, 'unsupported_media_type', detail)
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const detail = 'A body may have 1 MiB, that of /v1/jobs/batch 8 MiB'
    return new HttpProblem(413, 'body_too_large', detail)
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem(400, 'bad_request', 'The body cannot be read: send one JSON value')
  }
  return new HttpProblem(
    500,
    'internal',
    'Something went wrong here; the log of the daemon says what',
  )
}
