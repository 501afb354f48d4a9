import nock from 'nock'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { anAttempt, anEndpoint, aProblem, server } from './answers.ts'
import { onlyNock } from './only-nock.ts'

const client = createClient({ server })
const path = '/v1/endpoints/ops-slack'

onlyNock()

describe('endpoints', () => {
  test('are listed page by page', async () => {
    const page = { items: [anEndpoint()], next: 'c2' }
    nock(server).get('/v1/endpoints?limit=1&cursor=c1').reply(200, page)
    expect(await client.listEndpoints({ limit: 1, cursor: 'c1' })).toEqual(page)
  })

  test('are read by name', async () => {
    nock(server).get(path).reply(200, anEndpoint())
    expect(await client.getEndpoint('ops-slack')).toEqual(anEndpoint())
  })

  test('are added, and the answer holds the secret', async () => {
    const input = {
      name: 'hook',
      url: 'https://example.com/in',
      match: { tag: ['nightly'] },
      headers: { 'X-Team': 'gis' },
    }
    const answer = { ...anEndpoint({ name: 'hook', format: 'webhook' }), secret: 'whsec_x' }
    nock(server)
      .matchHeader('content-type', 'application/json')
      .post('/v1/endpoints', input)
      .reply(201, answer)
    expect(await client.addEndpoint(input)).toEqual(answer)
  })

  test('are changed by what is sent alone, null included', async () => {
    const changed = anEndpoint({ fold: false })
    nock(server).patch(path, { fold: false, events: null }).reply(200, changed)
    expect(await client.changeEndpoint('ops-slack', { fold: false, events: null })).toEqual(changed)
  })

  test('are removed', async () => {
    nock(server).delete(path).reply(204)
    await client.removeEndpoint('ops-slack')
  })

  test.each([
    ['enableEndpoint', 'enable', 'active'],
    ['disableEndpoint', 'disable', 'disabled'],
  ] as const)('%s is a POST without a body', async (method, verb, state) => {
    nock(server, { badheaders: ['content-type'] })
      .post(`${path}/${verb}`)
      .reply(200, anEndpoint({ state }))
    expect((await client[method]('ops-slack')).state).toBe(state)
  })

  test('have their secret rotated', async () => {
    const answer = { ...anEndpoint(), secret: 'whsec_new' }
    nock(server).post(`${path}/rotate-secret`).reply(200, answer)
    expect((await client.rotateSecret('ops-slack')).secret).toBe('whsec_new')
  })

  test('are tested, and what came of it is answered', async () => {
    const attempt = anAttempt({ status: null, error: 'timeout', answer: null })
    nock(server).post(`${path}/test`).reply(200, attempt)
    expect(await client.testEndpoint('ops-slack')).toEqual(attempt)
  })

  test('are sent past events again', async () => {
    const input = { after: 1042, until: 1050, types: ['job.*'] }
    nock(server).post(`${path}/replay`, input).reply(202, { queued: 8 })
    expect(await client.replayEndpoint('ops-slack', input)).toEqual({ queued: 8 })
  })

  test('that the configuration holds refuse a change with the words of the daemon', async () => {
    const detail = 'The endpoint ops-slack comes from the configuration'
    nock(server)
      .delete(path)
      .reply(409, aProblem(409, { code: 'endpoint_configured', detail }))
    await expect(client.removeEndpoint('ops-slack')).rejects.toMatchObject({
      name: 'ClientError',
      code: 'endpoint_configured',
      message: detail,
    })
  })

  test.each(['', '.', '..'])('%j is refused as a name before anything is sent', async (name) => {
    await expect(client.removeEndpoint(name)).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('a success that is something else is reported as no answer of a daemon', async () => {
    nock(server).post(`${path}/test`).reply(200, { status: 'success' })
    await expect(client.testEndpoint('ops-slack')).rejects.toMatchObject({
      code: 'unexpected_answer',
    })
  })
})
