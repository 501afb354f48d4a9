import { firstAfter, fits, grouped, seqOf } from '../history.ts'
import type { History } from '../history.ts'
import type { Book, Tally } from '../tally.ts'
import type { Frame, Segment } from '../trace.ts'

/** Each reader of the feed got every event it asked for, once, in order. */
export function checkFeed(history: History, tally: Tally): void {
  const book = tally.for('13 feed')
  const key = ({ reader, number }: Segment | Frame): string => `${reader}#${number}`
  const frames = grouped(history.all('frame'), key)
  for (const segments of grouped(history.all('segment'), ({ reader }) => reader).values()) {
    const reading: Reading = { history, book, reached: null }
    for (const segment of segments) {
      const ofSegment = frames.get(key(segment)) ?? []
      read(reading, segment, ofSegment)
      checkSilence(reading, segment, ofSegment)
    }
    checkEnd(reading, segments)
  }
}

/** So often a stream says something at least, with some patience for a busy machine, in ms. */
const longestSilenceMs = 15_000 + 2000

/** A stream is never silent for longer than its bookmarks are apart. */
function checkSilence(
  { history, book }: Reading,
  segment: Segment,
  frames: readonly Frame[],
): void {
  frames.slice(1).forEach((next, index) => {
    const one = frames[index]
    if (one === undefined || next.at - one.at <= longestSilenceMs) return
    if (history.isPaused(one.at, next.at)) return
    const seconds = Math.round((next.at - one.at) / 1000)
    book.lost(`${segment.reader} hears nothing for ${seconds} s`, segment, one, next)
  })
}

interface Reading {
  readonly history: History
  readonly book: Book
  /** Up to here everything that was asked for has come; null before the first hello. */
  reached: number | null
}

function read(reading: Reading, segment: Segment, frames: readonly Frame[]): void {
  const { history, book } = reading
  const seqs = history.log
    .filter(({ event }) => fits(event.type, [segment.type]))
    .map(({ seq }) => seq)
  let cursor = segment.cursor === null ? null : seqOf(segment.cursor)
  for (const frame of frames) {
    const { event, id } = frame
    if (event === 'feed.gap') {
      book.lost(`${segment.reader} is told of a gap, and nothing was pruned`, segment, frame)
    }
    const position = id === null ? NaN : seqOf(id)
    if (event.startsWith('feed.')) {
      cursor = checkPosition(book, segment, frame, { cursor, position, seqs })
      continue
    }
    const after = cursor ?? 0
    const expected = firstAfter(seqs, after)
    if (position <= after) {
      book.duplicated(`${segment.reader} gets ${String(id)} again`, segment, frame)
      continue
    }
    if (position === expected) book.ok()
    else if (expected !== undefined && position > expected) {
      book.lost(`${segment.reader} gets ${String(id)} and not ${expected}`, segment, frame)
    } else book.unexpected(`${segment.reader} gets ${String(id)}`, segment, frame)
    cursor = position
  }
  reading.reached = cursor ?? reading.reached
}

/** What the feed itself says of the position must leave out nothing that is owed. */
function checkPosition(
  book: Book,
  segment: Segment,
  frame: Frame,
  { cursor, position, seqs }: { cursor: number | null; position: number; seqs: readonly number[] },
): number | null {
  if (Number.isNaN(position)) return cursor
  if (cursor === null) return position
  const owed = seqs.find((seq) => seq > cursor && seq <= position)
  if (owed === undefined && position >= cursor) return position
  book.lost(
    `${segment.reader} is put at ${position}, and is owed ${owed ?? cursor}`,
    segment,
    frame,
  )
  return cursor
}

/** In the end nothing is owed any more. */
function checkEnd({ history, book, reached }: Reading, segments: readonly Segment[]): void {
  const last = segments.at(-1)
  if (last === undefined) return
  const drained = history.phaseAt('drained')
  const owed = history.log.find(
    ({ seq, event }) =>
      seq > (reached ?? 0) &&
      fits(event.type, [last.type]) &&
      drained !== null &&
      Date.parse(event.time) < drained - 5000,
  )
  if (owed === undefined) book.ok()
  else book.lost(`${last.reader} never gets ${owed.record.id}`, last, owed.record)
}
