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
  /** How it came out, as far as that was told; null while it runs. */
  readonly ending: Ending | null
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
  const known = new Map<string, JobNews>()
  for (const input of inputs) {
    const news = found((await calls.registerJob(input)).job)
    known.set(jobKey(news.job), news)
  }
  yield* known.values()
  if (areAllOver(known)) return

  const jobids = [...new Set([...known.values()].map(({ job }) => job.jobid))]
  const filter = jobids.length > maxJobidsInFilter ? {} : { jobids }
  for await (const item of calls.follow({ after, ...filter })) {
    if (item.kind === 'gap') yield* findAgain(calls, known)
    else yield* takeIn(item.event, known)
    if (areAllOver(known)) return
  }
}

function found(job: JobInEvent): JobNews {
  return { job, ending: endingOf(job), event: null }
}

function* takeIn(event: EventAnswer, known: Map<string, JobNews>): Generator<JobNews> {
  const { job, change } = event.data
  const before = job && known.get(jobKey(job))
  if (job === undefined || before === undefined) return
  // An event from before the registration was answered is news, but not how the job is now.
  const isNewer = (job.lastSeq ?? 0) > (before.job.lastSeq ?? 0)
  const news = {
    job: isNewer ? job : before.job,
    // The first event of a look already shows the end that its last one tells.
    ending: isNewer && endKinds.has(change.kind) ? endingOf(job) : before.ending,
    event,
  }
  known.set(jobKey(job), news)
  yield news
}

/** The kinds of changes that can end a job, or begin it anew. */
const endKinds: ReadonlySet<string> = new Set(['status', 'presence', 'registry'])

/** What the log no longer tells, the jobs themselves do; the log may even be another one. */
async function* findAgain(
  calls: WaitCalls,
  known: Map<string, JobNews>,
): AsyncGenerator<JobNews, void, undefined> {
  const running = [...known.values()].filter(({ ending }) => ending === null)
  for (const { job } of running) {
    const { jobid, upstream } = job
    const news = found((await calls.registerJob({ jobid, upstream })).job)
    known.set(jobKey(news.job), news)
    yield news
  }
}

function areAllOver(known: ReadonlyMap<string, JobNews>): boolean {
  return [...known.values()].every(({ ending }) => ending !== null)
}

/** What tells a job from all others. */
export function jobKey({ upstream, jobid }: Pick<JobInEvent, 'upstream' | 'jobid'>): string {
  return `${upstream}/${jobid}`
}
