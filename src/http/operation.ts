import type { z } from 'zod'
import type { HeaderName } from './answer-headers.ts'
import type { Scope } from './auth.ts'
import type { ProblemCode } from './problem-codes.ts'

/** One call of the API, as its route parses it and as the OpenAPI document shows it. */
export interface Operation {
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** As OpenAPI writes it: `/v1/jobs/{jobid}`. */
  readonly path: string
  /** What a token must allow; null where none is needed. */
  readonly scope: Scope | null
  readonly summary: string
  readonly description?: string
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly headers?: z.ZodObject
  readonly body?: OperationBody
  /** The answers that are no errors, by status. */
  readonly answers: Readonly<Record<number, OperationAnswer>>
  /** Codes of its own errors, beside those with which any call may be refused. */
  readonly problems?: readonly ProblemCode[]
}

export interface OperationBody {
  /** One that takes undefined needs no body. */
  readonly schema: z.ZodType
  /** By name. */
  readonly examples: Readonly<Record<string, unknown>>
  /** In place of 1 MiB. */
  readonly maxBytes?: number
}

export interface OperationAnswer {
  readonly description: string
  /** Absent for an answer without a body. */
  readonly content?: AnswerContent
  /** Those that every such answer has. */
  readonly headers?: readonly HeaderName[]
}

export interface AnswerContent {
  /** `application/json` unless said otherwise. */
  readonly type?: string
  readonly schema: z.ZodType
  readonly example: unknown
}
