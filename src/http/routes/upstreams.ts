import type { FastifyInstance } from 'fastify'
import { isoTime } from '../../core/job.ts'
import type { ApiDeps, ApiUpstream } from '../deps.ts'
import { upstreamOperations } from '../operations/upstreams.ts'
import { pageOf } from '../page-cursor.ts'
import type { UpstreamAnswer } from '../schemas.ts'
import { serve } from '../serve.ts'

/** `GET /v1/upstreams`: how each upstream is, in the order of the configuration. */
export function upstreamRoutes(app: FastifyInstance, { upstreams }: ApiDeps): void {
  serve(app, upstreamOperations.list, ({ query }) => {
    const { items, next } = pageOf(upstreams, query)
    return { items: items.map(toAnswer), next }
  })
}

function toAnswer(upstream: ApiUpstream): UpstreamAnswer {
  const { name, kind, root } = upstream
  const { state, since, lastSuccessAt, lastError, ...status } = upstream.status()
  return {
    name,
    kind,
    root,
    state,
    since: new Date(since).toISOString(),
    lastSuccessAt: isoTime(lastSuccessAt),
    lastError,
    requestsPerSecond: status.requestsPerSecond,
    tokenExpiresAt: isoTime(status.tokenExpiresAt),
    jobs: status.jobs,
  }
}
