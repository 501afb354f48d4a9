import nock from 'nock'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { aDelivery, anAttempt, aProblem, jobid, server } from './answers.ts'
import { onlyNock } from './only-nock.ts'

const client = createClient({ server })

onlyNock()

describe('deliveries', () => {
  test('are listed by the filters that were given', async () => {
    const page = { items: [aDelivery()], next: null }
    nock(server)
      .get('/v1/deliveries')
      .query({ endpoint: 'ops-slack', state: 'failed', seq: '1042', jobid, limit: '5' })
      .reply(200, page)
    const query = { endpoint: 'ops-slack', state: 'failed', seq: 1042, jobid, limit: 5 } as const
    expect(await client.listDeliveries({ ...query, cursor: undefined })).toEqual(page)
  })

  test('are read with their attempts', async () => {
    const delivery = { ...aDelivery(), attempts: [anAttempt()] }
    nock(server).get('/v1/deliveries/7').reply(200, delivery)
    expect(await client.getDelivery(7)).toEqual(delivery)
  })

  test('are tried again', async () => {
    const failed = aDelivery({ state: 'failed', deliveredAt: null })
    nock(server).post('/v1/deliveries/7/retry').reply(202, failed)
    expect(await client.retryDelivery(7)).toEqual(failed)
  })

  test('that have been delivered refuse that with the words of the daemon', async () => {
    const detail = 'Delivery 7 has been delivered'
    nock(server)
      .post('/v1/deliveries/7/retry')
      .reply(409, aProblem(409, { code: 'already_delivered', detail }))
    await expect(client.retryDelivery(7)).rejects.toMatchObject({
      code: 'already_delivered',
      message: detail,
    })
  })

  test('without attempts are reported as no answer of a daemon', async () => {
    nock(server).get('/v1/deliveries/7').reply(200, aDelivery())
    await expect(client.getDelivery(7)).rejects.toMatchObject({ code: 'unexpected_answer' })
  })
})
