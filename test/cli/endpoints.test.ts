import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/core/errors.ts'
import { runLine, secret, startDaemon } from './daemon.ts'

const hook = 'https://example.com/in'

/** Lines without the spaces that only align them. */
function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim().replace(/ {2,}/g, '  '))
}

function jsonOf(text: string): unknown {
  return JSON.parse(text)
}

describe('adding an endpoint', () => {
  test('says what was added and shows its new secret only then', async () => {
    await using daemon = await startDaemon()
    const added = await daemon.jobwatch(`endpoints add hook --url ${hook} --tag nightly`)
    expect(added.error).toBeNull()
    const [line, made = ''] = linesOf(added.out)
    expect(line).toBe(`added hook: webhook to ${hook}`)
    expect(made).toMatch(/^whsec_[A-Za-z0-9+/=]{32,}$/)
    expect(added.err).toContain('shown only now')
    for (const later of ['endpoints', 'endpoints show hook', 'endpoints show hook --json']) {
      expect((await daemon.jobwatch(later)).out).not.toContain(made)
    }
  })

  test('says the secret in the JSON document too', async () => {
    await using daemon = await startDaemon()
    const { out, err } = await daemon.jobwatch(`endpoints add hook --url ${hook} --json`)
    expect(jsonOf(out)).toMatchObject({
      name: 'hook',
      events: ['*'],
      secret: expect.stringMatching(/^whsec_/) as string,
    })
    expect(err).toContain('shown only now')
  })

  test('takes the URL of a chat from stdin, and nothing shows it', async () => {
    await using daemon = await startDaemon()
    const stdin = 'https://example.com/services/T0/B0/s3cret\r\n'
    const line = 'endpoints add ops --format Slack --url - --events job.failed --events job.lost'
    const added = await daemon.jobwatch(line, { stdin })
    expect(added).toEqual({
      out: 'added ops: slack to https://example.com\n',
      err: '',
      error: null,
    })
    expect(linesOf((await daemon.jobwatch('endpoints show ops')).out)).toEqual(
      expect.arrayContaining([
        'format  slack',
        'where  https://example.com',
        'events  job.failed, job.lost',
      ]),
    )
  })

  test('takes everything that can be said of it', async () => {
    await using daemon = await startDaemon()
    const { url } = daemon.receiver
    const filters = '--upstream prod --tag nightly --tag weekly --jobid j1 --events job.*'
    const rest = '--header X-Team:gis --fold --timeout 3s --secret -'
    const line = `endpoints add hook --url ${url} ${filters} ${rest}`
    const added = await daemon.jobwatch(line, { stdin: secret })
    expect(added).toMatchObject({ error: null, err: '', out: `added hook: webhook to ${url}\n` })

    const shown = await daemon.jobwatch('endpoints show hook --json')
    expect(jsonOf(shown.out)).toMatchObject({
      events: ['job.*'],
      match: { upstream: ['prod'], tag: ['nightly', 'weekly'], jobid: ['j1'] },
      fold: true,
    })
    expect((await daemon.jobwatch('endpoints test hook')).error).toBeNull()
    const [received] = await daemon.receiver.waitFor(1)
    expect(received).toMatchObject({ verified: true, headers: { 'x-team': 'gis' } })
  })

  test('that the daemon refuses is an error with its words', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    const again = await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    expect(again.error).toMatchObject({ name: 'ClientError', code: 'endpoint_exists' })
    const odd = await daemon.jobwatch(`endpoints add odd --url ${hook} --timeout soon`)
    expect(odd.error).toMatchObject({ name: 'ClientError', status: 400 })
    expect((odd.error as Error).message).toContain('timeout')
  })

  test.each([
    ['Hook!', `--url ${hook}`, /no name of an endpoint/],
    ['hook', '', /--format webhook needs --url/],
    ['hook', '--format pager', /--format must be one of webhook, slack, teams, email/],
    ['hook', `--url ${hook} --host mail.example.com --from a@b --to c@d`, /need --format email/],
    ['hook', `--format slack --url ${hook} --secret ${secret}`, /--secret is for --format webhook/],
    ['mail', '--format email', /needs --host, --from and --to/],
    ['mail', '--format email --host mail.example.com', /mail needs --host, --from and --to/],
    [
      'mail',
      `--format email --url ${hook} --host m --from a@b --to c@d`,
      /--url is not for --format email/,
    ],
    ['mail', '--format email --host m --port smtp', /--port must be a whole number/],
    ['hook', `--url ${hook} --header X-Team`, /--header must look like/],
    ['hook', '--url - --secret -', /only one of --url and --secret can come from stdin/],
    ['hook', '--url -', /stdin is empty: pipe the URL into it/],
  ])('%s %s is a usage error', async (name, options, message) => {
    const { error, out } = await runLine(`endpoints add ${name} ${options}`.trim(), { stdin: '' })
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(message)
    expect(out).toBe('')
  })

  test('quotes no header, which may be a secret', async () => {
    const { error } = await runLine(`endpoints add hook --url ${hook} --header s3cret`, {})
    expect((error as Error).message).not.toContain('s3cret')
  })

  test('takes one line from stdin', async () => {
    const stdin = `${hook}\nhttps://example.com/other\n`
    const { error } = await runLine('endpoints add hook --url -', { stdin })
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toContain('several lines')
  })
})

describe('the endpoints', () => {
  test('are listed, also when no command is named', async () => {
    await using daemon = await startDaemon({
      endpoints: (url) => [{ name: 'ops', format: 'slack', url, events: ['job.failed'] }],
    })
    const { url } = daemon.receiver
    await daemon.jobwatch(`endpoints add hook --url ${url} --secret ${secret}`)
    const listed = await daemon.jobwatch('endpoints list')
    expect(linesOf(listed.out)).toEqual([
      'NAME  FORMAT  WHERE  EVENTS  STATE  PENDING  LAST DELIVERED',
      `ops  slack  ${new URL(url).origin}  job.failed  active  0  -`,
      `hook  webhook  ${url}  *  active  0  -`,
      '',
    ])
    expect(await daemon.jobwatch('endpoints')).toEqual(listed)
    const { items } = jsonOf((await daemon.jobwatch('endpoints --json')).out) as {
      items: { name: string }[]
    }
    expect(items.map(({ name }) => name)).toEqual(['ops', 'hook'])
  })

  test('have the emoji and colour of their state on a terminal', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    const on = await daemon.jobwatch('endpoints', { isTTY: true })
    expect(on.out).toContain('\x1b[32m✅ active\x1b[0m')
    await daemon.jobwatch('endpoints disable hook')
    const off = await daemon.jobwatch('endpoints', { isTTY: true, env: { NO_COLOR: '1' } })
    expect(off.out).toContain('🚫 disabled')
  })

  test('that are none are said to be so', async () => {
    await using daemon = await startDaemon()
    const { out, err } = await daemon.jobwatch('endpoints')
    expect(out).toBe('')
    expect(err).toContain('no endpoints: "jobwatch endpoints add --help"')
    expect(jsonOf((await daemon.jobwatch('endpoints --json')).out)).toEqual({ items: [] })
  })

  test('are not mistaken for commands', async () => {
    const { error } = await runLine('endpoints hook', {})
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toContain('"jobwatch endpoints show hook"')
  })
})

describe('one endpoint', () => {
  test('is shown with why it gets nothing', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook} --tag nightly`)
    expect((await daemon.jobwatch('endpoints disable hook')).out).toBe('hook is disabled\n')
    const lines = linesOf((await daemon.jobwatch('endpoints show hook')).out)
    expect(lines[0]).toBe('hook')
    expect(lines).toEqual(
      expect.arrayContaining([
        'state  disabled',
        'reason  disabled over the API',
        'made by  the API',
        'events  job.*',
        'tags  nightly',
        'fold  no',
        'pending  0',
        'delivered  never',
      ]),
    )
    expect((await daemon.jobwatch('endpoints enable hook')).out).toBe('hook is active\n')
  })

  test('that is not there is an error with the words of the daemon', async () => {
    await using daemon = await startDaemon()
    const { error } = await daemon.jobwatch('endpoints show hook')
    expect(error).toMatchObject({
      code: 'endpoint_not_found',
      message: 'There is no endpoint named hook',
    })
  })

  test('is changed in what is given, and in nothing else', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook} --upstream prod --tag nightly`)
    const changed = await daemon.jobwatch('endpoints change hook --tag weekly --fold')
    expect(changed).toEqual({ out: 'changed hook\n', err: '', error: null })
    const { out } = await daemon.jobwatch('endpoints change hook --events job.failed --json')
    expect(jsonOf(out)).toMatchObject({
      url: hook,
      events: ['job.failed'],
      match: { upstream: ['prod'], tag: ['weekly'], jobid: [] },
      fold: true,
    })
  })

  test('gets a default back by an empty value', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook} --tag nightly --events job.failed`)
    const line = 'endpoints change hook --tag "" --events "" --header "" --timeout "" --json'
    expect(jsonOf((await daemon.jobwatch(line)).out)).toMatchObject({
      events: ['*'],
      match: { upstream: [], tag: [], jobid: [] },
    })
  })

  test('is not changed when nothing is given', async () => {
    const { error } = await runLine('endpoints change hook', {})
    expect(error).toBeInstanceOf(UsageError)
  })

  test('of the configuration refuses changes with the words of the daemon', async () => {
    await using daemon = await startDaemon({ endpoints: (url) => [{ name: 'ops', url }] })
    for (const line of ['endpoints change ops --fold', 'endpoints remove ops']) {
      const { error } = await daemon.jobwatch(line)
      expect(error).toMatchObject({ name: 'ClientError', code: 'endpoint_configured' })
    }
  })

  test('is removed', async () => {
    await using daemon = await startDaemon()
    await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    expect((await daemon.jobwatch('endpoints remove hook')).out).toBe('removed hook\n')
    await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    const { out } = await daemon.jobwatch('endpoints remove hook --json')
    expect(jsonOf(out)).toEqual({ name: 'hook', removed: true })
  })

  test('gets a new secret, which alone is on stdout', async () => {
    await using daemon = await startDaemon()
    const added = await daemon.jobwatch(`endpoints add hook --url ${hook}`)
    const { out, err } = await daemon.jobwatch('endpoints rotate-secret hook')
    expect(out).toMatch(/^whsec_\S+\n$/)
    expect(added.out).not.toContain(out)
    expect(err).toContain('shown only now; for 24 h the old one signs along')
  })
})

describe('a test event', () => {
  test('that is taken is said to be so', async () => {
    const body = 'thank you\nline two\n'
    await using daemon = await startDaemon({ answer: () => ({ status: 200, body }) })
    await daemon.jobwatch(`endpoints add hook --url ${daemon.receiver.url} --secret ${secret}`)
    const { out, err, error } = await daemon.jobwatch('endpoints test hook')
    expect(error).toBeNull()
    expect(err).toBe('')
    const [first, ...answer] = linesOf(out)
    expect(first).toMatch(/^taken: answered 200 after \d+ ms$/)
    expect(answer).toEqual(['thank you', 'line two', ''])
    const [received] = await daemon.receiver.waitFor(1)
    expect(received?.event).toMatchObject({ type: 'jobwatch.test' })
  })

  test('that is refused ends with an error after the first lines of the answer', async () => {
    const body = Array.from({ length: 9 }, (_, index) => `\x1b[31mline ${index}`).join('\n')
    await using daemon = await startDaemon({ answer: () => ({ status: 404, body }) })
    await daemon.jobwatch(`endpoints add hook --url ${daemon.receiver.url}`)
    const { out, error } = await daemon.jobwatch('endpoints test hook')
    expect(error).toMatchObject({ name: 'AppError', code: 'not_taken' })
    expect((error as Error).message).toBe('hook did not take the test event')
    const lines = linesOf(out)
    expect(lines[0]).toMatch(/^not taken: answered 404 after \d+ ms$/)
    expect(lines.slice(1)).toEqual([
      ...[0, 1, 2, 3, 4].map((line) => `\\u001b[31mline ${line}`),
      '…',
      '',
    ])
  })

  test('that never arrives is an error that says why', async () => {
    await using daemon = await startDaemon({ answer: () => 'reset' })
    await daemon.jobwatch(`endpoints add hook --url ${daemon.receiver.url}`)
    const { out, error } = await daemon.jobwatch('endpoints test hook', { isTTY: true })
    expect(out).toContain('❌ \x1b[31mthe connection broke off')
    expect(error).toMatchObject({ code: 'not_taken' })
    const json = await daemon.jobwatch('endpoints test hook --json')
    expect(jsonOf(json.out)).toMatchObject({ status: null, error: 'reset' })
    expect(json.error).toMatchObject({ code: 'not_taken' })
  })
})

describe('a replay', () => {
  test('queues past events, as far as they are asked for', async () => {
    await using daemon = await startDaemon()
    await daemon.watch('j1')
    await daemon.jobwatch(`endpoints add hook --url ${daemon.receiver.url} --secret ${secret}`)
    const one = await daemon.jobwatch('endpoints replay hook --after 0 --type job.watched')
    expect(one).toEqual({ out: 'queued 1 delivery to hook\n', err: '', error: null })
    const owed = await daemon.jobwatch('deliveries --endpoint hook')
    expect(owed.out).toMatch(/hook {2,}1 {2,}job\.watched {2,}j1/)

    const since = 'endpoints replay hook --since 2020-01-01T00:00:00Z --until 1 --json'
    expect(jsonOf((await daemon.jobwatch(since)).out)).toEqual({ queued: 1 })
    const before = 'endpoints replay hook --after 0 --until 2020-01-01T00:00:00Z'
    expect((await daemon.jobwatch(before)).out).toBe('queued 0 deliveries to hook\n')
  })

  test.each(['', '--after 1 --since 2020-01-01T00:00:00Z', '--after soon', '--after -1'])(
    'from "%s" is a usage error',
    async (from) => {
      const { error } = await runLine(`endpoints replay hook ${from}`.trim(), {})
      expect(error).toBeInstanceOf(UsageError)
    },
  )

  test('since what is no time is refused by the daemon', async () => {
    await using daemon = await startDaemon()
    const { error } = await daemon.jobwatch('endpoints replay hook --since yesterday')
    expect(error).toMatchObject({ name: 'ClientError', status: 400 })
  })
})
