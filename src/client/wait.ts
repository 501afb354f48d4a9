import { endingOf } from '../core/ending.ts'
import type { Ending } from '../core/ending.ts'
import type { EventAnswer, JobAnswer, JobInEvent, RegisterJobInput } from './answers.ts'
import { ClientError, DaemonUnreachable } from './errors.ts'
import type { EventFilters } from './filters.ts'
import type { FollowItem } from './position.ts'

export { endingOf } from '../core/ending.ts'
export type { Ending } from '../core/ending.ts'

export interface JobNews {
  /** The job as it is now. */
  readonly job: JobInEvent
  /** How it came out, as far as that was told; null while it runs. */
  readonly ending: Ending | null
  /** What made it so; null when this is how it was found. */
  readonly event: EventAnswer | null
}

/** What tells a job from all others. */
type JobKey = Pick<JobInEvent, 'upstream' | 'jobid'>

/** What waiting stands on. */
export interface WaitCalls {
  /** The id of the newest event. */
  readHead(): Promise<string>
  registerJob(input: RegisterJobInput): Promise<{ readonly job: JobAnswer }>
  /** Null when the daemon does not know the job. */
  findJob(key: JobKey): Promise<JobAnswer | null>
  follow(from: EventFilters & { readonly after: string }): AsyncGenerator<FollowItem>
}

/** The latest news of each job that is waited for, by its key. */
type Known = Map<string, JobNews>

/**
 * Registers jobs and follows them until each has come out. Yields how each is found, then every
 * event of theirs once and in order. Returns true when all have come out, false when following ended
 * before that.
 */
export async function* waitForJobs(
  calls: WaitCalls,
  inputs: readonly RegisterJobInput[],
): AsyncGenerator<JobNews, boolean, undefined> {
  // The position comes first: what happens while the jobs are registered is told by the feed.
  let after: string | null = await calls.readHead()
  const known: Known = new Map()
  for (const input of inputs) {
    const { job } = await calls.registerJob(input)
    known.set(jobKey(job), found(job))
  }
  yield* known.values()
  while (after !== null && !areAllOver(known)) after = yield* followFrom(after, calls, known)
  return areAllOver(known)
}

/** Follows until all are over or following ends (null), or returns from where to follow anew. */
async function* followFrom(
  after: string,
  calls: WaitCalls,
  known: Known,
): AsyncGenerator<JobNews, string | null, undefined> {
  for await (const item of calls.follow({ after, ...jobidFilter(known) })) {
    if (item.kind === 'event') yield* tell(newsOf(item.event, known), known)
    else {
      const news = await findAgain(calls, known)
      // Away again amid the questions: once the daemon is back, it tells of the gap again.
      if (news === null) return item.asked
      yield* tell(news, known)
    }
    if (areAllOver(known)) return null
  }
  return null
}

/** Servers refuse longer addresses, the strictest of them from 8 KB on. */
const maxFilterLength = 4000

function jobidFilter(known: Known): EventFilters {
  const jobids = [...new Set([...known.values()].map(({ job }) => job.jobid))]
  return jobids.join('&jobid=').length > maxFilterLength ? {} : { jobids }
}

function* tell(news: readonly JobNews[], known: Known): Generator<JobNews, void, undefined> {
  for (const one of news) {
    known.set(jobKey(one.job), one)
    yield one
  }
}

function found(job: JobInEvent): JobNews {
  return { job, ending: endingOf(job), event: null }
}

/** What an event says of a job that is waited for; nothing when it is of none. */
function newsOf(event: EventAnswer, known: Known): readonly JobNews[] {
  const { job } = event.data
  const before = job && known.get(jobKey(job))
  if (job === undefined || before === undefined) return []
  // An event from before the job was read is news, but not how the job is now.
  if ((job.lastSeq ?? 0) <= (before.job.lastSeq ?? 0)) return [{ ...before, event }]
  return [{ job, ending: endingAfter(event, job, before.ending), event }]
}

/**
 * How a job has come out once this event was told. All events of one look carry the job as it is
 * after the look: that it has ended is told by the last of them alone.
 */
function endingAfter(
  { type, data: { change } }: EventAnswer,
  job: JobInEvent,
  before: Ending | null,
): Ending | null {
  if (change.kind === 'status' || type === 'job.lost' || type === 'job.unwatched') {
    return endingOf(job)
  }
  return type === 'job.found' || type === 'job.watched' ? null : before
}

/**
 * What the log no longer tells, the jobs themselves do. The log may even be another one, such as
 * that of a backup, and its daemon may know nothing of them. Null when it cannot be asked just now.
 */
async function findAgain(calls: WaitCalls, known: Known): Promise<readonly JobNews[] | null> {
  const news: JobNews[] = []
  try {
    for (const { job, ending } of known.values()) {
      const { jobid, upstream } = job
      const present = await calls.findJob({ jobid, upstream })
      if (present !== null) news.push(found(present))
      else if (ending === null) news.push(found((await calls.registerJob({ jobid, upstream })).job))
    }
  } catch (error) {
    if (isAway(error)) return null
    throw error
  }
  return news
}

/** A proxy answers for a daemon that is away. */
function isAway(error: unknown): boolean {
  if (error instanceof DaemonUnreachable) return true
  return error instanceof ClientError && (error.status ?? 0) >= 500
}

function areAllOver(known: Known): boolean {
  return [...known.values()].every(({ ending }) => ending !== null)
}

/** What tells a job from all others, as one text. */
export function jobKey({ upstream, jobid }: JobKey): string {
  return `${upstream}/${jobid}`
}
