import { faceOf, statusWords } from '../core/face.ts'
import type { Face, StatusOfJob } from '../core/face.ts'
import { safe } from '../core/safe.ts'
import type { CliIo } from './session.ts'
import { cut } from './table.ts'
import type { Cell, Paint } from './table.ts'

export { elapsed } from '../core/duration.ts'
export { jsonText, safe } from '../core/safe.ts'

export interface Style {
  readonly emoji: boolean
  readonly colour: boolean
}

/** Emoji and colours are for people: on a terminal only, colours not where NO_COLOR is set. */
export function styleFor({ stdout, env }: Pick<CliIo, 'stdout' | 'env'>): Style {
  const isTerminal = stdout.isTTY === true
  return { emoji: isTerminal, colour: isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb' }
}

const colours = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const
export type Colour = keyof typeof colours

export function paint(style: Style, colour: Colour): Paint {
  return (text) => (style.colour ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text)
}

/** A status as people see it: emoji on a terminal, the word always. */
export function statusCell(job: StatusOfJob, style: Style): Cell {
  return faceCell(faceOf(job), safe(shortStatus(job)), style)
}

/** Safe words with their face: the emoji on a terminal, the words always. */
export function faceCell({ emoji, colour }: Face, words: string, style: Style): Cell {
  return { text: style.emoji ? `${emoji} ${words}` : words, paint: paint(style, colour) }
}

/** A status in words that fit a column, not yet safe. */
export function shortStatus(job: StatusOfJob): string {
  return statusWords({ ...job, rawStatus: job.rawStatus && cut(job.rawStatus, 40) })
}

// Who says it may be newer and know more.
const unknownFace: Face = { emoji: '❔', colour: 'dim' }

/** A state as people see it, by the faces that the known ones have. */
export function stateCell(
  faces: Readonly<Record<string, Face>>,
  state: string,
  style: Style,
): Cell {
  return faceCell(faces[state] ?? unknownFace, safe(state), style)
}

/** `2026-11-23T14:00:00.000Z` → `2026-11-23 14:00:00Z`. */
export function shortTime(time: string | null): string {
  return time === null ? '-' : safe(time.replace('T', ' ').replace(/\.\d+Z$/, 'Z'))
}
