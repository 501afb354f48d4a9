import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../src/core/delivery.ts'
import {
  activeSince,
  afterEndpointAttempt,
  afterTime,
  disableAfterMs,
  disabled,
  disablesAt,
} from '../../src/core/endpoint-state.ts'
import type { EndpointHealth } from '../../src/core/endpoint-state.ts'
import type { EventDraft } from '../../src/core/event.ts'
import { noon } from '../helpers/builders.ts'

const second = 1000
const fiveDays = 5 * 86_400_000
const fresh = activeSince(noon - fiveDays)

/** An attempt that ended so many ms after noon. */
type Step = readonly [verdict: Verdict, afterMs: number]

/** What a row of attempts leads to, and the events that it makes. */
function after(steps: readonly Step[], start: EndpointHealth = fresh) {
  const drafts: EventDraft[] = []
  let health = start
  for (const [verdict, afterMs] of steps) {
    const change = afterEndpointAttempt(health, { verdict, detail: verdict }, noon + afterMs)
    health = change.health
    if (change.draft !== null) drafts.push(change.draft)
  }
  return { health, drafts }
}

function row(count: number, verdict: Verdict = 'retry', stepMs = second, from = 0): Step[] {
  return Array.from({ length: count }, (_, n) => [verdict, from + n * stepMs] as const)
}

const iso = (ms: number) => new Date(ms).toISOString()
const failing = after(row(5)).health

test('five days are what the contract gives a failing endpoint', () => {
  expect(disableAfterMs).toBe(fiveDays)
})

describe('an endpoint', () => {
  test('stays active for four failures in a row', () => {
    const { health, drafts } = after(row(4))
    expect(health).toMatchObject({ state: 'active', since: fresh.since, reason: null, failures: 4 })
    expect(drafts).toEqual([])
    expect(disablesAt(health)).toBeNull()
  })

  test('is failing with the fifth, since the first of them, and is told when it will be disabled', () => {
    const { health, drafts } = after(row(5))
    expect(health).toEqual({
      state: 'failing',
      since: noon,
      reason: 'retry',
      failures: 5,
      failuresSince: noon,
    })
    expect(disablesAt(health)).toBe(noon + fiveDays)
    const change = { kind: 'endpoint', reason: 'retry', since: iso(noon) }
    expect(drafts).toEqual([
      { type: 'endpoint.failing', change: { ...change, disablesAt: iso(noon + fiveDays) } },
    ])
  })

  test('is failing no matter how far apart the five are', () => {
    const { health } = after(row(5, 'retry', 86_400_000 - 1))
    expect(health).toMatchObject({ state: 'failing', since: noon })
  })

  test('tells no more of it as it goes on failing, and knows the latest reason', () => {
    const { health, drafts } = after(row(40, 'retry', second, 5 * second), failing)
    expect(health).toMatchObject({ state: 'failing', since: noon, failures: 45 })
    expect(drafts).toEqual([])
    const next = afterEndpointAttempt(health, { verdict: 'retry', detail: 'no route' }, noon)
    expect(next.health.reason).toBe('no route')
  })

  test('begins to count anew after each success', () => {
    const steps: Step[] = [
      ...row(4),
      ['delivered', 10 * second],
      ...row(4, 'retry', second, 20_000),
    ]
    expect(after(steps).drafts).toEqual([])
    expect(after([...steps, ['retry', 60_000]]).health).toMatchObject({
      state: 'failing',
      since: noon + 20_000,
    })
  })

  test('has recovered with the next success; the event says when the trouble began', () => {
    const { health, drafts } = after([['delivered', 3_600_000]], failing)
    expect(health).toEqual(activeSince(noon + 3_600_000))
    expect(drafts).toMatchObject([
      { type: 'endpoint.recovered', change: { since: iso(noon), disablesAt: null } },
    ])
    expect(after([['delivered', 3_700_000]], health)).toEqual({ health, drafts: [] })
  })

  test.each([
    ['active', fresh],
    ['failing', failing],
  ])('that says it is gone is disabled at once while it is %s', (_, before) => {
    const { health, drafts } = after([['endpoint_dead', 60_000]], before)
    expect(health).toEqual({
      state: 'disabled',
      since: noon + 60_000,
      reason: 'endpoint_dead',
      failures: 0,
      failuresSince: null,
    })
    expect(disablesAt(health)).toBeNull()
    expect(drafts).toEqual([
      {
        type: 'endpoint.disabled',
        change: {
          kind: 'endpoint',
          reason: 'endpoint_dead',
          since: iso(noon + 60_000),
          disablesAt: null,
        },
      },
    ])
  })

  test.each([
    ['active', fresh],
    ['nearly failing', after(row(4)).health],
    ['failing', failing],
    ['disabled', disabled(fresh, 'by hand', noon).health],
  ])('that is %s is neither helped nor harmed by what it does not understand', (_, before) => {
    expect(after(row(10, 'refused'), before)).toEqual({ health: before, drafts: [] })
  })

  test('that is disabled is changed by nothing that arrives', () => {
    const { health } = disabled(fresh, 'by hand', noon)
    const late = [...row(6), ['delivered', 9000], ['endpoint_dead', 9001]] as const
    expect(after(late, health)).toEqual({ health, drafts: [] })
    expect(afterTime(health, noon + 10 * fiveDays)).toEqual({ health, draft: null })
  })

  test('is disabled by hand once', () => {
    const once = disabled(failing, 'by hand', noon + 60_000)
    expect(once.health).toMatchObject({ state: 'disabled', since: noon + 60_000, failures: 0 })
    expect(once.health.reason).toBe('by hand')
    expect(once.draft).toMatchObject({
      type: 'endpoint.disabled',
      change: { reason: 'by hand', disablesAt: null },
    })
    expect(disabled(once.health, 'again', noon + 70_000)).toEqual({
      health: once.health,
      draft: null,
    })
  })
})

describe('five days without a success', () => {
  test('disable an endpoint by the attempt that shows it', () => {
    const early = after([['retry', fiveDays - 1]], failing)
    expect(early).toMatchObject({ health: { state: 'failing' }, drafts: [] })
    const { health, drafts } = after([['retry', fiveDays]], failing)
    expect(health.state).toBe('disabled')
    expect(drafts.map(({ type }) => type)).toEqual(['endpoint.disabled'])
    expect(health.reason).toMatch(/5 days/)
    expect(health.reason).toMatch(/retry/)
  })

  test('disable it by the clock alone', () => {
    expect(afterTime(failing, noon + fiveDays - 1)).toEqual({ health: failing, draft: null })
    const { health, draft } = afterTime(failing, noon + fiveDays)
    expect(health).toMatchObject({ state: 'disabled', since: noon })
    expect(draft).toMatchObject({
      type: 'endpoint.disabled',
      change: { since: iso(noon), disablesAt: null },
    })
    expect(draft?.change).toHaveProperty('reason', health.reason)
    expect(health.reason).toMatch(/5 days.*retry/)
  })

  test('are counted from the first failure after the last success', () => {
    const steps: Step[] = [['delivered', fiveDays - second], ...row(5, 'retry', 0, fiveDays)]
    const { health } = after(steps, failing)
    expect(disablesAt(health)).toBe(noon + 2 * fiveDays)
    expect(afterTime(health, noon + fiveDays).health.state).toBe('failing')
  })

  test('mean nothing to one that is not failing', () => {
    const few = after(row(4)).health
    expect(afterTime(few, noon + 2 * fiveDays)).toEqual({ health: few, draft: null })
    expect(afterTime(fresh, noon + 2 * fiveDays)).toEqual({ health: fresh, draft: null })
  })

  test('do not disable one whose four failures lie that far apart: it is failing first', () => {
    const { health, drafts } = after([...row(4), ['retry', 2 * fiveDays]])
    expect(health.state).toBe('failing')
    expect(drafts.map(({ type }) => type)).toEqual(['endpoint.failing'])
  })
})
