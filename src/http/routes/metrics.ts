import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'

/** `GET /metrics`, in the text format of Prometheus. */
export function metricsRoute(app: FastifyInstance, { metrics }: ApiDeps): void {
  app.get('/metrics', { config: { scope: 'read' } }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}
