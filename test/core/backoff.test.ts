import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exponential, jitter, parseRetryAfter } from '../../src/core/backoff.ts'
import { noon } from '../helpers/builders.ts'
import { always, anyRandom, anyText } from './arbitraries.ts'

const quarterHour = 900_000

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['30', 30_000],
    [' 30 ', 30_000],
    ['007', 7000],
    ['900', quarterHour],
  ])('%j seconds are %i ms', (header, ms) => {
    expect(parseRetryAfter(header, noon, quarterHour)).toBe(ms)
  })

  test.each(['901', '86400', '1000000000000', '9'.repeat(400)])(
    'what asks for more than allowed (%s) gets as much as is allowed',
    (header) => {
      expect(parseRetryAfter(header, noon, quarterHour)).toBe(quarterHour)
    },
  )

  // RFC 9110, 5.6.7: a recipient must accept all three forms of a date.
  test.each([
    ['Mon, 05 Jan 2026 12:01:30 GMT', 90_000],
    ['Monday, 05-Jan-26 12:01:30 GMT', 90_000],
    ['Mon Jan  5 12:01:30 2026', 90_000],
    ['Mon, 05 Jan 2026 12:00:00 GMT', 0],
    ['Mon, 05 Jan 2026 11:00:00 GMT', 0],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Tue, 06 Jan 2026 12:00:00 GMT', quarterHour],
    ['Fri, 31 Dec 9999 23:59:59 GMT', quarterHour],
  ])('the date %j is a pause of %i ms', (header, ms) => {
    expect(parseRetryAfter(header, noon, quarterHour)).toBe(ms)
  })

  test.each([
    undefined,
    '',
    ' ',
    '-1',
    '+1',
    '1.5',
    '1e12',
    '0x10',
    'Infinity',
    'NaN',
    'soon',
    '30s',
    '30, 60',
    '5 apples',
    '2026-01-05T12:01:30Z',
    'Mon, 05 Jan 2026',
    'Mon, 99 Jan 2026 12:01:30 GMT',
    'Mon, 05 Foo 2026 12:01:30 GMT',
    'Mon, 05 Jan 2026 25:01:30 GMT',
    'Sorry, back at 5 GMT',
    'January 5',
  ])('%j says nothing', (header) => {
    expect(parseRetryAfter(header, noon, quarterHour)).toBeNull()
  })

  test('is a whole number of ms within what is allowed, or nothing, whatever the header', () => {
    const header = fc.oneof(
      anyText,
      fc.integer().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    )
    fc.assert(
      fc.property(header, (text) => {
        const ms = parseRetryAfter(text, noon, quarterHour)
        if (ms === null) return
        expect(Number.isInteger(ms)).toBe(true)
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(quarterHour)
      }),
    )
  })
})

test('a pause doubles with each failure in a row up to the longest one', () => {
  const pauses = [1, 2, 3, 4, 5, 6].map((failures) => exponential(failures, 1000, 10_000))
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000])
})

test('a pause stays bounded after any number of failures', () => {
  expect(exponential(1_000_000, 1000, 300_000)).toBe(300_000)
  expect(exponential(Number.MAX_SAFE_INTEGER, 1, 300_000)).toBe(300_000)
})

test('jitter spreads a pause evenly to both sides of it', () => {
  expect(jitter(1000, 0.2, always(0))).toBe(800)
  expect(jitter(1000, 0.2, always(0.25))).toBe(900)
  expect(jitter(1000, 0.2, always(0.5))).toBe(1000)
  expect(jitter(1000, 0.2, always(0.75))).toBe(1100)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 9 }), anyRandom, (ms, random) => {
      const spread = jitter(ms, 0.2, always(random))
      expect(Number.isInteger(spread)).toBe(true)
      expect(Math.abs(spread - ms)).toBeLessThanOrEqual(0.2 * ms + 1)
    }),
  )
})
