import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ApiToken } from '../../src/http/auth.ts'
import { systemClock } from '../../src/clock.ts'
import type { Clock } from '../../src/clock.ts'
import { createDispatcher } from '../../src/dispatcher.ts'
import { createEndpoints } from '../../src/endpoints.ts'
import { createFeed } from '../../src/feed.ts'
import { createAccess } from '../../src/http/auth.ts'
import { createServer } from '../../src/http/server.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { temporaryFolder } from '../helpers/daemon.ts'

export interface ServerOptions {
  readonly tokens?: readonly ApiToken[]
  readonly clock?: Clock
  readonly maxStreams?: number
  /** What the server sees of the store, for a test that has something happen between two reads. */
  readonly seen?: (store: Store) => Store
}

/** The HTTP server alone, listening, on a real store: nothing runs but what is asked of it. */
export async function startServer({
  tokens = [],
  clock = systemClock,
  maxStreams = 32,
  seen = (store) => store,
}: ServerOptions = {}) {
  const folder = await temporaryFolder()
  const file = join(folder.path, 'test.db')
  const log = createLogger('silent')
  const metrics = createMetrics({ version: '1.2.3' })
  const store = openSqliteStore({ file, overtakeMs: 1000, now: () => clock.now() })
  const dispatcher = createDispatcher(
    {
      ...{ store, clock, random: Math.random, log, metrics },
      send: () => Promise.reject(new Error('nothing is sent here')),
    },
    { concurrency: 1, scheduleMs: [] },
  )
  const server = await createServer({
    store: seen(store),
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
    access: createAccess({ tokens, publicUrl: undefined, clock }),
    clock,
    log,
    metrics,
    maxStreams,
    version: '1.2.3',
    pageFolder: 'dist/web',
    notReady: () => [],
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  return {
    server,
    store,
    metrics,
    file,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.close()
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** All routes as `METHOD /path`, read from the router's own tree, four characters a level. */
export function routesOf(server: FastifyInstance): string[] {
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
