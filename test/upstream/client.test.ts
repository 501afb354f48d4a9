import fc from 'fast-check'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { jobidPattern } from '../../src/core/job.ts'
import { createEnterpriseAdmin } from '../../src/upstream/enterprise-admin/client.ts'
import type { EnterpriseAdminOptions } from '../../src/upstream/enterprise-admin/client.ts'
import type { Look, Upstream } from '../../src/upstream/upstream.ts'
import { anyText } from '../core/arbitraries.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { envelopes, gatewayPage, signInPage } from './answers.ts'
import { closed, closedOrigin, drip, pour, sendJson, serveHttp, serveRaw } from './servers.ts'
import type { Handler } from './servers.ts'

const rootPath = '/gis/admin'
const jobPath = `${rootPath}/jobs/j-1`
const tokenPath = '/gis/sharing/rest/generateToken'
const job = { jobid: 'j-1', status: 'EXECUTING' }
const jobText = JSON.stringify(job)

/** The upstream at this origin, with a token that never changes unless told otherwise. */
function anUpstream(origin: string, options: Partial<EnterpriseAdminOptions> = {}): Upstream {
  const upstream = createEnterpriseAdmin({
    name: 'prod',
    root: `${origin}${rootPath}`,
    auth: { token: 'T0' },
    referer: 'https://jobwatch.example.com',
    timeoutMs: 10_000,
    maxBodyBytes: 1_000_000,
    userAgent: 'jobwatch/1.2.3',
    dispatcher: new Agent({ connections: 8, pipelining: 1 }),
    clock: systemClock,
    ...options,
  })
  onTestFinished(() => upstream.close())
  return upstream
}

function credentialsAt(origin: string): EnterpriseAdminOptions['auth'] {
  return {
    username: 'jobwatch',
    password: 'pass&word',
    tokenUrl: `${origin}${tokenPath}`,
    expirationMs: 3_600_000,
  }
}

/** `seen`, `same`, `missing`, or the kind of the failure. */
function kindOf(look: Look): string {
  return look.outcome === 'failed' ? look.failure : look.outcome
}

/**
 * A deployment that gives the tokens `T1`, `T2`, … and answers a look at the job only to the tokens
 * that are told here.
 */
async function aDeployment(accepted: readonly string[], refuse: Handler) {
  const tokenForms: URLSearchParams[] = []
  const tokenRequests: IncomingMessage[] = []
  const lookTokens: string[] = []
  const origin = await serveHttp((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://any')
    if (pathname === tokenPath) {
      let form = ''
      request.setEncoding('utf8')
      request.on('data', (text: string) => (form += text))
      request.once('end', () => {
        tokenRequests.push(request)
        tokenForms.push(new URLSearchParams(form))
        const token = `T${tokenForms.length}`
        sendJson(response, { token, expires: Date.now() + 3_600_000, ssl: true })
      })
      return
    }
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    lookTokens.push(token)
    if (accepted.includes(token)) sendJson(response, job)
    else refuse(request, response)
  })
  return { origin, tokenForms, tokenRequests, lookTokens }
}

describe('a look at a job', () => {
  test('is one GET of its document as JSON, with the token in a header', async () => {
    const requests: IncomingMessage[] = []
    const origin = await serveHttp((request, response) => {
      requests.push(request)
      sendJson(response, job)
    })
    const look = await anUpstream(origin).fetchJob('j-1', null)
    expect(look).toMatchObject({
      outcome: 'seen',
      document: jobText,
      snapshot: { status: 'EXECUTING' },
    })
    expect(requests).toHaveLength(1)
    const [request] = requests
    expect(request?.method).toBe('GET')
    expect(request?.url).toBe(`${jobPath}?f=json`)
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer T0',
      referer: 'https://jobwatch.example.com',
      'user-agent': 'jobwatch/1.2.3',
      'accept-encoding': 'identity',
    })
    expect(request?.headers).not.toHaveProperty('x-esri-authorization')
  })

  test('says so when the document is the known one', async () => {
    const origin = await serveHttp((_, response) => {
      sendJson(response, job)
    })
    const upstream = anUpstream(origin)
    const first = await upstream.fetchJob('j-1', null)
    if (first.outcome !== 'seen') throw new Error(`the look was ${kindOf(first)}`)
    expect(await upstream.fetchJob('j-1', first.fingerprint)).toEqual({ outcome: 'same' })
  })

  test('says what the upstream is', () => {
    const upstream = anUpstream('https://gis.example.com')
    expect(upstream.name).toBe('prod')
    expect(upstream.kind).toBe('enterprise-admin')
    expect(upstream.root).toBe('https://gis.example.com/gis/admin')
  })

  test.each<[string, Handler, string]>([
    ['an unknown job', (_, response) => sendJson(response, { error: { code: 404 } }), 'missing'],
    ['a gateway page', (_, response) => response.writeHead(502).end(gatewayPage), 'transient'],
    ['a sign-in page', (_, response) => response.end(signInPage), 'auth'],
    [
      'throttling',
      (_, response) => response.writeHead(429, { 'retry-after': '30' }).end(),
      'throttled',
    ],
    ['no privilege', (_, response) => sendJson(response, { error: { code: 403 } }), 'denied'],
    ['another job', (_, response) => sendJson(response, { ...job, jobid: 'j-2' }), 'protocol'],
    [
      'a compressed answer',
      (_, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(jobText)),
      'protocol',
    ],
  ])('that meets %s tells it', async (_, handler, kind) => {
    const upstream = anUpstream(await serveHttp(handler))
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe(kind)
  })

  test('that is throttled tells for how long', async () => {
    const origin = await serveHttp((_, response) => {
      response.writeHead(503, { 'retry-after': '30' }).end(gatewayPage)
    })
    expect(await anUpstream(origin).fetchJob('j-1', null)).toMatchObject({
      failure: 'throttled',
      retryAfterMs: 30_000,
    })
  })
})

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])(
    'with %i is not followed, and the token stays here',
    async (status) => {
      let visits = 0
      const elsewhere = await serveHttp((_, response) => {
        visits += 1
        sendJson(response, job)
      })
      let requests = 0
      const origin = await serveHttp((_, response) => {
        requests += 1
        const location = `${elsewhere}${jobPath}?f=json&state=the-state`
        response.writeHead(status, { location }).end()
      })
      const look = await anUpstream(origin).fetchJob('j-1', null)
      expect(look).toMatchObject({ outcome: 'failed', failure: 'protocol' })
      expect(JSON.stringify(look)).toContain(elsewhere)
      expect(JSON.stringify(look)).not.toContain('the-state')
      expect({ requests, visits }).toEqual({ requests: 1, visits: 0 })
    },
  )

  test('of the token endpoint is not followed, and the password stays here', async () => {
    let visits = 0
    const elsewhere = await serveHttp((_, response) => {
      visits += 1
      sendJson(response, { token: 'T1', expires: Date.now() + 3_600_000 })
    })
    const origin = await serveHttp((_, response) => {
      response.writeHead(307, { location: `${elsewhere}/login?state=the-state` }).end()
    })
    const look = await anUpstream(origin, { auth: credentialsAt(origin) }).fetchJob('j-1', null)
    expect(look).toMatchObject({ outcome: 'failed', failure: 'auth' })
    expect(JSON.stringify(look)).not.toContain('the-state')
    expect(visits).toBe(0)
  })
})

describe('an upstream that misbehaves makes a look fail and nothing worse:', () => {
  test('it never sends headers', async () => {
    const sockets: Socket[] = []
    const origin = await serveHttp((request) => sockets.push(request.socket))
    const look = await anUpstream(origin, { timeoutMs: 150 }).fetchJob('j-1', null)
    expect(look).toMatchObject({ outcome: 'failed', failure: 'transient' })
    expect(sockets).toHaveLength(1)
    await closed(sockets[0])
  })

  test('it never sends headers, and the deadline is the one that is configured', async () => {
    const clock = new FakeClock()
    let begin = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const origin = await serveHttp(begin)
    let isOver = false
    const look = anUpstream(origin, { timeoutMs: 7000, clock })
      .fetchJob('j-1', null)
      .finally(() => {
        isOver = true
      })
    await begun
    await clock.advance(6999)
    expect(isOver).toBe(false)
    await clock.advance(1)
    expect(kindOf(await look)).toBe('transient')
  })

  test('its body drips past the deadline', async () => {
    const sockets: Socket[] = []
    const origin = await serveHttp((request, response) => {
      sockets.push(request.socket)
      response.writeHead(200)
      response.write(jobText)
      drip(response)
    })
    const look = await anUpstream(origin, { timeoutMs: 200 }).fetchJob('j-1', null)
    expect(look).toMatchObject({ outcome: 'failed', failure: 'transient' })
    expect(sockets).toHaveLength(1)
    await closed(sockets[0])
  })

  test('its body is too large', async () => {
    const sockets: Socket[] = []
    const origin = await serveHttp((request, response) => {
      sockets.push(request.socket)
      pour(response)
    })
    const look = await anUpstream(origin, { maxBodyBytes: 100_000 }).fetchJob('j-1', null)
    expect(look).toMatchObject({ outcome: 'failed', failure: 'protocol' })
    expect(sockets).toHaveLength(1)
    await closed(sockets[0])
  })

  test('its body is shorter than it says, though it parses', async () => {
    let requests = 0
    const origin = await serveRaw((socket, request) => {
      requests = request
      const length = jobText.length + 10
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${jobText}`)
    })
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('transient')
    expect(requests).toBe(1)
  })

  test('its chunks have no end, though they parse', async () => {
    const origin = await serveRaw((socket) => {
      const chunk = `${jobText.length.toString(16)}\r\n${jobText}\r\n`
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`)
    })
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('transient')
  })

  test('it speaks no HTTP', async () => {
    const origin = await serveRaw((socket) => socket.end('220 smtp.example.com ESMTP\r\n\r\n'))
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('protocol')
  })

  test('it is not there', async () => {
    const origin = await closedOrigin()
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('transient')
  })
})

describe('a connection that breaks', () => {
  test('before the headers is tried once more', async () => {
    let requests = 0
    const origin = await serveRaw((socket, request) => {
      requests = request
      if (request === 1) socket.resetAndDestroy()
      else socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${jobText.length}\r\n\r\n${jobText}`)
    })
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('seen')
    expect(requests).toBe(2)
  })

  test('before the headers each time is a failed look after the second time', async () => {
    let requests = 0
    const origin = await serveRaw((socket, request) => {
      requests = request
      socket.resetAndDestroy()
    })
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('transient')
    expect(requests).toBe(2)
  })

  test('after the headers is not tried again', async () => {
    let requests = 0
    const origin = await serveRaw((socket, request) => {
      requests = request
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"jobid"')
    })
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('transient')
    expect(requests).toBe(1)
  })

  test.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('as it was kept alive and is %s at its reuse costs no look', async (_, cut) => {
    const looks = new Map<Socket, number>()
    let requests = 0
    const origin = await serveHttp((request, response) => {
      requests += 1
      const earlier = looks.get(request.socket) ?? 0
      looks.set(request.socket, earlier + 1)
      if (earlier === 0) sendJson(response, job)
      else cut(request.socket)
    })
    const upstream = anUpstream(origin, {
      dispatcher: new Agent({ connections: 1, pipelining: 1 }),
    })
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
    expect({ requests, connections: looks.size }).toEqual({ requests: 3, connections: 2 })
  })
})

describe('a token', () => {
  test('is got with the credentials and bound to the referer of all requests', async () => {
    const { origin, tokenForms, tokenRequests, lookTokens } = await aDeployment(
      ['T1'],
      (_, response) => sendJson(response, { error: { code: 498 } }),
    )
    const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
    expect(lookTokens).toEqual(['T1', 'T1'])
    expect(tokenForms.map((form) => Object.fromEntries(form))).toEqual([
      {
        username: 'jobwatch',
        password: 'pass&word',
        client: 'referer',
        referer: 'https://jobwatch.example.com',
        expiration: '60',
        f: 'json',
      },
    ])
    const [request] = tokenRequests
    expect(request?.method).toBe('POST')
    expect(request?.url).toBe(tokenPath)
    expect(request?.headers).toMatchObject({
      referer: 'https://jobwatch.example.com',
      'user-agent': 'jobwatch/1.2.3',
      'accept-encoding': 'identity',
      'content-type': 'application/x-www-form-urlencoded',
    })
  })

  const refusals: [string, Handler][] = [
    ...envelopes.flatMap(([name, envelope]): [string, Handler][] => [
      [`498 in ${name}`, (_, response) => sendJson(response, envelope(498, 'Invalid token.'))],
      [`499 in ${name}`, (_, response) => sendJson(response, envelope('499', 'Token Required.'))],
      [
        `HTTP 498 with ${name}`,
        (_, response) => sendJson(response, envelope(498, 'Invalid token.'), 498),
      ],
      [
        `HTTP 401 with ${name}`,
        (_, response) => sendJson(response, envelope(401, 'Unauthorized'), 401),
      ],
    ]),
    ['a sign-in page', (_, response) => response.end(signInPage)],
    [
      'a redirect to a sign-in',
      (_, response) => response.writeHead(302, { location: '/gis/admin/login' }).end(),
    ],
  ]

  test.each(refusals)(
    'that is refused with %s is renewed once and the look repeated',
    async (_, refuse) => {
      const { origin, tokenForms, lookTokens } = await aDeployment(['T2'], refuse)
      const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
      expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
      expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('seen')
      expect(lookTokens).toEqual(['T1', 'T2', 'T2'])
      expect(tokenForms).toHaveLength(2)
    },
  )

  test.each(refusals)('that is refused again with %s makes the look fail', async (_, refuse) => {
    const { origin, tokenForms, lookTokens } = await aDeployment([], refuse)
    const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('auth')
    expect(lookTokens).toEqual(['T1', 'T2'])
    expect(tokenForms).toHaveLength(2)
  })

  test('that is refused in many looks at once is renewed once', async () => {
    const { origin, tokenForms } = await aDeployment(['T2'], (_, response) =>
      sendJson(response, { error: { code: 498, message: 'Invalid token.' } }),
    )
    const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
    const looks = await Promise.all(
      Array.from({ length: 200 }, () => upstream.fetchJob('j-1', null)),
    )
    expect(new Set(looks.map(kindOf))).toEqual(new Set(['seen']))
    expect(tokenForms).toHaveLength(2)
  })

  test('that was given once and for all is not renewed', async () => {
    const { origin, tokenForms, lookTokens } = await aDeployment([], (_, response) =>
      sendJson(response, { error: { code: 498, message: 'Invalid token.' } }),
    )
    expect(kindOf(await anUpstream(origin).fetchJob('j-1', null))).toBe('auth')
    expect(lookTokens).toEqual(['T0'])
    expect(tokenForms).toEqual([])
  })

  test.each([403, 404, 500])('is not renewed for code %i', async (code) => {
    const { origin, tokenForms, lookTokens } = await aDeployment([], (_, response) =>
      sendJson(response, { error: { code, message: 'No.' } }),
    )
    await anUpstream(origin, { auth: credentialsAt(origin) }).fetchJob('j-1', null)
    expect(lookTokens).toEqual(['T1'])
    expect(tokenForms).toHaveLength(1)
  })

  test('that is refused for wrong credentials makes the look fail before it is made', async () => {
    const paths: (string | undefined)[] = []
    const origin = await serveHttp((request, response) => {
      paths.push(request.url)
      const details = ['Invalid username or password.']
      sendJson(response, { error: { code: 400, message: 'Unable to generate token.', details } })
    })
    const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
    const looks = await Promise.all([
      upstream.fetchJob('j-1', null),
      upstream.fetchJob('j-2', null),
    ])
    expect(looks.map(kindOf)).toEqual(['auth', 'auth'])
    // A portal may lock the account: it is not asked again at once.
    expect(paths).toEqual([tokenPath])
    expect(JSON.stringify(looks)).not.toContain('pass&word')
  })

  test('that is asked for is told of with what came of it, without itself', async () => {
    const { origin } = await aDeployment(['T2'], (_, response) => {
      sendJson(response, { error: { code: 498, message: 'Invalid token.' } })
    })
    const results: string[] = []
    const onTokenRequest = (result: string) => results.push(result)
    const auth = credentialsAt(origin)
    await anUpstream(origin, { auth, onTokenRequest }).fetchJob('j-1', null)
    expect(results).toEqual(['renewed', 'renewed'])

    const closedAuth = credentialsAt(await closedOrigin())
    const look = await anUpstream(origin, { auth: closedAuth, onTokenRequest }).fetchJob(
      'j-1',
      null,
    )
    expect(results).toEqual(['renewed', 'renewed', 'transient'])
    expect(look).toMatchObject({ failure: 'transient', cause: 'connect' })
  })

  test('that cannot be had while the portal is away is a look that failed', async () => {
    const origin = await serveHttp((_, response) => {
      response.writeHead(503).end(gatewayPage)
    })
    const upstream = anUpstream(origin, { auth: credentialsAt(origin) })
    expect(kindOf(await upstream.fetchJob('j-1', null))).toBe('transient')
  })

  test('is in no detail of a failed look, even when the upstream says it back', async () => {
    const origin = await serveHttp((_, response) => {
      sendJson(response, { error: { code: 500, message: 'No luck with token the-token.' } })
    })
    const look = await anUpstream(origin, { auth: { token: 'the-token' } }).fetchJob('j-1', null)
    expect(kindOf(look)).toBe('transient')
    expect(JSON.stringify(look)).not.toContain('the-token')
  })
})

describe('the clock of the deployment', () => {
  test.each([
    ['Mon, 05 Jan 2026 12:00:00 GMT', 0],
    ['Mon, 05 Jan 2026 11:58:30 GMT', -90_000],
    ['Mon, 05 Jan 2026 12:00:10 GMT', 10_000],
    ['at noon', null],
  ])('is compared by the date of the last answer: %s', async (date, skewMs) => {
    const origin = await serveHttp((_, response) => {
      response.setHeader('date', date)
      sendJson(response, job)
    })
    const upstream = anUpstream(origin, { clock: new FakeClock() })
    expect(upstream.status().clockSkewMs).toBeNull()
    await upstream.fetchJob('j-1', null)
    expect(upstream.status().clockSkewMs).toBe(skewMs)
  })

  test('is not known from an answer without a date', async () => {
    const origin = await serveHttp((_, response) => {
      response.sendDate = false
      sendJson(response, job)
    })
    const upstream = anUpstream(origin)
    await upstream.fetchJob('j-1', null)
    expect(upstream.status().clockSkewMs).toBeNull()
  })
})

describe('the jobid of a URL', () => {
  const root = 'https://gis.example.com/gis/admin'
  const upstream = anUnusedUpstream(root)

  test.each([
    [`${root}/jobs/sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c`, 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'],
    [`${root}/jobs/j-1/`, 'j-1'],
    [`${root}/jobs/j-1?f=json&token=abc`, 'j-1'],
    [`${root}/jobs/j-1#top`, 'j-1'],
    ['https://gis.example.com:443/gis/admin/jobs/j-1', 'j-1'],
    ['https://GIS.example.com/gis/admin/jobs/j-1', 'j-1'],
    ['https://user:pass@gis.example.com/gis/admin/jobs/j-1', 'j-1'],
    [`${root}/services/../jobs/j-1`, 'j-1'],
    [`${root}/jobs/${'j'.repeat(128)}`, 'j'.repeat(128)],
  ])('%s is %s', (url, jobid) => {
    expect(upstream.jobidOf(new URL(url))).toBe(jobid)
  })

  test.each([
    'https://gis.example.com/other/admin/jobs/j-1',
    'https://gis.example.com/gis/admin2/jobs/j-1',
    'https://gis.example.com/gis/administrator/jobs/j-1',
    'https://gis.example.com:8443/gis/admin/jobs/j-1',
    'http://gis.example.com/gis/admin/jobs/j-1',
    'https://gis.example.com.evil.example/gis/admin/jobs/j-1',
    'https://evil.example/gis/admin/jobs/j-1',
    'https://evil.example/?u=https://gis.example.com/gis/admin/jobs/j-1',
    root,
    `${root}/jobs`,
    `${root}/jobs/`,
    `${root}/jobs//`,
    `${root}/jobs//j-1`,
    `${root}/jobs/j-1/j-2`,
    `${root}/jobs/j-1/../../services`,
    `${root}/jobs/..`,
    `${root}/jobs/%2e%2e/services`,
    `${root}/jobs/..%2fservices`,
    `${root}/jobs/j-1%2f..%2f..`,
    `${root}/jobs/%00`,
    `${root}/jobs/-1`,
    `${root}/jobs/j.1`,
    `${root}/jobs/j 1`,
    `${root}/jobs/${'j'.repeat(129)}`,
    'file:///gis/admin/jobs/j-1',
    'mailto:j-1',
  ])('%s is none', (url) => {
    expect(upstream.jobidOf(new URL(url))).toBeNull()
  })

  test('of any path is one that leads back to it, or none', () => {
    const path = fc.oneof(
      anyText,
      fc.stringMatching(/^[A-Za-z0-9._~%/?#\\@:;-]{0,40}$/),
      fc.webPath(),
    )
    fc.assert(
      fc.property(path, (text) => {
        if (!URL.canParse(`${root}/jobs/${text}`)) return
        const jobid = upstream.jobidOf(new URL(`${root}/jobs/${text}`))
        if (jobid === null) return
        expect(jobid).toMatch(jobidPattern)
        expect(upstream.jobidOf(new URL(`${root}/jobs/${jobid}`))).toBe(jobid)
      }),
    )
  })
})

describe('a jobid', () => {
  test.each([
    '',
    '.',
    '..',
    '../services',
    'j-1/..',
    'j-1?f=html',
    'j-1#x',
    'j 1',
    '%2e%2e',
    '-1',
    '_1',
    'j.1',
    'j\n',
    'jö',
    'j'.repeat(129),
  ])('that could lead elsewhere is refused before anything is sent: %j', async (jobid) => {
    let requests = 0
    const origin = await serveHttp((_, response) => {
      requests += 1
      response.end()
    })
    await expect(anUpstream(origin).fetchJob(jobid, null)).rejects.toThrow()
    expect(requests).toBe(0)
  })

  test('that is not refused leads to that job and nowhere else', async () => {
    const paths: (string | undefined)[] = []
    const origin = await serveHttp((request, response) => {
      paths.push(request.url)
      sendJson(response, job)
    })
    const upstream = anUpstream(origin)
    const jobid = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/),
      fc.stringMatching(/^[A-Za-z0-9._~%/?#\\@:-]{0,20}$/),
      anyText,
    )
    await fc.assert(
      fc.asyncProperty(jobid, async (id) => {
        paths.length = 0
        const isSent = await upstream.fetchJob(id, null).then(
          () => true,
          () => false,
        )
        expect(paths).toEqual(isSent ? [`${rootPath}/jobs/${id}?f=json`] : [])
        expect(isSent).toBe(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(id))
      }),
    )
  })
})

/** An upstream that is not asked for anything. */
function anUnusedUpstream(root: string): Upstream {
  return createEnterpriseAdmin({
    name: 'prod',
    root,
    auth: { token: 'T0' },
    referer: 'jobwatch',
    timeoutMs: 1000,
    maxBodyBytes: 1000,
    userAgent: 'jobwatch/1.2.3',
    dispatcher: new Agent(),
    clock: systemClock,
  })
}

test('each answer that was parsed is timed, and none that is the same as before', async () => {
  const origin = await serveHttp((_, response) => {
    sendJson(response, job)
  })
  let parsed = 0
  const upstream = anUpstream(origin, {
    onParsed: (durationMs) => {
      expect(durationMs).toBeGreaterThanOrEqual(0)
      parsed += 1
    },
  })
  const first = await upstream.fetchJob('j-1', null)
  expect(parsed).toBe(1)
  const known = first.outcome === 'seen' ? first.fingerprint : null
  expect(await upstream.fetchJob('j-1', known)).toEqual({ outcome: 'same' })
  expect(parsed).toBe(1)
  await upstream.fetchJob('j-1', 'another')
  await upstream.listJobs()
  expect(parsed).toBe(3)
})

test('a look after the upstream was closed is a failed one', async () => {
  const origin = await serveHttp((_, response) => {
    sendJson(response, job)
  })
  const upstream = anUpstream(origin)
  await upstream.close()
  expect((await upstream.fetchJob('j-1', null)).outcome).toBe('failed')
})

test('closing the upstream ends a look that is under way', async () => {
  let begin = (): void => undefined
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const upstream = anUpstream(await serveHttp(begin))
  const look = upstream.fetchJob('j-1', null)
  await begun
  await upstream.close()
  expect((await look).outcome).toBe('failed')
})

describe('a secret that the upstream quotes', () => {
  const password = 'Win ter&2026++x'
  const spellings = [
    password,
    encodeURIComponent(password),
    new URLSearchParams({ password }).toString().slice('password='.length),
    password.toUpperCase(),
    password.replaceAll('&', '&amp;'),
    Buffer.from(password).toString('base64'),
  ]

  test.each(spellings)('is in no detail, spelt %s', async (spelling) => {
    // So long a text that the secret stands where details are cut.
    for (const before of ['', 'x'.repeat(290), 'y'.repeat(298)]) {
      const origin = await serveHttp((_, response) => {
        const message = `${before} cannot handle ${spelling} and more`
        sendJson(response, { error: { code: 500, message, details: [] } })
      })
      const look = await anUpstream(origin, {
        auth: { ...credentialsAt(origin), password },
      }).fetchJob('j-1', null)
      const { detail } = look as { detail: string }
      expect(detail).toMatch(/^no token: /)
      for (let length = 6; length <= spelling.length; length += 1) {
        expect(detail).not.toContain(spelling.slice(0, length))
      }
    }
  })
})

test('an upstream that resets every connection is asked once more only after it worked', async () => {
  let requests = 0
  let works = true
  const origin = await serveRaw((socket) => {
    requests += 1
    if (!works) {
      socket.resetAndDestroy()
      return
    }
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${jobText.length}\r\n\r\n${jobText}`)
  })
  const upstream = anUpstream(origin)
  await upstream.fetchJob('j-1', null)
  works = false
  requests = 0
  for (let look = 0; look < 10; look += 1) await upstream.fetchJob('j-1', null)
  expect(requests).toBe(11)
})
