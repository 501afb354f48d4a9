import type { Face, FaceColour } from '../core/face.ts'
import type { Moment, Words } from './words.ts'

/*
 * Elements of an Adaptive Card. A TextBlock reads Markdown, a RichTextBlock does not
 * (learn.microsoft.com/adaptive-cards/authoring-cards/text-features), so text from elsewhere stands
 * in RichTextBlocks alone. What both read is `{{DATE(…)}}`.
 */
export type Element = Readonly<Record<string, unknown>>

export interface Look {
  readonly size?: 'Small' | 'Medium' | 'Large'
  readonly weight?: 'Bolder'
  readonly color?: 'Attention' | 'Good' | 'Warning' | 'Accent' | 'Default'
  readonly isSubtle?: boolean
}

const colours: Readonly<Record<FaceColour, NonNullable<Look['color']>>> = {
  red: 'Attention',
  green: 'Good',
  yellow: 'Warning',
  cyan: 'Accent',
  dim: 'Default',
}

/** The colour of a face, of those that a card may use. */
export function colourOf({ colour }: Face): NonNullable<Look['color']> {
  return colours[colour]
}

/** Words that look the same from end to end. */
export function line(words: Words, look: Look = {}, spacing = 'Small'): Element {
  return richText(
    words.map((part) => run(part, look)),
    spacing,
  )
}

export function richText(inlines: readonly Element[], spacing = 'Small'): Element {
  return { type: 'RichTextBlock', spacing, inlines }
}

export function run(part: string | Moment, look: Look = {}): Element {
  return { type: 'TextRun', text: typeof part === 'string' ? literal(part) : local(part), ...look }
}

export function container(style: string, items: readonly Element[], more: Element = {}): Element {
  return { type: 'Container', style, ...more, items }
}

/** A text in which no function is read. */
export function literal(text: string): string {
  return text.replace(/\{(?=\{)/g, '{ ')
}

/** A moment in the reader's own time zone; fractions of seconds are not understood. */
function local({ at }: Moment): string {
  const time = at.replace(/\.\d+Z$/, 'Z')
  return `{{DATE(${time}, SHORT)}} {{TIME(${time})}}`
}
