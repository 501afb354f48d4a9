import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fingerprintOf } from '../../src/upstream/fingerprint.ts'

test('a document has the same fingerprint each time', () => {
  for (const length of [10, 4096, 4097, 1_000_000]) {
    expect(fingerprintOf('x'.repeat(length))).toBe(fingerprintOf('x'.repeat(length)))
  }
})

test('documents that differ in one place have different fingerprints, however long they are', () => {
  const document = fc
    .integer({ min: 1, max: 20_000 })
    .chain((length) => fc.record({ length: fc.constant(length), at: fc.nat({ max: length - 1 }) }))
  fc.assert(
    fc.property(document, ({ length, at }) => {
      const text = 'x'.repeat(length)
      const other = `${text.slice(0, at)}y${text.slice(at + 1)}`
      expect(fingerprintOf(other)).not.toBe(fingerprintOf(text))
      expect(fingerprintOf(`${text}x`)).not.toBe(fingerprintOf(text))
    }),
  )
})

test('what is kept of a document is little, of a long and of a short one', () => {
  for (const length of [800, 10_000_000]) {
    expect(fingerprintOf('x'.repeat(length)).length).toBeLessThanOrEqual(64)
  }
})
