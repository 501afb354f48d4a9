import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Problem } from '../../src/core/observation.ts'
import type { Fault } from '../../src/simulator/fault.ts'
import type { PresetName } from '../../src/simulator/presets.ts'
import { finished, finishing, ground, isoAt, running, stateOf, until } from './ground.ts'
import type { Ground } from './ground.ts'

/*
 * The catalogue of what can go wrong with a look at a job. Each row happens to a daemon that knows
 * the job as running, while behind the fault the job has already finished: whoever took anything of
 * a spoiled answer for a job document would give itself away by an event.
 *
 *   the fault goes on   no event of the job, which stays as it is but for its `problem`; after 30 s
 *                       `upstream.down`, or after three refusals `upstream.denied`, once
 *   the fault is over   `upstream.up`, then what happened to the job, once
 */

type Row = readonly [
  number: string,
  says: string,
  fault: PresetName | Fault,
  problem: Problem['kind'],
  told: 'upstream.down' | 'upstream.denied',
  lastError: RegExp,
]

const sso = 'https://sso.example.com/oauth2/login?client_id=arcgis&state=s3cr3t'

const catalogue: readonly Row[] = [
  // The connection. How an address fails is in upstream-connection.test.ts.
  ['F2', 'no headers ever', 'hang', 'transient', 'upstream.down', /no .*answer within 10000 ms/],
  ['F3', 'a byte now and then', 'drip', 'transient', 'upstream.down', /answer within 10000 ms/],
  ['F4', 'half a body, then silence', 'stall', 'transient', 'upstream.down', /within 10000 ms/],
  ['F5', 'a body short of its length', 'shortBody', 'transient', 'upstream.down', /broke/],
  ['F6', 'reset before headers', 'reset', 'transient', 'upstream.down', /broke/],
  ['F6', 'reset in headers', 'resetInHeaders', 'transient', 'upstream.down', /broke/],
  ['F6', 'reset after headers', 'resetAfterHeaders', 'transient', 'upstream.down', /broke/],

  // Error statuses
  ['F7', '500', 'internalError', 'transient', 'upstream.down', /HTTP 500/],
  ['F7', '502', 'badGateway', 'transient', 'upstream.down', /HTTP 502/],
  ['F7', '503', 'unavailable', 'transient', 'upstream.down', /HTTP 503/],
  ['F7', '504', 'gatewayTimeout', 'transient', 'upstream.down', /HTTP 504/],
  ['F7', '500 in an envelope', 'serverError', 'transient', 'upstream.down', /JSONObject.*500/],
  [
    'F7',
    '500 with the document',
    { kind: 'answer', httpStatus: 500 },
    'transient',
    'upstream.down',
    /500/,
  ],
  ['F8', '429 without an hour', answers(429), 'throttled', 'upstream.down', /429/],
  ['F8', '429 with a vague hour', 'throttledOddly', 'throttled', 'upstream.down', /429/],

  // Pages and redirects
  ['F9', 'a sign-in page', 'signInPage', 'auth', 'upstream.denied', /sign-in page/],
  ['F9', 'the page of the directory', 'directoryPage', 'protocol', 'upstream.down', /not JSON/],
  ['F10', '302 to sign in', 'signInRedirect', 'auth', 'upstream.denied', /redirect/],
  [
    'F10',
    '302 to sign in elsewhere',
    answers(302, { location: sso }),
    'auth',
    'upstream.denied',
    sent(),
  ],
  [
    'F10',
    '307 to sign in elsewhere',
    answers(307, { location: sso }),
    'auth',
    'upstream.denied',
    sent(),
  ],
  [
    'F10',
    '308 to sign in elsewhere',
    answers(308, { location: sso }),
    'auth',
    'upstream.denied',
    sent(),
  ],
  [
    'F11',
    '302 to another host',
    'redirect',
    'protocol',
    'upstream.down',
    /https:\/\/elsewhere\.example \(/,
  ],

  // Sizes
  ['F12', '2 GiB', 'hugeBody', 'protocol', 'upstream.down', /longer than 262144 bytes/],
  [
    'F12',
    'chunks without end',
    'endlessBody',
    'protocol',
    'upstream.down',
    /longer than 262144 bytes/,
  ],
  ['F13', '2 GiB when unpacked', 'gzipBomb', 'protocol', 'upstream.down', /longer than|compressed/],
  ['F13', '1 MiB when unpacked', gzip(1_048_576), 'protocol', 'upstream.down', /compressed.*gzip/],

  // Text that is no document
  ['F14', 'what is no JSON', 'invalidJson', 'protocol', 'upstream.down', /not JSON/],
  ['F14', 'half of the JSON', 'cutOffJson', 'protocol', 'upstream.down', /not JSON/],
  ['F14', 'what is no UTF-8', 'invalidUtf8', 'protocol', 'upstream.down', /not UTF-8/],
  ['F14', 'NaN', 'notANumber', 'protocol', 'upstream.down', /not JSON/],
  ['F15', 'null', 'nullBody', 'protocol', 'upstream.down', /not a JSON object/],
  ['F15', 'a list', 'arrayBody', 'protocol', 'upstream.down', /not a JSON object/],
  ['F15', 'a text', 'textBody', 'protocol', 'upstream.down', /not a JSON object/],
  ['F15', 'a status that is a number', 'numberStatus', 'protocol', 'upstream.down', /no status/],
  ['F15', 'no status', 'noStatus', 'protocol', 'upstream.down', /no status/],
  ['F15', 'no jobid', { kind: 'edit', remove: ['jobid'] }, 'protocol', 'upstream.down', /no jobid/],

  // Refusals, however often the token is renewed. How it is renewed is in upstream-token.test.ts.
  ['F17', '498', 'invalidToken', 'auth', 'upstream.denied', /Invalid token/],
  ['F17', '498 as a text', 'codeAsText', 'auth', 'upstream.denied', /Invalid token/],
  ['F17', '498 in the other envelope', 'tokenExpired', 'auth', 'upstream.denied', /Token Expired/],
  ['F17', '498 with HTTP 498', 'http498', 'auth', 'upstream.denied', /Invalid token/],
  ['F17', '499', 'tokenRequired', 'auth', 'upstream.denied', /Token Required/],
  ['F17', '401', 'unauthorized', 'auth', 'upstream.denied', /Unauthorized/],
  ['F17', '499 of a gateway', 'http499', 'transient', 'upstream.down', /HTTP 499/],
  ['F17', '403', 'denied', 'denied', 'upstream.denied', /do not have permissions/],
  [
    'F17',
    '403 during an upgrade',
    'upgradeInProgress',
    'transient',
    'upstream.down',
    /Upgrade in progress/,
  ],

  // Answers that are not about this job now
  ['F34', 'no body', 'emptyBody', 'protocol', 'upstream.down', /not JSON \(0 bytes\)/],
  ['F34', '204', 'noContent', 'protocol', 'upstream.down', /not JSON \(0 bytes\)/],
  ['F35', 'another job', 'otherJob', 'protocol', 'upstream.down', /another job/],
  [
    'F36',
    '304, unasked',
    { kind: 'answer', httpStatus: 304, body: '' },
    'protocol',
    'upstream.down',
    /304/,
  ],
  ['F38', 'a maintenance page', 'maintenancePage', 'protocol', 'upstream.down', /not JSON/],

  // What is no HTTP
  ['F42', 'a header of 1 MiB', 'headerBomb', 'protocol', 'upstream.down', /not HTTP/],
  ['F42', 'characters no header has', 'illegalHeader', 'protocol', 'upstream.down', /not HTTP/],
  ['F42', 'another protocol', 'notHttp', 'protocol', 'upstream.down', /not HTTP/],
]

/** These end when the daemon's patience does. */
const silences: readonly unknown[] = ['hang', 'drip', 'stall']

function answers(httpStatus: number, headers: Record<string, string> = {}): Fault {
  return { kind: 'answer', httpStatus, headers, body: { wait: true } }
}

function gzip(bytes: number): Fault {
  return { kind: 'flood', part: 'gzip', bytes }
}

/** The place is named so that a setting can be put right, the query is not: it may hold secrets. */
function sent(): RegExp {
  return /^(?!.*s3cr3t).*https:\/\/sso\.example\.com \(/
}

describe('a look that gets', () => {
  let at: Ground
  beforeAll(async () => {
    at = await ground({ polling: { maxBodyBytes: 262_144 } })
  })
  afterAll(() => at[Symbol.asyncDispose]())

  test.each(catalogue.map((row, index) => [...row, `job-${index}`] as const))(
    '%s %s',
    async (_, __, fault, kind, told, lastError, jobid) => {
      const script = await at.watch(jobid, [running(jobid), finished(jobid)])
      const before = await at.job(jobid)
      expect(before).toMatchObject({ status: 'EXECUTING', problem: null })
      expect(await at.upstream()).toMatchObject({ state: 'up', lastError: null })
      const { text: document } = await at.call(`/v1/jobs/${jobid}/document`)
      await at.events()
      onTestFinished(async () => {
        at.simulator.clearFaults()
        await at.look(jobid)
      })

      script.next()
      at.simulator.inject(fault)
      const isSilence = silences.includes(fault)
      let since: string | undefined
      for (let looks = 1; looks <= 5; looks += 1) {
        if (!isSilence) await at.clock.advance(10_000)
        const job = await (isSilence ? at.lookInVain(jobid) : at.look(jobid))
        const now = isoAt(at.clock.now())
        since ??= now
        expect(stateOf(job)).toEqual(stateOf(before))
        expect(job.polledAt).toBe(now)
        expect(job.problem).toMatchObject({ kind, since, attempts: looks })
        expect(await at.upstream()).toHaveProperty('lastError', expect.stringMatching(lastError))
        if (looks < 3) expect(await at.told()).toEqual([])
      }
      expect((await at.call(`/v1/jobs/${jobid}/document`)).text).toBe(document)
      const events = await at.events()
      const change = { kind: 'upstream', reason: expect.stringMatching(lastError) as string, since }
      expect(events.map(({ type, data }) => ({ type, change: data.change }))).toEqual([
        { type: told, change },
      ])
      expect((await at.upstream()).state).toBe(told.replace('upstream.', ''))

      at.simulator.clearFaults()
      expect(await at.look(jobid)).toMatchObject({ status: 'COMPLETED', problem: null })
      expect(await at.told()).toEqual(['upstream.up', ...finishing])
      await at.look(jobid)
      expect(await at.told()).toEqual([])
      expect(await at.upstream()).toMatchObject({ state: 'up', lastError: null })
    },
  )
})

describe('no fault is, and nothing is told but what happened to the job, when it gets', () => {
  let at: Ground
  beforeAll(async () => {
    at = await ground()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  test.each<readonly [string, string, PresetName | Fault]>([
    ['F6', 'a reset once', 'reset'],
    ['F14', 'a byte order mark', 'byteOrderMark'],
    // JSON has no rule for them; the last one counts here.
    ['F14', 'a key twice', 'duplicateKeys'],
    ['F15', 'numbers as texts', 'numbersAsText'],
    ['F16', 'fields nobody knows', { kind: 'edit', set: { cluster: { nodes: [1] }, code: null } }],
    ['F41', 'a reset as a connection is used again', 'resetOnReuse'],
  ])('%s %s', async (number, says, fault) => {
    const jobid = `${number}-${says.replaceAll(' ', '-')}`
    const script = await at.watch(jobid, [running(jobid), finished(jobid)])
    await at.events()
    script.next()
    at.simulator.inject(fault, { times: 1 })
    expect(await at.look(jobid)).toMatchObject({ status: 'COMPLETED', problem: null })
    expect(at.simulator.faults).toEqual([])
    expect(await at.told()).toEqual(finishing)
    await at.look(jobid)
    expect(await at.told()).toEqual([])
  })
})

describe('F8 Retry-After', () => {
  let at: Ground
  beforeAll(async () => {
    at = await ground()
    for (const jobid of ['asked', 'other']) await at.watch(jobid, [running(jobid)])
    await at.events()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  const quarter = 900

  test.each<readonly [says: string, status: number, header: string | HeaderAt | null, s: number]>([
    ['seconds', 429, '30', 30],
    ['seconds among blanks', 429, ' 30 ', 30],
    ['no seconds', 429, '0', 0],
    ['thirty thousand years', 429, '1000000000000', quarter],
    ['a number beyond all', 429, '9'.repeat(400), quarter],
    ['nothing', 429, null, 0],
    ['a negative number', 429, '-5', 0],
    ['a fraction', 429, '5.5', 0],
    ['an exponent', 429, '1e3', 0],
    ['a word', 429, 'soon', 0],
    ['a date that is none of HTTP', 429, '2035-10-09', 0],
    ['a past date', 429, 'Thu, 02 Oct 2025 08:53:20 GMT', 0],
    ['a date', 429, (now) => new Date(now + 45_000).toUTCString(), 45],
    ['a date as RFC 850 has it', 429, (now) => rfc850(new Date(now + 45_000)), 45],
    ['a date as asctime has it', 429, (now) => asctime(new Date(now + 45_000)), 45],
    ['a date far away', 429, 'Fri, 31 Dec 9999 23:59:59 GMT', quarter],
    ['seconds', 503, '30', 30],
    ['a date', 503, (now) => new Date(now + 45_000).toUTCString(), 45],
    ['a word', 503, 'soon', 0],
    ['seconds', 200, '30', 30],
  ])(
    'of %s with a %i is obeyed, up to a quarter of an hour',
    async (_, httpStatus, header, seconds) => {
      const text = typeof header === 'function' ? header(at.clock.now()) : header
      const code = httpStatus === 200 ? 429 : httpStatus
      const headers = text === null ? {} : { 'retry-after': text }
      const body = { error: { code, message: 'Not so fast.', details: [] } }
      at.simulator.inject({ kind: 'answer', httpStatus, headers, body }, { times: 1 })

      const { problem } = await at.look('asked')
      const isUnderstood = httpStatus !== 503 || seconds > 0
      expect(problem?.kind).toBe(isUnderstood ? 'throttled' : 'transient')
      const before = requests()
      if (seconds > 0) {
        await at.clock.advance(seconds * 1000 - 1)
        for (const jobid of ['asked', 'other']) await at.look(jobid)
        expect(requests()).toEqual(before)
        expect(await at.upstream()).toMatchObject({
          state: 'up',
          lastError: expect.stringMatching(/patience|Not so fast/) as string,
        })
      }
      await at.clock.advance(seconds > 0 ? 1 : 0)
      for (const jobid of ['asked', 'other']) {
        expect(await at.look(jobid)).toMatchObject({ status: 'EXECUTING', problem: null })
      }
      expect(requests()).toEqual(before.map((count) => count + 1))
      expect(await at.told()).toEqual([])
    },
  )

  function requests(): number[] {
    return [at.asked('asked'), at.asked('other')]
  }

  test('is for all jobs of the upstream, also those that fall due meanwhile', async () => {
    await using busy = await ground({
      polling: { interval: '5s', maxInterval: '5s', concurrency: 1 },
    })
    const jobids = ['j1', 'j2', 'j3', 'j4']
    for (const jobid of jobids) await busy.watch(jobid, [running(jobid)])
    busy.simulator.inject(answers(429, { 'retry-after': '120' }), { times: 1 })
    await busy.clock.advance(5000)
    await until(async () => (await busy.upstream()).lastError !== null)
    const before = jobids.map(busy.asked)
    await busy.clock.advance(119_999)
    expect(jobids.map(busy.asked)).toEqual(before)
    await busy.clock.advance(1)
    await until(() => jobids.every((jobid, index) => busy.asked(jobid) > (before[index] ?? 0)))
    expect((await busy.told()).filter((line) => line.startsWith('upstream.'))).toEqual([])
  })
})

/** A header that depends on the time. */
type HeaderAt = (now: number) => string

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

/** The second form of an HTTP date: `Thursday, 09-Oct-25 08:53:20 GMT`. */
function rfc850(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(' ')
  return `${days[date.getUTCDay()] ?? ''}, ${day}-${month}-${year?.slice(2)} ${time} GMT`
}

/** The third, which has no zone: `Thu Oct  9 08:53:20 2025`. */
function asctime(date: Date): string {
  const [weekday, day, month, year, time] = date.toUTCString().split(' ')
  return `${weekday?.slice(0, 3)} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`
}
