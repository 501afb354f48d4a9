import type { EndpointAnswer, EventAnswer, EventList, JobAnswer, JobList } from '../http/schemas.ts'
import type { UpstreamAnswer } from '../http/schemas.ts'
import { filterQuery } from './address.ts'
import type { Filters, JobKey } from './address.ts'
import { jobPath } from './api.ts'
import type { Answered, Api } from './api.ts'
import { failedAt, keyOf, withAnswers, withEvents } from './job-list.ts'
import type { KnownJobs } from './job-list.ts'
import { writable } from './store.ts'
import type { Readable } from './store.ts'
import { createStream } from './stream.ts'
import type { Connection } from './stream.ts'

/** The endpoints and upstreams as the daemon last told of them; null until it has. */
export interface Surroundings {
  readonly endpoints: readonly EndpointAnswer[]
  readonly upstreams: readonly UpstreamAnswer[]
}

/** What the page knows of the daemon, as it changes. */
export interface Live {
  readonly connection: Readable<Connection>
  /** Null until the first answer. */
  readonly jobs: Readable<KnownJobs | null>
  readonly surroundings: Readable<Surroundings | null>
  /** Whether what failed lately has been asked for, too: what is drawn before that would jump. */
  readonly isWhole: Readable<boolean>
  /** Another number than before: what was read so far may no longer hold, none of it. */
  readonly generation: Readable<number>
  /** Epoch ms by the clock of the daemon. */
  now(): number
  /** The same, going on every second while somebody looks. */
  readonly clock: Readable<number>
  /** Calls the listener with all events to come, in order; returns what ends that. */
  onEvents(listener: (events: readonly EventAnswer[]) => void): () => void
  /** Takes in what an answer says of jobs. */
  learn(answered: Answered<JobAnswer>): void
  /** Reads one page of a list of jobs; resolves to the cursor of the next. */
  loadJobs(filters: Filters, cursor: string | null, limit: number): Promise<string | null>
  /** Reads anew how endpoints and upstreams are. */
  refresh(): Promise<void>
  start(): void
  stop(): void
}

/** How long a failure is news. */
export const newsMs = 24 * 3_600_000
const maxNews = 20
const refreshMs = 30_000
const retryMs = 3000

export function createLive(api: Api): Live {
  const jobs = writable<KnownJobs | null>(null)
  const surroundings = writable<Surroundings | null>(null)
  const isWhole = writable(false)
  const listeners = new Set<(events: readonly EventAnswer[]) => void>()
  const clock = writable(Date.now())
  let aheadMs = 0
  let round = 0
  let refreshTimer: number | undefined
  let clockTimer: number | undefined
  let retryTimer: number | undefined
  const generation = writable(1)
  const stream = createStream({ api, onEvents: take, onGap: forget })

  function now(): number {
    return Date.now() + aheadMs
  }

  function take(events: readonly EventAnswer[]): void {
    const known = jobs.get()
    if (known === null) return
    jobs.set(withEvents(known, events))
    if (events.some(({ data }) => data.job === undefined)) void refresh().catch(() => undefined)
    for (const listener of [...listeners]) listener(events)
  }

  /** Jobs may have gone on unheard, and the daemon may know others by now. */
  function forget(): void {
    jobs.set(null)
    generation.set(generation.get() + 1)
    void begin()
  }

  /** The snapshot, and from its cursor on the feed: nothing is missed, and nothing comes twice. */
  async function begin(): Promise<void> {
    const own = ++round
    stream.stop()
    clearTimeout(retryTimer)
    try {
      const query = new URLSearchParams({ state: 'active', limit: '1000' })
      const first = await api.get<JobList>(`v1/jobs?${query.toString()}`)
      if (own !== round) return
      setClock(first.date)
      jobs.set(withAnswers(new Map(), first.body.items, now()))
      stream.start(first.cursor ?? '-0')
      void fillIn(own, first.body.next)
    } catch {
      // Signed out, or nobody there: the connection tells, and the next try is not far.
      if (own === round) retryTimer = window.setTimeout(() => void begin(), retryMs)
    }
  }

  /** What the snapshot had no room for; the feed goes on however often this takes. */
  async function fillIn(own: number, next: string | null): Promise<void> {
    try {
      const first = Promise.all([refresh(), loadNews()]).finally(() => {
        if (own === round) isWhole.set(true)
      })
      await Promise.all([first, loadRest(next)])
    } catch {
      if (own === round) retryTimer = window.setTimeout(() => void fillIn(own, next), retryMs)
    }
  }

  /** Clocks of people's machines are wrong by minutes; the header is right to the second. */
  function setClock(date: number | null): void {
    const skewMs = date === null ? 0 : date - Date.now()
    aheadMs = Math.abs(skewMs) > 2000 ? skewMs : 0
    clock.set(now())
  }

  /** All that runs, however much it is. */
  async function loadRest(cursor: string | null): Promise<void> {
    const active: Filters = { state: 'active', status: '', upstream: '', tag: '', q: '' }
    let next = cursor
    while (next !== null) next = await loadJobs(active, next, 1000)
  }

  /** What failed lately, whenever its watching began. */
  async function loadNews(): Promise<void> {
    const query = new URLSearchParams([
      ['last', String(maxNews)],
      ['type', 'job.failed'],
      ['type', 'job.lost'],
    ])
    const { body } = await api.get<EventList>(`v1/events?${query.toString()}`)
    const failed = body.items.flatMap(({ data: { job } }) =>
      job !== undefined && (failedAt(job) ?? 0) > now() - newsMs ? [job] : [],
    )
    const keys = new Map(failed.map((job) => [keyOf(job), job]))
    // The event tells how the job was then; it may run again by now.
    await Promise.all([...keys.values()].map(loadJob))
  }

  async function loadJob(key: JobKey): Promise<void> {
    learn(await api.get<JobAnswer>(jobPath(key)))
  }

  function learn({ body, date }: Answered<JobAnswer>): void {
    jobs.set(withAnswers(jobs.get() ?? new Map(), [body], date ?? now()))
  }

  async function loadJobs(filters: Filters, cursor: string | null, limit: number) {
    const query = filterQuery(filters)
    query.set('limit', String(limit))
    if (cursor !== null) query.set('cursor', cursor)
    const { body } = await api.get<JobList>(`v1/jobs?${query.toString()}`)
    jobs.set(withAnswers(jobs.get() ?? new Map(), body.items, now()))
    return body.next
  }

  async function refresh(): Promise<void> {
    const [endpoints, upstreams] = await Promise.all([
      api.get<{ items: EndpointAnswer[] }>('v1/endpoints?limit=1000'),
      api.get<{ items: UpstreamAnswer[] }>('v1/upstreams'),
    ])
    surroundings.set({ endpoints: endpoints.body.items, upstreams: upstreams.body.items })
  }

  return {
    connection: stream.connection,
    jobs,
    surroundings,
    isWhole,
    generation,
    now,
    clock,
    onEvents(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    learn,
    loadJobs,
    refresh,
    start() {
      clockTimer = window.setInterval(() => {
        if (!document.hidden) clock.set(now())
      }, 1000)
      void begin()
      // What is owed to endpoints, and how an upstream is asked, changes without an event.
      refreshTimer = window.setInterval(() => {
        if (!document.hidden) void refresh().catch(() => undefined)
      }, refreshMs)
    },
    stop() {
      round++
      clearInterval(refreshTimer)
      clearInterval(clockTimer)
      clearTimeout(retryTimer)
      stream.stop()
      jobs.set(null)
      surroundings.set(null)
      isWhole.set(false)
    },
  }
}
