import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { daemonOperations } from '../operations/daemon.ts'
import { serve } from '../serve.ts'

/** `GET /metrics`, in the text format of Prometheus. */
export function metricsRoute(app: FastifyInstance, { metrics }: ApiDeps): void {
  serve(app, daemonOperations.metrics, async (_, __, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  )
}
