import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { createSessions } from '../../src/http/session.ts'
import { openFeed } from '../feed/reader.ts'
import type { Answer, Call, TestApp } from '../helpers/app.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { jobOf, problemOf, wrongFieldsOf } from './answers.ts'
import {
  cookieOf,
  hour,
  minute,
  ops,
  ownPage,
  reader,
  signedIn,
  signIn,
  start,
  statusWith,
  writer,
} from './signing-in.ts'
import type { Started } from './signing-in.ts'

/** Lets time pass and asks with the cookie. */
async function askAfter(app: Started, ms: number, cookie: string): Promise<Answer> {
  app.clock.jump(ms)
  return app.call('/v1/jobs', { headers: { cookie } })
}

const nobody = { required: true, name: null, scopes: [] }

describe('signing in', () => {
  test('gives a cookie for this server alone, which no script can read', async () => {
    await using app = await start()
    const answer = await signIn(app, ops.token)
    expect(answer.status).toBe(204)
    expect(answer.text).toBe('')
    expect(answer.headers['cache-control']).toBe('no-store')
    const [pair = '', ...attributes] = String(answer.headers['set-cookie']).split('; ')
    expect(pair).toMatch(/^jobwatch=[\w.-]+$/)
    expect(attributes.sort()).toEqual(['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict'])
    expect(pair).not.toContain(ops.token)
    expect(Buffer.from(pair, 'base64url').toString()).not.toContain(ops.token)
  })

  test('where publicUrl is https the cookie goes by https alone, and by the safer name', async () => {
    const publicUrl = 'https://jobwatch.example.com'
    await using app = await start({ more: { publicUrl } })
    const answer = await signIn(app, ops.token, { origin: publicUrl })
    const [pair = '', ...attributes] = String(answer.headers['set-cookie']).split('; ')
    expect(pair).toMatch(/^__Host-jobwatch=/)
    expect(attributes).toContain('Secure')
    expect(attributes).toContain('Path=/')
    expect(await statusWith(app, pair)).toBe(200)
    // Another host of the same domain could set this one.
    expect(await statusWith(app, pair.replace('__Host-', ''))).toBe(401)
  })

  test('with a wrong token is a 401 that is counted, and sets no cookie', async () => {
    await using app = await start()
    for (const token of ['wrong', `${ops.token}x`, ops.token.toUpperCase(), 'ops']) {
      const answer = await signIn(app, token)
      expect(answer.status).toBe(401)
      expect(problemOf(answer).code).toBe('unauthorized')
      expect(problemOf(answer).detail).toContain('api.tokens')
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
    const headers = { authorization: `Bearer ${ops.token}` }
    expect((await app.call('/metrics', { headers })).text).toMatch(
      /^jobwatch_\w*auth_failures\w*\{reason="unauthorized"\} 4$/m,
    )
  })

  test.each([
    [{}, 'token'],
    [{ token: '' }, 'token'],
    [{ token: 1 }, 'token'],
    [{ token: 'x'.repeat(1025) }, 'token'],
    [{ token: ops.token, remember: true }, 'remember'],
  ])('%j is a 400 that names the field', async (body, field) => {
    await using app = await start()
    const answer = await app.call('/v1/session', { method: 'POST', body })
    expect(wrongFieldsOf(answer)).toEqual([field])
    expect(answer.text).not.toContain(ops.token)
  })

  test('takes JSON only, which a form of another site cannot send', async () => {
    await using app = await start()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = { 'content-type': type }
      const body = JSON.stringify({ token: ops.token })
      const answer = await app.call('/v1/session', { method: 'POST', headers, body })
      expect(answer.status).toBe(415)
    }
  })
})

describe('who is signed in', () => {
  const whoami = (app: Started, headers: Call['headers'] = {}) =>
    app.call('/v1/session', { headers })

  test('is told by cookie and by header alike; write comes with read', async () => {
    await using app = await start()
    for (const { name, token, scopes } of [ops, { ...writer, scopes: ['read', 'write'] }, reader]) {
      const cookie = await signedIn(app, { ...ops, token })
      const expected = { required: true, name, scopes }
      expect((await whoami(app, { cookie })).json).toEqual(expected)
      expect((await whoami(app, { authorization: `Bearer ${token}` })).json).toEqual(expected)
    }
  })

  test('is nobody without a cookie, or with one that is none', async () => {
    await using app = await start()
    for (const headers of [{}, { cookie: 'jobwatch=x' }, { cookie: 'other=1' }]) {
      const answer = await whoami(app, headers)
      expect([answer.status, answer.json]).toEqual([200, nobody])
    }
  })

  test('a wrong header is a 401, even beside a good cookie', async () => {
    await using app = await start()
    const cookie = await signedIn(app)
    for (const authorization of ['Bearer wrong', 'Basic x', 'Bearer ', '']) {
      for (const path of ['/v1/session', '/v1/jobs', '/v1/events/stream']) {
        const answer = await app.call(path, { headers: { cookie, authorization } })
        expect(answer.status, `${path} ${authorization}`).toBe(401)
      }
    }
  })

  test('the header wins over the cookie', async () => {
    await using app = await start()
    const headers = { cookie: await signedIn(app), authorization: `Bearer ${reader.token}` }
    expect((await whoami(app, headers)).json).toMatchObject({ name: reader.name })
    app.clock.jump(hour)
    const answer = await app.call('/v1/jobs', { headers })
    expect([answer.status, answer.headers['set-cookie']]).toEqual([200, undefined])
  })
})

describe('by cookie', () => {
  test('everything may be asked that the token allows, among other cookies too', async () => {
    await using app = await start()
    const cookie = `a=1; ${await signedIn(app)}; jobwatchx=2`
    const headers = { cookie, ...ownPage }
    const body = { jobid: 'j1' }
    expect(jobOf(await app.call('/v1/jobs', { method: 'POST', headers, body })).jobid).toBe('j1')
    for (const path of ['/v1/jobs', '/v1/events', '/metrics', '/openapi.json']) {
      expect((await app.call(path, { headers: { cookie } })).status, path).toBe(200)
    }
  })

  test('a reader reads, and gets a 403 for everything else', async () => {
    await using app = await start()
    const cookie = await signedIn(app, reader)
    expect(await statusWith(app, cookie)).toBe(200)
    for (const [method, path] of [
      ['POST', '/v1/jobs'],
      ['PATCH', '/v1/jobs/j1'],
      ['DELETE', '/v1/jobs/j1'],
      ['POST', '/v1/endpoints'],
    ] as const) {
      const answer = await app.call(path, { method, headers: { cookie, ...ownPage } })
      expect(answer.status, path).toBe(403)
      expect(problemOf(answer).code).toBe('forbidden')
    }
  })

  test('the feed is read, which an EventSource can ask for in no other way', async () => {
    await using app = await start()
    const headers = {
      accept: 'text/event-stream',
      'cache-control': 'no-cache',
      'sec-fetch-mode': 'cors',
      'sec-fetch-dest': 'empty',
      ...ownPage,
    }
    const stream = `${app.url}/v1/events/stream?after=0`
    using refused = await openFeed(stream, { headers })
    expect(refused.status).toBe(401)
    const cookie = await signedIn(app, reader)
    using feed = await openFeed(stream, { headers: { ...headers, cookie } })
    expect(feed.status).toBe(200)
    expect((await feed.hello()).hello.event).toBe('feed.hello')
  })

  test('places for streams are counted with those of the token', async () => {
    await using app = await start({ more: { feed: { maxStreams: 1 } } })
    const stream = `${app.url}/v1/events/stream`
    const [one, another] = [await signedIn(app, reader), await signedIn(app, reader)]
    using first = await openFeed(stream, { headers: { cookie: one } })
    using second = await openFeed(stream, { headers: { cookie: another } })
    using other = await openFeed(stream, { headers: { cookie: await signedIn(app) } })
    expect([first.status, second.status, other.status]).toEqual([200, 429, 200])
  })
})

describe('a session', () => {
  test('gets a fresh cookie once it is older than half an hour, and not before', async () => {
    await using app = await start()
    const first = await signedIn(app)
    const early = await askAfter(app, 30 * minute, first)
    expect([early.status, early.headers['set-cookie']]).toEqual([200, undefined])
    const late = await askAfter(app, 1, first)
    expect(late.status).toBe(200)
    expect(cookieOf(late)).not.toBe(first)
    expect(String(late.headers['set-cookie'])).toMatch(/; Max-Age=43200;/)
    const again = await askAfter(app, 0, cookieOf(late))
    expect([again.status, again.headers['set-cookie']]).toEqual([200, undefined])
  })

  test.each(['/v1/session', '/v1/jobs/unknown', '/v1/jobs?limit=0', '/nothing'])(
    'is renewed by %s as by any other call',
    async (path) => {
      await using app = await start()
      const cookie = await signedIn(app)
      app.clock.jump(hour)
      const renewed = cookieOf(await app.call(path, { headers: { cookie } }))
      app.clock.jump(11.5 * hour)
      expect(await statusWith(app, cookie)).toBe(401)
      expect(await statusWith(app, renewed)).toBe(200)
    },
  )

  test('lasts for as long as it is used', async () => {
    await using app = await start()
    let cookie = await signedIn(app)
    for (let days = 0; days < 7; days += 0.25) {
      const answer = await askAfter(app, 6 * hour, cookie)
      expect(answer.status).toBe(200)
      cookie = cookieOf(answer)
    }
    expect((await askAfter(app, 12 * hour - 1, cookie)).status).toBe(200)
    const expired = await askAfter(app, 1, cookie)
    expect([expired.status, problemOf(expired).code]).toEqual([401, 'unauthorized'])
    expect(expired.headers['set-cookie']).toBeUndefined()
    expect((await app.call('/v1/session', { headers: { cookie } })).json).toEqual(nobody)
  })

  test('gets a fresh cookie with every stream, which may be open for as long as it lasts', async () => {
    await using app = await start()
    const cookie = await signedIn(app)
    app.clock.jump(20 * minute)
    using feed = await openFeed(`${app.url}/v1/events/stream`, { headers: { cookie } })
    expect(feed.headers['content-type']).toMatch(/^text\/event-stream/)
    const renewed = cookieOf(feed)
    app.clock.jump(12 * hour - 1)
    expect(await statusWith(app, cookie)).toBe(401)
    using next = await openFeed(`${app.url}/v1/events/stream`, { headers: { cookie: renewed } })
    expect(next.status).toBe(200)
  })

  test('outlives a clock that is put back a little, but no cookie is good for years', async () => {
    await using app = await start()
    const cookie = await signedIn(app)
    const soon = await askAfter(app, -hour, cookie)
    expect(soon.status).toBe(200)
    expect((await askAfter(app, -12 * hour, cookie)).status).toBe(401)
  })

  test('outlives a restart', async () => {
    await using app = await start()
    const cookie = await signedIn(app, reader)
    await app.restart()
    expect(await statusWith(app, cookie)).toBe(200)
  })

  test('ends when its token is changed, removed or given to another, and no other does', async () => {
    const tokens = [{ ...ops }, { ...reader }]
    await using app = await start({ tokens })
    const [changed, kept] = [await signedIn(app), await signedIn(app, reader)]
    const [one, other] = tokens as [typeof ops, typeof reader]
    one.token = 'canary-another-token'
    await app.restart()
    expect([await statusWith(app, changed), await statusWith(app, kept)]).toEqual([401, 200])
    const fresh = await signedIn(app, one)
    ;[one.token, other.token] = [other.token, one.token]
    await app.restart()
    expect([await statusWith(app, fresh), await statusWith(app, kept)]).toEqual([401, 401])
    const last = await signedIn(app, other)
    tokens.pop()
    await app.restart()
    expect(await statusWith(app, last)).toBe(401)
  })

  test('has the scopes that its token has now', async () => {
    const token = { ...ops }
    await using app = await start({ tokens: [token] })
    const cookie = await signedIn(app)
    token.scopes = ['read']
    await app.restart()
    const headers = { cookie, ...ownPage }
    const write = await app.call('/v1/jobs', { method: 'POST', headers, body: { jobid: 'j1' } })
    expect([write.status, await statusWith(app, cookie)]).toEqual([403, 200])
  })
})

describe('signing out', () => {
  const signOut = (app: Pick<TestApp, 'call'>, headers: Call['headers'] = {}) =>
    app.call('/v1/session', { method: 'DELETE', headers })

  test('makes the browser forget the cookie, and ends all its copies and renewals', async () => {
    await using app = await start()
    const [first, other] = [await signedIn(app), await signedIn(app)]
    const renewed = cookieOf(await askAfter(app, hour, first))
    const answer = await signOut(app, { cookie: first, ...ownPage })
    expect(answer.status).toBe(204)
    const [pair, ...attributes] = String(answer.headers['set-cookie']).split('; ')
    expect(pair).toBe('jobwatch=')
    expect(attributes.sort()).toEqual(['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict'])
    for (const cookie of [first, renewed]) {
      expect(await statusWith(app, cookie)).toBe(401)
      using feed = await openFeed(`${app.url}/v1/events/stream`, { headers: { cookie } })
      expect(feed.status).toBe(401)
    }
    expect(await statusWith(app, other)).toBe(200)
    // As long as one of them could be good.
    app.clock.jump(12 * hour - 1)
    await signOut(app, { cookie: await signedIn(app), ...ownPage })
    expect(await statusWith(app, renewed)).toBe(401)
  })

  test('holds whichever way the clock is put', async () => {
    await using app = await start()
    const cookie = await signedIn(app)
    app.clock.jump(-6 * hour)
    await signOut(app, { cookie })
    app.clock.jump(13 * hour)
    await signOut(app, { cookie: await signedIn(app) })
    expect(await statusWith(app, cookie)).toBe(401)
  })

  test('is a 204 also for who is not signed in, or no longer', async () => {
    await using app = await start()
    const cookie = await signedIn(app)
    for (const headers of [{}, { cookie: 'jobwatch=x' }, { cookie }, { cookie }]) {
      const answer = await signOut(app, headers)
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(String(answer.headers['set-cookie'])).toMatch(/^jobwatch=; .*Max-Age=0/)
    }
  })

  test("forgets the __Host- cookie by the same attributes, without which it is not the browser's", async () => {
    await using app = await start({ more: { publicUrl: 'https://jobwatch.example.com' } })
    const { headers } = await signOut(app)
    expect(headers['set-cookie']).toBe(
      '__Host-jobwatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure',
    )
  })
})

describe('a cookie that is none', () => {
  test('is refused however it was made', async () => {
    await using app = await start()
    const good = await signedIn(app, reader)
    const [name = '', id = '', issued = '', signature = ''] = good
      .slice('jobwatch='.length)
      .split('.')
    const encoded = (text: string) => Buffer.from(text).toString('base64url')
    const opsParts = (await signedIn(app)).slice('jobwatch='.length).split('.')
    const signedBy = (key: string, text: string) =>
      `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
    const altered = [
      // Every character of the signature counts, the spare bits of the last one too.
      ...Array.from(signature, (_, at) => {
        const other = signature[at] === 'A' ? 'B' : 'A'
        return [name, id, issued, signature.slice(0, at) + other + signature.slice(at + 1)]
      }),
      ...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ', (last) => [
        ...[name, id, issued],
        signature.slice(0, -1) + (last === signature.at(-1) ? 'a' : last),
      ]),
      [encoded(ops.name), id, issued, signature],
      [encoded('unknown'), id, issued, signature],
      [name, opsParts[1] ?? '', issued, signature],
      [name, id, String(Number(issued) + 1), signature],
      [name, id, `0${issued}`, signature],
      [name, id, issued],
      [name, id, issued, ''],
      [name, id, issued, `${signature}=`],
      [name, id, issued, signature, ''],
      [name, id, issued, ...opsParts.slice(3)],
    ].map((parts) => parts.join('.'))
    const forged = [reader.token, reader.name, ''].map((key) =>
      signedBy(key, [encoded(ops.name), id, issued].join('.')),
    )
    const malformed = ['', '.', '...', '....', 'x'.repeat(9000), reader.token, `"${good}"`, '%00']
    for (const value of [...altered, ...forged, ...malformed]) {
      expect(await statusWith(app, `jobwatch=${value}`), value).toBe(401)
    }
    for (const header of [good.replace('jobwatch', 'Jobwatch'), good.slice(9), ';;=;jobwatch']) {
      expect(await statusWith(app, header), header).toBe(401)
    }
    expect(await statusWith(app, good)).toBe(200)
  })

  test('does not stand in the way of a good one', async () => {
    await using app = await start()
    const good = await signedIn(app)
    for (const header of [`jobwatch=x; ${good}`, `${good}; jobwatch=x`, `;${good};`]) {
      expect(await statusWith(app, header), header).toBe(200)
    }
  })

  test('is one of another daemon, whose tokens have the same names', () => {
    const clock = new FakeClock()
    const sessionsOf = (token: string) =>
      createSessions({
        tokens: [{ name: 'ops', token: new Secret(token) }],
        isSecure: false,
        clock,
      })
    const [one, same, other] = [sessionsOf('a'), sessionsOf('a'), sessionsOf('b')]
    const [cookie = ''] = one.begin('ops').split(';')
    expect(same.find(cookie)?.name).toBe('ops')
    expect(other.find(cookie)).toBeNull()
  })
})

describe('while no token is configured', () => {
  test('nobody has to sign in, and nobody can', async () => {
    await using app = await start({ tokens: [] })
    const open = { required: false, name: null, scopes: ['read', 'write'] }
    expect((await app.call('/v1/session')).json).toEqual(open)
    const answer = await signIn(app, 'any')
    expect(answer.status).toBe(409)
    expect(problemOf(answer).code).toBe('no_tokens')
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  test('a cookie or header from before changes nothing; signing out forgets the cookie', async () => {
    const tokens = [ops]
    await using app = await start({ tokens })
    const cookie = await signedIn(app)
    tokens.pop()
    await app.restart()
    const headers = { cookie, authorization: 'Bearer wrong' }
    const body = { jobid: 'j1' }
    const posted = await app.call('/v1/jobs', { method: 'POST', headers, body })
    expect(posted.status).toBe(201)
    const out = await app.call('/v1/session', { method: 'DELETE', headers: { cookie } })
    expect(out.status).toBe(204)
    expect(String(out.headers['set-cookie'])).toContain('Max-Age=0')
  })

  test('Host is looked at here as well', async () => {
    await using app = await start({ tokens: [] })
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      const headers = { host: 'evil.example' }
      const body = method === 'POST' ? { token: 'x' } : undefined
      const answer = await app.call('/v1/session', { method, headers, body })
      expect([answer.status, problemOf(answer).code]).toEqual([403, 'host_refused'])
    }
  })
})
