import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { AttemptResult } from '../src/core/delivery.ts'
import type { EventDraft } from '../src/core/event.ts'
import { failed, ground, minute, refused, started, taken } from './helpers/dispatching.ts'
import { settle } from './helpers/fake-clock.ts'

const day = 86_400_000
const gone: AttemptResult = {
  ...{ ...refused, verdict: 'endpoint_dead', status: 410, detail: 'answered 410' },
}
const silence = (ms: number): AttemptResult => ({ ...refused, status: 503, retryAfterMs: ms })
const misunderstood: AttemptResult = {
  ...{ ...refused, verdict: 'refused', status: 400, detail: 'invalid_blocks' },
}
const reset: AttemptResult = { ...refused, status: null, error: 'reset', answer: null }

type At = Awaited<ReturnType<typeof ground>>

/** Jobs whose first event is owed, one after the other. */
async function registerMany(at: At, count: number, prefix = 'j'): Promise<void> {
  for (let n = 0; n < count; n += 1) await at.register(`${prefix}${n}`)
  await settle(50)
}

/** How long after the first of them each attempt was begun. */
function offsets(sent: At['sent']): number[] {
  return sent.map(({ at }) => at - (sent[0]?.at ?? 0))
}

describe('an endpoint that failed fifty times in a row', () => {
  test('is probed, one attempt at a time, every few seconds', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 60)
    expect(at.sent).toHaveLength(50)
    await at.clock.advance(minute)
    // A fifth earlier than a first retry, so that none has to wait for a probe.
    expect(offsets(at.sent).slice(50)).toEqual(Array.from({ length: 15 }, (_, n) => 4000 * (n + 1)))
  })

  test('has one attempt in flight, however long that takes', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 60)
    const waiting = at.hold()
    await at.clock.advance(10 * minute)
    expect(waiting).toHaveLength(1)
    await waiting[0]?.(refused)
    await at.clock.advance(minute)
    expect(waiting).toHaveLength(2)
    at.answer = () => taken
    await waiting[1]?.(refused)
  })

  test('uses up no attempts of what waits, and gets all of it once one was taken', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 300)
    await at.clock.advance(10 * minute)
    const pending = { state: 'pending', limit: 500, before: null } as const
    const { deliveries } = await at.store().listDeliveries(pending)
    expect(deliveries).toHaveLength(300)
    // 50 before it was probed, 150 probes since, each of another delivery.
    expect(deliveries.filter(({ attemptCount }) => attemptCount === 0)).toHaveLength(100)

    at.answer = () => taken
    const before = at.sent.length
    await at.clock.advance(5000)
    await settle(500)
    expect((await at.endpoint()).health.state).toBe('active')
    expect(at.sent.length - before).toBeGreaterThan(100)
    await at.clock.advance(10 * minute)
    expect((await at.store().listDeliveries(pending)).deliveries).toEqual([])
  })

  test('is probed after a restart too, at once and then every few seconds', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 60)
    await at.clock.advance(5 * minute)
    const before = at.sent.length
    await at.restart()
    await settle(50)
    expect(at.sent).toHaveLength(before + 1)
    await at.clock.advance(10_000)
    expect(offsets(at.sent.slice(before))).toEqual([0, 4000, 8000])
  })

  test('is not probed before that: forty-nine leave each delivery its own schedule', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 49)
    expect((await at.endpoint()).health).toMatchObject({ state: 'failing', failures: 49 })
    const waiting = at.hold()
    await at.clock.advance(5000)
    expect(waiting).toHaveLength(8)
    for (const answer of waiting) await answer(refused)
    at.answer = () => refused
    for (const answer of waiting.slice(8)) await answer(refused)
  })

  test('is tried at once when somebody changes something about it', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 60)
    await at.clock.advance(5 * minute)
    const before = at.sent.length
    await at.put()
    expect(at.sent).toHaveLength(before + 1)
  })
})

describe('an endpoint that says it is gone', () => {
  test('gets nothing more, and what was in flight changes nothing', async () => {
    await using at = await ground(['ops', 'other'], { concurrency: 2 })
    const waiting = at.hold('ops')
    await registerMany(at, 6)
    expect(waiting).toHaveLength(2)
    await waiting[0]?.(gone)
    expect((await at.endpoint()).health).toMatchObject({
      ...{ state: 'disabled', reason: 'answered 410' },
    })
    await waiting[1]?.(taken)
    await at.clock.advance(day)
    expect(waiting).toHaveLength(2)
    expect((await at.endpoint()).health.state).toBe('disabled')
    const toOther = at.sent.filter(({ endpoint }) => endpoint === 'other')
    expect(toOther.map(({ type }) => type)).toContain('endpoint.disabled')
    for (const seq of [1, 2, 3, 4, 5, 6]) {
      expect((await at.delivery(seq)).state).toBe('cancelled')
    }
  })

  test('and is enabled while all that waited is still being cancelled is delivered to', async () => {
    await using at = await ground()
    const waiting = at.hold()
    await at.register('j1')
    await at.look('j1', Array<EventDraft>(1500).fill(started))
    void waiting[0]?.(gone)
    while ((await at.endpoint()).health.state !== 'disabled') await settle(1)
    at.answer = () => taken
    await at.enable()
    await settle(100)
    await at.register('j2')
    expect(at.sent.at(-1)?.jobid).toBe('j2')
    expect(at.sent).toHaveLength(2)
  })
})

describe('a retry by hand', () => {
  test('of a pending delivery is made at once, outside the order and while the endpoint is silent', async () => {
    await using at = await ground()
    at.answer = () => silence(60 * minute)
    await at.register('j1')
    await at.look('j1', [started])
    at.answer = () => taken
    await at.retry(await at.delivery(2))
    expect(at.seqs()).toEqual([1, 2])
    expect((await at.delivery(2)).state).toBe('delivered')
    // The silence goes on for all that nobody asked for.
    await at.clock.advance(60 * minute - 1)
    expect(at.seqs()).toEqual([1, 2])
    await at.clock.advance(1)
    expect(at.seqs()).toEqual([1, 2, 1])
  })

  test('of a failed or a cancelled delivery makes it a delivered one', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    await at.clock.advance(60 * minute)
    await at.register('j2')
    await at.disable()
    at.answer = () => taken
    for (const [seq, state] of [
      [1, 'failed'],
      // The second event is that the endpoint is failing.
      [3, 'cancelled'],
    ] as const) {
      const delivery = await at.delivery(seq)
      expect(delivery.state).toBe(state)
      await at.retry(delivery)
      expect((await at.delivery(seq)).state).toBe('delivered')
    }
  })

  test('that fails leaves the state and the time, and uses up nothing of the schedule', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    const before = await at.delivery(1)
    await at.clock.advance(1000)
    await at.retry(before)
    await at.retry(before)
    expect(await at.delivery(1)).toEqual({ ...before, attemptCount: 3 })
    await at.clock.advance(60 * minute)
    expect(offsets(at.sent)).toEqual([0, 1000, 1000, 5000, 35_000, 155_000, 755_000])
    const spent = await at.delivery(1)
    expect(spent.state).toBe('failed')
    await at.retry(spent)
    expect(await at.delivery(1)).toEqual({ ...spent, attemptCount: 8 })
  })

  test('is one attempt, however often it is asked for meanwhile, and no other is made', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    const waiting = at.hold()
    const delivery = await at.delivery(1)
    await at.retry(delivery)
    await at.retry(delivery)
    await at.clock.advance(minute)
    expect(waiting).toHaveLength(1)
    at.answer = () => taken
    await waiting[0]?.(taken)
    await at.clock.advance(minute)
    expect(at.sent).toHaveLength(2)
    expect((await at.delivery(1)).attemptCount).toBe(2)
  })

  test('of what is being attempted is left to that attempt', async () => {
    await using at = await ground()
    const waiting = at.hold()
    await at.register('j1')
    await at.retry(await at.delivery(1))
    expect(waiting).toHaveLength(1)
    await waiting[0]?.(taken)
    await at.clock.advance(minute)
    expect(at.sent).toHaveLength(1)
  })

  test('that is answered with Retry-After silences the endpoint', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    at.answer = () => silence(10 * minute)
    await at.retry(await at.delivery(1))
    at.answer = () => taken
    await at.clock.advance(10 * minute - 1)
    expect(at.sent).toHaveLength(2)
    await at.clock.advance(1)
    expect(at.sent).toHaveLength(3)
  })

  test('of a delivery or an endpoint that is unknown does nothing', async () => {
    await using at = await ground()
    const { id } = await at.endpoint()
    await at.retry({ endpointId: id, id: 99 })
    await at.retry({ endpointId: 99, id: 1 })
    expect(at.sent).toEqual([])
    expect(await at.dispatcher().sendTest(99, { ...aTest, text: '{}' })).toBeNull()
  })
})

const aTest = { seq: 0, id: 'test-1', type: 'jobwatch.test', upstream: null, jobid: null, tags: [] }

describe('a test by hand', () => {
  test('that is taken ends the patience with a failing endpoint, also with a probed one', async () => {
    await using at = await ground()
    at.answer = () => refused
    await registerMany(at, 60)
    await at.clock.advance(minute)
    const before = at.sent.length
    at.answer = () => taken
    expect((await at.test())?.status).toBe(204)
    await settle(100)
    expect((await at.endpoint()).health.state).toBe('active')
    expect(at.sent.length - before).toBeGreaterThan(40)
    const events = await at.store().readEvents({
      ...{ after: 0, limit: 10, filter: { types: ['endpoint.*'] } },
    })
    expect(events.events.map(({ type }) => type)).toEqual([
      'endpoint.failing',
      'endpoint.recovered',
    ])
  })

  test('does not end a silence that the receiver asked for', async () => {
    await using at = await ground()
    at.answer = () => silence(60 * minute)
    await at.register('j1')
    at.answer = () => taken
    await at.test()
    await at.clock.advance(60 * minute - 1)
    expect(at.sent.map(({ type }) => type)).toEqual(['job.watched', 'jobwatch.test'])
    await at.clock.advance(1)
    expect(at.seqs()).toEqual([1, 0, 1])
  })

  test('that fails is no delivery: it harms nobody', async () => {
    await using at = await ground()
    at.answer = () => refused
    for (let n = 0; n < 6; n += 1) await at.test()
    expect((await at.endpoint()).health).toMatchObject({ state: 'active', failures: 0 })
  })
})

describe('a message that comes late', () => {
  const chat = { format: { isMessage: true }, spec: { fold: true } }

  test('stands for what it made pointless, and tells it and how the job is now', async () => {
    await using at = await ground(['chat'], chat)
    at.answer = () => refused
    await at.register('j1')
    await at.look('j1', [started, failed])
    at.answer = () => taken
    await at.clock.advance(5000)
    expect(at.seqs()).toEqual([1, 3])
    const [first, second] = at.sent
    expect(first?.late).toBeNull()
    expect(second?.late).toMatchObject({
      now: second?.at,
      job: { jobid: 'j1', state: 'active', title: 'j1' },
      leftOut: [
        { seq: 1, type: 'job.watched' },
        { seq: 2, type: 'job.executing' },
      ],
      leftOutCount: 2,
    })
    const states = await Promise.all([1, 2, 3].map((seq) => at.delivery(seq, 'chat')))
    expect(states.map(({ state }) => state)).toEqual(['superseded', 'superseded', 'delivered'])
  })

  test('is one that was tried before, or waited through the failure of another, or over a minute', async () => {
    await using at = await ground(['chat'], { ...chat, concurrency: 1 })
    at.answer = () => silence(2 * minute)
    await at.register('j1')
    await at.register('j2')
    at.answer = () => taken
    await at.clock.advance(minute + 30_000)
    await at.register('j3')
    await at.clock.advance(30_000)
    const late = at.sent.slice(1).map((one) => [one.jobid, one.late !== null])
    expect(Object.fromEntries(late)).toEqual({ j1: true, j2: true, j3: false })
  })

  test('is none when the one before it was not understood: that is no outage', async () => {
    await using at = await ground(['chat'], { ...chat, concurrency: 1 })
    const waiting = at.hold()
    await at.register('j1')
    await at.register('j2')
    at.answer = () => taken
    await waiting[0]?.(misunderstood)
    expect(at.sent.map(({ jobid, late }) => [jobid, late])).toEqual([
      ['j1', null],
      ['j2', null],
    ])
  })

  test('is what was asked for again, and it is told whole', async () => {
    await using at = await ground(['chat'], chat)
    await at.register('j1')
    await at.look('j1', [started])
    const { id } = await at.endpoint('chat')
    const query = { endpointId: id, from: { after: 0 }, until: null, types: [] }
    await at.store().replay(query, at.clock.now())
    at.dispatcher().wake()
    await settle(30)
    expect(at.seqs()).toEqual([1, 2, 1, 2])
    expect(at.sent.map(({ late }) => late !== null)).toEqual([false, false, true, true])
    expect(at.sent.at(-1)?.late).toMatchObject({ leftOut: [], leftOutCount: 0 })
  })

  test('is not left out when somebody asks for it by hand', async () => {
    await using at = await ground(['chat'], chat)
    at.answer = () => refused
    await at.register('j1')
    await at.look('j1', [started, failed])
    at.answer = () => taken
    await at.retry(await at.delivery(1, 'chat'))
    expect(at.sent[1]).toMatchObject({ seq: 1, late: { leftOutCount: 0 } })
  })

  test('of a webhook is the event alone, and nothing is left out unless it is asked for', async () => {
    await using at = await ground(['ops'])
    at.answer = () => refused
    await at.register('j1')
    await at.look('j1', [started, failed])
    at.answer = () => taken
    await at.clock.advance(minute)
    expect(at.seqs()).toEqual([1, 1, 2, 3])
    expect(at.sent.map(({ late }) => late)).toEqual([null, null, null, null])
  })
})

describe('five days of failing', () => {
  test('disable an endpoint by the clock, though nothing is due', async () => {
    await using at = await ground(['ops', 'other'])
    at.answer = ({ endpoint }) => (endpoint === 'other' ? taken : silence(20 * day))
    await at.register('j1')
    for (let n = 0; n < 4; n += 1) await at.retry(await at.delivery(1))
    expect((await at.endpoint()).health.state).toBe('failing')
    at.clock.jump(5 * day - minute)
    await at.clock.advance(minute - 1)
    expect((await at.endpoint()).health.state).toBe('failing')
    await at.clock.advance(1)
    await settle(30)
    expect((await at.endpoint()).health.state).toBe('disabled')
    expect((await at.delivery(1)).state).toBe('cancelled')
    expect(at.sent.at(-1)).toMatchObject({ endpoint: 'other', type: 'endpoint.disabled' })
    const count = at.sent.length
    at.answer = () => taken
    await at.clock.advance(minute)
    expect(at.sent).toHaveLength(count)
  })

  test('that passed while the daemon was stopped count as well', async () => {
    await using at = await ground()
    at.answer = () => silence(20 * day)
    await at.register('j1')
    for (let n = 0; n < 4; n += 1) await at.retry(await at.delivery(1))
    const count = at.sent.length
    at.clock.jump(6 * day)
    await at.restart()
    await settle(50)
    expect((await at.endpoint()).health.state).toBe('disabled')
    expect(at.sent).toHaveLength(count)
  })
})

describe('an endpoint that is disabled', () => {
  test('gets nothing, whoever wakes its lane; enabled, it goes on with what is new', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    await at.disable()
    at.answer = () => taken
    await at.register('j2')
    at.dispatcher().wake()
    await at.clock.advance(day)
    expect(at.sent).toHaveLength(1)
    await at.enable()
    await at.register('j3')
    expect(at.sent.slice(1).map(({ jobid }) => jobid)).toEqual(['j3'])
  })
})

describe('while an attempt is in flight', () => {
  test('a change of its endpoint begins no second one and holds for the next', async () => {
    await using at = await ground()
    const waiting = at.hold()
    await at.register('j1')
    await at.put()
    await at.clock.advance(minute)
    expect(waiting).toHaveLength(1)
    at.answer = () => taken
    await waiting[0]?.(refused)
    await at.clock.advance(5000)
    expect(at.seqs()).toEqual([1, 1])
  })

  test('its endpoint is removed when it is recorded, and gets nothing more', async () => {
    await using at = await ground()
    const waiting = at.hold()
    await at.register('j1')
    await at.register('j2')
    const { id } = await at.endpoint()
    at.dispatcher().remove(id)
    await settle()
    await waiting[0]?.(taken)
    await waiting[1]?.(taken)
    await settle()
    expect((await at.delivery(1)).state).toBe('delivered')
    await at.register('j3')
    await at.clock.advance(minute)
    expect(waiting).toHaveLength(2)
  })

  test('a stop waits for it; what is taken is recorded, what is cut off is due again', async () => {
    await using at = await ground(['ops'], { concurrency: 2 })
    const waiting = at.hold()
    await registerMany(at, 3)
    const stopping = at.dispatcher().stop()
    await settle()
    await waiting[0]?.(taken)
    await waiting[1]?.(reset)
    await stopping
    expect(waiting).toHaveLength(2)
    expect(await at.delivery(1)).toMatchObject({ state: 'delivered', attemptCount: 1 })
    expect(await at.delivery(2)).toMatchObject({ state: 'pending', attemptCount: 0 })
    expect((await at.endpoint()).health.failures).toBe(0)
    at.answer = () => taken
    await at.restart()
    await settle(30)
    expect(at.seqs()).toEqual([1, 2, 2, 3])
  })

  test('by hand a stop waits for it likewise, and begins no other', async () => {
    await using at = await ground()
    at.answer = () => refused
    await at.register('j1')
    const waiting = at.hold()
    const delivery = await at.delivery(1)
    await at.retry(delivery)
    const stopping = at.dispatcher().stop()
    await waiting[0]?.(taken)
    await stopping
    expect((await at.delivery(1)).state).toBe('delivered')
    await at.retry(delivery)
    expect(waiting).toHaveLength(1)
  })
})

describe('the pace of messages', () => {
  /** The queue that keeps the pace goes by the real time. */
  function fakeRealTime(): void {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
    })
    onTestFinished(() => {
      vi.useRealTimers()
    })
  }

  async function pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms)
    await settle()
  }

  const paced = { format: { isMessage: true, per10s: 2 } }

  test('is kept: so many in ten seconds, then the next ones, in order', async () => {
    fakeRealTime()
    await using at = await ground(['chat'], paced)
    await registerMany(at, 5)
    expect(at.seqs()).toEqual([1, 2])
    await pass(9999)
    expect(at.seqs()).toEqual([1, 2])
    await pass(1)
    expect(at.seqs()).toEqual([1, 2, 3, 4])
    await pass(10_000)
    expect(at.seqs()).toEqual([1, 2, 3, 4, 5])
  })

  test('lets nothing out of the queue into a silence that was asked for meanwhile', async () => {
    fakeRealTime()
    await using at = await ground(['chat'], paced)
    const waiting = at.hold()
    await registerMany(at, 5)
    at.answer = () => taken
    await waiting[1]?.(silence(10 * minute))
    await waiting[0]?.(taken)
    await pass(20_000)
    expect(at.seqs()).toEqual([1, 2])
    await at.clock.advance(10 * minute)
    await pass(20_000)
    expect(at.seqs().slice(2).toSorted()).toEqual([2, 3, 4, 5])
  })

  test('lets nothing out of the queue to an endpoint that was disabled meanwhile', async () => {
    fakeRealTime()
    await using at = await ground(['chat'], paced)
    await registerMany(at, 5)
    await at.disable('chat')
    await pass(20_000)
    expect(at.seqs()).toEqual([1, 2])
    await at.enable('chat')
    await at.register('new')
    await pass(20_000)
    expect(at.sent.slice(2).map(({ jobid }) => jobid)).toEqual(['new'])
  })

  test('does not hold up a stop', async () => {
    fakeRealTime()
    await using at = await ground(['chat'], paced)
    await registerMany(at, 5)
    await at.dispatcher().stop()
    await pass(20_000)
    expect(at.seqs()).toEqual([1, 2])
  })
})
