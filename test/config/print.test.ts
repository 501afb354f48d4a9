import { inspect } from 'node:util'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { parseConfig, printConfig } from '../../src/config/load.ts'
import { Secret } from '../../src/core/secret.ts'

const canaryBytes = Buffer.from('canary canary canary canary canary')
const env = { HOOK_URL: 'https://ops.example.com/canary', PASSWORD: 'canary-password' }
const settings = {
  listen: '[::1]:9000',
  publicUrl: 'https://jobwatch.example.com/',
  database: 'some/where.db',
  api: {
    tokens: [
      { name: 'ops', token: 'canary-ops', scopes: ['read', 'write'] },
      { name: 'reader', token: 'canary-reader', scopes: ['read'] },
    ],
  },
  feed: { maxStreams: 5 },
  log: { level: 'debug' },
  retention: { events: '36h', deliveries: '90m', jobs: '1500ms' },
  upstreams: [
    {
      name: 'prod',
      root: 'https://GIS.example.com/arcgis/admin/',
      auth: { username: 'jobwatch', password: { env: 'PASSWORD' }, expiration: '90s' },
      polling: { interval: '20ms', rate: 0.5 },
      discover: { enabled: true, match: { username: ['a*'] } },
      tls: { ca: '/etc/ssl/ca.pem', rejectUnauthorized: false },
    },
    { name: 'test', root: 'http://10.0.0.1:7080/x/admin', auth: { token: 'canary-token' } },
  ],
  endpoints: [
    { name: 'hook', url: { env: 'HOOK_URL' }, secret: `whsec_${canaryBytes.toString('base64')}` },
    { name: 'chat', format: 'slack', url: 'https://hooks.slack.com/canary', match: { tag: ['x'] } },
  ],
  delivery: {
    retry: ['1s', '61s'],
    allow: ['10.20.0.0/16', 'fd00::/8'],
    proxy: 'http://proxy:3128',
  },
  shutdownTimeout: '2m',
}

test('what is printed is the configuration, with every secret hidden', () => {
  const text = printConfig(parseConfig(settings, 'the test', env))
  expect(text).not.toContain('canary')
  expect(text).not.toContain(canaryBytes.toString('base64'))
  expect(parse(text)).toMatchObject({
    listen: '[::1]:9000',
    publicUrl: 'https://jobwatch.example.com',
    retention: { events: '36h', deliveries: '90m', jobs: '1500ms' },
    upstreams: [{ root: 'https://gis.example.com/arcgis/admin' }, { name: 'test' }],
    delivery: { retry: ['1s', '61s'] },
  })
})

test('what is printed can be read again and is the same, but for the secrets', () => {
  const config = parseConfig(settings, 'the test', env)
  const printed = withSecrets(parse(printConfig(config)))
  expect(parseConfig(printed, 'what was printed', {})).toEqual(config)
})

test('the defaults can be printed and read again', () => {
  const config = parseConfig({}, 'the test', {})
  expect(parseConfig(parse(printConfig(config)), 'what was printed', {})).toEqual(config)
})

test('no way of printing a configuration shows a secret', () => {
  const config = parseConfig(settings, 'the test', env)
  for (const text of [
    JSON.stringify(config),
    inspect(config, { depth: null, showHidden: true }),
    String(config.api.tokens[0]?.token),
    String(config.upstreams[1]?.auth.token),
  ]) {
    expect(text).not.toContain('canary')
  }
})

test('a secret is equal to nothing by accident, and known to who asks for it', () => {
  expect(new Secret('a').reveal()).toBe('a')
  expect(String(new Secret('a'))).toBe(String(new Secret('b')))
})

/** Puts something in the place of each hidden secret that its setting accepts. */
function withSecrets(value: unknown, key = ''): unknown {
  if (typeof value === 'string' && value.includes('secret')) {
    if (key === 'url') return 'https://hidden.example.com/'
    return key === 'secret' ? `whsec_${Buffer.alloc(32).toString('base64')}` : 'hidden'
  }
  if (Array.isArray(value)) return value.map((item) => withSecrets(item, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withSecrets(item, name)]),
  )
}

test('headers that carry credentials are hidden, others shown', () => {
  const headers = { Authorization: 'Bearer canary', 'X-Api-Key': 'canary', 'X-Team': 'gis' }
  const endpoints = [{ name: 'ops', url: 'https://hooks.example.com/', headers }]
  const text = printConfig(parseConfig({ endpoints }, 'the test', {}))
  expect(text).not.toContain('canary')
  expect(text).toContain('X-Team: gis')
})

test.each(['two words', 'ends with a line\n', 'straße'])('an API token is refused: %j', (token) => {
  const api = { tokens: [{ name: 'ops', token, scopes: ['read'] }] }
  expect(() => parseConfig({ api }, 'the test', {})).toThrow(/api\.tokens\[0\]\.token: must be/)
})
