import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventType } from '../../../src/core/event.ts'
import type { Job } from '../../../src/core/job.ts'
import {
  Ground,
  aDraft,
  anEndpoint,
  delivered,
  minute,
  never,
  overtakeMs,
  refused,
  seqs,
  textOf,
  upTo,
} from '../harness.ts'
import type { OpenStore } from '../harness.ts'

const jobs = [
  { upstream: 'prod', jobid: 'j-1' },
  { upstream: 'prod', jobid: 'j-2' },
  { upstream: 'dev', jobid: 'j-1' },
] as const
/** Name, and the types that the endpoint wants. */
const endpoints = [
  ['all', ['*']],
  ['ends', ['job.failed', 'job.completed']],
  ['prod', ['job.watched', 'job.stage.changed', 'job.failed']],
] as const
const lookTypes: EventType[] = [
  'job.stage.changed',
  'job.message.added',
  'job.executing',
  'job.completed',
  'job.failed',
  'job.lost',
]
const urgentTypes = new Set<EventType>(['job.completed', 'job.failed', 'job.lost'])

type Step =
  | { readonly kind: 'register' | 'stop' | 'staleLook'; readonly job: number }
  | { readonly kind: 'look'; readonly job: number; readonly types: readonly EventType[] }
  | {
      readonly kind: 'attempt'
      readonly endpoint: number
      readonly pick: number
      readonly result: 'delivered' | 'retry' | 'failed'
      readonly waitMs: number
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'sync'; readonly which: readonly number[] }
  | { readonly kind: 'reopen' }

const anyJob = fc.nat(jobs.length - 1)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('register', 'stop', 'staleLook'),
      job: anyJob,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('look'),
      job: anyJob,
      types: fc.array(fc.constantFrom(...lookTypes), { maxLength: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('attempt'),
      endpoint: fc.nat(endpoints.length - 1),
      pick: fc.nat(5),
      result: fc.constantFrom('delivered', 'retry', 'failed'),
      waitMs: fc.integer({ min: 0, max: 20 * minute }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait'),
      ms: fc.integer({ min: 0, max: 2 * overtakeMs }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('sync'), which: fc.subarray([0, 1, 2]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen') }) },
)

/** A delivery as the contract has it. */
interface Owed {
  readonly endpointId: number
  readonly lane: string
  readonly seq: number
  attempts: number
  /** Null while it waits for an earlier one of its lane. */
  dueAt: number | null
  isPending: boolean
}

/** What the contract says must be in the store, kept in plain arrays. */
class Model {
  readonly known: { id: number; index: number }[] = []
  readonly owed: Owed[] = []
  readonly chains = new Map<string, number[]>()
  configured: number[] = []
  newest = 0

  append(job: (typeof jobs)[number], types: readonly EventType[], now: number): void {
    const lane = `${job.upstream}/${job.jobid}`
    for (const type of types) {
      this.newest += 1
      this.chains.set(lane, [...(this.chains.get(lane) ?? []), this.newest])
      for (const { id, index } of this.known) {
        const wanted: readonly string[] = endpoints[index]?.[1] ?? []
        if (!wanted.includes('*') && !wanted.includes(type)) continue
        const isBlocked = this.pending(id, lane).length > 0
        const dueAt = isBlocked ? (urgentTypes.has(type) ? now + overtakeMs : null) : now
        this.owed.push({
          ...{ endpointId: id, lane, seq: this.newest },
          ...{ attempts: 0, dueAt, isPending: true },
        })
      }
    }
  }

  pending(endpointId: number, lane?: string): readonly Owed[] {
    return this.owed.filter(
      (owed) =>
        owed.isPending &&
        owed.endpointId === endpointId &&
        (lane === undefined || owed.lane === lane),
    )
  }

  finish(done: Owed, now: number): void {
    done.isPending = false
    const [next] = this.pending(done.endpointId, done.lane)
    // One that was tried has a schedule of its own.
    if (next?.attempts === 0) next.dueAt = Math.min(next.dueAt ?? now, now)
  }
}

/** A random walk over everything that writes, compared with the model after every step. */
export function walkCases(open: OpenStore): void {
  describe('whatever happens', () => {
    test('numbers, chains and the order of deliveries hold', { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 60 }), async (steps) => {
          const ground = await Ground.create(open)
          const model = new Model()
          await sync(ground, model, [0, 1, 2])
          for (const step of steps) {
            await take(step, ground, model)
            await compare(ground, model)
          }
          await ground.store.close()
        }),
        { numRuns: 100 },
      )
    })
  })
}

async function sync(ground: Ground, model: Model, which: readonly number[]): Promise<void> {
  const wanted = which.map((index) => {
    const [name, types] = endpoints[index] ?? endpoints[0]
    return anEndpoint(name, { types })
  })
  const stored = await ground.sync(...wanted)
  const kept = new Set(stored.map(({ id }) => id))
  for (const owed of model.owed) if (!kept.has(owed.endpointId)) owed.isPending = false
  model.known.splice(0, Infinity)
  for (const [n, { id }] of stored.entries()) model.known.push({ id, index: which[n] ?? 0 })
  model.configured = [...which]
}

async function take(step: Step, ground: Ground, model: Model): Promise<void> {
  switch (step.kind) {
    case 'register': {
      const job = jobs[step.job] ?? jobs[0]
      const before = await ground.store.findJob(job)
      const { began } = await ground.store.registerJob(job, ground.now)
      expect(began).toBe(before === null || before.state === 'stopped')
      if (began) model.append(job, ['job.watched'], ground.now)
      return
    }
    case 'stop': {
      const job = jobs[step.job] ?? jobs[0]
      const before = await ground.store.findJob(job)
      const stopped = await ground.store.stopJob(job, ground.now)
      expect(stopped).toBe(before?.state === 'active')
      if (stopped) model.append(job, ['job.unwatched'], ground.now)
      return
    }
    case 'look':
    case 'staleLook': {
      const key = jobs[step.job] ?? jobs[0]
      const job = await ground.store.findJob(key)
      if (job === null) return
      const types = step.kind === 'look' ? step.types : lookTypes
      const revision = step.kind === 'look' ? job.revision : job.revision - 1
      const look: Job = { ...job, revision }
      const drafts = types.map((type) => aDraft(type))
      const { outcome } = await ground.store.commitLook({
        ...{ job: look, drafts, document: '{}', at: ground.now },
      })
      expect(outcome).toBe(step.kind === 'look' ? 'written' : 'conflict')
      if (outcome === 'written') model.append(key, types, ground.now)
      return
    }
    case 'attempt': {
      const endpoint = model.known[step.endpoint % Math.max(1, model.known.length)]
      if (endpoint === undefined) return
      const due = await ground.due(endpoint.id)
      const delivery = due[step.pick % Math.max(1, due.length)]
      if (delivery === undefined) return
      const owed = model.owed.find(
        ({ endpointId, seq }) => endpointId === endpoint.id && seq === delivery.event.seq,
      )
      if (owed === undefined) throw new Error(`nobody owes event ${delivery.event.seq}`)
      expect(delivery.attemptCount).toBe(owed.attempts)
      owed.attempts += 1
      if (step.result === 'retry') {
        owed.dueAt = ground.now + step.waitMs
        await ground.store.recordAttempt(refused(delivery, ground.now, owed.dueAt))
        return
      }
      const after = { state: step.result, dueAt: null, pauseUntil: null } as const
      await ground.store.recordAttempt({ ...delivered(delivery, ground.now), after })
      model.finish(owed, ground.now)
      return
    }
    case 'wait':
      ground.now += step.ms
      return
    case 'sync':
      await sync(ground, model, step.which)
      return
    case 'reopen':
      await ground.reopen()
      await sync(ground, model, model.configured)
  }
}

async function compare(ground: Ground, model: Model): Promise<void> {
  const events = await ground.events()
  expect(seqs(events)).toEqual(upTo(model.newest))
  for (const key of jobs) {
    const chain = model.chains.get(`${key.upstream}/${key.jobid}`) ?? []
    const own = events.filter(
      ({ upstream, jobid }) => upstream === key.upstream && jobid === key.jobid,
    )
    expect(own.map((event) => textOf(event).data.previousSeq)).toEqual(
      chain.map((_, n) => chain[n - 1] ?? null),
    )
    expect(seqs(own)).toEqual(chain)
    expect((await ground.store.findJob(key))?.lastSeq ?? undefined).toBe(chain.at(-1))
  }
  const typeOf = new Map(events.map(({ seq, type }) => [seq, type]))
  for (const { id } of model.known) {
    const scheduled = model.pending(id).filter(({ dueAt }) => dueAt !== null)
    const due = await ground.due(id, never)
    expect(due.map(({ event, attemptCount }) => [event.seq, attemptCount])).toEqual(
      [...scheduled]
        .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.seq - b.seq)
        .map(({ seq, attempts }) => [seq, attempts]),
    )
    expect(await ground.dueTimes(id)).toEqual(
      [...new Set(scheduled.map(({ dueAt }) => dueAt ?? 0))].sort((a, b) => a - b),
    )
    // Whatever the model says: one of a lane is due, or has overtaken or may overtake.
    const firsts = new Map<string, number>()
    for (const { event } of [...due].sort((a, b) => a.event.seq - b.event.seq)) {
      const lane = `${event.upstream}/${event.jobid}`
      const isUrgent = urgentTypes.has(typeOf.get(event.seq) as EventType)
      if (firsts.has(lane)) expect(isUrgent).toBe(true)
      firsts.set(lane, event.seq)
    }
  }
}
