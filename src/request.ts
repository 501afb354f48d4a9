import type { Dispatcher } from 'undici'
import type { Clock } from './clock.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** For everything: connecting, sending, headers, body. */
  readonly timeoutMs: number
  /** The answer's body is read no further than this. */
  readonly maxBytes: number
}

/** Why an answer is missing or incomplete. */
export type RequestError =
  'timeout' | 'dns' | 'connect' | 'tls' | 'reset' | 'too_large' | 'malformed' | 'refused_address'

/** What a connector fails with when it may not connect; its message is for people to read. */
export class RefusedAddress extends Error {
  override readonly name = 'RefusedAddress'
}

/**
 * What came of a request. `error` null: the answer is complete. With an error, `status` and `body`
 * still hold what had arrived until then.
 */
export interface HttpAnswer {
  readonly status: number | null
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly error: RequestError | null
  /** In words, for people; holds neither URL nor headers. */
  readonly detail: string
}

/** A header's value as one text, or undefined. */
export function headerOf({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/**
 * Sends one request and reads its answer. Never rejects: what the world does is a value. Redirects
 * are not followed. It stands on `dispatch`, the lowest call of undici, since that hands the bytes
 * over without a stream and lets go of the connection at once when the time is up (the timeouts of
 * undici are idle timers, which a dripping server outlives).
 */
export function sendRequest(
  dispatcher: Dispatcher,
  clock: Clock,
  { method, url, headers, body, timeoutMs, maxBytes }: HttpRequest,
): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | null = null
    let status: number | null = null
    let answerHeaders: HttpAnswer['headers'] = {}
    const chunks: Buffer[] = []
    let bytes = 0
    let isSettled = false

    const settle = (error: RequestError | null, detail: string): void => {
      if (isSettled) return
      isSettled = true
      cancelTimer()
      resolve({ status, headers: answerHeaders, body: Buffer.concat(chunks), error, detail })
    }
    const abandon = (error: RequestError, detail: string): void => {
      settle(error, detail)
      controller?.abort(new Error(detail))
    }
    const cancelTimer = clock.after(timeoutMs, () => {
      abandon('timeout', `no complete answer within ${timeoutMs} ms`)
    })

    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        body: body ?? null,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      {
        onRequestStart(started) {
          controller = started
          if (isSettled) started.abort(new Error('the time was up before a connection was there'))
        },
        onResponseStart(_, statusCode, responseHeaders) {
          // 1xx are only on the way to the answer.
          if (statusCode < 200) return
          status = statusCode
          answerHeaders = responseHeaders
        },
        onResponseData(_, chunk) {
          const room = maxBytes - bytes
          bytes += chunk.length
          chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
          if (bytes > maxBytes) abandon('too_large', `the answer is longer than ${maxBytes} bytes`)
        },
        onResponseEnd() {
          settle(null, 'ok')
        },
        onResponseError(_, error) {
          settle(...classify(error))
        },
      },
    )
  })
}

const dnsCodes = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'])
const resetCodes = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED'])
/** Node's own, and OpenSSL's words for what is wrong with a certificate. */
const tlsCodes =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_|UNABLE_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/
const timeoutCodes = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])

/**
 * What an error of undici or Node means. Their texts can quote URLs and header values, so only the
 * code is passed on.
 */
export function classify(error: unknown): [RequestError, string] {
  if (error instanceof RefusedAddress) return ['refused_address', error.message]
  const codes = codesOf(error)
  const code = codes[0] ?? 'unknown error'
  if (codes.some((item) => dnsCodes.has(item)))
    return ['dns', `the name does not resolve (${code})`]
  const tlsCode = codes.find((item) => tlsCodes.test(item))
  if (tlsCode !== undefined) return ['tls', `the certificate or TLS was not accepted (${tlsCode})`]
  if (codes.some((item) => timeoutCodes.has(item))) return ['timeout', `no connection (${code})`]
  if (codes.some((item) => resetCodes.has(item))) return ['reset', `the connection broke (${code})`]
  if (codes.some((item) => /^(HPE_|UND_ERR_(HEADERS|RES|REQ|INVALID))/.test(item))) {
    return ['malformed', `the answer is not HTTP as it should be (${code})`]
  }
  return ['connect', `no connection (${code})`]
}

/** The codes of an error, of its cause and of the errors it gathers, outermost first. */
function codesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 3) return []
  const { name, code, cause, errors } = error as Record<string, unknown>
  return [
    ...(typeof code === 'string' ? [code] : []),
    // The one error of undici that comes without its code.
    ...(name === 'HTTPParserError' ? ['HPE_INVALID'] : []),
    ...codesOf(cause, depth + 1),
    ...(Array.isArray(errors) ? errors.flatMap((item) => codesOf(item, depth + 1)) : []),
  ]
}
