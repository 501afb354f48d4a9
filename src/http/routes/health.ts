import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { daemonOperations } from '../operations/daemon.ts'
import { serve } from '../serve.ts'

/** `/healthz` says that the process lives, `/readyz` that it can do its work. */
export function healthRoutes(app: FastifyInstance, { store, notReady }: ApiDeps): void {
  serve(app, daemonOperations.health, () => ({ status: 'ok' }))

  serve(app, daemonOperations.readiness, async (_, __, reply) => {
    const reasons = [...notReady()]
    try {
      await store.checkWritable()
    } catch (error) {
      reasons.push((error as Error).message)
    }
    return reasons.length === 0
      ? { status: 'ready' }
      : reply.code(503).send({ status: 'not ready', reasons })
  })
}
