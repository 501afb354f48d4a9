import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'

/** `/healthz` says that the process lives, `/readyz` that it can do its work. */
export function healthRoutes(app: FastifyInstance, { store, notReady }: ApiDeps): void {
  app.get('/healthz', { config: { scope: null } }, () => ({ status: 'ok' }))

  app.get('/readyz', { config: { scope: null } }, async (_, reply) => {
    const reasons = [...notReady()]
    try {
      await store.checkWritable()
    } catch (error) {
      reasons.push(`the database cannot be written: ${(error as Error).message}`)
    }
    return reasons.length === 0
      ? { status: 'ready' }
      : reply.code(503).send({ status: 'not ready', reasons })
  })
}
