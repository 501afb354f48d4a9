import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/load.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { refusalOf } from './refusal.ts'

const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** Runs in an empty folder, as a container does; comes back when the test is over. */
async function inFolder() {
  const folder = await temporaryFolder()
  const before = process.cwd()
  process.chdir(folder.path)
  onTestFinished(async () => {
    process.chdir(before)
    await folder[Symbol.asyncDispose]()
  })
  return {
    path: folder.path,
    async write(name: string, content: string | object): Promise<string> {
      const file = join(folder.path, name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, typeof content === 'string' ? content : stringify(content))
      return file
    },
  }
}

async function fromEnvironment(env: Record<string, string>): Promise<Config> {
  await inFolder()
  return loadConfig(undefined, env)
}

const anUpstream = {
  JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/arcgis/admin',
  JOBWATCH_UPSTREAM_TOKEN: 'an-upstream-token',
}

describe('the environment alone', () => {
  test('is enough: without any variable all defaults hold', async () => {
    const config = await fromEnvironment({})
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8484 },
      upstreams: [],
      endpoints: [],
      api: { tokens: [] },
    })
  })

  test('says where to listen, where the database is and what the public address is', async () => {
    const config = await fromEnvironment({
      JOBWATCH_LISTEN: '127.0.0.1:9000',
      JOBWATCH_DATABASE: '/data/x.db',
      JOBWATCH_PUBLIC_URL: 'https://jobwatch.example.com',
    })
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 9000 },
      database: '/data/x.db',
      publicUrl: 'https://jobwatch.example.com',
    })
  })

  test('gives one API token, with all scopes', async () => {
    const { api, listen } = await fromEnvironment({
      JOBWATCH_API_TOKEN: 'canary',
      JOBWATCH_LISTEN: '0.0.0.0:8484',
    })
    expect(listen.host).toBe('0.0.0.0')
    expect(api.tokens).toHaveLength(1)
    expect(api.tokens[0]?.token.reveal()).toBe('canary')
    expect(api.tokens[0]?.scopes).toEqual(['read', 'write'])
  })

  test('names one upstream, called default, with a token', async () => {
    const { upstreams } = await fromEnvironment(anUpstream)
    expect(upstreams).toHaveLength(1)
    expect(upstreams[0]).toMatchObject({
      name: 'default',
      kind: 'enterprise-admin',
      root: 'https://gis.example.com/arcgis/admin',
      discover: { enabled: false },
    })
    expect(upstreams[0]?.auth.token?.reveal()).toBe('an-upstream-token')
  })

  test('or with username and password', async () => {
    const { upstreams } = await fromEnvironment({
      JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/arcgis/admin',
      JOBWATCH_UPSTREAM_USERNAME: 'jobwatch',
      JOBWATCH_UPSTREAM_PASSWORD: 'a password',
    })
    expect(upstreams[0]?.auth.username).toBe('jobwatch')
    expect(upstreams[0]?.auth.password?.reveal()).toBe('a password')
    expect(upstreams[0]?.auth.tokenUrl).toBe(
      'https://gis.example.com/arcgis/sharing/rest/generateToken',
    )
  })

  test.each([
    ['true', true],
    ['TRUE', true],
    ['1', true],
    ['false', false],
    ['', false],
  ])('turns discovery on with true: %j', async (JOBWATCH_DISCOVER, enabled) => {
    const { upstreams } = await fromEnvironment({ ...anUpstream, JOBWATCH_DISCOVER })
    expect(upstreams[0]?.discover.enabled).toBe(enabled)
  })

  test('refuses another word for that', async () => {
    await inFolder()
    const env = { ...anUpstream, JOBWATCH_DISCOVER: 'perhaps' }
    expect(refusalOf(() => loadConfig(undefined, env))).toMatch(/JOBWATCH_DISCOVER.*true.*false/)
  })

  test('adds a webhook and a Slack channel', async () => {
    const { endpoints } = await fromEnvironment({
      JOBWATCH_WEBHOOK_URL: 'https://ops.example.com/hook',
      JOBWATCH_WEBHOOK_SECRET: webhookSecret,
      JOBWATCH_SLACK_URL: 'https://hooks.slack.com/x',
    })
    expect(
      endpoints.map((endpoint) => [endpoint.format, 'url' in endpoint && endpoint.url.reveal()]),
    ).toEqual([
      ['webhook', 'https://ops.example.com/hook'],
      ['slack', 'https://hooks.slack.com/x'],
    ])
    const [webhook] = endpoints
    expect(webhook?.format === 'webhook' && webhook.secret?.reveal()).toBe(webhookSecret)
  })

  test.each([
    ['JOBWATCH_API_TOKEN', 'a-token', {}],
    [
      'JOBWATCH_UPSTREAM_TOKEN',
      'a-token',
      { JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/admin' },
    ],
    [
      'JOBWATCH_UPSTREAM_PASSWORD',
      'a password',
      {
        JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/admin',
        JOBWATCH_UPSTREAM_USERNAME: 'jobwatch',
      },
    ],
    ['JOBWATCH_WEBHOOK_URL', 'https://ops.example.com/hook', {}],
    [
      'JOBWATCH_WEBHOOK_SECRET',
      webhookSecret,
      { JOBWATCH_WEBHOOK_URL: 'https://ops.example.com/hook' },
    ],
    ['JOBWATCH_SLACK_URL', 'https://hooks.slack.com/x', {}],
  ])('reads %s from a file as well, but not from both', async (name, secret, more) => {
    const folder = await inFolder()
    const file = await folder.write('secret', `${secret}\n`)
    const env: Record<string, string> = { ...more }
    const direct = loadConfig(undefined, { ...env, [name]: secret })
    expect(secretsIn(direct)).toContain(secret)
    const byFile = loadConfig(undefined, { ...env, [`${name}_FILE`]: file })
    expect(secretsIn(byFile)).toEqual(secretsIn(direct))
    // An empty variable is one that is not set.
    const withEmpty = loadConfig(undefined, { ...env, [name]: '', [`${name}_FILE`]: file })
    expect(secretsIn(withEmpty)).toEqual(secretsIn(direct))

    const both = { ...env, [name]: secret, [`${name}_FILE`]: file }
    const refusal = refusalOf(() => loadConfig(undefined, both))
    expect(refusal).toContain(name)
    expect(refusal).toContain(`${name}_FILE`)
    expect(refusal).not.toContain(secret)

    const missing = { ...env, [`${name}_FILE`]: join(folder.path, 'missing') }
    expect(refusalOf(() => loadConfig(undefined, missing))).toContain('missing')
  })

  test('leaves variables alone that it does not know: Kubernetes makes some', async () => {
    const config = await fromEnvironment({
      JOBWATCH_PORT: 'tcp://10.0.0.1:8484',
      JOBWATCH_SERVICE_HOST: '10.0.0.1',
      JOBWATCH_PORT_8484_TCP_ADDR: '10.0.0.1',
      JOBWATCH_LISTEM: 'x',
    })
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 8484 })
  })

  test('is checked like a file: faults are told, secrets are not', async () => {
    await inFolder()
    const message = refusalOf(() =>
      loadConfig(undefined, {
        JOBWATCH_LISTEN: '0.0.0.0:8484',
        JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/admin',
        JOBWATCH_UPSTREAM_TOKEN: 'canary',
        JOBWATCH_UPSTREAM_PASSWORD: 'canary',
        JOBWATCH_WEBHOOK_URL: 'canary',
        JOBWATCH_WEBHOOK_SECRET: 'canary',
      }),
    )
    expect(message).toContain('the environment')
    for (const part of ['upstreams[0].auth', 'endpoints[0].url', 'endpoints[0].secret']) {
      expect(message).toContain(part)
    }
    expect(message).not.toContain('canary')
  })
})

describe('which configuration is read', () => {
  const env = { JOBWATCH_LISTEN: '127.0.0.1:4' }
  const listening = (port: number) => ({ listen: `127.0.0.1:${port}` })

  test('the file that is given, else the one that is named, else the one that is there, else the environment', async () => {
    const folder = await inFolder()
    const given = await folder.write('given.yaml', listening(1))
    const named = await folder.write('named.yaml', listening(2))
    await folder.write('config/jobwatch.yaml', listening(3))
    const withName = { ...env, JOBWATCH_CONFIG: named }
    expect(loadConfig(given, withName).listen.port).toBe(1)
    expect(loadConfig(undefined, withName).listen.port).toBe(2)
    expect(loadConfig(undefined, env).listen.port).toBe(3)
    // An empty name is none.
    expect(loadConfig(undefined, { ...env, JOBWATCH_CONFIG: '' }).listen.port).toBe(3)
  })

  test('the environment when there is no file', async () => {
    expect((await fromEnvironment(env)).listen.port).toBe(4)
  })

  test('a file that is given or named has to be there', async () => {
    const folder = await inFolder()
    await folder.write('config/jobwatch.yaml', listening(3))
    for (const attempt of [
      () => loadConfig('missing.yaml', env),
      () => loadConfig(undefined, { ...env, JOBWATCH_CONFIG: 'missing.yaml' }),
      () => loadConfig(folder.path, env),
    ]) {
      expect(refusalOf(attempt)).toMatch(/missing\.yaml|EISDIR/)
    }
  })

  test('a file takes the place of the environment, but may still ask for its secrets there', async () => {
    const folder = await inFolder()
    const file = await folder.write('a.yaml', {
      api: { tokens: [{ name: 'a', token: { env: 'MY_TOKEN' }, scopes: ['read'] }] },
    })
    const config = loadConfig(file, { ...env, MY_TOKEN: 'a-token', JOBWATCH_API_TOKEN: 'other' })
    expect(config.listen.port).toBe(8484)
    expect(config.api.tokens.map(({ token }) => token.reveal())).toEqual(['a-token'])
  })

  test('faults of a file name the file', async () => {
    const folder = await inFolder()
    const file = await folder.write('a.yaml', 'listen: nowhere\n')
    expect(refusalOf(() => loadConfig(file, {}))).toContain(file)
  })

  test('a file that is empty, or all comments, is all defaults', async () => {
    const folder = await inFolder()
    for (const content of ['', '\n', '# nothing\n', '---\n', '\ufeff']) {
      const file = await folder.write('a.yaml', content)
      expect(loadConfig(file, {}).listen.port).toBe(8484)
    }
  })
})

describe('YAML that is none', () => {
  test.each([
    ['listen: 127.0.0.1:1\napi: [\n', 3],
    ['listen: "127.0.0.1:1\n', 2],
    ['feed:\n  maxStreams: 5\n log:\n', 3],
    ['feed:\n\tmaxStreams: 5\n', 2],
    ['listen: a\nlisten: b\n', 2],
    ['listen: a: b\n', 1],
    ['listen: @x\n', 1],
    ['a\n---\nb\n', 2],
  ])('names the file, the line and the column: %j', async (content, line) => {
    const folder = await inFolder()
    const file = await folder.write('a.yaml', content)
    const message = refusalOf(() => loadConfig(file, {}))
    expect(message).toContain(file)
    expect(message).toMatch(new RegExp(`line ${line}, column \\d+`))
  })

  test.each([
    'api:\n  tokens:\n    - { name: a, token: "canary, scopes: [read] }\n',
    'upstreams:\n  - auth: { password: canary: x }\n',
    'upstreams:\n  - auth:\n      password: canary\n     username: x\n',
    // Characters that mean something in YAML: an alias, a tag, a directive.
    'upstreams:\n  - auth: { password: *canary }\n',
    'upstreams:\n  - auth:\n      password: *canary\n',
    'upstreams:\n  - auth:\n      password: !canary\n',
    'upstreams:\n  - auth:\n      password: !canary x\n',
    'upstreams:\n  - auth:\n      password: %canary\n',
    'upstreams:\n  - auth:\n      password: @canary\n',
    'upstreams:\n  - auth:\n      password: "\\canary"\n',
    'upstreams:\n  - auth:\n      password: &canary\n',
    'canary\n',
  ])('does not show the secret that it holds: %j', async (content) => {
    const warnings: string[] = []
    const listen = (warning: Error) => warnings.push(warning.message)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const folder = await inFolder()
    const file = await folder.write('a.yaml', content)
    expect(refusalOf(() => loadConfig(file, {}))).not.toContain('canary')
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings.join()).not.toContain('canary')
  })

  test('that grows without end when it is read is refused', async () => {
    const folder = await inFolder()
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 10; level += 1) {
      const many = Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')
      lines.push(`a${level}: &a${level} [${many}]`)
    }
    const file = await folder.write('a.yaml', lines.join('\n'))
    expect(refusalOf(() => loadConfig(file, {}))).toContain(file)
  })
})

/** Every secret of a configuration, in order. */
function secretsIn({ api, upstreams, endpoints }: Config): string[] {
  return [
    ...api.tokens.map(({ token }) => token),
    ...upstreams.flatMap(({ auth }) => [auth.token, auth.password]),
    ...endpoints.flatMap((endpoint) => [
      'url' in endpoint ? endpoint.url : endpoint.settings.password,
      endpoint.format === 'webhook' ? endpoint.secret : undefined,
    ]),
  ].flatMap((secret) => (secret === undefined ? [] : [secret.reveal()]))
}

test.each([
  { JOBWATCH_UPSTREAM_TOKEN: 'canary' },
  { JOBWATCH_UPSTREAM_USERNAME: 'me', JOBWATCH_UPSTREAM_PASSWORD: 'canary' },
])('credentials without a root are no upstream, and the missing variable is named', async (env) => {
  await inFolder()
  const refusal = refusalOf(() => loadConfig(undefined, env))
  expect(refusal).toContain('JOBWATCH_UPSTREAM_ROOT')
  expect(refusal).not.toContain('canary')
})
