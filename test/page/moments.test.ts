import { expect, test } from 'vitest'
import { dayMoment, shortMoment } from '../../src/web/moments.ts'

const now = new Date(2026, 10, 23, 12, 0).getTime()
const clock = { hour: '2-digit', minute: '2-digit' } as const

test.each([
  ['today', new Date(2026, 10, 23, 9, 5), ''],
  ['yesterday', new Date(2026, 10, 22, 21, 5), 'yesterday'],
])('writes a moment of %s for people', (_, at, day) => {
  expect(dayMoment(at.toISOString(), now)).toBe(day)
  const time = at.toLocaleTimeString(undefined, clock)
  expect(shortMoment(at.toISOString(), now)).toBe(`${day} ${time}`.trimStart())
})

test('writes the day of an older moment, and its year where that is not near', () => {
  const near = new Date(2026, 10, 3, 9, 5).toISOString()
  expect(dayMoment(near, now)).toMatch(/3/)
  expect(dayMoment(near, now)).not.toMatch(/2026/)
  expect(dayMoment(new Date(2025, 10, 3).toISOString(), now)).toMatch(/2025/)
  expect(shortMoment(null, now)).toBe('–')
})
