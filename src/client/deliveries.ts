import type { DeliveryAnswer, DeliveryDetail, DeliveryList } from './answers.ts'
import type { Caller, ObjectAnswer } from './caller.ts'

export interface DeliveryQuery {
  readonly endpoint?: string | undefined
  readonly state?: DeliveryAnswer['state'] | undefined
  readonly seq?: number | undefined
  readonly jobid?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface DeliveryCalls {
  /** One page. */
  listDeliveries(query?: DeliveryQuery): Promise<DeliveryList>
  getDelivery(id: number): Promise<DeliveryDetail>
  /** Asks for one attempt now; the answer is the delivery before it. */
  retryDelivery(id: number): Promise<DeliveryAnswer>
}

/** The calls on deliveries. */
export function deliveryCalls({ call, parse }: Caller): DeliveryCalls {
  return {
    async listDeliveries(query = {}) {
      return parse(await call('GET', '/v1/deliveries', { query: { ...query } }), isDeliveryList)
    },
    async getDelivery(id) {
      return parse(await call('GET', `/v1/deliveries/${id}`), isDetail)
    },
    async retryDelivery(id) {
      return parse(await call('POST', `/v1/deliveries/${id}/retry`), isDelivery)
    },
  }
}

function isDelivery(value: ObjectAnswer): value is ObjectAnswer & DeliveryAnswer {
  return typeof value['id'] === 'number'
}

function isDetail(value: ObjectAnswer): value is ObjectAnswer & DeliveryDetail {
  return isDelivery(value) && Array.isArray(value['attempts'])
}

function isDeliveryList(value: ObjectAnswer): value is ObjectAnswer & DeliveryList {
  return Array.isArray(value['items'])
}
