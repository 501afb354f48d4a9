import type { JobPosition } from '../store/store.ts'
import { invalidField } from './problem.ts'

/** A place in the list of jobs as the `next` of an answer. */
export function encodePageCursor({ watchedAt, id }: JobPosition): string {
  return encode(`${watchedAt}.${id}`)
}

/** The place that a `cursor` names; throws a 400 for what no answer has given. */
export function decodePageCursor(cursor: string): JobPosition {
  const [, watchedAt, id] = decode(cursor, /^(\d{1,15})\.(\d{1,15})$/)
  return { watchedAt: Number(watchedAt), id: Number(id) }
}

/** The last item of a page as the `next` of its answer, where items have an id alone. */
export function encodeIdCursor(id: number): string {
  return encode(String(id))
}

/** The id that such a `cursor` names; throws a 400 for what no answer has given. */
export function decodeIdCursor(cursor: string): number {
  return Number(decode(cursor, /^\d{1,15}$/)[0])
}

/** One page of a list that is whole in memory; its cursor is the number of items before it. */
export function pageOf<T>(
  all: readonly T[],
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): { items: readonly T[]; next: string | null } {
  const start = cursor === undefined ? 0 : Number(decode(cursor, /^\d{1,15}$/)[0])
  const end = start + limit
  return { items: all.slice(start, end), next: end < all.length ? encode(String(end)) : null }
}

function encode(place: string): string {
  return Buffer.from(place).toString('base64url')
}

function decode(cursor: string, form: RegExp): RegExpExecArray {
  const match = form.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (match === null) throw invalidField('cursor', 'must be the "next" of an earlier answer')
  return match
}
