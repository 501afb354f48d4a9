import { z } from 'zod'
import { components } from '../components.ts'
import type { Operation } from '../operation.ts'

/** A part of the document. */
export type Json = Readonly<Record<string, unknown>>

/** What zod's schemas are in JSON Schema: those of the components, and each that is used besides. */
export class Schemas {
  readonly #registry = z.registry<{ id: string }>()
  readonly #converted: Readonly<Record<string, Json>>

  constructor(operations: readonly Operation[]) {
    for (const [id, schema] of Object.entries(components)) this.#registry.add(schema, { id })
    for (const [index, schema] of operations.flatMap(schemasOf).entries()) {
      if (!this.#registry.has(schema)) this.#registry.add(schema, { id: `unnamed ${index}` })
    }
    const { schemas } = z.toJSONSchema(this.#registry, {
      // What a client sends, before defaults and transforms; answers have none of either.
      io: 'input',
      uri: refTo,
      override({ zodSchema, jsonSchema }) {
        // Told apart by the format, which one of them may leave out.
        if (zodSchema instanceof z.ZodDiscriminatedUnion && jsonSchema.oneOf !== undefined) {
          jsonSchema.anyOf = jsonSchema.oneOf
          delete jsonSchema.oneOf
        }
        // These say only what a number is in JavaScript.
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      },
    })
    this.#converted = schemas
  }

  /** The components, by name. */
  components(): Json {
    return Object.fromEntries(Object.keys(components).map((id) => [id, this.#whole(id)]))
  }

  /** A reference to a component, or any other schema itself. */
  of(schema: z.ZodType): Json {
    const id = this.#registry.get(schema)?.id ?? ''
    return id in components ? { $ref: refTo(id) } : this.#whole(id)
  }

  #whole(id: string): Json {
    const entries = Object.entries(this.#converted[id] ?? {})
    return Object.fromEntries(entries.filter(([key]) => key !== '$schema' && key !== '$id'))
  }
}

function refTo(id: string): string {
  return `#/components/schemas/${id}`
}

function schemasOf({ params, query, headers, body, answers }: Operation): z.ZodType[] {
  const contents = Object.values(answers).map(({ content }) => content?.schema)
  const all = [params, query, headers, body?.schema, ...contents]
  return all.filter((schema) => schema !== undefined)
}
