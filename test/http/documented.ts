import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { expect } from 'vitest'
import type { Answer } from '../helpers/app.ts'

/** An OpenAPI document as far as the tests look into it. */
export interface Document {
  readonly openapi: string
  readonly info: { readonly version: string; readonly license: object }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationJson>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, SchemaJson>>
    readonly responses: Readonly<Record<string, ResponseJson>>
    readonly securitySchemes: Readonly<Record<string, object>>
  }
}

export interface OperationJson {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly ParameterJson[]
  readonly requestBody?: { readonly required: boolean; readonly content: ContentJson }
  readonly responses: Readonly<Record<string, ResponseJson>>
}

export interface ParameterJson {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: SchemaJson
}

export interface ResponseJson {
  readonly $ref?: string
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: ContentJson
}

type ContentJson = Readonly<Record<string, MediaJson>>

export interface MediaJson {
  readonly schema: SchemaJson
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

export interface SchemaJson {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, SchemaJson>>
  readonly additionalProperties?: unknown
  readonly examples?: readonly unknown[]
  readonly $ref?: string
  readonly [keyword: string]: unknown
}

/** One call of the document. */
export interface Documented {
  readonly method: string
  readonly path: string
  readonly operation: OperationJson
}

export function operationsOf({ paths }: Document): readonly Documented[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
    })),
  )
}

/** All objects within a value, each with where it is, as a JSON Pointer. */
export function* objectsIn(value: unknown, pointer = ''): Generator<[string, SchemaJson]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [pointer, value as SchemaJson]
  for (const [key, part] of Object.entries(value)) {
    const segment = key.replaceAll('~', '~0').replaceAll('/', '~1')
    yield* objectsIn(part, `${pointer}/${segment}`)
  }
}

/** What is wrong with a value, in words, by the schema at a place in the document. */
export type Judge = (pointer: string, value: unknown) => readonly string[]

export function judgeBy(document: Document): Judge {
  const ajv = new Ajv2020({ allErrors: true, strictRequired: false, strictTypes: false })
  ajvFormats.default(ajv)
  // Of OpenAPI, not of JSON Schema.
  ajv.addVocabulary([...Object.keys(document), 'discriminator'])
  ajv.addSchema(document, 'openapi.json', false, false)
  const compiled = new Map<string, ValidateFunction>()
  return (pointer, value) => {
    const known = compiled.get(pointer)
    const $ref = `openapi.json#${encodeURI(pointer).replaceAll('%25', '%')}`
    const validate = known ?? ajv.compile({ $ref })
    compiled.set(pointer, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(
      ({ instancePath, message = '', params }) =>
        `${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

/**
 * The document with answers that may hold nothing besides: what the daemon answers today has to be
 * in it, whatever clients have to be ready for.
 */
function closed(document: Document): Document {
  const copy = structuredClone(document)
  for (const [, object] of objectsIn(copy.components.schemas)) {
    if (object.type !== 'object' || object.properties === undefined) continue
    if (object.additionalProperties !== undefined) continue
    Object.assign(object, { additionalProperties: false })
  }
  return copy
}

/** Holds real answers against the document, and remembers which it has seen. */
export function conformance(document: Document) {
  const operations = operationsOf(document)
  const judge = judgeBy(closed(document))
  const seen = new Set<string>()

  /** The operation, or null where there is none: then the answer is a problem like any other. */
  function find(method: string, path: string): Documented | null {
    // A path without a template goes before one with.
    const found = operations
      .filter((one) => one.method === method && templateOf(one.path).test(path))
      .sort((a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')))
    return found[0] ?? null
  }

  /** What the document says of an answer with this status, and where. */
  function responseOf(found: Documented | null, status: number) {
    const { responses = {} } = found?.operation ?? {}
    const key = status in responses ? String(status) : 'default'
    const own = responses[key] ?? { $ref: '#/components/responses/Other', description: '' }
    const [, name] = /^#\/components\/responses\/(.+)$/.exec(own.$ref ?? '') ?? []
    const shared = name === undefined ? undefined : document.components.responses[name]
    if (shared !== undefined) return { response: shared, place: (own.$ref ?? '').slice(1) }
    const { path = '', method = '' } = found ?? {}
    return {
      response: own,
      place: `/paths/${escaped(path)}/${method.toLowerCase()}/responses/${key}`,
    }
  }

  return {
    /** `<operationId> <status>` of every answer that was judged, with its code where it has one. */
    seen: seen as ReadonlySet<string>,
    /** Expects the answer to a call to be one that the document has. */
    expectDocumented(method: string, target: string, answer: Answer): void {
      const [path = ''] = target.split('?')
      const found = find(method, path)
      const { status, headers, text } = answer
      const what = `${found?.operation.operationId ?? `${method} ${path}`} ${status}`
      const { response, place } = responseOf(found, status)
      for (const name of Object.keys(response.headers ?? {})) {
        // Where one of several codes has it, it comes with that one alone.
        const { examples = {} } = response.content?.[problemType] ?? {}
        if (Object.keys(examples).length < 2)
          expect(headers, what).toHaveProperty(name.toLowerCase())
      }
      const type = String(headers['content-type'] ?? '').replace(/;.*$/, '')
      const key = keyOf(type, Object.keys(response.content ?? { '': null }))
      expect(key, `${what}: ${type} ${text}`).toBeDefined()
      if (response.content === undefined) {
        expect(text, what).toBe('')
      } else {
        const value = type.endsWith('json') ? answer.json : text
        const faults = judge(`${place}/content/${escaped(key ?? type)}/schema`, value)
        expect(faults, `${what}: ${text}`).toEqual([])
      }
      const code = type === problemType ? ` ${(answer.json as { code: string }).code}` : ''
      seen.add(`${what}${code}`)
    },
  }
}

/** The media type, or the range it lies in. */
function keyOf(type: string, known: readonly string[]): string | undefined {
  return known.find(
    (key) => key === type || (key.endsWith('/*') && type.startsWith(key.slice(0, -1))),
  )
}

const problemType = 'application/problem+json'

function escaped(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1')
}

function templateOf(path: string): RegExp {
  const parts = path.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^/]*')}$`)
}
