import { describe, expect, test } from 'vitest'
import type { UpstreamAnswer } from '../../src/http/schemas.ts'
import type { Fault } from '../../src/simulator/fault.ts'
import type { PresetName } from '../../src/simulator/presets.ts'
import { begin, finished, finishing, ground, isoAt, running, stateOf, until } from './ground.ts'
import type { Ground } from './ground.ts'

/*
 * What can go wrong with the token that every look needs. Looks that the upstream refuses whatever
 * the token are in upstream-faults.test.ts.
 */

const minute = 60_000
const second = 1000

/** Tokens are asked for for an hour, unless told otherwise. */
const hour = 60 * minute

/** A job that is known as running, has finished since, and was told of so far. */
async function aJobThatFinishes(at: Ground): Promise<void> {
  const script = await at.watch('j1', [running('j1'), finished('j1')])
  await at.events()
  script.next()
}

/** Looks so many times, ten seconds apart. */
async function looks(at: Ground, count: number) {
  let job = await at.job('j1')
  for (let look = 1; look <= count; look += 1) {
    await at.clock.advance(10 * second)
    job = await at.look('j1')
  }
  return job
}

/** Requests for a token and looks at `j1` that were made while time passed. */
async function requestsIn(at: Ground, ms: number): Promise<{ tokens: number; looks: number }> {
  const before = { tokens: at.simulator.requests.tokens, looks: at.asked('j1') }
  await at.pass(ms)
  return {
    tokens: at.simulator.requests.tokens - before.tokens,
    looks: at.asked('j1') - before.looks,
  }
}

describe('F17 a token that is no longer good', () => {
  test('is replaced by one request, and the look goes on as if nothing had been', async () => {
    await using at = await ground()
    await aJobThatFinishes(at)
    at.simulator.expireTokens()
    expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
    expect(at.simulator.requests.tokens).toBe(2)
    expect(at.asked('j1')).toBe(3)
    expect(await at.told()).toEqual(finishing)
    expect(await at.upstream()).toMatchObject({ state: 'up', lastError: null })
  })

  test('is replaced before it expires', async () => {
    await using at = await ground()
    await aJobThatFinishes(at)
    await at.clock.advance(hour - 30 * second)
    expect(await at.look('j1')).toMatchObject({ problem: null })
    expect(at.simulator.requests.tokens).toBe(2)
    // Nothing was refused on the way.
    expect(at.asked('j1')).toBe(2)
    expect((await at.upstream()).tokenExpiresAt).toBe(isoAt(begin + 2 * hour - 30 * second))
  })

  test('for ever costs one request in five minutes, and is told once', async () => {
    await using at = await ground({ polling: { interval: '5s', maxInterval: '20s' } })
    await aJobThatFinishes(at)
    const before = await at.job('j1')
    at.simulator.inject('invalidToken')
    await at.pass(2 * minute)
    expect(await at.told()).toEqual(['upstream.denied'])
    const { tokens, looks: asked } = await requestsIn(at, 30 * minute)
    expect(tokens).toBeLessThanOrEqual(7)
    expect(asked).toBeLessThanOrEqual(7)
    expect(asked).toBeGreaterThanOrEqual(5)
    expect(await at.told()).toEqual([])
    expect(stateOf(await at.job('j1'))).toEqual(stateOf(before))

    at.simulator.clearFaults()
    await at.pass(6 * minute)
    expect(await at.told()).toEqual(['upstream.up', ...finishing])
  })

  test('is none of a token that was given once and for all: it is refused, and nothing is asked for', async () => {
    await using at = await ground({ auth: { token: 'made-by-hand' } })
    await at.register('j1')
    expect(await looks(at, 3)).toMatchObject({ status: null, problem: { kind: 'auth' } })
    expect(await at.told()).toEqual(['job.watched', 'upstream.denied'])
    expect(at.simulator.requests.tokens).toBe(0)
  })
})

describe('F18 two hundred looks that wait for a token', () => {
  const jobids = Array.from({ length: 200 }, (_, index) => `j${index}`)
  const lookAtAll = (at: Ground) => Promise.all(jobids.map(at.look))

  test('make one request for it: at first, when it is refused, and when it has expired', async () => {
    await using at = await ground({ polling: { concurrency: 200 } })
    for (const jobid of jobids) at.simulator.addScript([running(jobid)], { jobid })
    at.simulator.inject({ kind: 'delay', ms: 50 }, { target: 'token' })
    await at.post('/v1/jobs/batch', { jobs: jobids.map((jobid) => ({ jobid })) })
    await until(async () => (await at.upstream()).jobs === 200 && (await at.isAtRest()))
    expect(at.simulator.requests.tokens).toBe(1)

    at.simulator.expireTokens()
    for (const job of await lookAtAll(at)) expect(job.problem).toBeNull()
    expect(at.simulator.requests.tokens).toBe(2)

    await at.clock.advance(2 * hour)
    for (const job of await lookAtAll(at)) expect(job.problem).toBeNull()
    expect(at.simulator.requests.tokens).toBe(3)
    expect((await at.told()).filter((line) => !line.startsWith('job.'))).toEqual([])
  })

  test('make one request that is refused, and all are told', async () => {
    await using at = await ground({ polling: { concurrency: 200 } })
    for (const jobid of jobids) at.simulator.addScript([running(jobid)], { jobid })
    at.simulator.setPassword('another')
    at.simulator.inject({ kind: 'delay', ms: 50 }, { target: 'token' })
    await at.post('/v1/jobs/batch', { jobs: jobids.map((jobid) => ({ jobid })) })
    await until(at.isAtRest)
    expect(at.simulator.requests.tokens).toBe(1)
    expect((await at.told()).filter((line) => line !== 'job.watched')).toEqual(['upstream.denied'])
    for (const jobid of jobids) expect(at.asked(jobid)).toBe(0)
  })
})

describe('F19 a token endpoint that', () => {
  type Row = readonly [
    says: string,
    fault: PresetName | Fault,
    problem: string,
    told: 'upstream.down' | 'upstream.denied',
    lastError: RegExp,
  ]
  const rows: readonly Row[] = [
    ['shows a page to sign in', 'tokenPage', 'auth', 'upstream.denied', /no token.*sign-in page/],
    ['gives tokens that are refused', 'expiredToken', 'auth', 'upstream.denied', /Invalid token/],
    ['is away', 'tokenUnavailable', 'transient', 'upstream.down', /no token.*HTTP 503/],
    [
      'breaks off',
      { kind: 'cut', after: 'headers', then: 'reset' },
      'transient',
      'upstream.down',
      /no token.*broke/,
    ],
    [
      'gives no token',
      { kind: 'answer', body: { ssl: true } },
      'protocol',
      'upstream.down',
      /no token/,
    ],
    ['says nothing', { kind: 'answer', body: '' }, 'protocol', 'upstream.down', /no token/],
    [
      'is not there',
      { kind: 'answer', httpStatus: 404, body: {} },
      'protocol',
      'upstream.down',
      /no token/,
    ],
  ]

  test.each(rows)(
    '%s: no event of a job, and it is told once',
    async (_, fault, kind, told, lastError) => {
      await using at = await ground()
      await aJobThatFinishes(at)
      const before = await at.job('j1')
      at.simulator.inject(fault, { target: 'token' })
      at.simulator.expireTokens()
      for (let look = 1; look <= 5; look += 1) {
        const tokens = at.simulator.requests.tokens
        const job = await looks(at, 1)
        expect(stateOf(job)).toEqual(stateOf(before))
        expect(job.problem).toMatchObject({ kind, attempts: look })
        expect(at.simulator.requests.tokens - tokens).toBeLessThanOrEqual(1)
        expect(await at.upstream()).toHaveProperty('lastError', expect.stringMatching(lastError))
      }
      expect(await at.told()).toEqual([told])
      at.simulator.clearFaults()
      expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
      expect(await at.told()).toEqual(['upstream.up', ...finishing])
    },
  )

  test('asks for patience gets it, for every job', async () => {
    await using at = await ground()
    await aJobThatFinishes(at)
    await at.watch('j2', [running('j2')])
    await at.events()
    const headers = { 'retry-after': '120' }
    const throttled: Fault = { kind: 'answer', httpStatus: 429, headers, body: {} }
    at.simulator.inject(throttled, { target: 'token', times: 1 })
    at.simulator.expireTokens()
    expect((await at.look('j1')).problem).toMatchObject({ kind: 'throttled' })
    const { tokens } = at.simulator.requests
    const before = ['j1', 'j2'].map(at.asked)
    await at.clock.advance(119 * second)
    for (const jobid of ['j1', 'j2']) await at.look(jobid)
    expect(at.simulator.requests.tokens).toBe(tokens)
    expect(['j1', 'j2'].map(at.asked)).toEqual(before)
    await at.clock.advance(second)
    expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
    expect(await at.told()).toEqual(finishing)
  })
})

describe('F19 while the token endpoint is away', () => {
  test('jobs go on with the old token as long as that is good, and then wait: an outage, no refusal', async () => {
    await using at = await ground()
    const script = await at.watch('j1', [
      running('j1'),
      running('j1', { status: 'CANCELLING' }),
      running('j1', { status: 'CANCELLED' }),
    ])
    await at.events()
    await at.clock.advance(hour - 30 * second)
    at.simulator.inject('tokenUnavailable')
    script.next()
    expect(await at.look('j1')).toMatchObject({ status: 'CANCELLING', problem: null })
    await at.clock.advance(20 * second)
    expect((await at.look('j1')).problem).toBeNull()
    expect(await at.told()).toEqual(['job.cancelling: EXECUTING → CANCELLING'])
    expect(await at.upstream()).toMatchObject({ state: 'up', lastError: null })

    script.next()
    const before = at.asked('j1')
    await at.clock.advance(10 * second)
    expect((await looks(at, 5)).problem).toMatchObject({ kind: 'transient', attempts: 5 })
    // The old one is not tried any more.
    expect(at.asked('j1')).toBe(before)
    expect(await at.told()).toEqual(['upstream.down'])
    at.simulator.clearFaults()
    await at.look('j1')
    expect(await at.told()).toEqual(['upstream.up', 'job.cancelled: CANCELLING → CANCELLED'])
  })
})

describe('F19 credentials that are wrong', () => {
  const polling = { interval: '5s', maxInterval: '20s' }

  test('are told at once and once, and asked with every five minutes; right ones are noticed then', async () => {
    await using at = await ground({ polling })
    await aJobThatFinishes(at)
    const before = await at.job('j1')
    const { password } = at.simulator
    at.simulator.setPassword('another')
    const first = await requestsIn(at, 10 * second)
    // The old token is refused, a new one is not given.
    expect(first).toEqual({ tokens: 1, looks: 1 })
    expect(await at.told()).toEqual(['upstream.denied'])
    expect(await at.upstream()).toMatchObject({
      state: 'denied',
      lastError: expect.stringMatching(/no token.*Unable to generate token/) as string,
    })
    const { tokens, looks: asked } = await requestsIn(at, hour)
    expect(asked).toBe(0)
    expect(tokens).toBeGreaterThanOrEqual(11)
    expect(tokens).toBeLessThanOrEqual(12)
    expect(await at.told()).toEqual([])
    expect(stateOf(await at.job('j1'))).toEqual(stateOf(before))
    expect((await at.job('j1')).problem).toMatchObject({ kind: 'auth' })

    at.simulator.setPassword(password)
    await at.pass(6 * minute)
    expect(await at.told()).toEqual(['upstream.up', ...finishing])
    expect((await at.upstream()).state).toBe('up')
  })

  test('are tried at once for whoever asks, once, and after a restart', async () => {
    await using at = await ground({ polling })
    await aJobThatFinishes(at)
    const { password } = at.simulator
    at.simulator.setPassword('another')
    await at.pass(10 * second)
    let tokens = at.simulator.requests.tokens
    await at.look('j1')
    expect(at.simulator.requests.tokens).toBe((tokens += 1))
    await at.restart()
    await until(() => at.simulator.requests.tokens > tokens)
    await until(at.isAtRest)
    expect(at.simulator.requests.tokens).toBe(tokens + 1)
    expect(await at.told()).toEqual(['upstream.denied'])
    expect((await at.upstream()).state).toBe('denied')

    at.simulator.setPassword(password)
    expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
    expect(await at.told()).toEqual(['upstream.up', ...finishing])
  })
})

describe('F19 the moment at which a token expires', () => {
  const asked = hour
  const rows: readonly (readonly [string, PresetName | Fault | null, number])[] = [
    ['a number', null, asked],
    ['a text', 'expiresAsText', asked],
    // Half of what was asked for, when the answer tells nothing that could be.
    ['nonsense', 'expiresNonsense', asked / 2],
    ['missing', 'expiresMissing', asked / 2],
    ['null', expires(null), asked / 2],
    ['zero', expires(0), asked / 2],
    ['past', expires(begin - minute), asked / 2],
    ['in seconds', expires(begin / 1000 + 3600), asked / 2],
    ['in a hundred years', expires(begin + 100 * 365 * 24 * hour), asked / 2],
  ]

  test.each(rows)(
    'may be %s: the token is used, and replaced in time',
    async (_, fault, lifeMs) => {
      await using at = await ground()
      if (fault !== null) at.simulator.inject(fault, { target: 'token' })
      await aJobThatFinishes(at)
      expect(await at.job('j1')).toMatchObject({ status: 'EXECUTING', problem: null })
      const { tokenExpiresAt }: UpstreamAnswer = await at.upstream()
      expect(tokenExpiresAt).toBe(isoAt(begin + lifeMs))
      await looks(at, 2)
      expect(at.simulator.requests.tokens).toBe(1)

      await at.clock.advance(begin + lifeMs - second - at.clock.now())
      expect((await at.look('j1')).problem).toBeNull()
      expect(at.simulator.requests.tokens).toBe(2)
      expect(await at.told()).toEqual(finishing)
    },
  )

  function expires(value: unknown): Fault {
    return { kind: 'edit', set: { expires: value } }
  }
})

describe('F20 a token that is bound to a referer', () => {
  test('goes with the same referer in every request', async () => {
    const { username, password } = { username: 'siteadmin', password: 'simulated-password' }
    const referer = 'https://jobwatch.example.com/gis'
    await using at = await ground({ auth: { username, password, referer } })
    await aJobThatFinishes(at)
    at.simulator.expireTokens()
    expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
  })

  test('or an address, and refused for that, is told of with a hint', async () => {
    await using at = await ground()
    await aJobThatFinishes(at)
    at.simulator.inject('invalidToken')
    await looks(at, 3)
    const { lastError } = await at.upstream()
    expect(lastError).toMatch(/fresh token.*refused.*address/)
    expect(lastError).toMatch(/Invalid token/)
  })
})
