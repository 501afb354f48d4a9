import { describe, expect, test } from 'vitest'
import type { Failed } from '../../src/core/observation.ts'
import { renewedToken, staticToken } from '../../src/upstream/token.ts'
import type { TokenAnswer } from '../../src/upstream/token.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

const minute = 60_000
const refusal: Failed = {
  outcome: 'failed',
  failure: 'transient',
  detail: 'no token: HTTP 503',
  retryAfterMs: null,
}

/**
 * A token endpoint that answers when it is told to. Unless told otherwise it gives `T1`, `T2`, …,
 * each for an hour.
 */
function anEndpoint(clock = new FakeClock()) {
  const waiting: ((answer: TokenAnswer) => void)[] = []
  let requests = 0
  const source = renewedToken({
    request: () => {
      requests += 1
      return new Promise((resolve) => waiting.push(resolve))
    },
    now: () => clock.now(),
    pauseMs: (failures) => 1000 * 2 ** (failures - 1),
  })

  async function answer(given?: TokenAnswer): Promise<void> {
    const hour = clock.now() + 60 * minute
    const next = given ?? { outcome: 'token', token: `T${requests}`, expiresAt: hour }
    waiting.shift()?.(next)
    await settle(2)
  }
  async function get(given?: TokenAnswer): Promise<TokenAnswer> {
    const asked = source.get()
    await answer(given)
    return asked
  }
  return { clock, source, answer, get, requests: () => requests }
}

function tokenOf(answer: TokenAnswer): string {
  return answer.outcome === 'token' ? answer.token : answer.failure
}

describe('a token that was given once and for all', () => {
  test('is the same for ever, refused or not', async () => {
    const source = staticToken('fixed')
    expect(tokenOf(await source.get())).toBe('fixed')
    source.refuse('fixed', 'Invalid token.')
    expect(tokenOf(await source.get())).toBe('fixed')
    expect(source.canRenew).toBe(false)
  })
})

describe('a token that is renewed', () => {
  test('is asked for once, however many wait for it', async () => {
    const { source, answer, requests } = anEndpoint()
    const waiters = Array.from({ length: 200 }, () => source.get())
    await answer()
    const tokens = (await Promise.all(waiters)).map(tokenOf)
    expect(tokens).toEqual(Array<string>(200).fill('T1'))
    expect(requests()).toBe(1)
  })

  test('is not asked for before it is needed', async () => {
    const { requests, get, source } = anEndpoint()
    await settle(2)
    expect(requests()).toBe(0)
    await get()
    expect(tokenOf(await source.get())).toBe('T1')
    expect(requests()).toBe(1)
    expect(source.canRenew).toBe(true)
  })

  test('is used until shortly before it expires, and not after', async () => {
    const { clock, get, source, requests } = anEndpoint()
    await get()
    await clock.advance(58 * minute)
    expect(tokenOf(await source.get())).toBe('T1')
    await clock.advance(2 * minute - 1)
    expect(tokenOf(await get())).toBe('T2')
    expect(requests()).toBe(2)
  })

  test('is used for at least half of its life, however short that is', async () => {
    const { clock, get, source } = anEndpoint()
    await get({ outcome: 'token', token: 'brief', expiresAt: clock.now() + 10_000 })
    await clock.advance(4999)
    expect(tokenOf(await source.get())).toBe('brief')
    await clock.advance(5001)
    expect(tokenOf(await get())).toBe('T2')
  })

  test('whose life is over when it comes serves those who waited and is then renewed', async () => {
    const { clock, get, requests } = anEndpoint()
    expect(tokenOf(await get({ outcome: 'token', token: 'old', expiresAt: clock.now() - 1 }))).toBe(
      'old',
    )
    expect(tokenOf(await get())).toBe('T2')
    expect(requests()).toBe(2)
  })

  test('that never expires is kept', async () => {
    const { clock, get, source } = anEndpoint()
    await get({ outcome: 'token', token: 'eternal', expiresAt: null })
    await clock.advance(1000 * 86_400_000)
    expect(tokenOf(await source.get())).toBe('eternal')
  })
})

describe('a refused token', () => {
  test('is replaced once, however many were refused with it', async () => {
    const { source, get, answer, requests } = anEndpoint()
    await get()
    const waiters = Array.from({ length: 200 }, () => {
      source.refuse('T1', 'Invalid token.')
      return source.get()
    })
    await answer()
    expect(new Set((await Promise.all(waiters)).map(tokenOf))).toEqual(new Set(['T2']))
    expect(requests()).toBe(2)
  })

  test('that was replaced already does not cost the new one', async () => {
    const { source, get, requests } = anEndpoint()
    await get()
    source.refuse('T1', 'Invalid token.')
    await get()
    source.refuse('T1', 'Invalid token.')
    source.refuse('none of ours', 'Invalid token.')
    expect(tokenOf(await source.get())).toBe('T2')
    expect(requests()).toBe(2)
  })
})

describe('fresh tokens that are refused one after another', () => {
  test('are asked for ever less often, until one is taken', async () => {
    const { clock, source, get, requests } = anEndpoint()
    await get()
    source.refuse('T1', 'Invalid token.')
    await get()
    source.refuse('T2', 'Invalid token.')
    expect(await source.get()).toMatchObject({
      failure: 'auth',
      detail: expect.stringMatching(/fresh token.*refused.*Invalid token\./) as string,
    })
    await clock.advance(1000)
    expect(tokenOf(await get())).toBe('T3')
    source.refuse('T3', 'Invalid token.')
    await clock.advance(1999)
    expect(tokenOf(await source.get())).toBe('auth')
    expect(requests()).toBe(3)
    await clock.advance(1)
    expect(tokenOf(await get())).toBe('T4')
    source.accept('T4')
    source.refuse('T4', 'Invalid token.')
    expect(tokenOf(await get())).toBe('T5')
    expect(requests()).toBe(5)
  })
})

describe('a renewal that failed', () => {
  test('leaves the old token in use while that is good', async () => {
    const { clock, source, get } = anEndpoint()
    await get()
    await clock.advance(59 * minute)
    expect(tokenOf(await get(refusal))).toBe('T1')
    expect(tokenOf(await source.get())).toBe('T1')
    await clock.advance(minute)
    expect(tokenOf(await get())).toBe('T3')
  })

  test('is what everyone who waited is told, and all until the pause is over', async () => {
    const { clock, source, answer, requests } = anEndpoint()
    const waiters = Array.from({ length: 200 }, () => source.get())
    await answer(refusal)
    for (const told of await Promise.all(waiters)) expect(told).toEqual(refusal)
    await clock.advance(999)
    expect(await source.get()).toEqual(refusal)
    expect(requests()).toBe(1)
  })

  test('is forgotten after the pause', async () => {
    const { clock, get, requests } = anEndpoint()
    await get(refusal)
    await clock.advance(1000)
    expect(tokenOf(await get())).toBe('T2')
    expect(requests()).toBe(2)
  })

  test('makes the pause longer with each one in a row, and success makes it short again', async () => {
    const { clock, get, source, requests } = anEndpoint()
    await get(refusal)
    await clock.advance(1000)
    await get(refusal)
    await clock.advance(1999)
    expect(await source.get()).toEqual(refusal)
    expect(requests()).toBe(2)
    await clock.advance(1)
    expect(tokenOf(await get())).toBe('T3')

    source.refuse('T3', 'Invalid token.')
    await get(refusal)
    await clock.advance(1000)
    expect(tokenOf(await get())).toBe('T5')
  })

  test('waits as long as the endpoint wants', async () => {
    const { clock, get, source } = anEndpoint()
    const patience: Failed = { ...refusal, failure: 'throttled', retryAfterMs: 30_000 }
    await get(patience)
    await clock.advance(29_999)
    expect(await source.get()).toEqual(patience)
    await clock.advance(1)
    expect(tokenOf(await get())).toBe('T2')
  })

  test('by an error of our own is not kept either', async () => {
    let requests = 0
    const source = renewedToken({
      request: () => {
        requests += 1
        return requests === 1
          ? Promise.reject(new Error('a bug'))
          : Promise.resolve({ outcome: 'token', token: 'T2', expiresAt: null })
      },
      now: () => 0,
      pauseMs: () => 1000,
    })
    await expect(source.get()).rejects.toThrow('a bug')
    expect(tokenOf(await source.get())).toBe('T2')
  })
})
