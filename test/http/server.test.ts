import type { FastifyInstance } from 'fastify'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Secret } from '../../src/core/secret.ts'
import { createDispatcher } from '../../src/dispatcher.ts'
import { createEndpoints } from '../../src/endpoints.ts'
import { createFeed } from '../../src/feed.ts'
import { createAccess } from '../../src/http/auth.ts'
import { createServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { temporaryFolder } from '../helpers/daemon.ts'

/** The HTTP server alone, on a real store, with one token that may do nothing. */
async function startServer() {
  const folder = await temporaryFolder()
  const clock = systemClock
  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const store = openSqliteStore({
    file: join(folder.path, 'test.db'),
    overtakeMs: 1000,
    now: () => clock.now(),
  })
  const dispatcher = createDispatcher(
    {
      ...{ store, clock, random: Math.random, log, metrics },
      send: () => Promise.reject(new Error('nothing is sent here')),
    },
    { concurrency: 1, scheduleMs: [] },
  )
  const server = await createServer({
    store,
    feed: createFeed({ store, clock, random: Math.random, log, metrics }),
    upstreams: [],
    endpoints: createEndpoints({
      ...{ store, clock, log, dispatcher },
      targetOf: () => {
        throw new Error('there are no endpoints here')
      },
      refusalOf: () => Promise.resolve(null),
    }),
    endpointDefaults: { timeoutMs: 15_000 },
    access: createAccess({
      tokens: [{ name: 'nobody', token: new Secret('token'), scopes: [] }],
      publicUrl: undefined,
    }),
    clock,
    log,
    metrics,
    maxStreams: 1,
    notReady: () => [],
  })
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server.close()
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** All routes as `METHOD /path`, read from the router's own tree, four characters a level. */
function routesOf(server: FastifyInstance): string[] {
  const parents: string[] = []
  return server
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', segment = '', methods = ''] =
        /^([^/\w:]*)(\S+) \((.*)\)$/.exec(line) ?? []
      if (methods === '') return []
      parents.splice(indent.length / 4 - 1)
      parents.push(segment)
      return methods.split(', ').map((method) => `${method} ${parents.join('')}`)
    })
}

test('every route asks for a scope, but for those that are open on purpose', async () => {
  await using at = await startServer()
  const routes = routesOf(at.server)
  for (const route of ['POST /v1/jobs', 'GET /v1/jobs/:jobid/document', 'GET /v1/events/stream']) {
    expect(routes).toContain(route)
  }
  const open: string[] = []
  for (const route of routes) {
    const [method = '', path = ''] = route.split(' ')
    const url = path.replace(':jobid', 'j1')
    const answer = await at.server.inject({
      method: method as 'GET',
      url,
      headers: { host: 'localhost', authorization: 'Bearer token' },
    })
    if (answer.statusCode !== 403) open.push(route)
  }
  expect(open.sort()).toEqual([
    'GET /',
    'GET /healthz',
    'GET /readyz',
    'HEAD /',
    'HEAD /healthz',
    'HEAD /readyz',
  ])
})

test('a request that comes too slowly does not hold its connection for ever', async () => {
  await using at = await startServer()
  const { requestTimeout, headersTimeout } = at.server.server
  for (const timeout of [requestTimeout, headersTimeout]) {
    expect(timeout).toBeGreaterThan(0)
    expect(timeout).toBeLessThanOrEqual(60_000)
  }
})
