import { z } from 'zod'
import { deliveryStates } from '../../core/delivery.ts'
import { page, seqHint } from './fields.ts'

/** Query of `GET /v1/deliveries`. */
export const ListDeliveries = z.strictObject({
  endpoint: z
    .string()
    .max(64)
    .optional()
    .describe('The name of an endpoint, a removed one included'),
  state: z.enum(deliveryStates).optional(),
  seq: z.coerce
    .number({ error: seqHint })
    .int(seqHint)
    .min(1, seqHint)
    .optional()
    .describe('The seq of the event'),
  jobid: z.string().max(128).optional(),
  ...page,
})

const idHint = 'must be the number of a delivery, such as 42'

/** Path of the calls on one delivery. */
export const DeliveryParams = z.object({
  id: z.coerce
    .number({ error: idHint })
    .int(idHint)
    .min(1, idHint)
    .max(Number.MAX_SAFE_INTEGER, idHint),
})
