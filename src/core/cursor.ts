import { eventId } from './event.ts'

/** A run of seqs that were given under one epoch word; it ends where the next one begins. */
export interface Epoch {
  readonly epoch: string
  readonly firstSeq: number
}

/** Between which seqs the log lies at one moment. */
export interface LogEnds {
  /** The highest seq ever given, 0 before the first event. */
  readonly newest: number
  /** The lowest seq still kept, null while nothing is. */
  readonly oldest: number | null
}

/** What the log holds at one moment. */
export interface LogBounds extends LogEnds {
  /** Oldest first; the last one is current. */
  readonly epochs: readonly Epoch[]
}

/** Where a reader goes on from. */
export interface Position {
  /** Everything after this seq is still to be sent. */
  readonly after: number
  /** True when events after the asked position are gone, or the position is not of this log. */
  readonly gap: boolean
}

/** A cursor as a reader gives it: a bare seq, or an event's id. */
export type Cursor =
  | { readonly kind: 'seq'; readonly seq: number }
  | { readonly kind: 'id'; readonly epoch: string; readonly seq: number }

/** The form of a cursor. */
export const cursorPattern = /^(?:([0-9a-z]{1,32})-)?(\d{1,15})$/

/** Reads `1042` or `7f3a9c-1042`; null for anything else. */
export function parseCursor(text: string): Cursor | null {
  const match = cursorPattern.exec(text)
  if (!match) return null
  const seq = Number(match[2])
  return match[1] === undefined ? { kind: 'seq', seq } : { kind: 'id', epoch: match[1], seq }
}

/**
 * Where a reader with this cursor goes on. Null stands for a cursor that is no cursor (garbage in a
 * header, which must be answered in the stream). After a gap everything that is kept follows.
 */
export function resolveCursor(cursor: Cursor | null, bounds: LogBounds): Position {
  if (cursor !== null && isOfThisLog(cursor, bounds)) return positionAfter(cursor.seq, bounds)
  return { after: beforeOldest(bounds), gap: true }
}

/** Where a reader that has come up to this seq goes on, whatever was pruned since. */
export function positionAfter(seq: number, bounds: LogEnds): Position {
  const start = beforeOldest(bounds)
  return seq < start ? { after: start, gap: true } : { after: seq, gap: false }
}

/** The position from which everything that is kept is still to come. */
function beforeOldest({ oldest, newest }: LogEnds): number {
  return (oldest ?? newest + 1) - 1
}

function isOfThisLog(cursor: Cursor, { epochs, newest }: LogBounds): boolean {
  if (cursor.seq > newest) return false
  if (cursor.kind === 'seq') return true
  const index = epochs.findIndex(({ epoch }) => epoch === cursor.epoch)
  const epoch = epochs[index]
  if (epoch === undefined) return false
  // The current epoch's zero is the position before its first event, whatever seq that has.
  if (cursor.seq === 0) return index === epochs.length - 1
  const next = epochs[index + 1]
  return cursor.seq >= epoch.firstSeq && (next === undefined || cursor.seq < next.firstSeq)
}

/** The id of a position: that of the event with this seq, or `<current epoch>-0` before the first. */
export function positionId(seq: number, { epochs }: Pick<LogBounds, 'epochs'>): string {
  const current = epochs.at(-1)
  const epoch = epochs.findLast(({ firstSeq }) => firstSeq <= seq) ?? current
  if (epoch === undefined) throw new Error('a log has at least one epoch')
  return eventId(epoch.epoch, seq)
}
