import * as examples from '../examples.ts'
import type { Operation } from '../operation.ts'
import { DeliveryParams, ListDeliveries } from '../requests/deliveries.ts'
import { NoBody } from '../requests/fields.ts'
import { DeliveryAnswer, DeliveryDetail, DeliveryList } from '../schemas.ts'

const { delivery, failedDelivery, attempt } = examples

/** The calls on deliveries. */
export const deliveryOperations = {
  list: {
    id: 'listDeliveries',
    method: 'GET',
    path: '/v1/deliveries',
    scope: 'read',
    summary: 'List deliveries',
    description: 'The newest comes first.',
    query: ListDeliveries,
    answers: {
      200: {
        description: 'A page of deliveries',
        content: { schema: DeliveryList, example: { items: [delivery], next: null } },
      },
    },
  },
  get: {
    id: 'getDelivery',
    method: 'GET',
    path: '/v1/deliveries/{id}',
    scope: 'read',
    summary: 'Show a delivery with its attempts',
    params: DeliveryParams,
    answers: {
      200: {
        description: 'The delivery',
        content: { schema: DeliveryDetail, example: { ...delivery, attempts: [attempt] } },
      },
    },
    problems: ['delivery_not_found'],
  },
  retry: {
    id: 'retryDelivery',
    method: 'POST',
    path: '/v1/deliveries/{id}/retry',
    scope: 'write',
    summary: 'Try a delivery again now',
    description: 'One attempt, outside the order, also while the endpoint is paused.',
    params: DeliveryParams,
    body: { schema: NoBody, examples: { nothing: {} } },
    answers: {
      202: {
        description: 'The delivery as it was; the attempt is under way',
        content: { schema: DeliveryAnswer, example: failedDelivery },
      },
    },
    problems: ['delivery_not_found', 'already_delivered', 'endpoint_removed'],
  },
} as const satisfies Readonly<Record<string, Operation>>
