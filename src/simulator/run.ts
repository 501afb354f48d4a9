import { createHash } from 'node:crypto'
import type { Trace } from './trace.ts'

export interface StageNow {
  readonly name: string
  readonly state: string
}

/** One document of a run: what differs from the others. */
export interface Moment {
  readonly afterMs: number
  readonly status: string
  /** Absent from the oldest form of the document, with `resource` and `name`. */
  readonly messages?: readonly string[]
  readonly stages?: readonly StageNow[]
  readonly result?: unknown
}

/** A job's life before it has an id and a start. */
export interface Run {
  /** Below `/<context>/admin/`. */
  readonly path: readonly string[]
  readonly name: string
  readonly resource: string
  readonly moments: readonly Moment[]
}

export interface PlayOptions {
  readonly jobid: string
  /** Epoch ms. */
  readonly startedAt: number
  readonly context: string
  readonly username: string
  /** A factor on every `afterMs`: 0.1 plays ten times as fast. 1 unless given. */
  readonly pace?: number
}

/** Esri's own sample ended 5 ms after its last update. */
const updateBeforeEndMs = 5

/** The run as the answers of one job. */
export function play(run: Run, options: PlayOptions): Trace {
  const { jobid, startedAt, context, username, pace = 1 } = options
  const operationURI = ['', context, 'admin', ...run.path.map(encodeURIComponent)].join('/')
  return run.moments.map(({ afterMs, status, messages, stages, result }) => {
    const after = Math.round(afterMs * pace)
    const at = startedAt + after
    const hasEnded = endStatuses.has(status)
    return {
      afterMs: after,
      httpStatus: 200,
      body: {
        ...(stages && { progress: { stages } }),
        ...(messages && { messages, resource: { name: run.resource }, name: run.name }),
        updatedtime: hasEnded ? Math.max(startedAt, at - updateBeforeEndMs) : at,
        jobid,
        requestID: requestIdOf(jobid),
        endtime: hasEnded ? at : 0,
        starttime: startedAt,
        operationURI,
        ...(result !== undefined && { result }),
        status,
        username,
      },
    }
  })
}

const endStatuses: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED'])

/** Stages before the reached one are done, those after it wait. */
export function stagesAt(
  names: readonly string[],
  reached: number,
  state: string,
  rest = 'pending',
) {
  return names.map((name, index) => ({
    name,
    state: index < reached ? 'completed' : index === reached ? state : rest,
  }))
}

/** A uuid that belongs to the job, so that the same job always has the same one. */
function requestIdOf(jobid: string): string {
  const hex = createHash('sha256').update(jobid).digest('hex')
  const groups = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
  ]
  return [...groups, hex.slice(20, 32)].join('-')
}
