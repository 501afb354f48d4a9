import type { FastifyInstance } from 'fastify'
import type { DeliveryWithAttempts } from '../../store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { toAttemptAnswer, toDeliveryAnswer } from '../endpoint-answer.ts'
import { deliveryOperations } from '../operations/deliveries.ts'
import { decodeIdCursor, encodeIdCursor } from '../page-cursor.ts'
import { HttpProblem } from '../problem.ts'
import { serve } from '../serve.ts'

/** The calls on deliveries: list, show, try again. */
export function deliveryRoutes(app: FastifyInstance, { store, endpoints }: ApiDeps): void {
  async function one({ id }: { id: number }): Promise<DeliveryWithAttempts> {
    const delivery = await store.findDelivery(id)
    if (delivery !== null) return delivery
    throw new HttpProblem(404, 'delivery_not_found', `There is no delivery ${id}`)
  }

  serve(app, deliveryOperations.list, async ({ query: { cursor, ...filters } }) => {
    const before = cursor === undefined ? null : decodeIdCursor(cursor)
    const { deliveries, next } = await store.listDeliveries({ ...filters, before })
    return {
      items: deliveries.map(toDeliveryAnswer),
      next: next === null ? null : encodeIdCursor(next),
    }
  })

  serve(app, deliveryOperations.get, async ({ params }) => {
    const delivery = await one(params)
    return { ...toDeliveryAnswer(delivery), attempts: delivery.attempts.map(toAttemptAnswer) }
  })

  serve(app, deliveryOperations.retry, async ({ params }, _, reply) => {
    const delivery = await one(params)
    if (delivery.state === 'delivered') {
      const detail = `Delivery ${delivery.id} has been delivered: a replay to ${delivery.endpoint} sends its event again`
      throw new HttpProblem(409, 'already_delivered', detail)
    }
    const all = await endpoints.list()
    if (!all.some(({ id }) => id === delivery.endpointId)) {
      const detail = `The endpoint ${delivery.endpoint} of delivery ${delivery.id} was removed`
      throw new HttpProblem(409, 'endpoint_removed', detail)
    }
    endpoints.retry(delivery)
    return reply.code(202).send(toDeliveryAnswer(delivery))
  })
}
