import type { ProblemAnswer } from '../http/schemas.ts'

/** What the daemon did not do, in its own words. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string

  constructor({ status, code, detail }: ProblemAnswer) {
    super(detail)
    this.status = status
    this.code = code
  }
}

/** The daemon did not answer. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

export interface Answered<T> {
  readonly body: T
  /** `X-Jobwatch-Cursor`, of the reads of jobs. */
  readonly cursor: string | null
  /** When the daemon answered by its own clock, epoch ms, to the second; null where it does not say. */
  readonly date: number | null
}

/** The calls of the API. Each rejects with a {@link Refusal} or with {@link Unreachable}. */
export interface Api {
  get<T>(path: string): Promise<Answered<T>>
  post<T>(path: string, body?: unknown): Promise<Answered<T>>
  patch<T>(path: string, body: unknown): Promise<Answered<T>>
  delete(path: string): Promise<Answered<null>>
}

const timeoutMs = 30_000

/** `onSignedOut` is called when the daemon no longer knows who asks. */
export function createApi({ onSignedOut }: { readonly onSignedOut: () => void }): Api {
  async function call<T>(method: string, path: string, body?: unknown): Promise<Answered<T>> {
    const answer = await reach(path, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    })
    const text = await answer.text().catch(notReached)
    if (!answer.ok) {
      const problem = problemOf(answer.status, text)
      if (answer.status === 401 && path !== 'v1/session') onSignedOut()
      throw new Refusal(problem)
    }
    const date = Date.parse(answer.headers.get('date') ?? '')
    return {
      // What the daemon answers is as its schemas say.
      body: (text === '' ? null : JSON.parse(text)) as T,
      cursor: answer.headers.get('x-jobwatch-cursor'),
      date: Number.isNaN(date) ? null : date,
    }
  }

  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    patch: (path, body) => call('PATCH', path, body),
    delete: (path) => call('DELETE', path),
  }
}

/** Addresses are relative to the page: it may live below a path of a proxy. */
async function reach(path: string, init: RequestInit): Promise<Response> {
  return fetch(path, init).catch(notReached)
}

function notReached(): never {
  throw new Unreachable('jobwatch does not answer')
}

/** A proxy in between may answer with something that is no problem document. */
function problemOf(status: number, text: string): ProblemAnswer {
  try {
    const parsed = JSON.parse(text) as Partial<ProblemAnswer>
    if (typeof parsed.detail === 'string') return parsed as ProblemAnswer
  } catch {
    // Told below.
  }
  const detail = `The answer was HTTP ${status}`
  return { type: 'about:blank', title: '', status, code: 'unknown', detail }
}

/** What went wrong, for people. */
export function errorWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `v1/jobs/j1?upstream=prod`. */
export function jobPath({ upstream, jobid }: { upstream: string; jobid: string }, call = '') {
  const query = new URLSearchParams({ upstream }).toString()
  return `v1/jobs/${encodeURIComponent(jobid)}${call}?${query}`
}
