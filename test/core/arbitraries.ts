import fc from 'fast-check'

/** What breaks encoders: line ends, separators, halves of surrogate pairs, markup of event streams. */
const trickyParts = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\0',
  '\u0085',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\ud800',
  '\udfff',
  '\u202e',
  '\\',
  '"',
  '}',
  ':',
  'id: 7\n',
  'data: x\n\n',
  'event: job.failed\r',
  'retry: 1',
  '日本',
  '🗺️',
  '</script>',
  '__proto__',
]

const anyUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit))

/** Text with everything a string can hold, well-formed or not. */
export const anyText = fc
  .array(fc.oneof(fc.constantFrom(...trickyParts), fc.string(), fc.string({ unit: anyUnit })), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''))

/** A value that JSON can carry, made of such text. */
export const anyJson: fc.Arbitrary<unknown> = fc
  .jsonValue({ stringUnit: 'binary', depthSize: 'small' })
  .chain((value) => fc.oneof(fc.constant(value), fc.dictionary(anyText, anyText), anyText))

/** A random source that always gives the same. */
export function always(value: number): () => number {
  return () => value
}

/** What `Math.random` can give. */
export const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
