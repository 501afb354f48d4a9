import { STATUS_CODES } from 'node:http'
import type { z } from 'zod'
import { AppError } from '../core/errors.ts'
import type { ProblemCode, problemCodes } from './problem-codes.ts'

/** One field that is wrong and what would be right. */
export interface FieldError {
  readonly field: string
  readonly message: string
}

interface Extras {
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
}

/** Status, code and detail of an error; status and code go together as the table of codes has them. */
type ProblemArguments = {
  [Code in ProblemCode]: [
    status: (typeof problemCodes)[Code]['status'],
    code: Code,
    detail: string,
    extras?: Extras,
  ]
}[ProblemCode]

/** An error answer (RFC 9457); thrown by handlers, written by the server's error handler. */
export class HttpProblem extends AppError {
  override readonly name = 'HttpProblem'
  readonly status: number
  readonly errors: readonly FieldError[]
  readonly headers: Readonly<Record<string, string>>

  constructor(...[status, code, detail, { errors = [], headers = {} } = {}]: ProblemArguments) {
    super(code, detail)
    this.status = status
    this.errors = errors
    this.headers = headers
  }
}

/** The body of an error answer. */
export function problemBody({ status, code, message, errors }: HttpProblem): object {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail: message,
    ...(errors.length > 0 && { errors }),
  }
}

/** A 400 that names one field. */
export function invalidField(field: string, message: string): HttpProblem {
  return new HttpProblem(400, 'invalid_input', `${field}: ${message}`, {
    errors: [{ field, message }],
  })
}

/** Checks what a client sent; throws a 400 that names every field that is wrong. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.flatMap(fieldErrors)
  const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ')
  throw new HttpProblem(400, 'invalid_input', detail, { errors })
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      message: 'is not known here; leave it out',
    }))
  }
  return [{ field: field === '' ? '(body)' : field, message: whatWouldBeRight(issue) }]
}

function whatWouldBeRight(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `must be ${kinds[issue.expected] ?? issue.expected}`
  // Bounds of numbers say themselves in words what they are.
  if (issue.code === 'too_big' && issue.origin !== 'number') {
    return `must have at most ${issue.maximum} ${parts[issue.origin] ?? 'characters'}`
  }
  if (issue.code === 'too_small' && issue.origin !== 'number') {
    return `must have at least ${issue.minimum} ${parts[issue.origin] ?? 'characters'}`
  }
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  return issue.message
}

const kinds: Readonly<Record<string, string>> = {
  object: 'a JSON object',
  array: 'a list',
  string: 'a text',
  number: 'a number',
}

const parts: Readonly<Record<string, string>> = { array: 'entries' }
