import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../helpers/app.ts'
import { hasBrowser, openBrowser } from '../helpers/browser.ts'
import { jobidsOf, problemOf } from './answers.ts'
import { minute, ops, signedIn, signIn, start, statusWith } from './signing-in.ts'

describe('what comes from elsewhere', () => {
  const publicUrl = 'https://jobwatch.example.com'
  const foreign = 'https://evil.example'
  type Origin = 'own' | 'foreign' | 'none'
  /** What a browser says of where a request comes from, and whether it may change something. */
  const matrix: readonly [string | null, Origin, { cookie: boolean; sign: boolean }][] = [
    ['same-origin', 'own', { cookie: true, sign: true }],
    ['same-origin', 'none', { cookie: true, sign: true }],
    ['same-origin', 'foreign', { cookie: false, sign: false }],
    ['same-site', 'own', { cookie: false, sign: false }],
    ['same-site', 'none', { cookie: false, sign: false }],
    ['same-site', 'foreign', { cookie: false, sign: false }],
    ['cross-site', 'own', { cookie: false, sign: false }],
    ['cross-site', 'none', { cookie: false, sign: false }],
    ['cross-site', 'foreign', { cookie: false, sign: false }],
    ['none', 'own', { cookie: false, sign: true }],
    ['none', 'none', { cookie: false, sign: true }],
    ['none', 'foreign', { cookie: false, sign: false }],
    ['nonsense', 'own', { cookie: false, sign: false }],
    ['', 'own', { cookie: false, sign: false }],
    [null, 'own', { cookie: true, sign: true }],
    [null, 'none', { cookie: false, sign: true }],
    [null, 'foreign', { cookie: false, sign: false }],
  ]

  test.each(matrix)('Sec-Fetch-Site %s, Origin %s: %j', async (site, origin, may) => {
    await using app = await start({ more: { publicUrl } })
    const token = { authorization: `Bearer ${ops.token}` }
    const from = {
      ...(site !== null && { 'sec-fetch-site': site }),
      ...(origin !== 'none' && { origin: origin === 'own' ? publicUrl : foreign }),
    }
    const cookie = await signedIn(app)
    const isRefused = (answer: Answer): boolean => {
      if (answer.status === 403) expect(problemOf(answer).code).toBe('origin_refused')
      return answer.status === 403
    }
    const body = { jobid: 'j1' }
    for (const [method, path] of [
      ['POST', '/v1/jobs'],
      ['PATCH', '/v1/jobs/j1'],
      ['DELETE', '/v1/jobs/j1'],
      ['PUT', '/v1/jobs/j1'],
      ['OPTIONS', '/v1/jobs/j1'],
    ] as const) {
      const headers = { cookie, ...from }
      const answer = await app.call(path, { method, headers, ...(method === 'POST' && { body }) })
      expect(isRefused(answer), `${method} ${path}`).toBe(!may.cookie)
    }
    const jobs = await app.call('/v1/jobs', { headers: token })
    expect(jobidsOf(jobs)).toEqual(may.cookie ? ['j1'] : [])
    // Reading changes nothing, and no other page sees the answer.
    for (const method of ['GET', 'HEAD'] as const) {
      const answer = await app.call('/v1/jobs', { method, headers: { cookie, ...from } })
      expect(answer.status, method).toBe(origin === 'foreign' ? 403 : 200)
    }
    // A token in the header no other page can send.
    const byHeader = await app.call('/v1/jobs/j1', {
      method: 'DELETE',
      headers: { ...token, ...from },
    })
    expect(byHeader.status === 403).toBe(origin === 'foreign')

    const entered = await signIn(app, ops.token, from)
    expect(isRefused(entered)).toBe(!may.sign)
    expect(entered.headers['set-cookie'] !== undefined).toBe(may.sign)
    const headers = { cookie, ...from }
    const left = await app.call('/v1/session', { method: 'DELETE', headers })
    expect(isRefused(left)).toBe(!may.sign)
    expect(await statusWith(app, cookie)).toBe(may.sign ? 401 : 200)
  })

  test('a link to the page is followed from anywhere', async () => {
    await using app = await start()
    const headers = { 'sec-fetch-site': 'cross-site' }
    for (const path of ['/', '/v1/session', '/healthz']) {
      expect((await app.call(path, { headers })).status, path).toBe(200)
    }
  })
})

describe.skipIf(!hasBrowser)('in a real browser', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await openBrowser()
  }, 60_000)
  afterAll(() => browser.close())

  /** A call as a script of the page makes it; the status, or what the browser says instead. */
  function callFrom(page: Page, url: string, method = 'GET', body?: object): Promise<unknown> {
    const options = {
      ...{ method, credentials: 'include' },
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }
    const call = `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})`
    return page.evaluate(`${call}.then(({ status }) => status, () => 'failed')`)
  }

  /** How an EventSource of the page fares. */
  function follow(page: Page): Promise<unknown> {
    return page.evaluate(`new Promise((resolve) => {
      const source = new EventSource('/v1/events/stream')
      const end = (how) => { source.close(); resolve(how) }
      source.addEventListener('feed.hello', () => end('hello'))
      source.onerror = () => end(source.readyState === EventSource.CLOSED ? 'closed' : 'again')
    })`)
  }

  test('a page signs in, follows the feed, changes something, stays, and signs out', async () => {
    await using app = await start()
    const context = await browser.newContext()
    const page = await context.newPage()
    const jar = async () => (await context.cookies()).map(({ value }) => value)
    await page.goto(`${app.url}/healthz`)
    expect(await follow(page)).toBe('closed')
    expect(await callFrom(page, '/v1/session', 'POST', { token: 'wrong' })).toBe(401)
    expect(await callFrom(page, '/v1/session', 'POST', { token: ops.token })).toBe(204)
    expect(await page.evaluate('document.cookie')).toBe('')
    const [first] = await jar()
    expect(await callFrom(page, '/v1/jobs', 'POST', { jobid: 'j1' })).toBe(201)
    expect(await callFrom(page, '/v1/jobs')).toBe(200)
    expect(await jar()).toEqual([first])

    app.clock.jump(minute)
    expect(await follow(page)).toBe('hello')
    const [renewed, ...others] = await jar()
    expect([others, renewed === first]).toEqual([[], false])
    expect(await callFrom(page, '/v1/jobs/j1', 'DELETE')).toBe(204)
    expect(await callFrom(page, '/v1/session', 'DELETE')).toBe(204)
    expect(await jar()).toEqual([])
    expect(await follow(page)).toBe('closed')
    await context.close()
  })

  test('a page of another server on the same host gets and changes nothing', async () => {
    await using app = await start()
    await using other = await start()
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${app.url}/healthz`)
    expect(await callFrom(page, '/v1/session', 'POST', { token: ops.token })).toBe(204)
    expect(await callFrom(page, '/v1/jobs', 'POST', { jobid: 'j1' })).toBe(201)
    await page.goto(`${other.url}/healthz`)
    // To the browser it is the same site, so that the cookie goes along.
    expect(await callFrom(page, `${app.url}/v1/jobs`)).toBe('failed')
    expect(await callFrom(page, `${app.url}/v1/jobs/j1`, 'DELETE')).toBe('failed')
    await page.evaluate(`new Promise((resolve) => {
      document.body.innerHTML = '<iframe name="sink"></iframe>' +
        '<form method="post" target="sink" action="${app.url}/v1/jobs/j1/poll"></form>'
      document.querySelector('iframe').onload = resolve
      document.querySelector('form').submit()
    })`)
    const headers = { authorization: `Bearer ${ops.token}` }
    expect((await app.call('/v1/jobs/j1', { headers })).json).toMatchObject({ state: 'active' })
    const { text } = await app.call('/metrics', { headers })
    expect(text).toMatch(/^jobwatch_\w*auth_failures\w*\{reason="origin_refused"\} 3$/m)
    await context.close()
  })
})
