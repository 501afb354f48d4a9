import * as examples from '../examples.ts'
import type { Operation } from '../operation.ts'
import { ListAll } from '../requests/fields.ts'
import { UpstreamList } from '../schemas.ts'

/** The calls on upstreams. */
export const upstreamOperations = {
  list: {
    id: 'listUpstreams',
    method: 'GET',
    path: '/v1/upstreams',
    scope: 'read',
    summary: 'Show how the upstreams are',
    description: 'In the order of the configuration.',
    query: ListAll,
    answers: {
      200: {
        description: 'A page of upstreams',
        content: { schema: UpstreamList, example: { items: [examples.upstream], next: null } },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>
