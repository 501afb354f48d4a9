import { eastAsianWidth } from 'get-east-asian-width'

/** Puts a colour around a text, or leaves it alone. */
export type Paint = (text: string) => string

export interface Cell {
  /** Safe text without escapes. */
  readonly text: string
  readonly paint?: Paint
}

const segmenter = new Intl.Segmenter()
/** What is drawn onto the character before it. */
const joining = /\p{Mn}|\p{Me}|[\u1160-\u11ff]|\u200c|\u200d/u

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

/** How many terminal columns a text takes; where terminals disagree, the most that it may take. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  let last = 0
  for (const character of text) {
    // What is asked to be an emoji becomes as wide as one, but not in every terminal.
    if (character === '\ufe0f' && last === 1) width += 1
    if (joining.test(character)) continue
    last = eastAsianWidth(character.codePointAt(0) ?? 0)
    width += last
  }
  return width
}

/**
 * The text without what terminals disagree about: emoji that are joined to one become several, and
 * symbols are not made emoji.
 */
export function steady(text: string): string {
  return text.replace(/\u200d|\ufe0e|\ufe0f|\p{Emoji_Modifier}/gu, '')
}

/** What a reader takes for one character each. */
function* charactersOf(text: string): Generator<string> {
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
