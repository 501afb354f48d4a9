// Controls could drive a terminal, bidi controls and line separators could forge what is read.
const unsafe =
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}|[\u{e0000}-\u{e007f}]/gu

/** Text from elsewhere as one line that cannot do anything to a terminal or to its reader. */
export function safe(text: string): string {
  return text.replace(/[\t\r\n]+/g, ' ').replace(unsafe, escapeOf)
}

/** Text from elsewhere that cannot do anything either, with its lines as they are. */
export function safeLines(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map(safe)
    .join('\n')
}

/** A JSON document that shows what `safe` would, by escapes that mean the same value. */
export function jsonText(value: unknown): string {
  const json = JSON.stringify(value, null, 2)
  return `${json.replace(unsafe, (found) => (found === '\n' ? found : escapeOf(found)))}\n`
}

function escapeOf(found: string): string {
  const units = found.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'))
  return units.map((unit) => `\\u${unit}`).join('')
}
