import { expect, test } from 'vitest'
import { parseRetryAfter, reconnectDelayMs } from '../../src/client/reconnect.ts'

const least = () => 0
const most = () => 0.999_999

test('the pause doubles with each failure, up to half a minute', () => {
  const pauses = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) =>
    reconnectDelayMs({ failures, baseMs: 1000, retryAfterMs: null, random: least }),
  )
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('chance adds up to a half and takes nothing away', () => {
  const pause = { failures: 2, baseMs: 1000, retryAfterMs: null }
  expect(reconnectDelayMs({ ...pause, random: least })).toBe(2000)
  expect(reconnectDelayMs({ ...pause, random: most })).toBe(3000)
})

test('the pause is never less than what the server asked for', () => {
  const pause = { failures: 1, baseMs: 1000, random: least }
  expect(reconnectDelayMs({ ...pause, retryAfterMs: 60_000 })).toBe(60_000)
  expect(reconnectDelayMs({ ...pause, retryAfterMs: 10 })).toBe(1000)
  expect(reconnectDelayMs({ ...pause, baseMs: 45_000, retryAfterMs: null })).toBe(45_000)
})

test('a server cannot ask for more than an hour', () => {
  const retryAfterMs = Number('9'.repeat(400))
  expect(reconnectDelayMs({ failures: 1, baseMs: 1e15, retryAfterMs, random: least })).toBe(
    3_600_000,
  )
})

test.each<[string | null, number | null]>([
  [null, null],
  ['2', 2000],
  ['0', 0],
  ['Mon, 23 Nov 2026 14:00:30 GMT', 30_000],
  ['Mon, 23 Nov 2026 13:00:00 GMT', 0],
  ['soon', null],
  ['-1', null],
  ['1.5', null],
])('Retry-After %j is a pause of %j ms', (header, pauseMs) => {
  expect(parseRetryAfter(header, Date.parse('2026-11-23T14:00:00.000Z'))).toBe(pauseMs)
})
