/** Shorter values are found as words of their own alone: "admin" would be in every second word. */
const minAnywhereLength = 6

/** The source of a pattern that finds a value as it is, in URLs, forms, JSON and HTML, mixed as they may be, and in base64 or hex; without case. */
export function anySpelling(value: string): string {
  const bytes = Buffer.from(value)
  const encodings = ['base64', 'base64url', 'hex'] as const
  const spellings = [
    Array.from(value, spellingsOf).join(''),
    ...encodings.map((encoding) => escaped(bytes.toString(encoding).replace(/=+$/, ''))),
  ].join('|')
  const isShort = value.length < minAnywhereLength
  return isShort ? `(?<![a-z0-9])(?:${spellings})(?![a-z0-9])` : `(?:${spellings})`
}

const namedInHtml = new Map(
  Object.entries({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }),
)

function spellingsOf(char: string): string {
  const hex = (char.codePointAt(0) ?? 0).toString(16)
  const percent = [...Buffer.from(char)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
  const units = char.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'))
  // What JSON escapes is escaped once more where the JSON is a text within JSON.
  const [maybeEscaped, unicode] = /[a-z0-9]/i.test(char)
    ? ['', '\\\\u']
    : ['\\\\{0,3}', '\\\\{1,2}u']
  const spellings = [
    `${maybeEscaped}${escaped(char)}`,
    percent.join(''),
    units.map((unit) => `${unicode}${unit}`).join(''),
    `&#x0?${hex};`,
    `&#0?${String(char.codePointAt(0))};`,
    ...(char === ' ' ? ['\\+'] : []),
    ...(namedInHtml.has(char) ? [namedInHtml.get(char)] : []),
  ]
  return `(?:${spellings.join('|')})`
}

/** A text as a pattern that stands for it alone. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
