import { endingOf } from '../core/ending.ts'
import type { EventAnswer, JobAnswer, JobInEvent } from '../http/schemas.ts'
import type { Filters, JobKey } from './address.ts'

/** A job as the page last heard of it. */
export interface KnownJob {
  readonly job: JobInEvent
  /** When it was as it says, epoch ms by the clock of the daemon. */
  readonly at: number
}

/** All jobs that the page has heard of, by their key. */
export type KnownJobs = ReadonlyMap<string, KnownJob>

export function keyOf({ upstream, jobid }: JobKey): string {
  return `${upstream}/${jobid}`
}

/**
 * The jobs with those of an answer. An answer and the feed may cross on their way: whichever has
 * seen more events of a job says how it is.
 */
export function withAnswers(known: KnownJobs, jobs: readonly JobAnswer[], at: number): KnownJobs {
  const next = new Map(known)
  for (const job of jobs) {
    const before = next.get(keyOf(job))
    if ((job.lastSeq ?? 0) >= (before?.job.lastSeq ?? 0)) {
      next.set(keyOf(job), { job, at: job.polledAt === null ? at : Date.parse(job.polledAt) })
    }
  }
  return next
}

/** The jobs after these events of the feed. */
export function withEvents(known: KnownJobs, events: readonly EventAnswer[]): KnownJobs {
  const next = new Map(known)
  for (const { time, data } of events) {
    if (data.job === undefined) continue
    const key = keyOf(data.job)
    const before = next.get(key)
    if (data.seq < (before?.job.lastSeq ?? 0)) continue
    next.set(key, { job: data.job, at: Date.parse(time) })
  }
  return next
}

/** The jobs that the filters let through: what runs first, then what ended, the latest first. */
export function listed(known: KnownJobs, filters: Filters): KnownJob[] {
  const q = filters.q.toLowerCase()
  return [...known.values()]
    .filter(({ job }) => isLetThrough(job, filters, q))
    .map((one) => ({ one, rank: rankOf(one.job), at: orderTime(one.job) }))
    .sort((a, b) => a.rank - b.rank || b.at - a.at || (a.one.job.jobid < b.one.job.jobid ? -1 : 1))
    .map(({ one }) => one)
}

function isLetThrough(job: JobInEvent, filters: Filters, q: string): boolean {
  const { state, status, upstream, tag } = filters
  if (state !== '' && job.state !== state) return false
  if (status !== '' && job.status !== status) return false
  if (upstream !== '' && job.upstream !== upstream) return false
  if (tag !== '' && !job.tags.includes(tag)) return false
  if (q === '') return true
  const texts = [job.label, job.title, job.operation, job.username, job.jobid]
  return texts.some((text) => text?.toLowerCase().includes(q))
}

function rankOf(job: JobInEvent): number {
  return endingOf(job) === null ? 0 : 1
}

function orderTime(job: JobInEvent): number {
  const time =
    endingOf(job) === null
      ? (job.startedAt ?? job.watchedAt)
      : (job.endedAt ?? job.changedAt ?? job.watchedAt)
  return Date.parse(time)
}

/** When a job failed or was lost, epoch ms; null for every other job. */
export function failedAt(job: JobInEvent): number | null {
  const ending = endingOf(job)
  if (ending !== 'failed' && ending !== 'lost') return null
  const time = ending === 'failed' ? (job.endedAt ?? job.changedAt) : job.changedAt
  return Date.parse(time ?? job.watchedAt)
}

/** How many jobs run. */
export function countRunning(known: KnownJobs): number {
  let count = 0
  for (const { job } of known.values()) if (endingOf(job) === null) count++
  return count
}
