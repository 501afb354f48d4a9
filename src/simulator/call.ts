import type { IncomingMessage } from 'node:http'
import { isObject } from './check.ts'
import { readBody } from './loopback.ts'

/** A request as far as routing needs it. */
export interface Call {
  readonly method: string
  /** Decoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** The body of a POST, otherwise null. */
  readonly form: URLSearchParams | null
}

export async function readCall(request: IncomingMessage): Promise<Call> {
  const { method = '', url = '/', headers } = request
  const [path = '/', query = ''] = url.split('?', 2)
  const body = (await readBody(request)).toString()
  return {
    method,
    path: decoded(path),
    query: new URLSearchParams(query),
    headers,
    body,
    form: method === 'POST' ? new URLSearchParams(body) : null,
  }
}

/** The path as text; one that is encoded wrongly stays as it is and matches nothing. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The format is HTML unless asked for otherwise. */
export function wantsJson({ query, form }: Call): boolean {
  const format = form?.get('f') ?? query.get('f')
  return format === 'json' || format === 'pjson'
}

/** Where Esri's clients put a token: two headers, the query, and a POST's body. */
export function tokenOf({ headers, query, form }: Call): string | null {
  return (
    bearer(headers['x-esri-authorization']) ??
    bearer(headers.authorization) ??
    query.get('token') ??
    form?.get('token') ??
    null
  )
}

function bearer(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string') return null
  return /^Bearer +(\S+)$/i.exec(header)?.[1] ?? null
}

/** Whether a parameter of a POST holds a JSON object. */
export function hasObject({ form }: Call, name: string): boolean {
  try {
    return isObject(JSON.parse(form?.get(name) ?? ''))
  } catch {
    return false
  }
}
