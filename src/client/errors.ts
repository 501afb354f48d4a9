import type { JobInEvent, ProblemAnswer } from './answers.ts'

export interface ClientErrorOptions extends ErrorOptions {
  /** The HTTP status, when there was an answer. */
  readonly status?: number
  /** What the daemon said, when it was a problem of RFC 9457. */
  readonly problem?: ProblemAnswer
}

/** The daemon refused a request, the request could not be made, or what answered is no daemon. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  /** The problem's code, or the client's own: `invalid_request`, `unexpected_answer`. */
  readonly code: string
  readonly status: number | null
  readonly problem: ProblemAnswer | null

  constructor(code: string, message: string, options: ClientErrorOptions = {}) {
    const { status = null, problem = null, ...rest } = options
    super(message, rest)
    this.code = code
    this.status = status
    this.problem = problem
  }
}

/** Nobody answered at the daemon's address. */
export class DaemonUnreachable extends Error {
  override readonly name = 'DaemonUnreachable'
  readonly code = 'daemon_unreachable'
  readonly server: string

  constructor(server: string, cause: unknown) {
    const why = reasonOf(cause)
    super(`no daemon at ${server}${why === null ? '' : ` (${why})`}`, { cause })
    this.server = server
  }
}

/** A job did not come out within the time that was given. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout'
  readonly code = 'wait_timeout'
  /** The job as it was last; null when not even that could be found out. */
  readonly job: JobInEvent | null

  constructor(jobid: string, job: JobInEvent | null) {
    super(`job ${jobid} did not come out in time`)
    this.job = job
  }
}

/** Why a request failed, in a few words; null when the plain words already say it. */
export function reasonOf(error: unknown): string | null {
  if (!(error instanceof Error)) return String(error)
  // fetch says "fetch failed" and keeps what happened in the cause.
  const source = error.cause instanceof Error ? error.cause : error
  const code: unknown = 'code' in source ? source.code : null
  if (code === 'ECONNREFUSED') return null
  return source.message || String(code)
}
