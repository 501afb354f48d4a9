import { signInPath } from './answer.ts'
import type { Answer } from './answer.ts'
import { anything, checkShape, invalid, isObject, jobidRule, whole } from './check.ts'

/** What a resource answers from `afterMs` on. */
export interface TraceEntry {
  /** Milliseconds since the start of the trace. */
  readonly afterMs: number
  readonly httpStatus: number
  /** A string is sent as a page, anything else as JSON. */
  readonly body: unknown
}

/** A resource's answers over time: a step function, ordered by `afterMs`; the last entry stays. */
export type Trace = readonly TraceEntry[]

/** What a trace is played on: a job, the list of jobs or the token endpoint. */
export const traceTargets = ['job', 'jobs', 'token'] as const
export type TraceTarget = (typeof traceTargets)[number]

/** A request's answer, given when its token was granted (epoch ms). */
export type Player = (grantedAt: number) => Answer

const entryShape = {
  afterMs: whole(0, Number.MAX_SAFE_INTEGER),
  httpStatus: whole(200, 599),
  body: anything,
}

/** A trace from JSON; throws a UsageError that names the entry, counted from 1, and the field. */
export function parseTrace(value: unknown): Trace {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid('trace', 'must be a list of at least one entry { afterMs, httpStatus, body }')
  }
  let previousMs = 0
  for (const [index, entry] of value.entries()) {
    const place = `entry ${String(index + 1)}`
    checkShape(entry, entryShape, place)
    const { afterMs } = entry as TraceEntry
    if (afterMs < previousMs) {
      throw invalid(place, `afterMs must not be less than the ${String(previousMs)} before it`)
    }
    previousMs = afterMs
  }
  const trace = value as Trace
  const named = trace.findIndex(({ body }) => documentJobid(body) !== null)
  if (named === -1 || jobidRule.fits(traceJobid(trace))) return trace
  throw invalid(`entry ${String(named + 1)}`, `body.jobid must be ${jobidRule.wants}`)
}

/** What the trace is made for, by the first of its bodies that tells; a job unless one does. */
export function targetOf(trace: Trace): TraceTarget {
  for (const { body } of trace) {
    if (documentJobid(body) !== null) return 'job'
    if (!isObject(body)) continue
    if (Array.isArray(body['jobs'])) return 'jobs'
    if ('token' in body || 'access_token' in body) return 'token'
  }
  return 'job'
}

/** The trace at another speed: 0.1 plays ten times as fast. */
export function paced(trace: Trace, pace: number): Trace {
  return trace.map((entry) => ({ ...entry, afterMs: Math.round(entry.afterMs * pace) }))
}

/** Begins the trace now. A redirect in it leads to a sign-in page, and a 429 asks for 30 s. */
export function createPlayer(trace: Trace, now: () => number): Player {
  const startedAt = now()
  return (grantedAt) => {
    const { httpStatus, body } = entryAt(trace, now() - startedAt, grantedAt - startedAt)
    if (httpStatus === 429) return { httpStatus, headers: { 'retry-after': '30' }, body }
    const isRedirect = httpStatus >= 300 && httpStatus < 400
    return { httpStatus, ...(isRedirect && { headers: { location: signInPath } }), body }
  }
}

/**
 * The last entry that is due, whatever was asked before. One that refuses the token is for tokens
 * granted before it came up; one granted since gets the last document before it.
 */
function entryAt(trace: Trace, elapsedMs: number, grantedMs: number): TraceEntry {
  const index = Math.max(
    0,
    trace.findLastIndex(({ afterMs }) => afterMs <= elapsedMs),
  )
  const entry = trace[index]
  if (entry === undefined) throw new Error('A trace needs at least one entry')
  const isRefusal = refusals.has(errorCode(entry) ?? 0)
  if (!isRefusal || grantedMs < entry.afterMs) return entry
  return trace.slice(0, index).findLast(isDocument) ?? entry
}

const refusals: ReadonlySet<number> = new Set([401, 498, 499])

/** The id of the job that the trace is about: the first one that occurs. */
export function traceJobid(trace: Trace): string | null {
  for (const { body } of trace) {
    const jobid = documentJobid(body)
    if (jobid !== null) return jobid
  }
  return null
}

/** The same trace for another job; documents that name a third job keep that name. */
export function withJobid(trace: Trace, jobid: string): Trace {
  const own = traceJobid(trace)
  if (own === null || own === jobid) return trace
  return trace.map((entry) => {
    if (documentJobid(entry.body) !== own) return entry
    const body = entry.body as Record<string, unknown>
    return { ...entry, body: { ...body, [jobidKey(body)]: jobid } }
  })
}

/** True for an answer that denies the job: 404 as the HTTP status or inside either error envelope. */
export function isMissing(answer: Answer): boolean {
  return answer.httpStatus === 404 || errorCode(answer) === 404
}

function isDocument({ httpStatus, body }: Answer): boolean {
  return isObject(body) && errorCode({ httpStatus, body }) === null
}

/** The code of an error, in either envelope or as the HTTP status; null for what is none. */
function errorCode({ httpStatus, body }: Answer): number | null {
  if (isObject(body)) {
    const { code } = isObject(body['error']) ? body['error'] : body
    if (code !== undefined) return Number(code)
  }
  return httpStatus >= 400 ? httpStatus : null
}

function documentJobid(body: unknown): string | null {
  if (!isObject(body)) return null
  const jobid = body[jobidKey(body)]
  return typeof jobid === 'string' ? jobid : null
}

/** Admin jobs write `jobid`, notebook jobs `jobId`. */
function jobidKey(body: object): 'jobid' | 'jobId' {
  return 'jobId' in body ? 'jobId' : 'jobid'
}
