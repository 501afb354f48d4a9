import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../src/core/duration.ts'

test.each([
  ['500ms', 500],
  ['20ms', 20],
  ['1ms', 1],
  ['5s', 5000],
  ['2m', 120_000],
  ['60m', 3_600_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['90d', 7_776_000_000],
])('%s are %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  '',
  's',
  '5',
  '5 s',
  ' 5s',
  '5s ',
  '5s\n',
  '-5s',
  '+5s',
  '0s',
  '0ms',
  '1h30m',
  '5sec',
  '1e3s',
  '0x10s',
  'NaNs',
  'Infinityd',
  '٥s',
  `${'9'.repeat(30)}d`,
])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeNull()
})

test.each([
  [500, '500ms'],
  [1500, '1500ms'],
  [5000, '5s'],
  [90_000, '90s'],
  [5_400_000, '90m'],
  [7_200_000, '2h'],
  [86_400_000, '1d'],
])('%i ms are written as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('a duration that is written and read again is the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 12 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms)
    }),
  )
})
