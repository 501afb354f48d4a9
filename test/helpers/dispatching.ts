import { join } from 'node:path'
import type { AttemptResult } from '../../src/core/delivery.ts'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import type { EventDraft } from '../../src/core/event.ts'
import { testEvent } from '../../src/core/event.ts'
import { createDispatcher } from '../../src/dispatcher.ts'
import type { LaneTarget } from '../../src/lane.ts'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Format, Late } from '../../src/notify/format.ts'
import type { Carrier, Send } from '../../src/notify/send.ts'
import { webhook } from '../../src/notify/webhook.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import type { DeliveryRecord, Store, StoredEndpoint } from '../../src/store/store.ts'
import { anEndpointSpec } from './builders.ts'
import { temporaryFolder } from './daemon.ts'
import { FakeClock, settle } from './fake-clock.ts'

export const minute = 60_000
const scheduleMs = [5000, 30_000, 2 * minute, 10 * minute]

export const taken: AttemptResult = {
  verdict: 'delivered',
  at: 0,
  durationMs: 5,
  status: 204,
  error: null,
  answer: '',
  detail: 'answered 204',
  retryAfterMs: null,
}
export const refused: AttemptResult = {
  ...taken,
  verdict: 'retry',
  status: 500,
  error: 'status',
  detail: 'answered 500',
}

export const started: EventDraft = {
  type: 'job.executing',
  change: { kind: 'status', from: null, to: 'EXECUTING', rawTo: 'EXECUTING' },
}
export const failed: EventDraft = {
  type: 'job.failed',
  change: { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' },
}

/** What the dispatcher asked to be sent. */
export interface Sent {
  readonly endpoint: string
  readonly seq: number
  readonly type: string
  readonly jobid: string | null
  readonly at: number
  readonly text: string
  readonly late: Late | null
}
export type AnswerTo = (sent: Sent) => AttemptResult | Promise<AttemptResult>

export interface DispatchOptions {
  /** Requests in flight per endpoint. */
  readonly concurrency?: number
  /** The pauses between attempts, in ms. */
  readonly schedule?: readonly number[]
  readonly format?: Partial<Format>
  readonly spec?: Partial<EndpointSpec>
}

/** Nothing goes over it: the test itself answers. */
const carrier = {} as Carrier

/** A store with endpoints and a dispatcher whose attempts the test answers. */
export async function ground(
  names: readonly string[] = ['ops'],
  { concurrency = 8, schedule = scheduleMs, format = {}, spec = {} }: DispatchOptions = {},
) {
  const folder = await temporaryFolder()
  const file = join(folder.path, 'test.db')
  const clock = new FakeClock()
  let store = openSqliteStore({ file, overtakeMs: 5 * minute, now: () => clock.now() })
  const metrics = createMetrics({ version: '1.2.3' })
  const sent: Sent[] = []
  let answer: AnswerTo = () => taken
  const send: Send = async ({ seq, type, jobid, text }, target, late) => {
    const one = { endpoint: target.name, seq, type, jobid, at: clock.now(), text, late }
    sent.push(one)
    return { ...(await answer(one)), at: one.at }
  }
  function targetOf(endpoint: StoredEndpoint): LaneTarget {
    const { name, url, headers, timeoutMs } = endpoint.spec
    const target = { name, url, headers, timeoutMs, format: { ...webhook, ...format }, carrier }
    return { ...target, secretsAt: () => [], endpoint }
  }
  const reads: { readonly what: string; readonly endpointId: number; readonly rows: number }[] = []
  /** The store, with note taken of what is read for the lanes. */
  function watched(): Store {
    const own = store
    return {
      ...own,
      async readDue(query) {
        const due = await own.readDue(query)
        reads.push({ what: 'readDue', endpointId: query.endpointId, rows: due.length })
        return due
      },
      async nextDueAt(query) {
        reads.push({ what: 'nextDueAt', endpointId: query.endpointId, rows: 1 })
        return own.nextDueAt(query)
      },
    }
  }
  async function begin() {
    const endpoints = await store.syncEndpoints(
      names.map((name) => anEndpointSpec(name, { format: 'webhook', ...spec })),
      clock.now(),
    )
    const dispatcher = createDispatcher(
      { store: watched(), send, clock, random: () => 0.5, log: createLogger('silent'), metrics },
      { concurrency, scheduleMs: schedule },
    )
    for (const endpoint of endpoints) dispatcher.put(targetOf(endpoint))
    store.onCommit(() => dispatcher.wake())
    dispatcher.start()
    await settle()
    return dispatcher
  }
  let dispatcher = await begin()
  async function endpoint(name = 'ops'): Promise<StoredEndpoint> {
    const found = (await store.listEndpoints()).find((one) => one.spec.name === name)
    if (found === undefined) throw new Error(`there is no endpoint ${name}`)
    return found
  }
  return {
    clock,
    sent,
    metrics,
    /** What was read from the store for the lanes so far. */
    reads,
    store: () => store,
    dispatcher: () => dispatcher,
    endpoint,
    set answer(next: AnswerTo) {
      answer = next
    },
    seqs: () => sent.map(({ seq }) => seq),
    /**
     * Lets attempts that begin from now on wait, of one endpoint or of all; the returned calls answer
     * them in order.
     */
    hold(name?: string): ((result: AttemptResult) => Promise<void>)[] {
      const waiting: ((result: AttemptResult) => Promise<void>)[] = []
      answer = (one) =>
        name !== undefined && one.endpoint !== name
          ? taken
          : new Promise((resolve) => {
              waiting.push(async (result) => {
                resolve(result)
                await settle()
              })
            })
      return waiting
    },
    /** Registers a job: that is one event. */
    async register(jobid: string) {
      await store.registerJob({ upstream: 'prod', jobid }, clock.now())
      await settle()
    },
    async look(jobid: string, drafts: readonly EventDraft[]) {
      const job = await store.findJob({ upstream: 'prod', jobid })
      if (job === null) throw new Error(`${jobid} is not registered`)
      await store.commitLook({ job, drafts, document: '{}', at: clock.now() })
      await settle()
    },
    /** The newest delivery of an event. */
    async delivery(seq: number, name = 'ops'): Promise<DeliveryRecord> {
      const query = { endpoint: name, seq, limit: 1, before: null }
      const [found] = (await store.listDeliveries(query)).deliveries
      if (found === undefined) throw new Error(`event ${seq} is not owed to ${name}`)
      return found
    },
    async retry({ endpointId, id }: Pick<DeliveryRecord, 'endpointId' | 'id'>) {
      dispatcher.retryNow(endpointId, id)
      await settle()
    },
    /** Tries an endpoint out, as the API does. */
    async test(name = 'ops') {
      const { id } = await endpoint(name)
      const result = await dispatcher.sendTest(id, testEvent(name, 'test-1', clock.now()))
      if (result?.verdict === 'delivered') {
        const fine = await store.noteSuccess(id, clock.now())
        if (fine !== null) dispatcher.put(targetOf(fine))
      }
      await settle()
      return result
    },
    async disable(name = 'ops') {
      const after = await store.disableEndpoint((await endpoint(name)).id, 'by hand', clock.now())
      if (after !== null) dispatcher.put(targetOf(after))
      await settle()
    },
    async enable(name = 'ops') {
      const after = await store.enableEndpoint((await endpoint(name)).id, clock.now())
      if (after !== null) dispatcher.put(targetOf(after))
      await settle()
    },
    /** Delivers to an endpoint as it is in the store. */
    async put(name = 'ops') {
      dispatcher.put(targetOf(await endpoint(name)))
      await settle()
    },
    async restart() {
      await dispatcher.stop()
      await store.close()
      store = openSqliteStore({ file, overtakeMs: 5 * minute, now: () => clock.now() })
      dispatcher = await begin()
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.stop()
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
