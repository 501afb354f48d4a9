import type { z } from 'zod'
import { answerHeaders } from '../answer-headers.ts'
import type { AnswerContent, Operation, OperationAnswer, OperationBody } from '../operation.ts'
import type { OperationGroup } from '../operations.ts'
import { toHeaders } from './headers.ts'
import { problemResponses, sharedResponses } from './problems.ts'
import { Schemas } from './schemas.ts'
import type { Json } from './schemas.ts'

/** The OpenAPI 3.1 document of these operations. Pure: the same in gives the same out. */
export function openApiDocument(groups: readonly OperationGroup[], version: string): Json {
  const schemas = new Schemas(groups.flatMap(({ operations }) => operations))
  const paths: Record<string, Record<string, Json>> = {}
  for (const { name, operations } of groups) {
    for (const operation of operations) {
      const path = (paths[operation.path] ??= {})
      path[operation.method.toLowerCase()] = toOperation(operation, name, schemas)
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'jobwatch',
      version,
      summary: 'Turns the asynchronous jobs of ArcGIS Enterprise into events.',
      description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The daemon that answered with this document' }],
    tags: groups.map((group) => ({ name: group.name, description: group.description })),
    paths,
    components: {
      schemas: schemas.components(),
      responses: sharedResponses(),
      headers: answerHeaders,
      securitySchemes: { bearer, cookie },
    },
  }
}

const description = [
  'Times are RFC 3339 in UTC with milliseconds. Durations are written 500ms, 5s, 2m, 1h or 7d.',
  'Errors are application/problem+json with a stable code, a detail that says what would be right,',
  'and errors that name the fields. Requests refuse keys that they do not know; answers may gain',
  'keys, so clients must not. Every GET is answered to HEAD as well, without its body.',
].join('\n')

const bearer = {
  type: 'http',
  scheme: 'bearer',
  description: [
    'A token that is configured under api.tokens, with the scope read, or write, which includes',
    'read. While none is configured the API is open, on loopback only.',
  ].join('\n'),
}

const cookie = {
  type: 'apiKey',
  in: 'cookie',
  name: 'jobwatch',
  description: [
    'What POST /v1/session gives for such a token; its name is __Host-jobwatch where publicUrl is',
    'https. With it only the own page may change something: Sec-Fetch-Site has to be same-origin',
    'or, where it is missing, Origin has to be there.',
  ].join('\n'),
}

function toOperation(operation: Operation, tag: string, schemas: Schemas): Json {
  const { id, scope, summary, params, query, headers: sent, body, answers } = operation
  const parameters = [
    ...toParameters('path', params, schemas),
    ...toParameters('query', query, schemas),
    ...toParameters('header', sent, schemas),
  ]
  const responses = Object.entries(answers).map(
    ([status, answer]) => [status, toResponse(answer, schemas)] as const,
  )
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(operation.description !== undefined && { description: operation.description }),
    security: scope === null ? [] : [{ bearer: [scope] }, { cookie: [scope] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: toRequestBody(body, schemas) }),
    responses: { ...Object.fromEntries(responses), ...problemResponses(operation) },
  }
}

function toParameters(place: string, object: z.ZodObject | undefined, schemas: Schemas): Json[] {
  if (object === undefined) return []
  const { properties = {}, required = [] } = schemas.of(object) as {
    properties?: Readonly<Record<string, Json>>
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, { description: words, ...schema }]) => ({
    name,
    in: place,
    ...(words !== undefined && { description: words }),
    required: required.includes(name),
    schema,
  }))
}

function toRequestBody({ schema, examples, maxBytes }: OperationBody, schemas: Schemas): Json {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }])
  return {
    ...(maxBytes !== undefined && { description: `At most ${maxBytes / 1_048_576} MiB` }),
    required: !schema.safeParse(undefined).success,
    content: {
      'application/json': {
        schema: schemas.of(schema),
        examples: Object.fromEntries(named) as Json,
      },
    },
  }
}

function toResponse(
  { description: words, headers: names = [], content }: OperationAnswer,
  schemas: Schemas,
): Json {
  return {
    description: words,
    ...toHeaders(names),
    ...(content !== undefined && { content: toContent(content, schemas) }),
  }
}

function toContent(
  { type = 'application/json', schema, example }: AnswerContent,
  schemas: Schemas,
) {
  return { [type]: { schema: schemas.of(schema), example } }
}
