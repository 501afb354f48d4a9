import { UsageError } from '../core/errors.ts'
import { jobidPattern } from '../core/job.ts'

/** What a value has to be: in words, and as a test. */
export interface Rule {
  readonly wants: string
  readonly fits: (value: unknown) => boolean
}

/** The fields of an object; one whose key ends with `?` may be left out. */
export type Shape = Readonly<Record<string, Rule>>

/** Throws a UsageError that names the first field of `value` that is wrong, and what would be right. */
export function checkShape(value: unknown, shape: Shape, place: string): void {
  const fields = Object.entries(shape).map(([key, rule]) => ({
    ...rule,
    name: key.replace('?', ''),
    isOptional: key.endsWith('?'),
  }))
  const names = fields.map(({ name }) => name)
  if (!isObject(value)) throw invalid(place, `must be an object with ${names.join(', ')}`)
  for (const { name, isOptional, wants, fits } of fields) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    if (given === undefined && isOptional) continue
    if (given === undefined) throw invalid(place, `${name} is missing; it must be ${wants}`)
    if (!fits(given)) throw invalid(place, `${name} must be ${wants}`)
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown === undefined) return
  throw invalid(place, `${unknown} is no field of it; there are ${names.join(', ')}`)
}

/** The error for input that is wrong at `place`. */
export function invalid(place: string, detail: string): UsageError {
  return new UsageError('invalid_input', `${place}: ${detail}`)
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const anything: Rule = { wants: 'any JSON', fits: () => true }
export const object: Rule = { wants: 'an object', fits: isObject }
export const flag: Rule = { wants: 'true or false', fits: (value) => typeof value === 'boolean' }
export const text: Rule = {
  wants: 'a text that is not empty',
  // Half a surrogate pair has no place in a URL.
  fits: (value) => typeof value === 'string' && /^\P{Cs}+$/u.test(value),
}
export const texts: Rule = {
  wants: 'a list of texts',
  fits: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
}
export const jobidRule: Rule = {
  wants: '1 to 128 letters, digits, - or _, the first a letter or digit',
  fits: (value) => typeof value === 'string' && jobidPattern.test(value),
}
export const paceRule: Rule = {
  wants: 'a number from 0 to 1000, such as 0.1 for ten times as fast',
  fits: (value) => typeof value === 'number' && value >= 0 && value <= 1000,
}

export function whole(least: number, most: number): Rule {
  return {
    wants: `a whole number from ${String(least)} to ${String(most)}`,
    fits: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  }
}

export function oneOf(values: readonly unknown[]): Rule {
  return { wants: `one of ${values.join(', ')}`, fits: (value) => values.includes(value) }
}
