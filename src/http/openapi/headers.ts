import type { HeaderName } from '../answer-headers.ts'
import type { Json } from './schemas.ts'

/** The headers of an answer, each a reference to its description; nothing where there are none. */
export function toHeaders(names: readonly HeaderName[]): Json {
  if (names.length === 0) return {}
  const refs = names.map((name) => [name, { $ref: `#/components/headers/${name}` }])
  return { headers: Object.fromEntries(refs) as Json }
}
