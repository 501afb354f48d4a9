import { openConnection, parseObject, readRefusal, readText } from './connection.ts'
import type { ConnectionOptions, Query } from './connection.ts'
import { startDeadline } from './deadline.ts'
import { ClientError, DaemonUnreachable } from './errors.ts'

export interface ClientOptions extends ConnectionOptions {
  /** Ends every request that is under way; the reason is what their promises reject with. */
  readonly signal?: AbortSignal | undefined
  /** The longest a request may take, answer included. */
  readonly timeoutMs?: number | undefined
}

export interface Call {
  readonly query?: Query
  /** Sent as JSON. */
  readonly body?: object
  /** In place of the caller's own. */
  readonly timeoutMs?: number | undefined
  /** How much longer the daemon may take, having been asked to wait. */
  readonly waitMs?: number | undefined
}

export interface Answer {
  readonly status: number
  readonly text: string
  /** `X-Jobwatch-Cursor`: following from there misses and repeats nothing of what was read. */
  readonly cursor: string | null
}

export type ObjectAnswer = Readonly<Record<string, unknown>>

/** Makes requests of the API and reads what is answered. */
export interface Caller {
  /** Rejects with `ClientError` when the answer is no success, or with `DaemonUnreachable`. */
  readonly call: (method: string, path: string, call?: Call) => Promise<Answer>
  /** The answer as an object that has what its callers rely on. */
  readonly parse: <T>(
    answer: Pick<Answer, 'status' | 'text'>,
    isExpected: (value: ObjectAnswer) => value is ObjectAnswer & T,
  ) => T
}

const maxAnswerBytes = 134_217_728

export function createCaller(options: ClientOptions): Caller {
  const connection = openConnection(options)
  const { signal, timeoutMs: usualTimeoutMs = 30_000 } = options

  return {
    async call(method, path, { query, body, timeoutMs = usualTimeoutMs, waitMs = 0 } = {}) {
      const url = connection.url(path, query)
      const json = body === undefined ? {} : { 'content-type': 'application/json' }
      const deadline = startDeadline(signal)
      deadline.restart(timeoutMs + waitMs)
      try {
        const response = await connection.fetch(url, {
          method,
          headers: connection.headers(json),
          body: body === undefined ? null : JSON.stringify(body),
          redirect: 'manual',
          signal: deadline.signal,
        })
        if (!response.ok) throw await readRefusal(connection.server, response)
        return {
          status: response.status,
          text: await readText(response, maxAnswerBytes),
          cursor: response.headers.get('x-jobwatch-cursor'),
        }
      } catch (error) {
        if (error instanceof ClientError) throw error
        signal?.throwIfAborted()
        throw new DaemonUnreachable(connection.server, error)
      } finally {
        deadline.end()
      }
    },
    parse({ status, text }, isExpected) {
      const value = parseObject(text)
      if (value !== null && isExpected(value)) return value
      throw new ClientError(
        'unexpected_answer',
        `${connection.server} answered ${status} with something that is no answer of a jobwatch daemon`,
        { status },
      )
    },
  }
}

/** What someone named as a segment of a path; `what` says what it ought to be. */
export function pathSegment(text: string, what: string): string {
  // A dot segment would lead to another resource, and percent-encoding does not keep it from that.
  if (/^\.{0,2}$/.test(text)) throw new ClientError('invalid_request', `"${text}" is no ${what}`)
  return encodeURIComponent(text)
}
