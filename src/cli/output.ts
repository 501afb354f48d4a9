import type { JobAnswer } from '../http/schemas.ts'
import type { CliIo } from './session.ts'
import { cut } from './table.ts'
import type { Cell, Paint } from './table.ts'

export interface Style {
  readonly emoji: boolean
  readonly colour: boolean
}

/** Emoji and colours are for people: on a terminal only, colours not where NO_COLOR is set. */
export function styleFor({ stdout, env }: Pick<CliIo, 'stdout' | 'env'>): Style {
  const isTerminal = stdout.isTTY === true
  return { emoji: isTerminal, colour: isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb' }
}

// Controls could drive the terminal, bidi controls and line separators could forge what is read.
const unsafe =
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}|[\u{e0000}-\u{e007f}]/gu

/** Text from elsewhere as one line that cannot do anything to a terminal or to its reader. */
export function safe(text: string): string {
  return text.replace(/[\t\r\n]+/g, ' ').replace(unsafe, escapeOf)
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

const colours = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const
export type Colour = keyof typeof colours

export function paint(style: Style, colour: Colour): Paint {
  return (text) => (style.colour ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text)
}

type Status = NonNullable<JobAnswer['status']>
export interface Face {
  readonly emoji: string
  readonly colour: Colour
}

const faces: Record<Status, Face> = {
  SUBMITTED: { emoji: '⏳', colour: 'dim' },
  EXECUTING: { emoji: '▶️', colour: 'cyan' },
  CANCELLING: { emoji: '↩️', colour: 'yellow' },
  CANCELLED: { emoji: '🚫', colour: 'yellow' },
  FAILED: { emoji: '❌', colour: 'red' },
  COMPLETED: { emoji: '✅', colour: 'green' },
  UNAVAILABLE: { emoji: '❔', colour: 'yellow' },
  OTHER: { emoji: '❔', colour: 'yellow' },
}
const warningFace: Face = { emoji: '⚠️', colour: 'yellow' }
const unseenFace: Face = { emoji: '🔍', colour: 'dim' }

export type StatusOfJob = Pick<JobAnswer, 'status' | 'outcome' | 'state' | 'rawStatus'>

/** A status as people see it: emoji on a terminal, the word always. */
export function statusCell(job: StatusOfJob, style: Style): Cell {
  const { emoji, colour } = faceOf(job)
  const words = safe(statusWords(job))
  return { text: style.emoji ? `${emoji} ${words}` : words, paint: paint(style, colour) }
}

/** The emoji and colour of a status. */
export function faceOf({ status, outcome }: StatusOfJob): Face {
  if (status === null) return unseenFace
  if (outcome === 'warning') return warningFace
  if (outcome === 'error') return faces.FAILED
  // A daemon that is newer than this command may know more.
  return (faces as Partial<Record<string, Face>>)[status] ?? faces.OTHER
}

/** A status in words, not yet safe. */
export function statusWords({ status, outcome, state, rawStatus }: StatusOfJob): string {
  if (status === null) return state === 'active' ? 'not seen yet' : 'never seen'
  if (status === 'OTHER' && rawStatus !== null) return `OTHER: ${cut(rawStatus, 40)}`
  if (status === 'COMPLETED' && outcome === 'error') return 'COMPLETED with error'
  return outcome === 'warning' ? `${status} with warnings` : status
}

/** `2026-11-23T14:00:00.000Z` → `2026-11-23 14:00:00Z`. */
export function shortTime(time: string | null): string {
  return time === null ? '-' : safe(time.replace('T', ' ').replace(/\.\d+Z$/, 'Z'))
}

/** A duration as people say it, in its two largest units. */
export function elapsed(ms: number | null): string {
  if (ms === null) return '-'
  const seconds = Math.floor(ms / 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`
  return `${Math.floor(seconds / 86_400)}d${two(Math.floor(seconds / 3600) % 24)}h`
}
