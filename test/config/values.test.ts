import fc from 'fast-check'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/load.ts'
import { UsageError } from '../../src/core/errors.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { anAuth, anUpstream, faultsIn } from './refusal.ts'

function read(value: unknown, env: Record<string, string> = {}): Config {
  return parseConfig(value, 'the test', env)
}

const webhook = { name: 'ops', url: 'https://ops.example.com/hook' }
const slack = { name: 'chat', format: 'slack', url: 'https://hooks.slack.com/x' }

test('without any setting the defaults are those of the contract', () => {
  const defaults = {
    listen: { host: '127.0.0.1', port: 8484 },
    database: 'data/jobwatch.db',
    api: { tokens: [] },
    feed: { maxStreams: 32 },
    log: { level: 'info' },
    retention: { events: 90 * 86_400_000, deliveries: 30 * 86_400_000, jobs: 90 * 86_400_000 },
    upstreams: [],
    endpoints: [],
    delivery: {
      concurrency: 8,
      timeout: 15_000,
      retry: [5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400].map((s) => s * 1000),
      overtake: 300_000,
      allow: [],
      proxy: null,
    },
    shutdownTimeout: 10_000,
  }
  expect(read({})).toEqual(defaults)
  // An empty file is YAML for null.
  expect(read(null)).toEqual(defaults)
})

test('an upstream has the defaults of the contract', () => {
  const [upstream] = read({ upstreams: [anUpstream] }).upstreams
  expect(upstream).toMatchObject({
    kind: 'enterprise-admin',
    auth: { expiration: 3_600_000, referer: 'jobwatch' },
    polling: {
      interval: 5000,
      maxInterval: 20_000,
      concurrency: 8,
      rate: 20,
      timeout: 10_000,
      maxBodyBytes: 16_777_216,
    },
    discover: { enabled: false, interval: 30_000, match: { operation: ['*'], username: ['*'] } },
    stallAfter: 7_200_000,
    lostAfter: 60_000,
    downAfter: 30_000,
    tls: { rejectUnauthorized: true },
  })
})

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['20ms', 20],
    ['1ms', 1],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0.5s', 500],
  ])('%s', (text, ms) => {
    expect(read({ shutdownTimeout: text }).shutdownTimeout).toBe(ms)
    expect(read({ delivery: { retry: [text] } }).delivery.retry).toEqual([ms])
    const polling = { interval: text, maxInterval: text, timeout: text }
    const [upstream] = read({ upstreams: [{ ...anUpstream, polling }] }).upstreams
    expect(upstream?.polling).toMatchObject({ interval: ms, maxInterval: ms, timeout: ms })
  })

  test.each([
    '',
    '5',
    '5 s',
    ' 5s',
    '5S',
    '-5s',
    '0s',
    '0ms',
    '5w',
    '1h30m',
    's',
    '1e3s',
    '∞',
    5,
    null,
    true,
    ['5s'],
  ])('%j is refused, and the setting is named', (value) => {
    expect(faultsIn({ shutdownTimeout: value })).toEqual([
      expect.stringMatching(/^shutdownTimeout: ./),
    ])
    expect(faultsIn({ delivery: { retry: ['5s', value] } })).toEqual([
      expect.stringMatching(/^delivery\.retry\[1\]: ./),
    ])
  })

  test('a text that is none is told the forms there are', () => {
    expect(faultsIn({ shutdownTimeout: 'ten seconds' })[0]).toMatch(/500ms.*5s.*2m.*1h.*7d/)
  })
})

describe('an unknown key', () => {
  test.each([
    [{ lisen: 'x' }, 'lisen', 'listen'],
    [{ Listen: 'x' }, 'Listen', 'listen'],
    [{ shutdowntimeout: '1s' }, 'shutdowntimeout', 'shutdownTimeout'],
    [{ api: { token: [] } }, 'api.token', 'tokens'],
    [{ feed: { maxStream: 1 } }, 'feed.maxStream', 'maxStreams'],
    [{ log: { lvel: 'info' } }, 'log.lvel', 'level'],
    [{ retention: { evnts: '1d' } }, 'retention.evnts', 'events'],
    [{ delivery: { retrys: [] } }, 'delivery.retrys', 'retry'],
    [
      { api: { tokens: [{ name: 'a', token: 'b', scope: ['read'], scopes: ['read'] }] } },
      'api.tokens[0].scope',
      'scopes',
    ],
    [{ upstreams: [{ ...anUpstream, stalAfter: '1h' }] }, 'upstreams[0].stalAfter', 'stallAfter'],
    [
      { upstreams: [anUpstream, { ...anUpstream, name: 'b', auth: { ...anAuth, tokenURL: 'x' } }] },
      'upstreams[1].auth.tokenURL',
      'tokenUrl',
    ],
    [
      { upstreams: [{ ...anUpstream, polling: { intervall: '1s' } }] },
      'upstreams[0].polling.intervall',
      'interval',
    ],
    [
      { upstreams: [{ ...anUpstream, discover: { match: { operations: [] } } }] },
      'upstreams[0].discover.match.operations',
      'operation',
    ],
    [
      { upstreams: [{ ...anUpstream, tls: { rejectUnauthorised: true } }] },
      'upstreams[0].tls.rejectUnauthorised',
      'rejectUnauthorized',
    ],
    [{ endpoints: [{ ...webhook, evnets: [] }] }, 'endpoints[0].evnets', 'events'],
    [{ endpoints: [webhook, { ...slack, header: {} }] }, 'endpoints[1].header', 'headers'],
    [{ endpoints: [{ ...slack, match: { tags: [] } }] }, 'endpoints[0].match.tags', 'tag'],
  ])('in %j is refused by its path, with the key that was meant', (value, path, meant) => {
    const faults = faultsIn(value)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(new RegExp(`^${path.replace(/[[\].]/g, '\\$&')}: `))
    expect(faults[0]).toMatch(new RegExp(`did you mean ${meant}\\?`))
  })

  test('that is like none is answered with those there are', () => {
    expect(faultsIn({ feed: { colour: 'red' } })).toEqual([
      expect.stringMatching(/^feed\.colour: .*maxStreams/),
    ])
    expect(faultsIn({ upstreams: [{ ...anUpstream, xyz: 1 }] })[0]).not.toContain('did you mean')
  })

  test('that belongs to another format is not proposed in its own place', () => {
    const [fault] = faultsIn({ endpoints: [{ ...slack, secret: 'whsec_x' }] })
    expect(fault).toMatch(/^endpoints\[0\]\.secret: /)
    expect(fault).not.toContain('did you mean secret')
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])(
    'may be %j, too',
    (key) => {
      const value: unknown = JSON.parse(`{"feed":{${JSON.stringify(key)}:{"maxStreams":1}}}`)
      expect(faultsIn(value)).toEqual([expect.stringContaining(`feed.${key}: `)])
    },
  )
})

describe('secrets', () => {
  const tokenOf = (token: unknown, env: Record<string, string> = {}) =>
    read(
      { upstreams: [{ ...anUpstream, auth: { token } }] },
      env,
    ).upstreams[0]?.auth.token?.reveal()

  test('are the text itself, a variable or a file', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'secret')
    await writeFile(file, 'of a file')
    expect(tokenOf('a text')).toBe('a text')
    expect(tokenOf({ env: 'TOKEN' }, { TOKEN: 'of a variable' })).toBe('of a variable')
    expect(tokenOf({ file })).toBe('of a file')
  })

  test.each([
    ['one line end is cut off', 'secret\n', 'secret'],
    ['of Windows, too', 'secret\r\n', 'secret'],
    ['but only one', 'secret\n\n', 'secret\n'],
    ['and no blank', ' secret \n', ' secret '],
    ['and none within', 'a\nb', 'a\nb'],
  ])('in a file: %s', async (_, content, expected) => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'secret')
    await writeFile(file, content)
    expect(tokenOf({ file })).toBe(expected)
  })

  test('that cannot be had are refused by their path, and what is missing is named', async () => {
    await using folder = await temporaryFolder()
    const missing = join(folder.path, 'missing')
    const empty = join(folder.path, 'empty')
    const directory = join(folder.path, 'directory')
    await writeFile(empty, '\n')
    await mkdir(directory)
    for (const [token, named] of [
      [{ env: 'NOT_SET' }, 'NOT_SET'],
      [{ env: 'SET_EMPTY' }, 'SET_EMPTY'],
      [{ file: missing }, missing],
      [{ file: empty }, empty],
      [{ file: directory }, 'EISDIR'],
      [{ file: 'a\0b' }, ''],
    ] as const) {
      const value = { upstreams: [{ ...anUpstream, auth: { token } }] }
      const faults = faultsIn(value, { SET_EMPTY: '' })
      expect(faults).toHaveLength(1)
      expect(faults[0]).toMatch(/^upstreams\[0\]\.auth\.token: /)
      expect(faults[0]).toContain(named)
    }
  })

  test.each(['', { env: '' }, { file: '' }])('cannot be empty: %j', (token) => {
    expect(faultsIn({ upstreams: [{ ...anUpstream, auth: { token } }] })).toEqual([
      expect.stringMatching(/^upstreams\[0\]\.auth\.token/),
    ])
  })

  test.each([5, null, true, [], {}, { envv: 'A' }, { env: 'A', file: 'b' }, { value: 'x' }])(
    'cannot be %j: the forms are named',
    (token) => {
      expect(faultsIn({ upstreams: [{ ...anUpstream, auth: { token } }] })).toEqual([
        expect.stringMatching(/^upstreams\[0\]\.auth\.token: .*env.*file/),
      ])
    },
  )
})

describe('an upstream', () => {
  const withAuth = (auth: unknown) => ({ upstreams: [{ ...anUpstream, auth }] })

  test.each([
    [{}],
    [{ username: 'u' }],
    [{ password: 'p' }],
    [{ token: 't', username: 'u' }],
    [{ token: 't', password: 'p' }],
    [{ token: 't', username: 'u', password: 'p' }],
  ])('signs in with a token, or with username and password: not with %j', (auth) => {
    expect(faultsIn(withAuth(auth))).toEqual([
      expect.stringMatching(/^upstreams\[0\]\.auth: .*token.*username.*password/),
    ])
  })

  test('accepts either way', () => {
    expect(read(withAuth({ token: 't' })).upstreams).toHaveLength(1)
    expect(read(withAuth({ username: 'u', password: 'p' })).upstreams).toHaveLength(1)
  })

  test.each([
    [
      'https://gis.example.com/arcgis/admin',
      'https://gis.example.com/arcgis/sharing/rest/generateToken',
    ],
    [
      'https://gis.example.com/arcgis/admin/',
      'https://gis.example.com/arcgis/sharing/rest/generateToken',
    ],
    [
      'http://GIS.example.com:7080/a/b/admin',
      'http://gis.example.com:7080/a/b/sharing/rest/generateToken',
    ],
    ['https://gis.example.com/admin', 'https://gis.example.com/sharing/rest/generateToken'],
  ])('whose root is %s fetches its tokens at %s', (root, tokenUrl) => {
    const auth = { username: 'u', password: 'p' }
    const [upstream] = read({ upstreams: [{ ...anUpstream, root, auth }] }).upstreams
    expect(upstream?.auth.tokenUrl).toBe(tokenUrl)
    const own = { ...auth, tokenUrl: 'https://sso.example.com/token' }
    const [other] = read({ upstreams: [{ ...anUpstream, root, auth: own }] }).upstreams
    expect(other?.auth.tokenUrl).toBe('https://sso.example.com/token')
  })

  test('sends publicUrl as its referer unless told otherwise, else jobwatch', () => {
    const refererOf = (more: object, auth: object = anAuth) =>
      read({ ...more, upstreams: [{ ...anUpstream, auth }] }).upstreams[0]?.auth.referer
    expect(refererOf({})).toBe('jobwatch')
    expect(refererOf({ publicUrl: 'https://jobwatch.example.com' })).toBe(
      'https://jobwatch.example.com',
    )
    const own = { ...anAuth, referer: 'https://x.example' }
    expect(refererOf({ publicUrl: 'https://jobwatch.example.com' }, own)).toBe('https://x.example')
  })

  test.each([
    'gis.example.com/arcgis/admin',
    '/arcgis/admin',
    'ftp://gis.example.com/arcgis/admin',
    'https://user:canary@gis.example.com/arcgis/admin',
    'https://gis.example.com/arcgis/admin?token=canary',
    'https://gis.example.com/arcgis/admin#canary',
    '',
    5,
  ])('cannot have the root %j', (root) => {
    const faults = faultsIn({ upstreams: [{ ...anUpstream, root }] })
    expect(faults).toEqual([expect.stringMatching(/^upstreams\[0\]\.root: /)])
    expect(faults.join()).not.toContain('canary')
  })

  test.each(['', 'Prod', 'a b', 'a_b', 'ä', 'a/b', 'x'.repeat(65)])(
    'cannot be called %j',
    (name) => {
      expect(faultsIn({ upstreams: [{ ...anUpstream, name }] })).toEqual([
        expect.stringMatching(/^upstreams\[0\]\.name: .*a-z, 0-9 and -/),
      ])
    },
  )

  test('needs a name, a root and credentials', () => {
    expect(faultsIn({ upstreams: [{}] }).map((fault) => fault.split(':')[0])).toEqual([
      'upstreams[0].name',
      'upstreams[0].root',
      'upstreams[0].auth',
    ])
  })

  test('has a name of its own', () => {
    expect(faultsIn({ upstreams: [anUpstream, { ...anUpstream }] })).toEqual([
      expect.stringMatching(/^upstreams\[1\]\.name: .*prod.*twice/),
    ])
    expect(faultsIn({ endpoints: [webhook, { ...slack, name: 'ops' }] })).toEqual([
      expect.stringMatching(/^endpoints\[1\]\.name: /),
    ])
    const token = { name: 'a', token: 'b', scopes: ['read'] }
    expect(faultsIn({ api: { tokens: [token, token] } })).toEqual([
      expect.stringMatching(/^api\.tokens\[1\]\.name: /),
    ])
  })

  test('of a kind that does not exist is told which there are', () => {
    expect(faultsIn({ upstreams: [{ ...anUpstream, kind: 'portal' }] })).toEqual([
      expect.stringMatching(/^upstreams\[0\]\.kind: .*enterprise-admin/),
    ])
  })
})

describe('an endpoint', () => {
  const endpoint = (value: object, more: object = {}) => {
    const [only] = read({ ...more, endpoints: [value] }).endpoints
    if (only === undefined) expect.fail('there is no endpoint')
    return only
  }
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

  test('is a webhook of every event unless told otherwise', () => {
    expect(endpoint(webhook)).toMatchObject({
      format: 'webhook',
      events: ['*'],
      match: { upstream: [], tag: [], jobid: [] },
      headers: {},
      fold: false,
      timeout: 15_000,
      settings: {},
    })
  })

  test('that is a chat gets what ends and what alarms, folded', () => {
    expect(endpoint(slack)).toMatchObject({ events: chatEvents, fold: true })
  })

  test.each([webhook, slack])('that matches tags or jobids gets job.*: %j', (base) => {
    expect(endpoint({ ...base, match: { tag: ['x'] } }).events).toEqual(['job.*'])
    expect(endpoint({ ...base, match: { jobid: ['x'] } }).events).toEqual(['job.*'])
    expect(endpoint({ ...base, match: { tag: ['x'] }, events: ['job.lost'] }).events).toEqual([
      'job.lost',
    ])
    const byUpstream = endpoint({ ...base, match: { upstream: ['prod'] } }).events
    expect(byUpstream).toEqual(endpoint(base).events)
  })

  test('has the timeout of delivery unless it has its own', () => {
    const more = { delivery: { timeout: '3s' } }
    expect(endpoint(webhook, more).timeout).toBe(3000)
    expect(endpoint({ ...webhook, timeout: '4s' }, more).timeout).toBe(4000)
  })

  test.each(['discord', 'pager', ''])(
    'of the format %j is told which there are in this version',
    (format) => {
      expect(faultsIn({ endpoints: [{ ...webhook, format }] })).toEqual([
        expect.stringMatching(/^endpoints\[0\]\.format: .*webhook.*slack/),
      ])
    },
  )

  test.each(['ops.example.com', 'ftp://ops.example.com', '/hook', 'canary'])(
    'cannot have the url %j, and the refusal does not repeat it',
    (url) => {
      const faults = faultsIn({ endpoints: [{ ...webhook, url }] })
      expect(faults).toEqual([expect.stringMatching(/^endpoints\[0\]\.url: .*http/)])
      expect(faults.join()).not.toContain(url)
    },
  )

  test('signs with a secret of 24 to 64 bytes', () => {
    for (const bytes of [24, 32, 64]) {
      const secret = `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`
      expect(endpoint({ ...webhook, secret })).toMatchObject({ format: 'webhook' })
    }
    for (const secret of [
      'canary',
      'whsec_',
      'whsec_canary!',
      `whsec_${Buffer.alloc(23, 1).toString('base64')}`,
      `whsec_${Buffer.alloc(65, 1).toString('base64')}`,
    ]) {
      const faults = faultsIn({ endpoints: [{ ...webhook, secret }] })
      expect(faults).toEqual([expect.stringMatching(/^endpoints\[0\]\.secret: .*openssl rand/)])
      expect(faults.join()).not.toContain('canary')
    }
  })

  test.each([
    [{ 'X Team': 'gis' }],
    [{ 'X-Team': 'a\r\nX-Evil: b' }],
    [{ 'X-Team': 'ä' }],
    [{ '': 'x' }],
    [{ 'X-Team': 5 }],
    ['X-Team: gis'],
  ])('cannot send the headers %j', (headers) => {
    expect(faultsIn({ endpoints: [{ ...webhook, headers }] })).toEqual([
      expect.stringMatching(/^endpoints\[0\]\.headers/),
    ])
  })
})

describe('listen', () => {
  const aToken = { api: { tokens: [{ name: 'a', token: 'b', scopes: ['read'] }] } }

  test.each([
    ['127.0.0.1:8484', '127.0.0.1', 8484],
    ['127.0.0.2:0', '127.0.0.2', 0],
    ['localhost:65535', 'localhost', 65_535],
    ['[::1]:8484', '::1', 8484],
  ])('%s is loopback and needs no token', (listen, host, port) => {
    expect(read({ listen }).listen).toEqual({ host, port })
  })

  test.each(['0.0.0.0:8484', '[::]:8484', '10.0.0.1:8484', 'gis.example.com:8484', '128.0.0.1:1'])(
    '%s is not loopback: without a token it is refused, and the refusal says how to make one',
    (listen) => {
      const faults = faultsIn({ listen })
      expect(faults).toEqual([expect.stringMatching(/^listen: /)])
      expect(faults[0]).toMatch(/api\.tokens/)
      expect(faults[0]).toMatch(/JOBWATCH_API_TOKEN/)
      expect(faults[0]).toContain('openssl rand -base64 32')
      expect(read({ listen, ...aToken }).api.tokens).toHaveLength(1)
    },
  )

  test.each([
    '8484',
    ':8484',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '::1:8484',
    'http://127.0.0.1:8484',
    '127.0.0.1:x',
    '',
    8484,
  ])('%j is no address', (listen) => {
    expect(faultsIn({ listen, ...aToken })).toEqual([expect.stringMatching(/^listen: /)])
  })
})

describe('other settings', () => {
  test.each([
    ['feed.maxStreams', { feed: { maxStreams: 0 } }],
    ['feed.maxStreams', { feed: { maxStreams: 1.5 } }],
    ['log.level', { log: { level: 'loud' } }],
    ['publicUrl', { publicUrl: 'jobwatch.example.com' }],
    ['database', { database: '' }],
    ['delivery.concurrency', { delivery: { concurrency: 0 } }],
    ['delivery.allow[0]', { delivery: { allow: ['10.0.0.0'] } }],
    ['delivery.allow[1]', { delivery: { allow: ['10.20.0.0/16', '10.0.0.0/33'] } }],
    ['delivery.proxy', { delivery: { proxy: 'proxy:3128' } }],
    ['api.tokens', { api: { tokens: {} } }],
    [
      'api.tokens[0].scopes[0]',
      { api: { tokens: [{ name: 'a', token: 'b', scopes: ['admin'] }] } },
    ],
    ['api.tokens[0].scopes', { api: { tokens: [{ name: 'a', token: 'b', scopes: [] }] } }],
    ['upstreams', { upstreams: {} }],
    ['upstreams[0]', { upstreams: ['prod'] }],
    ['endpoints[0]', { endpoints: [null] }],
    ['upstreams[0].polling.rate', { upstreams: [{ ...anUpstream, polling: { rate: 0 } }] }],
    [
      'upstreams[0].discover.enabled',
      { upstreams: [{ ...anUpstream, discover: { enabled: 'yes' } }] },
    ],
  ])('%s is refused by its path in %j', (path, value) => {
    const faults = faultsIn(value)
    expect(faults.map((fault) => fault.slice(0, fault.indexOf(': ')))).toEqual([path])
  })

  test.each(['text', 5, true, [], [1]])('%j is no configuration at all', (value) => {
    expect(faultsIn(value)).toHaveLength(1)
  })

  test('all faults are told at once', () => {
    const faults = faultsIn({
      listen: 'nowhere',
      lisen: 1,
      shutdownTimeout: 'later',
      log: { level: 'loud' },
      api: { tokens: [{ name: '', token: { env: 'NOT_SET' }, scopes: ['x'] }] },
      upstreams: [
        { name: 'A', root: 'x', auth: { token: 't', username: 'u' } },
        { ...anUpstream, x: 1 },
      ],
      endpoints: [{ name: 'e', url: 'x', format: 'slack', events: [] }],
    })
    const paths = faults.map((fault) => fault.slice(0, fault.indexOf(': ')))
    expect(paths.sort()).toEqual([
      'api.tokens[0].name',
      'api.tokens[0].scopes[0]',
      'api.tokens[0].token',
      'endpoints[0].events',
      'endpoints[0].url',
      'lisen',
      'listen',
      'log.level',
      'shutdownTimeout',
      'upstreams[0].auth',
      'upstreams[0].name',
      'upstreams[0].root',
      'upstreams[1].x',
    ])
  })

  test('a name that is used twice and an open address are told beside other faults', () => {
    const paths = faultsIn({
      listen: '0.0.0.0:8484',
      upstreams: [anUpstream, anUpstream],
      lisen: 1,
    }).map((fault) => fault.slice(0, fault.indexOf(': ')))
    expect(paths.sort()).toEqual(['lisen', 'listen', 'upstreams[1].name'])
  })
})

test('the example of the contract is accepted once its secrets are there', async () => {
  await using folder = await temporaryFolder()
  const password = join(folder.path, 'arcgis')
  await writeFile(password, 'a password\n')
  const example = {
    listen: '127.0.0.1:8484',
    publicUrl: 'https://jobwatch.example.com',
    database: 'data/jobwatch.db',
    api: {
      tokens: [{ name: 'ops', token: { env: 'JOBWATCH_OPS_TOKEN' }, scopes: ['read', 'write'] }],
    },
    feed: { maxStreams: 32 },
    log: { level: 'info' },
    retention: { events: '90d', deliveries: '30d', jobs: '90d' },
    upstreams: [
      {
        name: 'prod',
        kind: 'enterprise-admin',
        root: 'https://gis.example.com/arcgis/admin',
        auth: {
          username: 'jobwatch',
          password: { file: password },
          tokenUrl: 'https://gis.example.com/arcgis/sharing/rest/generateToken',
          expiration: '60m',
          referer: 'https://jobwatch.example.com',
        },
        polling: {
          interval: '5s',
          maxInterval: '20s',
          concurrency: 8,
          rate: 20,
          timeout: '10s',
          maxBodyBytes: 16_777_216,
        },
        discover: { enabled: false, interval: '30s', match: { operation: ['*'], username: ['*'] } },
        stallAfter: '2h',
        lostAfter: '60s',
        downAfter: '30s',
        tls: { ca: '/etc/ssl/gis-ca.pem', rejectUnauthorized: true },
      },
    ],
    endpoints: [
      {
        name: 'ops-slack',
        format: 'slack',
        url: { env: 'SLACK_WEBHOOK_URL' },
        events: ['job.failed', 'job.lost'],
        match: { upstream: ['prod'], tag: ['nightly'], jobid: [] },
        headers: { 'X-Team': 'gis' },
        fold: true,
        timeout: '15s',
        settings: {},
      },
    ],
    delivery: {
      concurrency: 8,
      timeout: '15s',
      retry: ['5s', '30s', '2m', '10m', '30m', '1h', '3h', '6h', '12h', '24h'],
      overtake: '5m',
      allow: [],
      proxy: null,
    },
    shutdownTimeout: '10s',
  }
  const env = { JOBWATCH_OPS_TOKEN: 'a-token', SLACK_WEBHOOK_URL: 'https://hooks.slack.com/x' }
  const config = read(example, env)
  expect(config.upstreams[0]?.auth.password?.reveal()).toBe('a password')
  expect(config.api.tokens[0]?.token.reveal()).toBe('a-token')
})

test('a configuration cannot be changed once it is read', () => {
  const config = read({ upstreams: [anUpstream], endpoints: [webhook] })
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen))
  expect(frozen(config)).toBe(true)
})

test('no JSON whatever leads to anything but a configuration or a UsageError', () => {
  const leaf = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('5s', '', 'x', 'https://gis.example.com/a', '[::1]:1', 'webhook', 'slack'),
    fc.record({ env: fc.constantFrom('SET', 'NOT_SET', '') }),
    fc.record({ file: fc.constantFrom('/nonexistent', '/', '\0') }),
  )
  const keys = [
    'listen',
    'publicUrl',
    'database',
    'api',
    'tokens',
    'name',
    'token',
    'scopes',
    'feed',
    'maxStreams',
    'log',
    'level',
    'retention',
    'events',
    'upstreams',
    'kind',
    'root',
    'auth',
    'username',
    'password',
    'tokenUrl',
    'polling',
    'rate',
    'discover',
    'match',
    'tls',
    'endpoints',
    'format',
    'url',
    'secret',
    'headers',
    'settings',
    'tag',
    'delivery',
    'retry',
    'allow',
    'proxy',
    '__proto__',
    'constructor',
  ]
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('node'), { maxKeys: 6 }),
    ),
  })).node
  fc.assert(
    fc.property(tree, (value) => {
      try {
        // Plain objects, as a YAML parser makes them.
        read(JSON.parse(JSON.stringify(value)), { SET: 'a secret' })
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
      }
    }),
    { numRuns: 1000 },
  )
})
