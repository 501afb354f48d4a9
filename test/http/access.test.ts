import Database from 'better-sqlite3'
import { request } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import type { Answer, Call, TestApp } from '../helpers/app.ts'
import { openFeed } from '../feed/reader.ts'
import { jobidsOf, problemOf } from './answers.ts'
import { exchange, rawRequest, statusOf } from './raw.ts'

const tokens = [
  { name: 'ops', token: 'canary-ops-token', scopes: ['read', 'write'] },
  { name: 'writer', token: 'canary-writer-token', scopes: ['write'] },
  { name: 'reader', token: 'canary-reader-token', scopes: ['read'] },
]
const reader = { authorization: 'Bearer canary-reader-token' }
const writer = { authorization: 'Bearer canary-writer-token' }

function startWithTokens(more: object = {}): Promise<TestApp> {
  return startApp({ config: () => ({ api: { tokens }, ...more }) })
}

/** Every call of the API, with what it needs. */
const calls: readonly [Call['method'] & string, string, 'read' | 'write' | null][] = [
  ['POST', '/v1/jobs', 'write'],
  ['GET', '/v1/jobs', 'read'],
  ['HEAD', '/v1/jobs', 'read'],
  ['GET', '/v1/jobs/j1', 'read'],
  ['DELETE', '/v1/jobs/j1', 'write'],
  ['GET', '/v1/jobs/j1/document', 'read'],
  ['GET', '/v1/events', 'read'],
  ['HEAD', '/v1/events/stream', 'read'],
  ['GET', '/v1/events/stream?after=nonsense', 'read'],
  ['GET', '/metrics', 'read'],
  ['GET', '/healthz', null],
  ['HEAD', '/healthz', null],
  ['GET', '/readyz', null],
  ['GET', '/', null],
  ['GET', '/v1/session', null],
  ['DELETE', '/v1/session', null],
]

describe('tokens', () => {
  test.each(calls)('%s %s', async (method, path, scope) => {
    await using app = await startWithTokens()
    const status = async (headers: Record<string, string>) =>
      (await app.call(path, { method, headers })).status
    const refused = [401, 403]
    const open = scope === null
    expect(refused.includes(await status({}))).toBe(!open)
    expect(refused.includes(await status(reader))).toBe(scope === 'write')
    // write includes read.
    expect(refused.includes(await status(writer))).toBe(false)
    if (!open) expect(await status({})).toBe(401)
    if (scope === 'write') expect(await status(reader)).toBe(403)
  })

  test('without one the answer is 401, says how to sign in, and is always the same', async () => {
    await using app = await startWithTokens()
    await app.call('/v1/jobs', { method: 'POST', headers: writer, body: { jobid: 'j1' } })
    const bodies = new Set<string>()
    const attempts: [string, Call][] = [
      ['/v1/jobs', {}],
      ['/v1/jobs/j1', {}],
      ['/v1/jobs/unknown', {}],
      ['/v1/jobs?limit=nonsense', {}],
      ['/v1/jobs/%zz', {}],
      ['/v1/events', {}],
      ['/v1/events/stream', {}],
      ['/v1/events/stream?after=nonsense', {}],
      ['/nope', {}],
      ['/v1/nope', { method: 'POST' }],
      ['/v1/jobs', { method: 'PUT' }],
      ['/nope', { method: 'OPTIONS' }],
      ['/v1/jobs', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
      ['/v1/jobs', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer wrong' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer canary-reader-toke' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer canary-reader-tokenx' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer CANARY-READER-TOKEN' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer ' } }],
      ['/v1/jobs', { headers: { authorization: 'Bearer a b' } }],
      ['/v1/jobs', { headers: { authorization: 'Basic canary-reader-token' } }],
      ['/v1/jobs', { headers: { authorization: 'canary-reader-token' } }],
      ['/v1/jobs?token=canary-reader-token', {}],
      ['/v1/jobs', { headers: { cookie: 'token=canary-reader-token' } }],
    ]
    for (const [path, call] of attempts) {
      const answer = await app.call(path, call)
      expect(answer.status, path).toBe(401)
      expect(answer.headers['www-authenticate'], path).toMatch(/^Bearer/)
      expect(problemOf(answer).code).toBe('unauthorized')
      bodies.add(answer.text)
    }
    expect([...bodies]).toHaveLength(1)
  })

  test('the word Bearer may be written in any case', async () => {
    await using app = await startWithTokens()
    for (const word of ['Bearer', 'bearer', 'BEARER']) {
      const headers = { authorization: `${word} canary-reader-token` }
      expect((await app.call('/v1/jobs', { headers })).status).toBe(200)
    }
  })

  test('a token without the scope is a 403 that names the scope, and does nothing', async () => {
    await using app = await startWithTokens()
    await app.call('/v1/jobs', { method: 'POST', headers: writer, body: { jobid: 'j1' } })
    const post = await app.call('/v1/jobs', {
      method: 'POST',
      headers: reader,
      body: { jobid: 'j2' },
    })
    const stop = await app.call('/v1/jobs/j1', { method: 'DELETE', headers: reader })
    for (const answer of [post, stop]) {
      expect(answer.status).toBe(403)
      expect(problemOf(answer).code).toBe('forbidden')
      expect(problemOf(answer).detail).toContain('write')
    }
    expect(jobidsOf(await app.call('/v1/jobs?state=active', { headers: reader }))).toEqual(['j1'])
  })

  test('a token comes before the body: a huge one is refused without being read', async () => {
    await using app = await startWithTokens()
    for (const [headers, expected] of [
      [{}, 401],
      [reader, 403],
    ] as const) {
      const status = await new Promise((resolve, reject) => {
        const post = request(`${app.url}/v1/jobs`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'content-length': '100000000000',
            ...headers,
          },
        })
        post.on('error', reject)
        post.on('response', ({ statusCode }) => {
          resolve(statusCode)
          post.destroy()
        })
        post.flushHeaders()
      })
      expect(status).toBe(expected)
    }
  })

  test('the feed is behind the token as well', async () => {
    await using app = await startWithTokens()
    using refused = await openFeed(`${app.url}/v1/events/stream`)
    expect(refused.status).toBe(401)
    using accepted = await openFeed(`${app.url}/v1/events/stream`, { headers: reader })
    expect(accepted.status).toBe(200)
    expect((await accepted.hello()).hello.event).toBe('feed.hello')
  })

  test('the places for streams are counted for each token', async () => {
    await using app = await startWithTokens({ feed: { maxStreams: 1 } })
    const stream = `${app.url}/v1/events/stream`
    using first = await openFeed(stream, { headers: reader })
    using second = await openFeed(stream, { headers: reader })
    using other = await openFeed(stream, { headers: writer })
    expect([first.status, second.status, other.status]).toEqual([200, 429, 200])
  })

  test('with tokens any Host is fine: the token is what counts', async () => {
    await using app = await startWithTokens()
    const headers = { ...reader, host: 'whatever.example:1234' }
    expect((await app.call('/v1/jobs', { headers })).status).toBe(200)
  })

  test('a secret may come from the environment or a file and is the same token', async () => {
    await using app = await startApp()
    const file = join(app.folder, 'token')
    await writeFile(file, 'from-a-file\n')
    await using other = await startApp({
      config: () => ({ api: { tokens: [{ name: 'f', token: { file }, scopes: ['read'] }] } }),
    })
    const headers = { authorization: 'Bearer from-a-file' }
    expect((await other.call('/v1/jobs', { headers })).status).toBe(200)
  })
})

describe('Host, while there is no token', () => {
  test.each([
    'localhost',
    'localhost:8484',
    'LOCALHOST:8484',
    'localhost.:8484',
    '127.0.0.1',
    '127.0.0.1:9',
    '127.1.2.3:8484',
    '[::1]',
    '[::1]:8484',
  ])('%s is a loopback name', async (host) => {
    await using app = await startApp()
    expect((await app.call('/v1/jobs', { headers: { host } })).status).toBe(200)
  })

  test.each([
    'evil.example',
    'evil.example:8484',
    'localhost.evil.example',
    'localhostevil',
    '127.0.0.1.evil.example',
    'evil.example@localhost',
    '128.0.0.1',
    '0.0.0.0',
    '10.0.0.1',
    '[::2]',
    '169.254.169.254',
    'jobwatch.example.com',
    '',
  ])('%j is refused everywhere, the open paths included', async (host) => {
    await using app = await startApp()
    for (const path of [
      '/v1/jobs',
      '/v1/events/stream',
      '/',
      '/healthz',
      '/nope',
      '/v1/jobs/%zz',
    ]) {
      const answer = await exchange(app.url, rawRequest(`GET ${path} HTTP/1.1`, { host }))
      expect(statusOf(answer), path).toBe(403)
      expect(answer).toContain('host_refused')
    }
  })

  test('a request without a Host is refused', async () => {
    await using app = await startApp()
    const answer = await exchange(app.url, rawRequest('GET /v1/jobs HTTP/1.0'))
    expect(statusOf(answer)).toBe(403)
  })

  test("publicUrl's host is known, whatever its port or case", async () => {
    await using app = await startApp({
      config: () => ({ publicUrl: 'https://Jobwatch.Example.com' }),
    })
    for (const host of [
      'jobwatch.example.com',
      'JOBWATCH.example.com',
      'jobwatch.example.com:443',
      'jobwatch.example.com:8484',
      'localhost:8484',
    ]) {
      expect((await app.call('/v1/jobs', { headers: { host } })).status, host).toBe(200)
    }
    for (const host of ['example.com', 'x.jobwatch.example.com', 'jobwatch.example.com.evil']) {
      expect((await app.call('/v1/jobs', { headers: { host } })).status, host).toBe(403)
    }
  })
})

describe('Origin', () => {
  const foreign = [
    'https://evil.example',
    'http://localhost:1',
    'https://127.0.0.1',
    'null',
    'http://jobwatch.example.com',
    'https://jobwatch.example.com.evil.example',
    'https://jobwatch.example.com:8443',
    'file://',
    '',
  ]

  test.each(foreign)('%j is foreign and refused, on every path and method', async (origin) => {
    const publicUrl = 'https://jobwatch.example.com/jobwatch'
    await using app = await startApp({ config: () => ({ publicUrl }) })
    const attempts: [string, Call][] = [
      ['/v1/jobs', {}],
      ['/v1/jobs', { method: 'POST', body: { jobid: 'j1' } }],
      ['/v1/jobs', { method: 'OPTIONS' }],
      ['/v1/events/stream', {}],
      ['/', {}],
      ['/healthz', {}],
      ['/nope', {}],
    ]
    for (const [path, call] of attempts) {
      const answer = await app.call(path, { ...call, headers: { ...call.headers, origin } })
      expect(answer.status, path).toBe(403)
      expect(problemOf(answer).code).toBe('origin_refused')
      expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    }
    expect(jobidsOf(await app.call('/v1/jobs'))).toEqual([])
  })

  test('a foreign one is refused with a valid token, too', async () => {
    await using app = await startWithTokens()
    const headers = { ...writer, origin: 'https://evil.example' }
    const answer = await app.call('/v1/jobs', { method: 'POST', headers, body: { jobid: 'j1' } })
    expect(answer.status).toBe(403)
    expect(jobidsOf(await app.call('/v1/jobs', { headers: reader }))).toEqual([])
  })

  test('our own is fine, by whichever name the server was reached', async () => {
    await using app = await startApp()
    const { port } = new URL(app.url)
    for (const name of ['127.0.0.1', 'localhost', '[::1]']) {
      const host = `${name}:${port}`
      const headers = { host, origin: `http://${host}` }
      const answer = await app.call('/v1/jobs', { method: 'POST', headers, body: { jobid: 'j1' } })
      expect(answer.status, name).toBeLessThan(300)
    }
    const mixed = { host: `localhost:${port}`, origin: `http://127.0.0.1:${port}` }
    expect((await app.call('/v1/jobs', { headers: mixed })).status).toBe(403)
  })

  test("publicUrl's is fine, also where a proxy in front takes another Host", async () => {
    const publicUrl = 'https://jobwatch.example.com/some/path'
    await using app = await startApp({ config: () => ({ publicUrl }) })
    const headers = { origin: 'https://jobwatch.example.com' }
    const answer = await app.call('/v1/jobs', { method: 'POST', headers, body: { jobid: 'j1' } })
    expect(answer.status).toBe(201)
  })
})

describe('the page', () => {
  test('is there without a token and loads nothing from elsewhere', async () => {
    await using app = await startWithTokens()
    const answer = await app.call('/')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^text\/html; charset=utf-8$/i)
    expect(answer.text).not.toMatch(/(src|href)\s*=\s*["']?(https?:)?\/\//i)
  })

  test('allows its own files and nothing inline, and no text that becomes markup', async () => {
    await using app = await startApp()
    const { headers, text } = await app.call('/')
    const policy = directivesOf(headers['content-security-policy'])
    const own = ["'self'"]
    expect(policy.get('default-src')).toEqual(["'none'"])
    for (const directive of ['script-src', 'style-src', 'connect-src', 'form-action']) {
      expect(policy.get(directive), directive).toEqual(own)
    }
    expect(policy.get('frame-ancestors')).toEqual(["'none'"])
    expect(policy.get('base-uri')).toEqual(["'none'"])
    expect(policy.get('require-trusted-types-for')).toEqual(["'script'"])
    // What the policy would forbid: scripts and styles that are written into the page.
    expect(text).not.toMatch(/<[^>]+\s(on[a-z]+|style)\s*=|<style|<script(?![^>]*\ssrc=)/i)
  })

  test('names files that are there without a token, and that browsers may keep for good', async () => {
    await using app = await startWithTokens()
    const page = await app.call('/')
    expect(page.headers['cache-control']).toBe('no-store')
    const paths = [...page.text.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(
      ([, path]) => path ?? '',
    )
    expect(paths.map((path) => path.replace(/^.*\./, '')).sort()).toEqual(['css', 'js', 'svg'])
    for (const path of paths) {
      const answer = await app.call(path)
      expect(answer.status, path).toBe(200)
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
      if (!path.startsWith('/assets/')) continue
      expect(answer.headers['cache-control'], path).toMatch(/immutable/)
    }
    expect((await app.call('/assets/none.js')).status).toBe(404)
    expect((await app.call('/assets/..%2Findex.html')).status).toBe(404)
  })

  test('is sent in gzip to whoever takes that; its script is under 60 KB so', async () => {
    await using app = await startApp()
    const [, path = ''] = /src="\.(\/assets\/[^"]+)"/.exec((await app.call('/')).text) ?? []
    const plain = await app.call(path, { headers: { 'accept-encoding': 'gzip;q=0, br' } })
    expect(plain.headers['content-encoding']).toBeUndefined()
    const zipped = await fetch(`${app.url}${path}`, { headers: { 'accept-encoding': 'br, gzip' } })
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(zipped.headers.get('vary')).toBe('accept-encoding')
    expect(Number(zipped.headers.get('content-length'))).toBeLessThan(60_000)
    // It is unzipped on the way.
    expect(await zipped.text()).toBe(plain.text)
  })
})

describe('health', () => {
  test('healthz and readyz are open and well', async () => {
    await using app = await startWithTokens()
    for (const path of ['/healthz', '/readyz']) {
      const answer = await app.call(path)
      expect(answer.status).toBe(200)
    }
  })

  test('a database that cannot be written makes it unready, in words, but leaves it alive', async () => {
    await using app = await startApp()
    const other = new Database(app.database)
    other.exec('BEGIN IMMEDIATE')
    const unready = await app.call('/readyz')
    expect(unready.status).toBe(503)
    expect(unready.json).toMatchObject({ reasons: [expect.stringMatching(/database/) as string] })
    expect((await app.call('/healthz')).status).toBe(200)
    other.close()
    expect((await app.call('/readyz')).status).toBe(200)
  })

  test('an upstream that is down does not make it unready', async () => {
    await using app = await startApp()
    await app.simulator.close()
    await app.post('/v1/jobs', { jobid: 'j1' })
    expect((await app.call('/readyz')).status).toBe(200)
  })
})

test('no secret is in any answer', async () => {
  await using app = await startApp({
    config: (simulator: Simulator) => ({
      api: { tokens },
      upstreams: [
        anUpstream('prod', simulator),
        {
          name: 'other',
          root: 'http://127.0.0.1:9/gis/admin',
          auth: { token: 'canary-upstream-token' },
        },
      ],
      endpoints: [
        {
          name: 'hook',
          url: 'http://127.0.0.1:9/canary-hook-url',
          secret: `whsec_${Buffer.from('canary-hook-secret-canary-hook').toString('base64')}`,
        },
        { name: 'chat', format: 'slack', url: 'http://127.0.0.1:9/canary-slack-url' },
      ],
    }),
  })
  const call = (path: string, more: Call = {}) =>
    app.call(path, { ...more, headers: { ...writer, ...more.headers } })
  const jobUrl = `${app.simulator.root}/jobs/j1?token=canary-url-token`
  const headers = { 'content-type': 'application/json' }
  const answers: Answer[] = [
    await call('/v1/jobs', { method: 'POST', body: { url: jobUrl } }),
    await call('/v1/jobs', { method: 'POST', body: { url: `http://x/?token=canary-url-token` } }),
    await call('/v1/jobs', { method: 'POST', body: { url: 'canary-url-token' } }),
    await call('/v1/jobs', { method: 'POST', body: { jobid: 'j2', upstream: 'other' } }),
    await call('/v1/jobs', { method: 'POST', headers, body: '{"jobid":"canary-body' }),
    await call('/v1/jobs/j1'),
    await call('/v1/jobs/j2'),
    await call('/v1/jobs/j2/document'),
    await call('/v1/jobs'),
    await call('/v1/events'),
    await call('/v1/jobs?token=canary-query'),
    await call('/v1/jobs', { headers: { authorization: 'Bearer canary-wrong-token' } }),
    await call('/v1/jobs', { headers: { origin: 'https://canary.example' } }),
    await call('/'),
    await call('/healthz'),
    await call('/readyz'),
    await call('/nope?token=canary-query'),
  ]
  for (const answer of answers) {
    expect(`${JSON.stringify(answer.headers)}${answer.text}`).not.toContain('canary')
    expect(answer.text).not.toContain(app.simulator.password)
  }
})

function directivesOf(policy: string | string[] | undefined): Map<string, string[]> {
  return new Map(
    String(policy)
      .split(';')
      .map((directive) => {
        const [name = '', ...sources] = directive.trim().split(/\s+/)
        return [name, sources]
      }),
  )
}
