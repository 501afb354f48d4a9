import { isoTime, jobView, maxListedMessages } from '../core/job.ts'
import type { Job } from '../core/job.ts'
import type { Problem } from '../core/observation.ts'
import type { JobAnswer } from './schemas.ts'

/** What only the poller knows of a job. */
export interface LiveStatus {
  readonly polledAt: number | null
  readonly nextPollAt: number | null
  readonly problem: Problem | null
}

/** A job as the API answers it. */
export function toJobAnswer(job: Job, live: LiveStatus | null, now: number): JobAnswer {
  const polledAt = live?.polledAt ?? job.polledAt
  const problem = live?.problem ?? null
  const view = jobView(job, { at: polledAt ?? now, maxMessages: maxListedMessages })
  // Added to the view itself: to copy that many fields takes longer than to write them as JSON.
  return Object.assign(view, {
    tags: [...view.tags],
    watchedAt: view.watchedAt ?? '',
    polledAt: isoTime(polledAt),
    nextPollAt: isoTime(live?.nextPollAt ?? null),
    lastSeq: job.lastSeq,
    problem: problem === null ? null : { ...problem, since: new Date(problem.since).toISOString() },
  })
}
