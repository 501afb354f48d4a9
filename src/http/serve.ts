import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { Operation } from './operation.ts'
import { parseInput } from './problem.ts'

/** What was sent, as the operation's schemas understand it. */
export interface Input<O extends Operation> {
  readonly params: Parsed<O['params']>
  readonly query: Parsed<O['query']>
  readonly body: O['body'] extends { readonly schema: infer S } ? Parsed<S> : undefined
}
type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined

export type Handle<O extends Operation> = (
  input: Input<O>,
  request: FastifyRequest,
  reply: FastifyReply,
) => unknown

/** Adds the route of an operation: method, path, scope and what is parsed are as its entry says. */
export function serve<const O extends Operation>(
  app: FastifyInstance,
  operation: O,
  handle: Handle<O>,
): void {
  const { method, path, scope, params, query, body } = operation
  app.route({
    method,
    url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    config: { scope },
    ...(body?.maxBytes !== undefined && { bodyLimit: body.maxBytes }),
    handler(request, reply) {
      const input = {
        params: params && parseInput(params, request.params),
        query: query && parseInput(query, request.query),
        body: body && parseInput(body.schema, request.body),
      }
      return handle(input as Input<O>, request, reply)
    },
  })
}
