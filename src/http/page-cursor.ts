import type { JobPosition } from '../store/store.ts'
import { invalidField } from './problem.ts'

/** A place in a list as the `next` of an answer. */
export function encodePageCursor({ watchedAt, id }: JobPosition): string {
  return Buffer.from(`${watchedAt}.${id}`).toString('base64url')
}

/** The place that a `cursor` names; throws a 400 for what no answer has given. */
export function decodePageCursor(cursor: string): JobPosition {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (match === null) throw invalidField('cursor', 'must be the "next" of an earlier answer')
  return { watchedAt: Number(match[1]), id: Number(match[2]) }
}
