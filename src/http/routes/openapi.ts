import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { openApiDocument } from '../openapi/document.ts'
import { operationGroups } from '../operations.ts'
import { daemonOperations } from '../operations/daemon.ts'
import { serve } from '../serve.ts'

/** `GET /openapi.json`: what all of this is, for programs. */
export function openApiRoute(app: FastifyInstance, { version }: ApiDeps): void {
  let text: string | null = null

  serve(app, daemonOperations.openapi, (_, __, reply) => {
    text ??= JSON.stringify(openApiDocument(operationGroups, version))
    return reply.type('application/json; charset=utf-8').send(text)
  })
}
