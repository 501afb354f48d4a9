import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { AttemptResult } from '../../src/core/delivery.ts'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import type { EventDraft, EventType, LoggedEvent } from '../../src/core/event.ts'
import type { Job, JobKey, JobStatus } from '../../src/core/job.ts'
import type { EventFilter } from '../../src/core/plan.ts'
import type {
  AttemptRecord,
  Delivery,
  Registration,
  Store,
  StoredEndpoint,
} from '../../src/store/store.ts'
import { anEndpointSpec, noon } from '../helpers/builders.ts'

/** What a backend is opened with. Opening the same place again finds what was written there. */
export interface OpenOptions {
  /** A folder of the test's own; a backend without files derives a name from it. */
  readonly place: string
  readonly overtakeMs: number
  readonly now: () => number
}
export type OpenStore = (options: OpenOptions) => Store | Promise<Store>

export const minute = 60_000
export const overtakeMs = 5 * minute
/** Later than any time a test gives. */
export const never = noon + 1000 * 86_400_000

/** A temporary folder that goes when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'jobwatch-store-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** A store in a place of its own, a clock that stands still, and the moves that tests make. */
export class Ground {
  readonly #open: OpenStore
  readonly place: string
  #store: Store
  /** Epoch ms; the tests move it. */
  now = noon

  private constructor(open: OpenStore, place: string, store: Store) {
    this.#open = open
    this.place = place
    this.#store = store
  }

  static async create(open: OpenStore): Promise<Ground> {
    const place = temporaryFolder()
    const store = await open({ place, overtakeMs, now: () => noon })
    const ground = new Ground(open, place, store)
    onTestFinished(() => ground.store.close())
    return ground
  }

  get store(): Store {
    return this.#store
  }

  async reopen(): Promise<void> {
    await this.#store.close()
    const now = () => this.now
    this.#store = await this.#open({ place: this.place, overtakeMs, now })
  }

  async register(jobid: string, fields: Partial<Registration> = {}): Promise<Job> {
    const { job } = await this.#store.registerJob({ upstream: 'prod', jobid, ...fields }, this.now)
    return job
  }

  async find(key: JobKey): Promise<Job> {
    const job = await this.#store.findJob(key)
    if (job === null) throw new Error(`no job ${key.upstream}/${key.jobid}`)
    return job
  }

  /** Commits a look at the job as it is now. */
  async look(
    key: JobKey,
    drafts: readonly EventDraft[],
    { document = '{}', ...fields }: Partial<Job> & { document?: string } = {},
  ): Promise<Job> {
    const job = { ...(await this.find(key)), ...fields }
    const result = await this.#store.commitLook({ job, drafts, document, at: this.now })
    if (result.outcome !== 'written') throw new Error(`the look at ${key.jobid} met a conflict`)
    return result.job
  }

  /** All events that a filter lets through, read page by page. */
  async events(filter: EventFilter = {}, limit = 200): Promise<readonly LoggedEvent[]> {
    const events: LoggedEvent[] = []
    let after = 0
    for (;;) {
      const page = await this.#store.readEvents({ after, limit, filter })
      events.push(...page.events)
      if (page.through >= page.newest) return events
      if (page.through <= after) throw new Error(`reading stands still at ${after}`)
      after = page.through
    }
  }

  async newest(): Promise<number> {
    return (await this.#store.readBounds()).newest
  }

  async sync(...endpoints: readonly EndpointSpec[]): Promise<readonly StoredEndpoint[]> {
    return this.#store.syncEndpoints(endpoints, this.now)
  }

  /** Makes these endpoints the configured ones and returns the number of the first. */
  async syncOne(...endpoints: readonly EndpointSpec[]): Promise<number> {
    const [first] = await this.sync(...endpoints)
    if (first === undefined) throw new Error('no endpoint was given')
    return first.id
  }

  /** What is due now, the longest due first. */
  async due(endpointId: number, at = this.now): Promise<readonly Delivery[]> {
    return this.#store.readDue({ endpointId, now: at, limit: 1000 })
  }

  async dueSeqs(endpointId: number, at = this.now): Promise<readonly number[]> {
    return (await this.due(endpointId, at)).map(({ event }) => event.seq)
  }

  /** All times at which something of the endpoint is or becomes due. */
  async dueTimes(endpointId: number): Promise<readonly number[]> {
    const times: number[] = []
    for (let after = -1; ;) {
      const next = await this.#store.nextDueAt({ endpointId, after })
      if (next === null) return times
      times.push(next)
      after = next
    }
  }

  /** The due delivery of an event. */
  async delivery(endpointId: number, seq: number): Promise<Delivery> {
    const found = (await this.due(endpointId)).find(({ event }) => event.seq === seq)
    if (found === undefined) throw new Error(`event ${seq} is not due at endpoint ${endpointId}`)
    return found
  }

  /** Records a 204. */
  async deliver(endpointId: number, seq: number): Promise<void> {
    const delivery = await this.delivery(endpointId, seq)
    await this.#store.recordAttempt(delivered(delivery, this.now))
  }

  /** Records a 500 after which the delivery is tried again at `dueAt`. */
  async refuse(endpointId: number, seq: number, dueAt: number): Promise<void> {
    const delivery = await this.delivery(endpointId, seq)
    await this.#store.recordAttempt(refused(delivery, this.now, dueAt))
  }

  /** Records the last attempt of all. */
  async giveUp(endpointId: number, seq: number): Promise<void> {
    const delivery = await this.delivery(endpointId, seq)
    const record = refused(delivery, this.now, 0)
    const after = { state: 'failed', dueAt: null, pauseUntil: null } as const
    await this.#store.recordAttempt({ ...record, after })
  }
}

/** An event that a look yields, as far as it does not matter what it says. */
export function aDraft(type: EventType = 'job.stage.changed', what = 'validating'): EventDraft {
  if (type === 'job.stage.changed') {
    const change = { kind: 'stage', stage: what, occurrence: 1, from: null } as const
    return { type, change: { ...change, to: 'running', rawTo: 'In Progress' } }
  }
  if (type === 'job.message.added') {
    const added = [{ text: what, level: null, at: null }]
    return { type, change: { kind: 'messages', added, count: 1 } }
  }
  if (type === 'job.watched' || type === 'job.unwatched') {
    return { type, change: { kind: 'registry', by: 'api' } }
  }
  const since = new Date(noon).toISOString()
  if (type === 'job.stalled' || type === 'job.resumed') {
    return { type, change: { kind: 'stall', since } }
  }
  if (type === 'job.lost' || type === 'job.found') {
    return { type, change: { kind: 'presence', since } }
  }
  if (type === 'job.overdue') return { type, change: { kind: 'deadline', deadline: since } }
  const to = statusOf(type)
  return { type, change: { kind: 'status', from: null, to, rawTo: to } }
}

/** So many events of stages that have no other meaning than to be there. */
export function someDrafts(count: number): readonly EventDraft[] {
  return Array.from({ length: count }, (_, n) => aDraft('job.stage.changed', `stage ${n}`))
}

function statusOf(type: string): JobStatus {
  if (type === 'job.reopened') return 'EXECUTING'
  return type.replace('job.', '').replace('status.', '').toUpperCase() as JobStatus
}

/** An endpoint that wants everything, unless told otherwise. */
export function anEndpoint(
  name: string,
  filter: EventFilter = {},
  fields: Partial<EndpointSpec> = {},
): EndpointSpec {
  return anEndpointSpec(name, { filter, ...fields })
}

export function anAnswer(fields: Partial<AttemptResult> = {}): AttemptResult {
  return {
    verdict: 'delivered',
    at: noon,
    durationMs: 12,
    status: 204,
    error: null,
    answer: '',
    detail: 'answered 204',
    retryAfterMs: null,
    ...fields,
  }
}

export function delivered({ id, endpointId }: Delivery, now: number): AttemptRecord {
  const after = { state: 'delivered', dueAt: null, pauseUntil: null } as const
  const result = anAnswer({ at: now })
  return { deliveryId: id, endpointId, result, after, isByHand: false, now }
}

export function refused(
  { id, endpointId }: Delivery,
  now: number,
  dueAt: number,
  pauseUntil: number | null = null,
): AttemptRecord {
  const result = anAnswer({
    verdict: 'retry',
    at: now,
    status: 500,
    error: 'status',
    answer: 'no',
    detail: 'answered 500: no',
  })
  return {
    deliveryId: id,
    endpointId,
    result,
    after: { state: 'pending', dueAt, pauseUntil },
    isByHand: false,
    now,
  }
}

/** An event's text as far as these tests look into it. */
export interface EventText {
  readonly specversion: string
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: {
    readonly seq: number
    readonly previousSeq: number | null
    readonly change: { readonly kind: string; readonly by?: string; readonly stage?: string }
    readonly job: Readonly<Record<string, unknown>>
  }
}

export function textOf({ text }: LoggedEvent): EventText {
  return JSON.parse(text) as EventText
}

export function seqs(events: readonly LoggedEvent[]): readonly number[] {
  return events.map(({ seq }) => seq)
}

/** 1, 2, … n */
export function upTo(n: number): readonly number[] {
  return Array.from({ length: n }, (_, i) => i + 1)
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
