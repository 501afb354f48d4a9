import { STATUS_CODES } from 'node:http'
import type { HeaderName } from '../answer-headers.ts'
import type { Operation } from '../operation.ts'
import { problemCodes } from '../problem-codes.ts'
import type { ProblemCode } from '../problem-codes.ts'
import { toHeaders } from './headers.ts'
import type { Json } from './schemas.ts'

/** Answers that many operations share, and those that come before it is known what is asked for. */
const shared = {
  InvalidInput: ['invalid_input'],
  BadRequest: ['invalid_input', 'bad_request'],
  Unauthorized: ['unauthorized'],
  Forbidden: ['forbidden', 'host_refused', 'origin_refused'],
  Refused: ['host_refused', 'origin_refused'],
  BodyTooLarge: ['body_too_large'],
  UnsupportedMediaType: ['unsupported_media_type'],
  Other: [
    ...(['bad_request', 'not_found', 'method_not_allowed'] as const),
    ...(['request_timeout', 'headers_too_large'] as const),
    ...(['database_unwritable', 'internal'] as const),
  ],
} as const satisfies Readonly<Record<string, readonly ProblemCode[]>>

/** The shared answers as components. */
export function sharedResponses(): Json {
  return Object.fromEntries(
    Object.entries(shared).map(([name, codes]) => [name, problemResponse(codes)]),
  )
}

/** The answers that an operation may be refused with, by status. */
export function problemResponses(operation: Operation): Json {
  const codesByStatus = new Map<number, ProblemCode[]>()
  for (const code of codesOf(operation)) {
    const { status } = problemCodes[code]
    codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code])
  }
  const responses = [...codesByStatus].map(([status, codes]) => {
    const [name] = Object.entries(shared).find(([, its]) => its.join() === codes.join()) ?? []
    return [status, name === undefined ? problemResponse(codes) : refTo(name)] as const
  })
  return { ...Object.fromEntries(responses), default: refTo('Other') }
}

function codesOf({ method, scope, params, query, body, problems = [] }: Operation): ProblemCode[] {
  const isParsed = [params, query, body].some((input) => input !== undefined)
  // Fastify reads a body whenever the method may have one, whether somebody asked for it or not.
  const mayHaveBody = method !== 'GET'
  return [
    ...(isParsed ? (['invalid_input'] as const) : []),
    ...(mayHaveBody ? (['bad_request'] as const) : []),
    ...(scope === null ? [] : (['unauthorized', 'forbidden'] as const)),
    ...(['host_refused', 'origin_refused'] as const),
    ...problems,
    ...(mayHaveBody ? (['body_too_large', 'unsupported_media_type'] as const) : []),
  ]
}

function refTo(name: string): Json {
  return { $ref: `#/components/responses/${name}` }
}

/** An answer with one of these codes. */
function problemResponse(codes: readonly ProblemCode[]): Json {
  const statuses = [...new Set(codes.map((code) => problemCodes[code].status))]
  return {
    description: codes.map((code) => `\`${code}\`: ${problemCodes[code].meaning}.`).join('\n\n'),
    ...toHeaders(codes.flatMap((code) => headersOf[code] ?? [])),
    content: {
      'application/problem+json': {
        schema: {
          $ref: '#/components/schemas/Problem',
          properties: { status: { enum: statuses }, code: { enum: codes } },
        },
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  }
}

const headersOf: Readonly<Partial<Record<ProblemCode, HeaderName>>> = {
  unauthorized: 'WWW-Authenticate',
  method_not_allowed: 'Allow',
  too_many_streams: 'Retry-After',
}

function exampleOf(code: ProblemCode): Json {
  const { status, meaning } = problemCodes[code]
  const field = { field: 'limit', message: 'must be from 1 to 1000' }
  const isOfFields = code === 'invalid_input'
  return {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    detail: isOfFields ? `${field.field}: ${field.message}` : meaning,
    ...(isOfFields && { errors: [field] }),
  }
}
