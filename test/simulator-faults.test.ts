import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parseFault } from '../src/simulator/fault.ts'
import type { Fault } from '../src/simulator/fault.ts'
import { jobPresets, tokenPresets } from '../src/simulator/presets.ts'
import type { PresetName } from '../src/simulator/presets.ts'
import { startSimulator } from '../src/simulator/simulator.ts'
import type { Simulator } from '../src/simulator/simulator.ts'
import {
  askForToken,
  get,
  getJson,
  jobUrl,
  requestToken,
  simulatorFor,
} from './helpers/simulator.ts'
import { openSocket } from './http/raw.ts'

const jobid = 'j0b80a255-53a1-4945-a932-58ef7777682c'
const document = { jobid, endtime: 0, status: 'EXECUTING', name: 'Prüfung', username: 'siteadmin' }
const text = JSON.stringify(document)
const textBytes = Buffer.byteLength(text)

/** A simulator with one job, a token for it, and a fault that awaits the next request. */
async function ground(fault?: Fault | PresetName, times = 1) {
  const simulator = await simulatorFor()
  simulator.addScript([document], { jobid })
  const { token } = await requestToken(simulator)
  if (fault !== undefined) simulator.inject(fault, { times })
  return { simulator, token }
}

/** What came over the wire, and how it ended: by the client when it had enough. */
interface Wire {
  readonly bytes: Buffer
  readonly ended: 'end' | 'reset' | 'enough'
}

/** Looks at the job over a bare connection. */
async function lookRaw(
  { simulator, token }: Awaited<ReturnType<typeof ground>>,
  isEnough: (bytes: Buffer) => boolean = () => false,
): Promise<Wire> {
  const socket = await openSocket(simulator.url)
  const chunks: Buffer[] = []
  let ended: Wire['ended'] = 'enough'
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if (isEnough(chunks.length === 1 ? chunk : Buffer.concat(chunks))) socket.destroy()
  })
  socket.on('end', () => (ended = 'end'))
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'ECONNRESET') ended = 'reset'
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const { pathname } = new URL(jobUrl(simulator, jobid))
  socket.write(
    `GET ${pathname}?f=json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`,
  )
  await closed
  return { bytes: Buffer.concat(chunks), ended }
}

function parts({ bytes }: Wire) {
  const [head = '', body = ''] = bytes.toString().split('\r\n\r\n', 2)
  return { head, body }
}

/** Looks at the job with Node's client; rejects with the client's error. */
async function look(
  { simulator, token }: Awaited<ReturnType<typeof ground>>,
  agent?: Agent,
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }> {
  const headers = { authorization: `Bearer ${token}` }
  const asked = request(`${jobUrl(simulator, jobid)}?f=json`, { headers, ...(agent && { agent }) })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [
    NodeJS.ReadableStream & { statusCode?: number; headers: IncomingHttpHeaders },
  ]
  const chunks: Buffer[] = []
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }
}

describe('the connection', () => {
  test.each([
    { name: 'hang', awaited: 0 },
    { name: 'stall', awaited: Math.floor(textBytes / 2) },
  ] as const)('$name: what was sent stays all, and the connection open', async (fault) => {
    const at = await ground(fault.name)
    let seen: Buffer | null = null
    const pending = lookRaw(at, (bytes) => {
      seen = bytes
      return false
    })
    // The first request has taken the fault when it is in force no longer.
    while (at.simulator.faults.length > 0) await getJson(`${at.simulator.url}/_simulator`, '')
    expect(await getJson(jobUrl(at.simulator, jobid), at.token)).toEqual(document)
    await at.simulator.close()
    const { body } = parts(await pending)
    expect(Buffer.byteLength(body)).toBe(fault.awaited)
    if (fault.awaited === 0) expect(seen).toBeNull()
    else expect(text.startsWith(body)).toBe(true)
  })

  test('shortBody: the whole document comes, one byte less than promised, and then the end', async () => {
    const wire = await lookRaw(await ground('shortBody'))
    expect(wire.ended).toBe('end')
    const { head, body } = parts(wire)
    expect(body).toBe(text)
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(head).toContain(`content-length: ${textBytes + 1}`)
    await expect(look(await ground('shortBody'))).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('reset: nothing comes but a reset', async () => {
    const wire = await lookRaw(await ground('reset'))
    expect(wire).toEqual({ bytes: Buffer.alloc(0), ended: 'reset' })
  })

  test('resetInHeaders: the headers break off', async () => {
    const wire = await lookRaw(await ground('resetInHeaders'))
    expect(wire.ended).toBe('reset')
    expect(wire.bytes.toString()).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(wire.bytes.toString()).not.toContain('\r\n\r\n')
  })

  test('resetAfterHeaders: the headers are whole and the body is missing', async () => {
    const wire = await lookRaw(await ground('resetAfterHeaders'))
    expect(wire.ended).toBe('reset')
    expect(wire.bytes.toString()).toMatch(/content-length: \d+\r\n[^]*\r\n\r\n$/)
  })

  test('resetOnReuse: a connection is fine at first and gone when it is used again', async () => {
    const at = await ground('resetOnReuse', 2)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; round < 2; round += 1) {
      expect((await look(at, agent)).body.toString()).toBe(text)
      await expect(look(at, agent)).rejects.toMatchObject({ code: 'ECONNRESET' })
    }
    expect((await look(at, agent)).status).toBe(200)
    expect((await look(at, agent)).status).toBe(200)
    agent.destroy()
  })

  test('drip: blanks come for ever, one by one', async () => {
    const wire = await lookRaw(await ground({ kind: 'drip', everyMs: 1 }), (bytes) => {
      return (bytes.toString().match(/1\r\n \r\n/g) ?? []).length >= 5
    })
    expect(wire.ended).toBe('enough')
    expect(parts(wire).head).toContain('200 OK')
  })

  test('delay: the ordinary answer comes late, and a simulator that closes does not wait for it', async () => {
    const at = await ground({ kind: 'delay', ms: 5 })
    expect((await look(at)).body.toString()).toBe(text)
    at.simulator.inject({ kind: 'delay', ms: 3_600_000 })
    const late = expect(look(at)).rejects.toMatchObject({ code: 'ECONNRESET' })
    while ((at.simulator.requests.jobs.get(jobid) ?? 0) < 2) {
      await getJson(`${at.simulator.url}/_simulator`, '')
    }
    await at.simulator.close()
    await late
  })
})

describe('bytes', () => {
  test('hugeBody: a body of 2 GiB is promised and pours', async () => {
    const wire = await lookRaw(await ground('hugeBody'), ({ length }) => length > 1_000_000)
    expect(parts(wire).head).toContain('content-length: 2147483648')
    expect(wire.ended).toBe('enough')
  })

  test('a body of so many bytes has exactly these', async () => {
    const { body, headers } = await look(
      await ground({ kind: 'flood', part: 'body', bytes: 100_000 }),
    )
    expect(body.length).toBe(100_000)
    expect(headers['content-length']).toBe('100000')
  })

  test('endlessBody: chunks pour without a length, and a client that has enough costs nothing', async () => {
    const at = await ground('endlessBody')
    const wire = await lookRaw(at, ({ length }) => length > 1_000_000)
    expect(parts(wire).head).toMatch(/transfer-encoding: chunked/i)
    expect(parts(wire).head).not.toMatch(/content-length/i)
    expect(await getJson(jobUrl(at.simulator, jobid), at.token)).toEqual(document)
  })

  test('a gzip bomb is small on the wire and large when unpacked', async () => {
    const bytes = 16 * 1_048_576
    const { body, headers } = await look(await ground({ kind: 'flood', part: 'gzip', bytes }))
    expect(headers['content-encoding']).toBe('gzip')
    expect(body.length).toBeLessThan(bytes / 500)
    expect(gunzipSync(body).length).toBe(bytes)
  })

  test('headerBomb: a header of a mebibyte, which a client of HTTP refuses', async () => {
    await expect(look(await ground('headerBomb'))).rejects.toMatchObject({
      code: 'HPE_HEADER_OVERFLOW',
    })
    const { head, body } = parts(await lookRaw(await ground('headerBomb')))
    expect(head.length).toBeGreaterThan(1_048_576)
    expect(body).toBe('{}')
  })

  test('notHttp and illegalHeader: what comes is not HTTP', async () => {
    const wire = await lookRaw(await ground('notHttp'))
    expect(wire.bytes.toString()).toBe('Good morning.\r\n\r\n')
    for (const name of ['notHttp', 'illegalHeader'] as const) {
      const failure = look(await ground(name))
      await expect(failure).rejects.toMatchObject({
        code: expect.stringMatching(/^HPE_/) as string,
      })
    }
    const raw = await lookRaw(await ground({ kind: 'raw', text: 'ÿ\0' }))
    expect(raw.bytes).toEqual(Buffer.from([0xff, 0]))
  })
})

describe('the text of the answer', () => {
  async function bodyWith(fault: Fault | PresetName): Promise<Buffer> {
    const { status, headers, body } = await look(await ground(fault))
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^application\/json/)
    return body
  }

  test('cutOffJson is the first half of it', async () => {
    const body = (await bodyWith('cutOffJson')).toString()
    expect(body.length).toBeLessThan(text.length)
    expect(text.startsWith(body)).toBe(true)
  })

  test('byteOrderMark stands before it', async () => {
    const body = await bodyWith('byteOrderMark')
    expect(body.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
    expect(body.subarray(3).toString()).toBe(text)
  })

  test('invalidUtf8 is JSON for a lenient reader and no UTF-8 for a strict one', async () => {
    const body = await bodyWith('invalidUtf8')
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(body)).toThrow()
    expect(JSON.parse(body.toString())).toMatchObject({ jobid, username: 'siteadmin\ufffd' })
  })

  test('notANumber and duplicateKeys are in it', async () => {
    expect((await bodyWith('notANumber')).toString()).toBe(`{"endtime":NaN,${text.slice(1)}`)
    const doubled = (await bodyWith('duplicateKeys')).toString()
    expect(doubled.match(/"status":/g)).toHaveLength(2)
    expect(JSON.parse(doubled)).toEqual(document)
  })

  test('numbersAsText makes texts of its numbers', async () => {
    expect(JSON.parse((await bodyWith('numbersAsText')).toString())).toEqual({
      ...document,
      endtime: '0',
    })
  })

  test.each<[PresetName, unknown]>([
    ['nullBody', null],
    ['arrayBody', []],
    ['textBody', 'EXECUTING'],
    ['emptyObject', {}],
    ['numberStatus', { ...document, status: 3 }],
    ['objectStages', { ...document, progress: { stages: { validating: 'completed' } } }],
    ['otherJob', { ...document, jobid: expect.not.stringMatching(jobid) as string }],
  ])('%s is JSON of another kind', async (name, expected) => {
    expect(JSON.parse((await bodyWith(name)).toString())).toEqual(expected)
  })

  test('noStatus lacks it', async () => {
    const body = JSON.parse((await bodyWith('noStatus')).toString()) as object
    expect(Object.keys(body)).toEqual(Object.keys(document).filter((name) => name !== 'status'))
  })

  test('emptyBody and noContent have none, invalidJson is none', async () => {
    expect((await bodyWith('emptyBody')).length).toBe(0)
    const { status, headers, body } = await look(await ground('noContent'))
    expect({ status, length: body.length }).toEqual({ status: 204, length: 0 })
    expect(headers).not.toHaveProperty('content-length')
    const invalid = (await bodyWith('invalidJson')).toString()
    expect(() => JSON.parse(invalid) as unknown).toThrow()
  })
})

describe('answers', () => {
  test.each<[PresetName, number, RegExp]>([
    ['signInPage', 200, /<title>Sign in/],
    ['maintenancePage', 200, /maintenance/],
    ['directoryPage', 200, /API Directory/],
    ['internalError', 500, /500/],
    ['badGateway', 502, /502/],
    ['unavailable', 503, /503/],
    ['gatewayTimeout', 504, /504/],
    ['http499', 499, /499/],
  ])('%s is a page', async (name, status, content) => {
    const answer = await look(await ground(name))
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toMatch(/^text\/html/)
    expect(answer.headers).not.toHaveProperty('retry-after')
    expect(answer.body.toString()).toMatch(content)
  })

  test.each<[PresetName, number, string]>([
    ['busy', 503, '30'],
    ['throttled', 429, '30'],
    ['throttledOddly', 429, 'soon'],
  ])('%s asks for patience', async (name, status, retryAfter) => {
    const answer = await look(await ground(name))
    expect(answer.status).toBe(status)
    expect(answer.headers['retry-after']).toBe(retryAfter)
  })

  test('a 429 has no Retry-After unless it is given, and then any', async () => {
    const without = await look(await ground({ kind: 'answer', httpStatus: 429, body: {} }))
    expect(without.headers).not.toHaveProperty('retry-after')
    const headers = { 'retry-after': '-1e12' }
    const odd = await look(await ground({ kind: 'answer', httpStatus: 429, headers, body: {} }))
    expect(odd.headers['retry-after']).toBe('-1e12')
  })

  test('a redirect leads to a sign-in page, elsewhere, or wherever it is told to', async () => {
    const signIn = await look(await ground('signInRedirect'))
    expect(signIn).toMatchObject({ status: 302, headers: { location: '/gis/home/signin.html' } })
    const elsewhere = await look(await ground('redirect'))
    expect(elsewhere.headers.location).toMatch(/^https:\/\/elsewhere\.example\//)
    const headers = { location: 'http://127.0.0.1:9/' }
    const told = await look(await ground({ kind: 'answer', httpStatus: 308, headers }))
    expect(told).toMatchObject({ status: 308, headers })
  })

  test.each<[PresetName, number, object]>([
    ['invalidToken', 200, { error: { code: 498, message: 'Invalid token.', details: [] } }],
    ['tokenExpired', 200, { status: 'error', messages: ['Token Expired.'], code: 498 }],
    ['tokenRequired', 200, { error: { code: 499 } }],
    ['codeAsText', 200, { error: { code: '498' } }],
    ['unauthorized', 401, { error: { code: 401 } }],
    ['http498', 498, { error: { code: 498 } }],
    ['upgradeInProgress', 200, { status: 'error', messages: ['Upgrade in progress.'], code: 403 }],
    ['denied', 200, { error: { code: 403 } }],
    ['notFound', 200, { error: { code: 404 } }],
    ['http404', 404, { status: 'error', code: 404 }],
    ['serverError', 200, { error: { code: 500, details: null } }],
  ])('%s is an error envelope', async (name, status, expected) => {
    const answer = await look(await ground(name))
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body.toString())).toMatchObject(expected)
  })

  test('what a fault leaves out is as it would have been', async () => {
    const { status, headers, body } = await look(await ground({ kind: 'answer', httpStatus: 500 }))
    expect(status).toBe(500)
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(JSON.parse(body.toString())).toEqual(document)
  })
})

describe('the token endpoint', () => {
  async function tokenWith(name: PresetName) {
    const simulator = await simulatorFor()
    simulator.inject(name)
    return { simulator, response: await askForToken(simulator) }
  }

  test('refuses the credentials, is a page, or away', async () => {
    const { response } = await tokenWith('wrongCredentials')
    expect(await response.json()).toMatchObject({ error: { code: 400 } })
    const page = (await tokenWith('tokenPage')).response
    expect({ status: page.status, text: await page.text() }).toEqual({
      status: 200,
      text: expect.stringContaining('Sign in') as string,
    })
    expect((await tokenWith('tokenUnavailable')).response.status).toBe(503)
  })

  test('gives a token that has expired already', async () => {
    const { simulator, response } = await tokenWith('expiredToken')
    const { token, expires } = (await response.json()) as { token: string; expires: number }
    expect(expires).toBeLessThan(Date.now())
    expect(await getJson(`${simulator.root}/jobs`, token)).toMatchObject({ error: { code: 498 } })
  })

  test.each<[PresetName, RegExp | string | undefined]>([
    ['expiresAsText', /^\d{13}$/],
    ['expiresNonsense', 'soon'],
    ['expiresMissing', undefined],
  ])('%s: its token is good all the same', async (name, expected) => {
    const { simulator, response } = await tokenWith(name)
    const { token, expires } = (await response.json()) as { token: string; expires?: string }
    if (expected instanceof RegExp) expect(expires).toMatch(expected)
    else expect(expires).toBe(expected)
    expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: [] })
  })
})

describe('which requests a fault is applied to', () => {
  /** The HTTP status of a look at a job, at another one, at the list, and of asking for a token. */
  async function statuses(simulator: Simulator, token: string): Promise<number[]> {
    const urls = [jobUrl(simulator, jobid), jobUrl(simulator, 'j2'), `${simulator.root}/jobs`]
    const answers = []
    for (const url of urls) answers.push((await get(`${url}?f=json`, token)).status)
    return [...answers, (await askForToken(simulator)).status]
  }

  test.each([
    [{ target: 'job' }, [503, 503, 200, 200]],
    [{ target: 'job', jobid }, [503, 200, 200, 200]],
    [{ jobid }, [503, 200, 200, 200]],
    [{ target: 'jobs' }, [200, 200, 503, 200]],
    [{ target: 'token' }, [200, 200, 200, 503]],
    [{ target: 'all' }, [503, 503, 503, 503]],
  ] as const)('%j, until it is removed', async (options, expected) => {
    const { simulator, token } = await ground()
    const { id } = simulator.inject('unavailable', options)
    expect(await statuses(simulator, token)).toEqual(expected)
    expect(await statuses(simulator, token)).toEqual(expected)
    expect(simulator.clearFault(id)).toBe(true)
    expect(await statuses(simulator, token)).toEqual([200, 200, 200, 200])
    expect(simulator.clearFault(id)).toBe(false)
  })

  test('so many, then the next fault, then none; each request is counted', async () => {
    const { simulator, token } = await ground()
    simulator.inject('badGateway', { times: 2 })
    simulator.inject('unavailable', { times: 1 })
    const seen = []
    for (let asked = 0; asked < 4; asked += 1) {
      seen.push((await get(`${jobUrl(simulator, jobid)}?f=json`, token)).status)
    }
    expect(seen).toEqual([502, 502, 503, 200])
    expect(simulator.faults).toEqual([])
    expect(simulator.requests.jobs.get(jobid)).toBe(4)
  })

  test('a job goes with looks at a job alone', async () => {
    const simulator = await simulatorFor()
    expect(() => simulator.inject('reset', { target: 'jobs', jobid })).toThrow(/jobid/)
    expect(simulator.faults).toEqual([])
  })
})

test('the presets are faults as they may be given', () => {
  for (const preset of Object.values({ ...jobPresets, ...tokenPresets })) {
    expect(parseFault(JSON.parse(JSON.stringify(preset)))).toEqual(preset)
  }
})

test('a password that was changed is wrong, and so are the tokens given for it', async () => {
  const simulator = await startSimulator()
  const before = simulator.password
  const { token } = await requestToken(simulator)
  simulator.setPassword('another')
  expect(await getJson(`${simulator.root}/jobs`, token)).toMatchObject({ error: { code: 498 } })
  const old = await askForToken(simulator, { password: before })
  expect(await old.json()).toMatchObject({ error: { code: 400 } })
  expect(await requestToken(simulator)).toHaveProperty('token')
  simulator.setPassword(before)
  expect(await requestToken(simulator, { password: before })).toHaveProperty('token')
  await simulator.close()
})

test('a job that was removed is unknown and not listed', async () => {
  const { simulator, token } = await ground()
  simulator.addScript([{ jobid: 'j2', status: 'EXECUTING' }], { jobid: 'j2' })
  expect(simulator.removeJob(jobid)).toBe(true)
  expect(simulator.removeJob(jobid)).toBe(false)
  expect(await getJson(jobUrl(simulator, jobid), token)).toMatchObject({ error: { code: 404 } })
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: ['j2'] })
  simulator.removeJobs()
  expect(await getJson(`${simulator.root}/jobs`, token)).toEqual({ jobs: [] })
})
