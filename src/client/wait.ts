import type { EventAnswer, JobAnswer, JobInEvent, RegisterJobInput } from '../http/schemas.ts'
import type { EventFilters } from './filters.ts'
import type { FollowItem } from './position.ts'

/**
 * How a job came out: `succeeded` with or without warnings; `lost` when the upstream no longer knows
 * it, and `unwatched` when somebody stopped the watching: its end will not be told.
 */
export type Ending = 'succeeded' | 'failed' | 'cancelled' | 'lost' | 'unwatched'

/** How a job came out; null while it runs. */
export function endingOf({ state, outcome }: Pick<JobInEvent, 'state' | 'outcome'>): Ending | null {
  switch (outcome) {
    case 'success':
    case 'warning':
      return 'succeeded'
    case 'error':
      return 'failed'
    case 'cancelled':
      return 'cancelled'
    case null:
      return endingWithoutOutcome(state)
  }
}

function endingWithoutOutcome(state: JobInEvent['state']): Ending | null {
  if (state === 'lost') return 'lost'
  return state === 'stopped' ? 'unwatched' : null
}

export interface JobNews {
  /** The job as it is now. */
  readonly job: JobInEvent
  /** What made it so; null when this is how it was found. */
  readonly event: EventAnswer | null
}

/** What waiting stands on. */
export interface WaitCalls {
  registerJob(input: RegisterJobInput): Promise<{ readonly job: JobAnswer }>
  /** The id of the newest event. */
  readHead(): Promise<string>
  follow(from: EventFilters & { readonly after: string }): AsyncGenerator<FollowItem>
}

/** With more jobs the address of the feed would grow too long: then they are picked here. */
const maxJobidsInFilter = 100

/**
 * Registers jobs and follows them until each has come out. Yields how each is found, then every
 * event of theirs once and in order; returns when all are over, or when following ends.
 */
export async function* waitForJobs(
  calls: WaitCalls,
  inputs: readonly RegisterJobInput[],
): AsyncGenerator<JobNews, void, undefined> {
  // The position comes first: what happens while the jobs are registered is told by the feed.
  const after = await calls.readHead()
  const jobs = new Map<string, JobInEvent>()
  for (const input of inputs) {
    const { job } = await calls.registerJob(input)
    jobs.set(jobKey(job), job)
  }
  for (const job of jobs.values()) yield { job, event: null }
  if (areAllOver(jobs)) return

  const jobids = [...new Set([...jobs.values()].map(({ jobid }) => jobid))]
  const filter = jobids.length > maxJobidsInFilter ? {} : { jobids }
  for await (const item of calls.follow({ after, ...filter })) {
    if (item.kind === 'gap') yield* findAgain(calls, jobs)
    else yield* takeIn(item.event, jobs)
    if (areAllOver(jobs)) return
  }
}

function* takeIn(event: EventAnswer, jobs: Map<string, JobInEvent>): Generator<JobNews> {
  const { job } = event.data
  const known = job && jobs.get(jobKey(job))
  if (job === undefined || known === undefined) return
  // An event from before the registration was answered is news, but not how the job is now.
  const isNewer = (job.lastSeq ?? 0) > (known.lastSeq ?? 0)
  if (isNewer) jobs.set(jobKey(job), job)
  yield { job: isNewer ? job : known, event }
}

/** What the log no longer tells, the jobs themselves do; the log may even be another one. */
async function* findAgain(
  calls: WaitCalls,
  jobs: Map<string, JobInEvent>,
): AsyncGenerator<JobNews, void, undefined> {
  const running = [...jobs.values()].filter((job) => endingOf(job) === null)
  for (const { jobid, upstream } of running) {
    const { job } = await calls.registerJob({ jobid, upstream })
    jobs.set(jobKey(job), job)
    yield { job, event: null }
  }
}

function areAllOver(jobs: ReadonlyMap<string, JobInEvent>): boolean {
  return [...jobs.values()].every((job) => endingOf(job) !== null)
}

/** What tells a job from all others. */
export function jobKey({ upstream, jobid }: Pick<JobInEvent, 'upstream' | 'jobid'>): string {
  return `${upstream}/${jobid}`
}
