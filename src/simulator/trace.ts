/** What a job resource answers from `afterMs` on. */
export interface TraceEntry {
  /** Milliseconds since the start of the trace. */
  readonly afterMs: number
  readonly httpStatus: number
  /** A string is sent as a page, anything else as JSON. */
  readonly body: unknown
}

/** A job's answers over time: a step function, ordered by `afterMs`; the last entry stays. */
export type Trace = readonly TraceEntry[]

/** The last entry that is due, whatever was asked before. */
export function entryAt(trace: Trace, elapsedMs: number): TraceEntry {
  const entry = trace.findLast((candidate) => candidate.afterMs <= elapsedMs) ?? trace[0]
  if (entry === undefined) throw new Error('A trace needs at least one entry')
  return entry
}

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
export function isMissing({ httpStatus, body }: Omit<TraceEntry, 'afterMs'>): boolean {
  if (httpStatus === 404) return true
  if (typeof body !== 'object' || body === null) return false
  const { code, error } = body as { code?: unknown; error?: unknown }
  if (typeof error === 'object' && error !== null) {
    return (error as { code?: unknown }).code === 404
  }
  return code === 404
}

function documentJobid(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null
  const jobid = (body as Record<string, unknown>)[jobidKey(body)]
  return typeof jobid === 'string' ? jobid : null
}

/** Admin jobs write `jobid`, notebook jobs `jobId`. */
function jobidKey(body: object): 'jobid' | 'jobId' {
  return 'jobId' in body ? 'jobId' : 'jobid'
}
