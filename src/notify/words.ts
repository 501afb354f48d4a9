import { elapsed } from '../core/duration.ts'
import { safe } from '../core/safe.ts'

/** RFC 3339. */
export interface Moment {
  readonly at: string
}

/** Words for people: safe text in one line, and moments that each format writes in its own way. */
export type Words = readonly (string | Moment)[]

/** ` since <moment>`, or nothing where the moment is not known. */
export function since(time: string | null): Words {
  return time === null ? [] : [' since ', { at: time }]
}

/** `<before>12m30s` from one moment to another, or nothing where the first is not known. */
export function lasting(before: string, from: string | null, to: string): string {
  const ms = from === null ? NaN : Date.parse(to) - Date.parse(from)
  return ms >= 0 ? before + elapsed(ms) : ''
}

/** Text from elsewhere: one line, without what could forge or hide something, not too long. */
export function quoted(text: string, room: number): string {
  // Escapes make text longer, and what is cut off need not be looked at.
  return clip(safe(clip(text, room)), room).trim()
}

/** Words as text in which moments are in UTC. */
export function plainWords(words: Words): string {
  return words.map((part) => (typeof part === 'string' ? part : utc(part))).join('')
}

/** `2026-11-23T14:00:00.000Z` → `2026-11-23 14:00 UTC`. */
export function utc({ at }: Moment): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`
}

/**
 * As much of a text as there is room for, each character taking as much as `sizeOf` says; what was
 * cut off shows as an ellipsis. Surrogate pairs stay whole.
 */
export function clip(text: string, room: number, sizeOf = (char: string) => char.length): string {
  let kept = 0
  let units = 0
  let size = 0
  for (const char of text) {
    size += sizeOf(char)
    if (size > room) return `${text.slice(0, kept).trimEnd()}…`
    units += char.length
    if (size <= room - 1) kept = units
  }
  return text
}
