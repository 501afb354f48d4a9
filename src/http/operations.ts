import type { Operation } from './operation.ts'
import { daemonOperations } from './operations/daemon.ts'
import { deliveryOperations } from './operations/deliveries.ts'
import { endpointOperations } from './operations/endpoints.ts'
import { eventOperations } from './operations/events.ts'
import { jobOperations } from './operations/jobs.ts'
import { sessionOperations } from './operations/session.ts'
import { upstreamOperations } from './operations/upstreams.ts'

/** Operations that belong together. */
export interface OperationGroup {
  readonly name: string
  readonly description: string
  readonly operations: readonly Operation[]
}

/** All operations of the API, in the order in which people should read of them. */
export const operationGroups: readonly OperationGroup[] = [
  {
    name: 'Jobs',
    description: 'What is watched, and how it is',
    operations: Object.values(jobOperations),
  },
  {
    name: 'Events',
    description: 'What happened: the log, in pages and as a feed',
    operations: Object.values(eventOperations),
  },
  {
    name: 'Endpoints',
    description: 'Where events are sent to: webhooks, chats, mail',
    operations: Object.values(endpointOperations),
  },
  {
    name: 'Deliveries',
    description: 'Each event that is owed to an endpoint, and what became of it',
    operations: Object.values(deliveryOperations),
  },
  {
    name: 'Upstreams',
    description: 'The deployments of ArcGIS Enterprise that are asked about jobs',
    operations: Object.values(upstreamOperations),
  },
  {
    name: 'Session',
    description: 'Signing in from a page in a browser, whose event stream can send no header',
    operations: Object.values(sessionOperations),
  },
  {
    name: 'Daemon',
    description: 'The daemon itself: health, metrics, this document',
    operations: Object.values(daemonOperations),
  },
]
