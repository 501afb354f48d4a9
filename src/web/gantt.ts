import type { JobInEvent } from '../http/schemas.ts'

type Stage = JobInEvent['stages'][number]

/** Where a stage's bar lies in its track, in parts of 1. */
export interface Bar {
  readonly from: number
  readonly to: number
  /** It began before jobwatch looked: its beginning is not known. */
  readonly isOpen: boolean
}

export interface Gantt {
  readonly fromMs: number
  readonly toMs: number
  /** One for each stage, in order; null for a stage that has not begun or tells no time. */
  readonly bars: readonly (Bar | null)[]
}

/** When each stage of a job ran, beside the others. `now` is epoch ms by the daemon's clock. */
export function ganttOf(job: Pick<JobInEvent, 'stages' | 'startedAt' | 'endedAt'>, now: number) {
  const spans = job.stages.map((stage) => spanOf(stage, job, now))
  const known = spans.filter((span) => span !== null)
  const started = parsed(job.startedAt)
  const fromMs = Math.min(...known.map(({ fromMs: from }) => from), started ?? Infinity)
  const toMs = Math.max(...known.map(({ toMs: to }) => to), parsed(job.endedAt) ?? -Infinity)
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs)) return null
  // A job that is over at once still has a picture.
  const widthMs = Math.max(toMs - fromMs, 1)
  const bars = spans.map((span): Bar | null => {
    if (span === null) return null
    const from = (span.fromMs - fromMs) / widthMs
    return { from, to: Math.max((span.toMs - fromMs) / widthMs, from), isOpen: span.isOpen }
  })
  return { fromMs, toMs, bars } satisfies Gantt
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
  readonly isOpen: boolean
}

function spanOf(
  { state, startedAt, endedAt }: Stage,
  job: Pick<JobInEvent, 'startedAt' | 'endedAt'>,
  now: number,
): Span | null {
  const began = parsed(startedAt)
  const ended = parsed(endedAt)
  const isRunning = state === 'running' || state === 'rolling_back'
  if (began === null && ended === null && !isRunning) return null
  // Its true beginning lies between the start of the job and the first look.
  const from = began ?? parsed(job.startedAt) ?? ended ?? now
  const to = ended ?? (isRunning ? (parsed(job.endedAt) ?? now) : from)
  return { fromMs: from, toMs: Math.max(to, from), isOpen: began === null }
}

function parsed(time: string | null): number | null {
  return time === null ? null : Date.parse(time)
}
