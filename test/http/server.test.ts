import { expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { routesOf, startServer } from './bare-server.ts'

const token = new Secret('token')

test('every route asks for a scope, but for those that are open on purpose', async () => {
  await using at = await startServer({ tokens: [{ name: 'nobody', token, scopes: [] }] })
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
      headers: { host: 'localhost', authorization: `Bearer ${token.reveal()}` },
    })
    if (answer.statusCode !== 403) open.push(route)
  }
  expect(open.sort()).toEqual([
    'DELETE /v1/session',
    'GET /',
    'GET /assets/:file',
    'GET /favicon.svg',
    'GET /healthz',
    'GET /readyz',
    'GET /v1/session',
    'HEAD /',
    'HEAD /assets/:file',
    'HEAD /favicon.svg',
    'HEAD /healthz',
    'HEAD /readyz',
    'HEAD /v1/session',
    'POST /v1/session',
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
