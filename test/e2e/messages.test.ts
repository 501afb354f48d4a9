import { expect, test } from 'vitest'
import { Run } from '../helpers/daemon.ts'
import { startBadReceiver } from './bad-receiver.ts'
import { deliveryGround } from './delivery-ground.ts'
import type { AttemptView, DeliveryView, EndpointView, Page } from './delivery-ground.ts'
import { begin, running, until } from './ground.ts'
import { startMailServer } from './messages-mail.ts'

const jobid = 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d'
const publicUrl = 'https://jobwatch.example.com'
const ok = { status: 200, body: 'ok' }

/** What nobody wants to see rendered: a mention, a link, a tag. */
const evil = '<!channel> [click](https://evil.example) <script>alert(1)</script>'

/** A backup that failed, told in words that try to be more than words. */
const failed = {
  ...running(jobid, { operationURI: '/gis/admin/deployment/backup', username: 'siteadmin' }),
  status: 'FAILED',
  endtime: begin + 90_000,
  messages: [`The backup store denies writing. ${evil}`],
  progress: {
    stages: [
      { name: 'validating', state: 'Completed' },
      { name: 'object_store', state: 'Failed' },
      { name: `cleaning ${evil}`, state: 'Not Started' },
    ],
  },
}

/** Every string that Slack reads as mrkdwn. */
function mrkdwnOf(value: unknown, isText = false): string[] {
  if (typeof value === 'string') return isText ? [value] : []
  if (Array.isArray(value)) return value.flatMap((item) => mrkdwnOf(item, isText))
  if (typeof value !== 'object' || value === null) return []
  const isPlain = 'type' in value && value.type === 'plain_text'
  return Object.entries(value).flatMap(([key, inner]) =>
    mrkdwnOf(inner, (key === 'text' || isText) && !isPlain),
  )
}

/** Every string that Teams reads as Markdown: those of text blocks and fact sets. */
function markdownOf(value: unknown, isMarkdown = false): string[] {
  if (typeof value === 'string') return isMarkdown ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  const reads = 'type' in value && (value.type === 'TextBlock' || value.type === 'FactSet')
  return Object.values(value).flatMap((inner) => markdownOf(inner, isMarkdown || reads))
}

/** Every string in it, joined as it would be read. */
function stringsOf(value: unknown): string {
  if (typeof value === 'string') return `${value}\n`
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value).map(stringsOf).join('')
}

test('Slack, Teams and mail say what failed, why, where and whose it was, and render nothing that upstream wrote', async () => {
  await using chat = await startBadReceiver()
  await using mail = await startMailServer()
  chat.decide(({ path }) => (path.includes('workflows') ? 202 : ok))
  const to = ['gis@example.com', 'ops@example.com']
  await using at = await deliveryGround({
    publicUrl,
    endpoints: [
      { name: 'slack', format: 'slack', url: `${chat.origin}/services/T0/B0/XYZ` },
      { name: 'teams', format: 'teams', url: `${chat.origin}/workflows/XYZ?sig=XYZ` },
      {
        ...{ name: 'mail', format: 'email' },
        settings: { host: '127.0.0.1', port: mail.port, from: 'jobwatch@example.com', to },
      },
    ],
  })
  for (const name of ['slack', 'teams', 'mail']) {
    expect(await at.tell(name, 'test'), name).toMatchObject({ error: null })
  }
  expect([chat.received.length, mail.mails.length]).toEqual([2, 1])

  at.simulator.addScript([failed], { jobid })
  const label = `nightly backup ${evil}`
  expect((await at.post('/v1/jobs', { jobid, label })).status).toBe(201)
  await at.event('job.failed')
  await at.drained()
  // Neither job.watched nor what it did on the way is a matter for people.
  expect([chat.received.length, mail.mails.length]).toEqual([4, 2])

  const slackBody = JSON.parse(
    chat.received.find((one, n) => n > 1 && one.path.includes('T0'))?.body ?? '',
  ) as unknown
  const teamsBody = JSON.parse(
    chat.received.find((one, n) => n > 1 && one.path.includes('sig'))?.body ?? '',
  ) as unknown
  const letter = mail.mails[1]
  const messages = {
    slack: stringsOf(slackBody),
    teams: stringsOf(teamsBody),
    mail: `${letter?.subject ?? ''}\n${letter?.text ?? ''}`,
  }
  for (const [format, message] of Object.entries(messages)) {
    for (const part of [
      'nightly backup',
      /\bfailed\b/i,
      'siteadmin',
      /The backup store denies writing/,
      'validating',
      /object\\?_store/,
      'cleaning',
      `/jobs/${jobid}`,
      publicUrl,
    ]) {
      expect(message, `${format}: ${String(part)}`).toMatch(part)
    }
  }

  const slackTexts = mrkdwnOf(slackBody).join('\n')
  expect(slackTexts).toContain('&lt;!channel&gt;')
  expect(slackTexts).not.toMatch(/<!channel>|<script>/)
  expect(slackBody).toMatchObject({ text: expect.stringContaining('nightly backup') as string })
  // What reads Markdown holds nothing of upstream; what shows it reads none.
  expect(markdownOf(teamsBody).join('\n')).not.toContain('evil')
  expect(teamsBody).toMatchObject({
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive' }],
  })
  expect(letter).toMatchObject({ from: 'jobwatch@example.com', to })
  expect(letter?.subject).toMatch(/nightly backup/)
  const html = /<(html|body|table|div|p)\b[^]*/i.exec(letter?.text ?? '')?.[0] ?? ''
  expect(html).not.toMatch(/<script|<!channel|href="https:\/\/evil/i)

  // The addresses of chats are secrets wherever they could show.
  expect((await at.call('/v1/endpoints')).text).not.toContain('XYZ')
  expect(at.printed).not.toContain('XYZ')
})

test('a chat that says no in the text of a 200 has not been told, one that is gone is left alone', async () => {
  await using chat = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [{ name: 'slack', format: 'slack', url: `${chat.origin}/services/T0/B0/XYZ` }],
  })
  chat.will({ status: 200, body: 'invalid_payload' }, ok, { status: 200, body: 'rollup_error' }, ok)
  const job = await at.watch('a')
  job.complete()
  const end = await job.event('job.completed')
  const told = await at.delivery(`seq=${end.data.seq}`, ({ state }) => state === 'delivered')
  // What is wrong with the message is no better a second time: the same attempt says it plainly.
  expect(told.attempts.map(({ error, answer }) => [error === null, answer])).toEqual([[true, 'ok']])
  const [rich, plain] = chat.received.map(({ body }) => Object.keys(JSON.parse(body) as object))
  expect([rich?.includes('attachments'), plain?.includes('attachments')]).toEqual([true, false])

  const second = await at.watch('second')
  second.complete()
  const secondEnd = await second.event('job.completed')
  const retold = await at.delivery(
    `seq=${secondEnd.data.seq}`,
    ({ state }) => state === 'delivered',
  )
  expect(retold.attempts.map(({ error, answer }) => [error === null, answer])).toEqual([
    [false, 'rollup_error'],
    [true, 'ok'],
  ])

  chat.will({ status: 404, body: 'no_service' })
  const other = await at.watch('b')
  other.fail()
  await other.event('job.failed')
  const disabled = await at.event('endpoint.disabled')
  expect(disabled).toMatchObject({ source: '/endpoints/slack' })
  expect(await at.endpoint('slack')).toMatchObject({ state: 'disabled', pending: 0 })
})

// Some twenty processes, one after the other.
const ofManyProcesses = { timeout: 90_000 }

test(
  'one line adds a Slack endpoint; its outage, its health and its recovery show on the command line',
  ofManyProcesses,
  async () => {
    await using chat = await startBadReceiver()
    await using at = await deliveryGround({
      delivery: { retry: Array<string>(100).fill('100ms') },
    })
    const env = { JOBWATCH_URL: at.url }
    async function run(...args: readonly string[]): Promise<string> {
      const started = new Run(args, env)
      const { code } = await started.ended
      expect({ args, code, stderr: started.stderr }).toMatchObject({ args, code: 0 })
      return started.stdout
    }
    const json = async (...args: readonly string[]): Promise<unknown> =>
      JSON.parse(await run(...args, '--json')) as unknown

    chat.will(ok)
    const url = `${chat.origin}/services/T0/B0/XYZ`
    expect(await run('endpoints', 'add', 'ops', '--format', 'slack', '--url', url)).toContain('ops')
    await run('endpoints', 'test', 'ops')
    expect(chat.received).toHaveLength(1)
    const { items } = (await json('endpoints')) as Page<EndpointView>
    expect(items).toMatchObject([{ name: 'ops', format: 'slack', origin: 'api', state: 'active' }])
    expect(await run('endpoints')).toMatch(/ops.*slack.*active/)
    expect(await json('endpoints', 'show', 'ops')).toMatchObject({ name: 'ops', state: 'active' })

    await using follow = new Run(['follow', '--type', 'endpoint.*', '--after', '0'], env)
    chat.will(503)
    at.simulator.addScript([failed], { jobid })
    await run('watch', jobid, '--label', 'nightly backup')
    await follow.line((line) => line.includes('endpoint.failing') && line.includes('ops'))
    const query = ['deliveries', '--endpoint', 'ops', '--jobid', jobid]
    const pending = (await json(...query, '--state', 'pending')) as Page<DeliveryView>
    expect(pending.items).toMatchObject([{ endpoint: 'ops', type: 'job.failed', jobid }])
    const [owed] = pending.items
    expect(owed?.attemptCount).toBeGreaterThanOrEqual(5)
    expect(await run(...query)).toMatch(/pending/)
    const id = String(owed?.id)
    const shown = (await json('deliveries', 'show', id)) as { attempts: readonly AttemptView[] }
    expect(shown.attempts[0]).toMatchObject({ status: 503, error: 'status' })
    expect(await run('endpoints', 'show', 'ops')).toMatch(/failing/)
    await run('deliveries', 'retry', id)

    chat.will(ok)
    await follow.line((line) => line.includes('endpoint.recovered') && line.includes('ops'))
    await at.drained()
    const seq = String(owed?.seq)
    expect(await json('deliveries', '--seq', seq, '--state', 'delivered')).toMatchObject({
      items: [{ id: owed?.id, state: 'delivered' }],
    })
    expect(chat.received.at(-1)?.body).toContain('nightly backup')

    await run('endpoints', 'disable', 'ops')
    expect(await run('endpoints', 'show', 'ops')).toMatch(/disabled/)
    await run('endpoints', 'enable', 'ops')
    const sent = chat.received.length
    await run('endpoints', 'replay', 'ops', '--after', '0')
    await until(() => chat.received.length === sent + 1)
    const added = await run('endpoints', 'add', 'hook', '--url', chat.url)
    const [secret = 'none'] = /whsec_\S+/.exec(added) ?? []
    const rotated = await run('endpoints', 'rotate-secret', 'hook')
    expect(rotated).toMatch(/whsec_/)
    expect(rotated).not.toContain(secret)
    expect(await run('endpoints', 'show', 'hook')).not.toContain('whsec_')
    await run('endpoints', 'remove', 'hook')
    expect(((await json('endpoints')) as Page<EndpointView>).items).toHaveLength(1)
  },
)
