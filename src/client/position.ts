import type { EventAnswer } from './answers.ts'
import { parseObject } from './connection.ts'
import { ClientError } from './errors.ts'

/*
 * Where a reader of the feed stands, and how a frame moves it.
 *
 *   now    nothing was asked and nothing has come: the stream is live only
 *   asked  the caller's own `after`, which goes into the query, where a malformed one is refused
 *   at     the id of the last frame that was taken, which goes into Last-Event-ID
 *
 * now, asked → at   with hello, or with the gap when hello announces one
 * at → at           with every frame that is ahead; after a gap wherever the gap says
 */
export type Position =
  | { readonly kind: 'now' }
  | { readonly kind: 'asked'; readonly after: string }
  | { readonly kind: 'at'; readonly id: string }

export type FollowItem =
  /** `text` is the event as the daemon sent it. */
  | { readonly kind: 'event'; readonly event: EventAnswer; readonly text: string }
  /** Events after `asked` are no longer kept, or `asked` is not of this log; what is kept follows. */
  | {
      readonly kind: 'gap'
      readonly asked: string
      readonly oldest: number | null
      readonly newest: number
    }

export interface Frame {
  readonly id?: string | undefined
  readonly event?: string | undefined
  readonly data: string
}

export interface Step {
  readonly position: Position
  readonly item: FollowItem | null
}

/** What a frame means to a reader at this position. */
export function readFrame(position: Position, frame: Frame): Step {
  const { id, event: type, data } = frame
  const stay: Step = { position, item: null }
  // Every frame of the feed has a type; others were put in by somebody on the way.
  if (type === undefined) return stay
  const moved: Position = id ? { kind: 'at', id } : position
  if (type === 'feed.hello') {
    // Had hello moved the reader past a gap, a stream cut right here would hide the gap for ever.
    return announcesGap(position, id) ? stay : { position: moved, item: null }
  }
  if (type === 'feed.gap') return { position: moved, item: parseGap(data) }
  if (isBehind(position, id)) return stay
  if (type.startsWith('feed.')) return { position: moved, item: null }
  return { position: moved, item: { kind: 'event', event: parseEvent(data), text: data } }
}

/** Hello goes on from elsewhere than was asked: the gap is the next frame. */
function announcesGap(position: Position, helloId: string | undefined): boolean {
  switch (position.kind) {
    case 'now':
      return false
    case 'asked':
      return /^\d+$/.test(position.after)
        ? Number(position.after) !== parseId(helloId)?.seq
        : position.after !== helloId
    case 'at':
      return position.id !== helloId
  }
}

function isBehind(position: Position, id: string | undefined): boolean {
  if (position.kind !== 'at') return false
  const here = parseId(position.id)
  const there = parseId(id)
  return here !== null && there !== null && here.epoch === there.epoch && there.seq <= here.seq
}

function parseId(id: string | undefined): { epoch: string; seq: number } | null {
  const match = /^([^-]+)-(\d+)$/.exec(id ?? '')
  return match ? { epoch: match[1] ?? '', seq: Number(match[2]) } : null
}

function parseEvent(text: string): EventAnswer {
  const value = parseObject(text)
  const data = value?.['data']
  if (typeof value?.['type'] === 'string' && typeof data === 'object' && data !== null) {
    return value as unknown as EventAnswer
  }
  throw new ClientError('unexpected_answer', 'the feed sent an event that is none')
}

function parseGap(text: string): FollowItem {
  const value = parseObject(text) ?? {}
  const { asked = '', oldest, newest } = value
  return {
    kind: 'gap',
    asked: String(asked),
    oldest: typeof oldest === 'number' ? oldest : null,
    newest: Number(newest ?? 0),
  }
}
