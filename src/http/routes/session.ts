import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { sessionOperations } from '../operations/session.ts'
import type { SessionAnswer } from '../schemas.ts'
import { serve } from '../serve.ts'

/** `/v1/session`: who asks, sign in, sign out. */
export function sessionRoutes(app: FastifyInstance, { access }: ApiDeps): void {
  serve(app, sessionOperations.get, (_, request, reply): SessionAnswer => {
    const caller = access.identify(request)
    if (caller?.session?.isDue) void reply.header('set-cookie', caller.session.renew())
    return {
      required: !access.isOpen,
      name: caller?.name ?? null,
      scopes: [...(caller?.scopes ?? [])],
    }
  })

  serve(app, sessionOperations.signIn, ({ body }, _, reply) =>
    reply.code(204).header('set-cookie', access.signIn(body.token)).send(),
  )

  serve(app, sessionOperations.signOut, (_, request, reply) =>
    reply.code(204).header('set-cookie', access.signOut(request)).send(),
  )
}
