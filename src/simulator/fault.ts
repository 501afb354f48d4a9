import { validateHeaderName, validateHeaderValue } from 'node:http'
import { anything, checkShape, flag, isObject, object, oneOf, text, texts, whole } from './check.ts'
import type { Rule, Shape } from './check.ts'

const cutPoints = ['nothing', 'halfHeaders', 'headers', 'halfBody', 'body'] as const
const cutEnds = ['silence', 'end', 'reset'] as const
const garblings = [
  'byteOrderMark',
  'cutOff',
  'invalidUtf8',
  'notANumber',
  'duplicateKeys',
  'numbersAsText',
] as const
const floodParts = ['header', 'body', 'gzip'] as const

/** How far the ordinary answer gets before it is cut. */
export type CutPoint = (typeof cutPoints)[number]
export type Garbling = (typeof garblings)[number]

/** Something that goes wrong with one request. "The ordinary answer" is what would have been sent. */
export type Fault =
  /** Another answer. What is left out is as in the ordinary one; a body that is a string is a page. */
  | {
      readonly kind: 'answer'
      readonly httpStatus?: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: unknown
    }
  /** The ordinary document with fields changed and removed. */
  | {
      readonly kind: 'edit'
      readonly set?: Readonly<Record<string, unknown>>
      readonly remove?: readonly string[]
    }
  /** The text of the ordinary answer, spoiled. */
  | { readonly kind: 'garble'; readonly how: Garbling }
  /** The ordinary answer, late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /**
   * The ordinary answer up to a point, then nothing more, the end of the connection, or its reset.
   * `onReuse` waits for a request on a connection that has served one before.
   */
  | {
      readonly kind: 'cut'
      readonly after: CutPoint
      readonly then: (typeof cutEnds)[number]
      readonly onReuse?: boolean
    }
  /** A body of one blank every so often, without an end. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** A header, a body or an unpacked body of that size; null is without an end. */
  | {
      readonly kind: 'flood'
      readonly part: (typeof floodParts)[number]
      readonly bytes: number | null
    }
  /** These characters (Latin-1) in place of an answer, then the end of the connection. */
  | { readonly kind: 'raw'; readonly text: string }

const headers: Rule = {
  wants: 'an object of header names and values that HTTP allows',
  fits: (value) => isObject(value) && Object.entries(value).every(isHeader),
}
const size: Rule = {
  wants: 'a whole number of bytes, or null for no end',
  fits: (value) => value === null || (Number.isSafeInteger(value) && Number(value) > 0),
}

const shapes: Readonly<Record<Fault['kind'], Shape>> = {
  answer: { 'httpStatus?': whole(200, 599), 'headers?': headers, 'body?': anything },
  edit: { 'set?': object, 'remove?': texts },
  garble: { how: oneOf(garblings) },
  delay: { ms: whole(0, 3_600_000) },
  cut: { after: oneOf(cutPoints), then: oneOf(cutEnds), 'onReuse?': flag },
  drip: { everyMs: whole(1, 60_000) },
  flood: { part: oneOf(floodParts), bytes: size },
  raw: { text },
}

/** Each kind with its fields and what they take, for people. */
export const faultKinds = Object.fromEntries(
  Object.entries(shapes).map(([kind, shape]) => [
    kind,
    Object.fromEntries(Object.entries(shape).map(([field, { wants }]) => [field, wants])),
  ]),
)

/** A fault from JSON; throws a UsageError that names the field. */
export function parseFault(value: unknown): Fault {
  const kinds = Object.keys(shapes)
  const kind = kinds.find((one) => isObject(value) && value['kind'] === one)
  const shape = kind === undefined ? {} : shapes[kind as Fault['kind']]
  checkShape(value, { kind: oneOf(kinds), ...shape }, 'fault')
  return value as Fault
}

function isHeader([name, value]: [string, unknown]): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value as string)
    return typeof value === 'string'
  } catch {
    return false
  }
}
