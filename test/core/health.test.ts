import { describe, expect, test } from 'vitest'
import { afterSignal, healthOf } from '../../src/core/health.ts'
import type { Health, Signal, Thresholds } from '../../src/core/health.ts'

const second = 1000
/** As an upstream is judged. */
const upstream: Thresholds = {
  failing: { count: 3, afterMs: 30 * second },
  off: { refusals: 3, afterMs: Infinity },
}
/** As an endpoint is judged. */
const endpoint: Thresholds = {
  failing: { count: 5, afterMs: 0 },
  off: { refusals: Infinity, afterMs: 5 * 86_400 * second },
}

/** The states after signals at given seconds, and where it ended. */
function live(
  signals: readonly (readonly [number, Signal])[],
  by: Thresholds,
  from = healthOf('ok', 0),
): { states: string[]; last: Health } {
  let last = from
  const states = signals.map(([at, signal]) => {
    last = afterSignal(last, signal, at * second, by)
    return last.state
  })
  return { states, last }
}

describe('an upstream', () => {
  test('is failing after thirty seconds and three failures, whichever comes later', () => {
    const quick = live(
      [1, 2, 3, 30, 31].map((at) => [at, 'failure']),
      upstream,
    )
    expect(quick.states).toEqual(['ok', 'ok', 'ok', 'ok', 'failing'])
    expect(quick.last.since).toBe(1 * second)
    const slow = live(
      [1, 100, 200].map((at) => [at, 'failure']),
      upstream,
    )
    expect(slow.states).toEqual(['ok', 'ok', 'failing'])
  })

  test('is well as long as something works in between', () => {
    const { states } = live(
      [
        [1, 'failure'],
        [20, 'failure'],
        [30, 'success'],
        [40, 'failure'],
        [60, 'failure'],
        [69, 'failure'],
        [70, 'failure'],
      ],
      upstream,
    )
    expect(states).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'failing'])
  })

  test('is off after three refusals in a row, at once after a final one, and well again with a success', () => {
    const { states, last } = live(
      [
        [1, 'refusal'],
        [2, 'refusal'],
        [3, 'refusal'],
        [500, 'refusal'],
        [900, 'success'],
        [901, 'final'],
      ],
      upstream,
    )
    expect(states).toEqual(['ok', 'ok', 'off', 'off', 'ok', 'off'])
    expect(last.since).toBe(901 * second)
    expect(live([[1, 'refusal'], [2, 'refusal'], [3, 'refusal'], [9, 'refusal']], upstream).last.since) // prettier-ignore
      .toBe(1 * second)
  })

  test('is not off when refusals are not in a row, but failing when nothing works for long', () => {
    const { states } = live(
      [
        [0, 'refusal'],
        [10, 'refusal'],
        [20, 'failure'],
        [29, 'refusal'],
        [30, 'refusal'],
      ],
      upstream,
    )
    expect(states).toEqual(['ok', 'ok', 'ok', 'ok', 'failing'])
  })

  test('goes from failing to off and from off to failing, each when a row says so', () => {
    const failing = healthOf('failing', 0)
    const { states, last } = live(
      [
        [100, 'refusal'],
        [120, 'refusal'],
        [140, 'refusal'],
        [440, 'failure'],
        [740, 'failure'],
        [1040, 'failure'],
      ],
      upstream,
      failing,
    )
    expect(states).toEqual(['failing', 'failing', 'off', 'off', 'off', 'failing'])
    expect(last.since).toBe(440 * second)
  })

  test('that is off stays so however long it refuses', () => {
    const { states } = live(
      Array.from({ length: 50 }, (_, n) => [n * 300, 'refusal'] as const),
      upstream,
      healthOf('off', 0),
    )
    expect(new Set(states)).toEqual(new Set(['off']))
  })
})

describe('an endpoint', () => {
  test('is failing after five attempts in a row, and off after five days of that', () => {
    const days = 86_400
    const { states, last } = live(
      [0, 1, 2, 3, 4, 4 * days, 5 * days].map((at) => [at, 'failure']),
      endpoint,
    )
    expect(states).toEqual(['ok', 'ok', 'ok', 'ok', 'failing', 'failing', 'off'])
    expect(last.since).toBe(0)
  })
})
