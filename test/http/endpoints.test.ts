import { describe, expect, test } from 'vitest'
import { startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { problemOf, wrongFieldsOf } from './answers.ts'

/** Public, so that it may be, and never called: there are no events. */
const url = 'https://8.8.8.8/hook'
const settings = { host: '8.8.8.8', from: 'jobwatch@example.com', to: 'gis@example.com' }
const given = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const whsec = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`

const chatEvents = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.reopened',
  'job.lost',
  'job.stalled',
  'job.overdue',
  'upstream.*',
  'endpoint.*',
]
const all = { upstream: [], tag: [], jobid: [] }

const post = (app: TestApp, body: object) => app.post('/v1/endpoints', body)
const patch = (app: TestApp, name: string, body: unknown) =>
  app.call(`/v1/endpoints/${name}`, { method: 'PATCH', body })
const show = async (app: TestApp, name: string) => (await app.call(`/v1/endpoints/${name}`)).json

describe('an endpoint made over the API', () => {
  test.each([
    { body: { url }, is: { format: 'webhook', events: ['*'], fold: false, match: all, url } },
    { body: { url, events: ['job.*', '*.down'] }, is: { events: ['job.*', '*.down'] } },
    {
      body: { url, match: { tag: ['a'] } },
      is: { events: ['job.*'], match: { ...all, tag: ['a'] } },
    },
    { body: { url, match: { jobid: ['j'] } }, is: { events: ['job.*'] } },
    { body: { url, match: { upstream: ['prod'] } }, is: { events: ['*'] } },
    { body: { url, match: { tag: [] } }, is: { events: ['*'], match: all } },
    { body: { url, match: { tag: ['a'] }, events: ['*'] }, is: { events: ['*'] } },
    { body: { url, fold: true, timeout: '3s', headers: { 'X-Team': 'gis' } }, is: { fold: true } },
    { body: { url, secret: whsec(24) }, is: { secret: whsec(24) } },
    { body: { url, secret: whsec(64) }, is: { secret: whsec(64) } },
    { body: { url, settings: {} }, is: { format: 'webhook' } },
    {
      body: { url: `${url}/T0/B0/X?sig=1`, format: 'slack' },
      is: { url: 'https://8.8.8.8', events: chatEvents, fold: true },
    },
    { body: { url: `${url}?sig=X`, format: 'teams', fold: false }, is: { fold: false } },
    {
      body: { format: 'email', settings },
      is: { url: 'smtp://8.8.8.8:587', events: chatEvents, fold: true },
    },
    {
      body: {
        format: 'email',
        settings: { ...settings, port: 25, to: ['GIS Team <a@b.example>'] },
      },
      is: { url: 'smtp://8.8.8.8:25' },
    },
  ])('is taken with its defaults: $body', async ({ body, is }) => {
    await using app = await startApp()
    const answer = await post(app, { name: 'x', ...body })
    expect(answer.status, answer.text).toBe(201)
    expect(answer.json).toMatchObject({ name: 'x', origin: 'api', state: 'active', ...is })
    const { secret, ...shown } = answer.json as { secret?: string; format: string }
    expect(await show(app, 'x')).toEqual(shown)
    expect(secret !== undefined).toBe(shown.format === 'webhook')
  })

  test('that is wrong is refused, each field by its name, and nothing is made', async () => {
    await using app = await startApp()
    const mail = (fields: object) => ({ format: 'email', settings: { ...settings, ...fields } })
    const wrong: [body: object, field: string][] = [
      [{ url, name: 'Ops' }, 'name'],
      [{ url, name: 'a'.repeat(65) }, 'name'],
      [{ url: { env: 'HOOK_URL' } }, 'url'],
      [{ url: { file: '/etc/passwd' } }, 'url'],
      [{ url: 'file:///etc/passwd' }, 'url'],
      [{ url: '' }, 'url'],
      [{ url, secret: { env: 'SECRET' } }, 'secret'],
      [{ url, secret: { file: '/etc/passwd' } }, 'secret'],
      [{ url, secret: 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, 'secret'],
      [{ url, secret: 'whsec_' }, 'secret'],
      [{ url, secret: whsec(23) }, 'secret'],
      [{ url, secret: whsec(65) }, 'secret'],
      [{ url, secret: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc7' }, 'secret'],
      [{ url, format: 'slack', secret: given }, 'secret'],
      [{ url, format: 'carrier-pigeon' }, 'format'],
      [{ url, events: [] }, 'events'],
      [{ url, events: [''] }, 'events.0'],
      [{ url, match: { tag: 'a' } }, 'match.tag'],
      [{ url, match: { user: ['a'] } }, 'match.user'],
      [{ url, timeout: '0s' }, 'timeout'],
      [{ url, timeout: 15 }, 'timeout'],
      [{ url, fold: 1 }, 'fold'],
      [{ url, settings: { host: 'x' } }, 'settings.host'],
      [{ url, headers: { Host: 'x' } }, 'headers.Host'],
      [{ url, headers: { 'content-LENGTH': '1' } }, 'headers.content-LENGTH'],
      [{ url, headers: { 'Transfer-Encoding': 'chunked' } }, 'headers.Transfer-Encoding'],
      [{ url, headers: { Connection: 'close' } }, 'headers.Connection'],
      [{ url, headers: { Upgrade: 'h2c' } }, 'headers.Upgrade'],
      [{ url, headers: { 'Webhook-Id': 'mine' } }, 'headers.Webhook-Id'],
      [{ url, headers: { 'webhook-SIGNATURE': 'mine' } }, 'headers.webhook-SIGNATURE'],
      [{ url, headers: { 'Content-Type': 'text/plain' } }, 'headers.Content-Type'],
      [{ url, headers: { 'user-agent': 'curl' } }, 'headers.user-agent'],
      [{ url, headers: { 'X-A': 'a\r\nX-B: b' } }, 'headers.X-A'],
      [{ url, headers: { 'X-A': 'é' } }, 'headers.X-A'],
      [{ url, headers: { 'X A': 'a' } }, 'headers.X A'],
      [{ url, headers: { 'X-A': 1 } }, 'headers.X-A'],
      [{ url, colour: 'red' }, 'colour'],
      [{ ...mail({}), url }, 'url'],
      [{ format: 'email' }, 'settings'],
      [mail({ from: 'nobody' }), 'settings.from'],
      [mail({ from: 'a@b.example\r\nBcc: c@d.example' }), 'settings.from'],
      [mail({ to: [] }), 'settings.to'],
      [mail({ to: 'a b@c.example' }), 'settings.to'],
      [mail({ to: 'a@b.example, c@d.example' }), 'settings.to'],
      [mail({ host: 'http://mail.example' }), 'settings.host'],
      [mail({ port: 0 }), 'settings.port'],
      [mail({ port: 65_536 }), 'settings.port'],
      [mail({ password: { env: 'SMTP_PASSWORD' } }), 'settings.password'],
      [mail({ tls: false }), 'settings.tls'],
    ]
    for (const [fields, field] of wrong) {
      const body = { name: 'x', ...fields }
      const answer = await post(app, body)
      expect(answer.status, JSON.stringify(body)).toBe(400)
      const named = wrongFieldsOf(answer)
      expect(
        named.some((one) => one === field || one.startsWith(`${field}.`)),
        `${JSON.stringify(body)}: ${named.join()}`,
      ).toBe(true)
    }
    expect((await app.call('/v1/endpoints')).json).toEqual({ items: [], next: null })
  })

  test('that is wrong in several ways names each of them', async () => {
    await using app = await startApp()
    const answer = await post(app, { name: 'X', url: 'x', fold: 'no', events: [] })
    expect(wrongFieldsOf(answer).toSorted()).toEqual(['events', 'fold', 'name', 'url'])
  })

  test('may not live where only the operator may send it', async () => {
    await using app = await startApp()
    for (const [body, field] of [
      [{ name: 'x', url: 'http://127.0.0.1:9/' }, 'url'],
      [{ name: 'x', url: 'http://[::1]/' }, 'url'],
      [{ name: 'x', url: 'http://2130706433/' }, 'url'],
      [{ name: 'x', url: 'http://10.20.0.1/' }, 'url'],
      [{ name: 'x', url: 'http://169.254.169.254/' }, 'url'],
      [
        { name: 'x', format: 'email', settings: { ...settings, host: '127.0.0.1' } },
        'settings.host',
      ],
    ] as const) {
      expect(wrongFieldsOf(await post(app, body))).toEqual([field])
    }
    await post(app, { name: 'x', url })
    const moved = await patch(app, 'x', { url: 'http://10.20.0.1/' })
    expect(wrongFieldsOf(moved)).toEqual(['url'])
    expect(problemOf(moved).detail).toMatch(/delivery.*allow.*10\.20\.0\.1/)
    expect(await show(app, 'x')).toMatchObject({ url })
  })
})

describe('PATCH of an endpoint', () => {
  test('changes what is given and leaves the rest; null restores the defaults', async () => {
    await using app = await startApp()
    const fields = {
      ...{ events: ['job.failed'], match: { upstream: ['prod'] }, fold: true, timeout: '1s' },
      headers: { 'X-Team': 'gis' },
    }
    const made = (await post(app, { name: 'x', url, ...fields })).json as Record<string, unknown>
    delete made['secret']
    expect((await patch(app, 'x', {})).json).toEqual(made)
    const moved = { url: `${url}/moved` }
    expect((await patch(app, 'x', moved)).json).toEqual({ ...made, ...moved })
    const cleared = { events: null, match: null, fold: null, timeout: null, headers: null }
    const answer = await patch(app, 'x', cleared)
    expect(answer.json).toMatchObject({ ...moved, events: ['*'], match: all, fold: false })
    expect(await show(app, 'x')).toEqual(answer.json)
  })

  test('to the defaults goes by the format and by what the endpoint matches then', async () => {
    await using app = await startApp()
    await post(app, { name: 'chat', url, format: 'slack', events: ['*'], fold: false })
    expect((await patch(app, 'chat', { events: null, fold: null })).json).toMatchObject({
      ...{ events: chatEvents, fold: true },
    })
    await post(app, { name: 'hook', url, events: ['upstream.*'] })
    const tagged = await patch(app, 'hook', { events: null, match: { tag: ['nightly'] } })
    expect(tagged.json).toMatchObject({ events: ['job.*'], match: { ...all, tag: ['nightly'] } })
  })

  test('of mail changes its settings whole; it has no url, and others have no settings', async () => {
    await using app = await startApp()
    await post(app, { name: 'mail', format: 'email', settings })
    const changed = { ...settings, port: 2525, to: ['a@b.example'] }
    expect((await patch(app, 'mail', { settings: changed })).json).toMatchObject({
      url: 'smtp://8.8.8.8:2525',
    })
    expect(wrongFieldsOf(await patch(app, 'mail', { url }))).toEqual(['url'])
    expect(wrongFieldsOf(await patch(app, 'mail', { settings: { port: 25 } }))).toContain(
      'settings.host',
    )
    await post(app, { name: 'hook', url })
    expect(wrongFieldsOf(await patch(app, 'hook', { settings }))).toEqual(['settings'])
    expect(await show(app, 'mail')).toMatchObject({ url: 'smtp://8.8.8.8:2525' })
  })

  test.each([
    [{ name: 'y' }, 'name'],
    [{ format: 'slack' }, 'format'],
    [{ secret: given }, 'secret'],
    [{ state: 'disabled' }, 'state'],
    [{ url: null }, 'url'],
    [{ url: { env: 'X' } }, 'url'],
    [{ events: [] }, 'events'],
    [{ headers: { host: 'x' } }, 'headers.host'],
    [{ timeout: 'soon' }, 'timeout'],
    [[], '(body)'],
  ])('that is wrong names the field and changes nothing: %j', async (body, field) => {
    await using app = await startApp()
    await post(app, { name: 'x', url, events: ['job.failed'] })
    const before = await show(app, 'x')
    expect(wrongFieldsOf(await patch(app, 'x', body))).toEqual([field])
    expect(await show(app, 'x')).toEqual(before)
  })
})

test('what is secret is in no answer but the one that gives it, and in no error', async () => {
  await using app = await startApp()
  const canary = 'geheim-4f2a'
  const texts: string[] = []
  const call = async (
    path: string,
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    body?: unknown,
  ) => {
    const answer = await app.call(path, { method, ...(body !== undefined && { body }) })
    texts.push(answer.text)
    return answer
  }
  // Of events there are some here, and nobody wants them.
  const events = ['nothing']
  const hook = {
    name: 'hook',
    url,
    events,
    secret: given,
    headers: { Authorization: `Bearer ${canary}` },
  }
  expect((await app.post('/v1/endpoints', hook)).json).toMatchObject({ secret: given })
  const chat = { name: 'chat', format: 'slack', events, url: `https://8.8.8.8/services/${canary}` }
  await call('/v1/endpoints', 'POST', chat)
  const mail = { ...settings, user: 'x', password: canary }
  await call('/v1/endpoints', 'POST', { name: 'mail', format: 'email', events, settings: mail })
  await call('/v1/endpoints', 'POST', hook)
  await call('/v1/endpoints', 'POST', chat)
  await call('/v1/endpoints', 'POST', { name: 'a', url: `nothing://${canary}` })
  await call('/v1/endpoints', 'POST', { name: 'a', url, secret: canary })
  await call('/v1/endpoints', 'POST', { name: 'a', url: `http://user:${canary}@127.0.0.1/` })
  await call('/v1/endpoints', 'POST', { name: 'a', url, headers: { 'X-A': `é${canary}` } })
  await call('/v1/endpoints/mail', 'PATCH', { settings: { ...mail, port: 'x' } })
  await call('/v1/endpoints/mail', 'PATCH', { settings: { ...mail, host: '127.0.0.1' } })
  await call('/v1/endpoints/chat', 'PATCH', { url: `https://127.0.0.1/${canary}` })
  for (const name of ['hook', 'chat', 'mail']) {
    await call(`/v1/endpoints/${name}`, 'GET')
    await call(`/v1/endpoints/${name}`, 'PATCH', { fold: true })
    await call(`/v1/endpoints/${name}/disable`, 'POST')
    await call(`/v1/endpoints/${name}/enable`, 'POST')
  }
  await call('/v1/endpoints/chat/rotate-secret', 'POST')
  await call('/v1/endpoints', 'GET')
  await call('/v1/events', 'GET')
  for (const text of texts) {
    expect(text).not.toContain(canary)
    expect(text).not.toContain(given)
    expect(text).not.toContain('whsec_M')
  }

  const rotated = await app.call('/v1/endpoints/hook/rotate-secret', { method: 'POST' })
  expect(rotated.text).not.toContain(given)
  const { secret = '' } = rotated.json as { secret?: string }
  expect(secret).toMatch(/^whsec_/)
  expect((await app.call('/v1/endpoints/hook')).text).not.toContain(secret)
})

test('only a webhook made by jobwatch has a secret to rotate', async () => {
  await using app = await startApp({
    config: () => ({ endpoints: [{ name: 'own', url, secret: given }] }),
  })
  await post(app, { name: 'chat', format: 'teams', url })
  for (const [name, code] of [
    ['own', 'endpoint_configured'],
    ['chat', 'endpoint_unsigned'],
  ] as const) {
    const answer = await app.call(`/v1/endpoints/${name}/rotate-secret`, { method: 'POST' })
    expect(answer.status).toBe(409)
    expect(problemOf(answer).code).toBe(code)
    expect(answer.text).not.toContain(given)
  }
})

test('a replay says from where, and of a disabled endpoint it is refused', async () => {
  await using app = await startApp()
  await post(app, { name: 'x', url, events: ['nothing'] })
  const replay = (body: unknown) => app.post('/v1/endpoints/x/replay', body)
  for (const [body, field] of [
    [{}, 'after'],
    [{ after: 1, since: '2026-01-05T12:00:00Z' }, 'since'],
    [{ after: -1 }, 'after'],
    [{ after: '1' }, 'after'],
    [{ since: 'yesterday' }, 'since'],
    [{ after: 0, until: 'x' }, 'until'],
    [{ after: 0, types: 'job.*' }, 'types'],
    [{ after: 0, force: true }, 'force'],
  ] as const) {
    expect(wrongFieldsOf(await replay(body)), JSON.stringify(body)).toContain(field)
  }
  const good = { since: '2026-01-05T12:00:00Z', until: '9999-12-31T23:59:59.999Z', types: ['*'] }
  const answer = await replay(good)
  expect([answer.status, answer.json]).toEqual([202, { queued: 0 }])
  await app.call('/v1/endpoints/x/disable', { method: 'POST' })
  const refused = await replay({ after: 0 })
  expect([refused.status, problemOf(refused).code]).toEqual([409, 'endpoint_disabled'])
})
