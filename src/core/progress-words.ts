import { elapsed } from './duration.ts'
import { endingOf } from './ending.ts'
import { statusWords } from './face.ts'
import type { StatusOfJob } from './face.ts'

/** How a job is, in words that are neither cut nor made safe. */
export function stateWords(job: StatusOfJob): string {
  if (job.state === 'lost') return 'lost: the upstream no longer knows it'
  if (job.state === 'stopped' && job.outcome === null) return 'no longer watched'
  return statusWords(job)
}

/** The stage that runs, not made safe; null when none does. */
export function runningStage({
  stages,
}: {
  readonly stages: readonly { readonly name: string; readonly state: string }[]
}): string | null {
  const [first, ...others] = stages.filter(({ state }) => state === 'running')
  if (first === undefined) return null
  return others.length === 0 ? first.name : `${first.name} and ${others.length} more`
}

/** A running job as its times go. */
export interface Clocked extends Pick<StatusOfJob, 'state' | 'outcome'> {
  readonly durationMs: number | null
}

/** How long a job ran, or has run by now, `sinceMs` after it was as it says. */
export function passedMs(job: Clocked, sinceMs: number): number | null {
  if (job.durationMs === null) return null
  return job.durationMs + (endingOf(job) === null ? Math.max(sinceMs, 0) : 0)
}

/** When a job should end, in words; empty while nobody can say. */
export function estimate(passed: number | null, typicalMs: number | null): string {
  if (passed === null || typicalMs === null) return ''
  const leftMs = typicalMs - passed
  if (leftMs <= 0) return `usually ${elapsed(typicalMs)}`
  return `about ${roughly(leftMs)} left`
}

/** A time that nobody should take to the second. */
function roughly(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds <= 50) return `${Math.ceil(seconds / 10) * 10}s`
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return `${minutes}m`
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`
}
