import type { ProblemAnswer } from './answers.ts'
import { ClientError } from './errors.ts'

/** The daemon to talk to. */
export interface ConnectionOptions {
  /** Its address; a path is kept, for a daemon behind a proxy. */
  readonly server: string
  readonly token?: string | undefined
  readonly fetch?: typeof fetch | undefined
}

export interface Connection {
  /** The address as messages show it. */
  readonly server: string
  readonly fetch: typeof fetch
  url(path: string, query?: Query): URL
  headers(more?: Readonly<Record<string, string>>): Record<string, string>
}

export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

export function openConnection(options: ConnectionOptions): Connection {
  const base = parseServer(options.server)
  if (base === null) {
    throw new ClientError(
      'invalid_request',
      'the server must be an http or https URL without credentials and query',
    )
  }
  const { token } = options
  // fetch would name the value in its complaint.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new ClientError('invalid_request', 'the token is empty or cannot stand in a header')
  }
  return {
    server: base.href.replace(/\/+$/, ''),
    fetch: options.fetch ?? globalThis.fetch,
    url: (path, query = {}) => urlOf(base, path, query),
    headers: (more = {}) => ({
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...more,
    }),
  }
}

/** The address of a daemon; null when the text is none. */
export function parseServer(text: string): URL | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:'
  const isPlain = !url.username && !url.password && !url.search && !url.hash
  return isHttp && isPlain ? url : null
}

function urlOf(base: URL, path: string, query: Query): URL {
  const url = new URL(`${base.pathname.replace(/\/+$/, '')}${path}`, base)
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    const values = Array.isArray(value) ? value : [value]
    for (const one of values) url.searchParams.append(name, String(one))
  }
  return url
}

/** What an answer that is no success says. */
export async function readRefusal(server: string, response: Response): Promise<ClientError> {
  const { status } = response
  const problem = parseProblem(await readText(response, maxProblemBytes))
  if (problem !== null) {
    return new ClientError(problem.code, problemMessage(problem), { status, problem })
  }
  const target = response.headers.get('location')
  const to = status < 400 && target !== null ? ` with a redirect to ${withoutQuery(target)}` : ''
  return new ClientError(
    'unexpected_answer',
    `${server} answered ${status}${to}, which is no answer of a jobwatch daemon`,
    { status },
  )
}

const maxProblemBytes = 1_048_576

/** The body as text; more than `maxBytes` is an error. */
export async function readText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) {
      throw new ClientError('unexpected_answer', `the answer has more than ${maxBytes} bytes`, {
        status: response.status,
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The value of a JSON text when it is an object, else null. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function parseProblem(text: string): ProblemAnswer | null {
  const value = parseObject(text)
  if (typeof value?.['code'] !== 'string' || typeof value['detail'] !== 'string') return null
  const { errors } = value
  return { ...value, errors: Array.isArray(errors) ? errors : undefined } as ProblemAnswer
}

function problemMessage({ detail, errors = [] }: ProblemAnswer): string {
  const fields = errors.map(({ field, message }) => `${field}: ${message}`)
  // The detail of a single fault often is that fault.
  const more = fields.filter((field) => !detail.includes(field))
  return more.length === 0 ? detail : `${detail} (${more.join('; ')})`
}

function withoutQuery(target: string): string {
  return target.replace(/[?#].*$/s, '')
}
