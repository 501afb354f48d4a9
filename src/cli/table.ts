/** Puts a colour around a text, or leaves it alone. */
export type Paint = (text: string) => string

export interface Cell {
  /** Safe text without escapes. */
  readonly text: string
  readonly paint?: Paint
}

const segmenter = new Intl.Segmenter()
const wide =
  /\p{Emoji_Presentation}|\uFE0F|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303E\uFF01-\uFF60\uFFE0-\uFFE6]/u

/** Lays cells out in columns two spaces apart; colours do not count as width. */
export function renderTable(
  header: readonly string[] | null,
  rows: readonly (readonly Cell[])[],
): string {
  const all = header === null ? rows : [header.map((text): Cell => ({ text })), ...rows]
  const widths: number[] = []
  for (const row of all) {
    row.forEach(({ text }, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(text))
    })
  }
  return all.map((row) => `${renderRow(row, widths)}\n`).join('')
}

function renderRow(row: readonly Cell[], widths: readonly number[]): string {
  const cells = row.map(({ text, paint }, column) => {
    const isLast = column === row.length - 1
    const padding = isLast ? '' : ' '.repeat((widths[column] ?? 0) - widthOf(text))
    return (paint ? paint(text) : text) + padding
  })
  return cells.join('  ').trimEnd()
}

/** How many terminal columns a text takes. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const character of charactersOf(text)) width += wide.test(character) ? 2 : 1
  return width
}

/** What a reader takes for one character each. */
export function* charactersOf(text: string): Generator<string> {
  for (const { segment } of segmenter.segment(text)) yield segment
}

/** The text in at most `columns` columns; what was cut off shows as an ellipsis. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const character of charactersOf(text)) {
    width += widthOf(character)
    if (width > columns - 1) break
    kept += character
  }
  return `${kept.trimEnd()}…`
}
