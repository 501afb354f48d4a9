import { setTimeout as sleep } from 'node:timers/promises'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { openConnection, readRefusal } from './connection.ts'
import type { Connection, ConnectionOptions } from './connection.ts'
import { startDeadline } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { ClientError, DaemonUnreachable, reasonOf } from './errors.ts'
import { filterQuery } from './filters.ts'
import type { EventFilters } from './filters.ts'
import { readFrame } from './position.ts'
import type { FollowItem, Frame, Position } from './position.ts'
import { parseRetryAfter, reconnectDelayMs } from './reconnect.ts'

export interface FollowOptions extends ConnectionOptions, FollowQuery {}

/** What to follow, and how. */
export interface FollowQuery extends EventFilters {
  /** A seq or an event's id to go on from; without it the feed is live only. */
  readonly after?: string | number | undefined
  /** Ends the generator, which then returns. */
  readonly signal?: AbortSignal | undefined
  /** Called whenever a connection opens or is lost. */
  readonly onState?: ((state: FollowState) => void) | undefined
  /** The first pause before coming back, until the server says its `retry:`. */
  readonly reconnectMs?: number | undefined
  /** A connection without a frame for so long is dead; the server sends one every 15 s. */
  readonly silenceMs?: number | undefined
  /** Throws `DaemonUnreachable` once the daemon has been away for so long; otherwise tries for ever. */
  readonly giveUpAfterMs?: number | undefined
  /** Throws `DaemonUnreachable` when there is no daemon to begin with; one that goes may come back. */
  readonly mustBeThere?: boolean | undefined
}

export type FollowState =
  /** The first frame of a connection came. */
  | { readonly state: 'open' }
  | { readonly state: 'lost'; readonly reason: string; readonly retryInMs: number }

/** What a reader keeps from one connection to the next. */
interface Reader {
  readonly connection: Connection
  position: Position
  baseMs: number
  failures: number
  hasConnected: boolean
  /** Since when there is no connection that brings frames; null while there is one. */
  awaySince: number | null
  readonly giveUpAfterMs: number
}

/** Why a connection was lost that is to be followed by another one. */
interface Loss {
  readonly reason: string
  readonly cause: unknown
  readonly retryAfterMs: number | null
}

const answerMs = 30_000
/** However little patience is left, the last try gets a chance. */
const leastMs = 1000
const maxFrameChars = 4_194_304

/**
 * Follows the feed: each event once and in order, over as many connections as it takes. Ends only
 * when `signal` aborts; throws `ClientError` when the daemon refuses for good, `DaemonUnreachable`
 * when it has been away for `giveUpAfterMs`.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<FollowItem, void, undefined> {
  const { after, signal, onState, reconnectMs = 1000, giveUpAfterMs = Infinity } = options
  const reader: Reader = {
    connection: openConnection(options),
    position: after === undefined ? { kind: 'now' } : { kind: 'asked', after: String(after) },
    baseMs: reconnectMs,
    failures: 0,
    hasConnected: false,
    awaySince: performance.now(),
    giveUpAfterMs,
  }
  while (!signal?.aborted) {
    const { reason, cause, retryAfterMs } = yield* readConnection(reader, options)
    if (signal?.aborted) return
    reader.failures += 1
    const { failures, baseMs } = reader
    const delayMs = reconnectDelayMs({ failures, baseMs, retryAfterMs, random: Math.random })
    const patienceMs = patienceLeftMs(reader)
    if (patienceMs <= 0) throw new DaemonUnreachable(reader.connection.server, cause)
    const retryInMs = Math.min(delayMs, patienceMs)
    onState?.({ state: 'lost', reason, retryInMs })
    await pause(retryInMs, signal)
  }
}

/** How much longer to look for the daemon. */
function patienceLeftMs(reader: Reader): number {
  const now = performance.now()
  reader.awaySince ??= now
  return reader.awaySince + reader.giveUpAfterMs - now
}

/** As long as is usual for this, but no longer than there is patience. */
function limitMs(reader: Reader, usualMs: number): number {
  return Math.min(usualMs, Math.max(patienceLeftMs(reader), leastMs))
}

/** Yields what one connection brings, and returns why it ended. */
async function* readConnection(
  reader: Reader,
  options: FollowOptions,
): AsyncGenerator<FollowItem, Loss, undefined> {
  const { silenceMs = 45_000 } = options
  const deadline = startDeadline(options.signal)
  try {
    const body = await openStream(reader, options, deadline)
    if ('reason' in body) return body
    const frames = body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(
        new EventSourceParserStream({
          maxBufferSize: maxFrameChars,
          onRetry: (ms) => {
            reader.baseMs = ms
          },
        }),
      )
      .getReader()
    let isOpen = false
    for (;;) {
      const waitMs = isOpen ? silenceMs : limitMs(reader, silenceMs)
      const frame = await nextFrame(frames, deadline, waitMs)
      if ('reason' in frame) return frame
      if (!isOpen) {
        isOpen = true
        reader.hasConnected = true
        reader.failures = 0
        reader.awaySince = null
        options.onState?.({ state: 'open' })
      }
      const { position, item } = readFrame(reader.position, frame)
      reader.position = position
      if (item !== null) yield item
    }
  } finally {
    deadline.end()
  }
}

async function openStream(
  reader: Reader,
  options: FollowOptions,
  deadline: Deadline,
): Promise<NonNullable<Response['body']> | Loss> {
  const { connection, position } = reader
  const query = {
    after: position.kind === 'asked' ? position.after : undefined,
    ...filterQuery(options),
  }
  const url = connection.url('/v1/events/stream', query)
  const headers = connection.headers({
    accept: 'text/event-stream',
    ...(position.kind === 'at' && { 'last-event-id': position.id }),
  })
  try {
    deadline.restart(limitMs(reader, answerMs))
    const response = await connection.fetch(url, {
      headers,
      redirect: 'manual',
      signal: deadline.signal,
    })
    const type = response.headers.get('content-type') ?? ''
    if (response.status === 200 && type.startsWith('text/event-stream') && response.body) {
      return response.body
    }
    const refusal = await readRefusal(connection.server, response)
    if (isForGood(response.status, reader.hasConnected)) throw refusal
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now())
    return { ...lost(refusal.message), retryAfterMs }
  } catch (error) {
    if (error instanceof ClientError) throw error
    const unreachable = new DaemonUnreachable(connection.server, error)
    const isFirst = reader.failures === 0 && !reader.hasConnected
    if (options.mustBeThere && isFirst && !options.signal?.aborted) throw unreachable
    return lost(unreachable.message, error)
  }
}

/** Whether coming back is pointless. What once was a feed may be hidden by a proxy for a while. */
function isForGood(status: number, hasConnected: boolean): boolean {
  if (status === 400 || status === 401 || status === 403) return true
  if (status >= 500 || status === 408 || status === 425 || status === 429) return false
  return !hasConnected
}

/** Time runs only while a frame is waited for: a slow consumer is no dead connection. */
async function nextFrame(
  frames: { read(): Promise<{ done: boolean; value?: Frame | undefined }> },
  deadline: Deadline,
  waitMs: number,
): Promise<Frame | Loss> {
  deadline.restart(waitMs)
  try {
    const { value } = await frames.read()
    if (deadline.signal.aborted) return lost('the reader was stopped')
    return value ?? lost('the stream ended')
  } catch (error) {
    const why: unknown = deadline.isOver() ? deadline.signal.reason : error
    return lost(`the connection was lost (${reasonOf(why) ?? 'refused'})`)
  } finally {
    deadline.pause()
  }
}

function lost(reason: string, cause: unknown = reason): Loss {
  return { reason, cause, retryAfterMs: null }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {})
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}
