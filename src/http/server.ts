import { fastify } from 'fastify'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Scope } from './auth.ts'
import type { ApiDeps } from './deps.ts'
import { HttpProblem, problemBody } from './problem.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { jobRoutes } from './routes/jobs.ts'
import { pageRoute } from './routes/page.ts'
import { streamRoute } from './routes/stream.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow; null where none is needed. A route without one is a mistake. */
    scope: Scope | null
  }
  interface FastifyRequest {
    /** Whose request it is: a token's name, or an address where there are no tokens. */
    owner: string
  }
}

const maxBodyBytes = 1_048_576
const requestTimeoutMs = 30_000
const maxJobidLength = 200

/** The HTTP server, not yet listening. */
export async function createServer(deps: ApiDeps): Promise<FastifyInstance> {
  const { access, feed, log } = deps
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    routerOptions: { maxParamLength: maxJobidLength },
    // While it stops, Fastify would answer 503, which ends a browser's EventSource for good.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    frameworkErrors: answerError,
  })
  app.decorateRequest('owner', '')

  // A form of any site can send text/plain without asking first: only JSON is taken.
  app.removeContentTypeParser('text/plain')
  acceptEmptyJson(app)

  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    access.checkOrigin(request)
    const { scope } = request.routeOptions.config
    // Before the body is read, and for unknown paths too: those tell nothing without a token.
    if (scope !== null) request.owner = access.authorize(request, scope ?? 'read')
    done()
  })
  app.addHook('preClose', (done) => {
    feed.close()
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request
    const { statusCode, elapsedTime } = reply
    const durationMs = Math.round(elapsedTime)
    log.debug({ method, route: routeOptions.url, status: statusCode, durationMs }, 'http.answered')
    done()
  })
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((request, reply) =>
    answerError(new HttpProblem(404, 'not_found', 'There is nothing at this path'), request, reply),
  )
  const methodsByPath = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByPath.get(url) ?? new Set()
    for (const item of [method].flat()) methods.add(item)
    methodsByPath.set(url, methods)
  })

  jobRoutes(app, deps)
  eventRoutes(app, deps)
  streamRoute(app, deps)
  healthRoutes(app, deps)
  pageRoute(app)
  for (const [url, methods] of [...methodsByPath]) refuseOtherMethods(app, url, methods)
  await app.ready()
  return app

  function answerError(error: unknown, _: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = toProblem(error)
    if (problem.status >= 500) log.error({ err: error }, 'http.failed')
    return reply
      .code(problem.status)
      .headers(problem.headers)
      .type('application/problem+json; charset=utf-8')
      .send(JSON.stringify(problemBody(problem)))
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

const allMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

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

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error
  const { code, statusCode } = error as Partial<FastifyError>
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const detail = 'Send application/json, as curl --json does'
    return new HttpProblem(415, 'unsupported_media_type', detail)
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HttpProblem(413, 'body_too_large', `A body may have ${maxBodyBytes} bytes`)
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem(
      statusCode,
      'bad_request',
      'The request cannot be read: send one JSON value',
    )
  }
  return new HttpProblem(
    500,
    'internal',
    'Something went wrong here; the log of the daemon says what',
  )
}
