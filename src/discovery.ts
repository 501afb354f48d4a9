import { nextTurn } from './clock.ts'
import type { Clock } from './clock.ts'
import { advance } from './core/advance.ts'
import type { LifePolicy } from './core/advance.ts'
import { jitter } from './core/backoff.ts'
import type { Random } from './core/backoff.ts'
import type { EventDraft } from './core/event.ts'
import { jobidPattern, unseenJob } from './core/job.ts'
import type { Job } from './core/job.ts'
import { forgetful } from './core/memory.ts'
import type { Memory } from './core/memory.ts'
import type { Failed } from './core/observation.ts'
import { globPattern } from './core/plan.ts'
import type { Gate } from './gate.ts'
import type { Logger } from './log.ts'
import type { Looks } from './looks.ts'
import type { Store } from './store/store.ts'
import type { Look, Upstream } from './upstream/upstream.ts'

export interface DiscoveryPolicy extends LifePolicy {
  /** The pause between two rounds. */
  readonly intervalMs: number
  /** Globs; a job is taken up when one of each list fits. */
  readonly match: { readonly operation: readonly string[]; readonly username: readonly string[] }
  /** First looks in flight, at most. */
  readonly concurrency: number
  /** First looks of one round, at most. */
  readonly looksPerRound: number
}

export interface DiscoveryDeps {
  readonly store: Pick<Store, 'unknownJobids' | 'recordDiscovered'>
  readonly upstream: Pick<Upstream, 'name' | 'listJobs' | 'fetchJob'>
  readonly gate: Gate
  readonly looks: Pick<Looks, 'isHolding'>
  /** Takes up a job that runs. */
  readonly watch: (job: Job) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Finds the jobs that nobody registered. */
export interface Discovery {
  start(): void
  /** Begins no more looks; resolves when the round under way has ended. */
  stop(): Promise<void>
}

/** Ids that are asked for in the store before others have the event loop. */
const idsPerTurn = 500
/** Rounds in which an id yields nothing before it is left alone. */
const maxFruitless = 3
const watchedDraft: EventDraft = {
  type: 'job.watched',
  change: { kind: 'registry', by: 'discovery' },
}

/** What is kept of an id that is listed but not decided about. */
interface Candidate {
  readonly memory: Memory
  /** First looks that yielded neither a document nor a reason to stop the round. */
  readonly fruitless: number
}

/**
 * Lists the upstream's jobs round by round and looks at those that are new. A job that runs is
 * recorded with `job.watched` and its status event, one that has ended in silence. Ids that are
 * known, or refused by the filter, are remembered as long as they are listed.
 */
export function createDiscovery(
  { store, upstream, gate, looks, watch, clock, random, log }: DiscoveryDeps,
  policy: DiscoveryPolicy,
): Discovery {
  const patterns = {
    operation: policy.match.operation.map(globPattern),
    username: policy.match.username.map(globPattern),
  }
  /** Those that need no look. */
  const settled = new Set<string>()
  /** Those that still do, in the order in which they get it. */
  let candidates = new Map<string, Candidate>()
  let isListing = true
  let running: Promise<void> = Promise.resolve()
  let cancelTimer = (): void => undefined
  const stopping = new AbortController()
  const isStopped = (): boolean => stopping.signal.aborted

  function schedule(ms: number): void {
    cancelTimer = clock.after(ms, () => {
      running = round()
        .catch((error: unknown) => {
          log.error({ err: error, upstream: upstream.name }, 'discovery.round_failed')
        })
        .finally(() => {
          if (!isStopped()) schedule(jitter(policy.intervalMs, 0.1, random))
        })
    })
  }

  async function round(): Promise<void> {
    if (gate.isPaused || !gate.admits(clock.now())) return
    const listing = await gate.run(() => upstream.listJobs(), 'discovery')
    if (listing === null) return
    const now = clock.now()
    if (listing.outcome === 'failed') {
      // An account may be allowed to see jobs that it may not list.
      if (listing.failure !== 'denied') await gate.failed(listing, now)
      noteListing(false, listing)
      return
    }
    await noteSuccess(now)
    noteListing(true, null)
    await takeIn(listing.jobids)
    await lookAtSome()
  }

  function noteListing(works: boolean, failed: Failed | null): void {
    if (works === isListing) return
    isListing = works
    const detail = failed?.detail
    if (works) log.info({ upstream: upstream.name }, 'discovery.list_recovered')
    else log.warn({ upstream: upstream.name, detail }, 'discovery.list_failed')
  }

  /** Sorts what is listed; the newly listed come first, since they are what is going on. */
  async function takeIn(listed: readonly string[]): Promise<void> {
    const jobids = new Set(listed.filter((jobid) => jobidPattern.test(jobid)))
    for (const jobid of settled) if (!jobids.has(jobid)) settled.delete(jobid)
    const older = [...candidates].filter(([jobid]) => jobids.has(jobid))
    const fresh = [...jobids].filter((jobid) => !settled.has(jobid) && !candidates.has(jobid))
    const unknown: [string, Candidate][] = []
    for (let start = 0; start < fresh.length; start += idsPerTurn) {
      const some = fresh.slice(start, start + idsPerTurn)
      const missing = await store.unknownJobids({ upstream: upstream.name, jobids: some })
      for (const jobid of some) settled.add(jobid)
      for (const jobid of missing) {
        settled.delete(jobid)
        unknown.push([jobid, { memory: forgetful, fruitless: 0 }])
      }
      await nextTurn()
    }
    candidates = new Map([...unknown, ...older])
  }

  /** Looks at the first candidates, a few at a time; ends early when the upstream fails. */
  async function lookAtSome(): Promise<void> {
    const turns = [...candidates.keys()].slice(0, policy.looksPerRound).values()
    let goesOn = true
    const worker = async (): Promise<void> => {
      for (const jobid of turns) {
        if (!goesOn || isStopped() || gate.isPaused || gate.probeAt !== null) return
        // Another's success does not take back what one failure said.
        if (!(await lookAt(jobid))) goesOn = false
      }
    }
    await Promise.all(Array.from({ length: policy.concurrency }, worker))
  }

  /** One first look; false when it says that the upstream had better be left alone. */
  async function lookAt(jobid: string): Promise<boolean> {
    const seen = await gate.run(() => upstream.fetchJob(jobid, null), 'discovery')
    if (seen === null) return false
    const now = clock.now()
    if (seen.outcome === 'failed' && isAboutUpstream(seen)) {
      // It may be this job alone that cannot be answered: next time the others come first.
      const candidate = candidates.get(jobid)
      if (candidate !== undefined) putBack(jobid, candidate)
      await gate.failed(seen, now)
      return false
    }
    if (seen.outcome !== 'failed') await noteSuccess(now)
    await decide(jobid, seen, now)
    return true
  }

  /** What is listed and found says nothing good while most of the jobs that ran are missing. */
  async function noteSuccess(now: number): Promise<void> {
    if (!looks.isHolding()) await gate.worked(now)
  }

  async function decide(jobid: string, seen: Look, now: number): Promise<void> {
    const { memory, fruitless } = candidates.get(jobid) ?? { memory: forgetful, fruitless: 0 }
    candidates.delete(jobid)
    settled.add(jobid)
    if (seen.outcome !== 'seen') {
      if (fruitless + 1 < maxFruitless) putBack(jobid, { memory, fruitless: fruitless + 1 })
      return
    }
    const unseen = unseenJob({ upstream: upstream.name, jobid }, now)
    const step = advance(unseen, memory, seen, now, policy)
    const fits = matches(step.job)
    if (fits === false) return
    // Said to have completed but not believed yet, or not told enough to go by the filter.
    if (step.job.status === null || fits === null) {
      putBack(jobid, { memory: step.memory, fruitless })
      return
    }
    await record(step.job, step.drafts, seen.document, now)
  }

  /** Puts an id behind all others. */
  function putBack(jobid: string, candidate: Candidate): void {
    settled.delete(jobid)
    candidates.delete(jobid)
    candidates.set(jobid, candidate)
  }

  async function record(
    job: Job,
    drafts: readonly EventDraft[],
    document: string,
    at: number,
  ): Promise<void> {
    const isRunning = job.state === 'active'
    const recorded = await store.recordDiscovered({
      job: { ...job, looksLeft: 0 },
      drafts: isRunning ? [watchedDraft, ...drafts] : [],
      document,
      at,
    })
    // Registered by someone else in the meantime.
    if (recorded === null) return
    const { jobid, status, lastSeq } = recorded
    log.info({ upstream: upstream.name, jobid, status, lastSeq }, 'job.discovered')
    if (isRunning) watch(recorded)
  }

  /** Whether the filter lets a job through; null while a job that runs has not said enough. */
  function matches({ state, operation, username }: Job): boolean | null {
    const answers = [fit(patterns.operation, operation), fit(patterns.username, username)]
    if (answers.includes(false)) return false
    if (!answers.includes(null)) return true
    return state === 'active' ? null : false
  }

  return {
    start() {
      schedule(0)
    },
    async stop() {
      stopping.abort()
      cancelTimer()
      await running
    },
  }
}

/**
 * A listed job that cannot be read, or makes no sense, says little about the upstream: the account
 * may see its own jobs only.
 */
function isAboutUpstream({ failure }: Failed): boolean {
  return failure !== 'denied' && failure !== 'protocol'
}

function fit(patterns: readonly RegExp[], text: string | null): boolean | null {
  if (patterns.some((pattern) => pattern.test(text ?? ''))) return true
  return text === null ? null : false
}
