import { expect, test } from 'vitest'
import { redirects, redirectTo, startBadReceiver } from './bad-receiver.ts'
import type { Behaviour } from './bad-receiver.ts'
import { deliveryGround, gapsOf } from './delivery-ground.ts'
import type { AttemptView, DeliveryView } from './delivery-ground.ts'
import { until } from './ground.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const dayMs = 86_400_000
const hourMs = 3_600_000
const forAnHour = { status: 500, headers: { 'retry-after': '3600' } }

/** How long after it was recorded a failed attempt is to be repeated. */
function pauseMs({ nextAttemptAt }: DeliveryView, { at, durationMs }: AttemptView): number {
  return Date.parse(nextAttemptAt ?? '') - Date.parse(at) - durationMs
}

function first<Item>(list: readonly Item[]): Item {
  const [one] = list
  if (one === undefined) throw new Error('there is none')
  return one
}

test('a failed delivery is repeated on schedule with the same id and bytes, freshly signed, and at last is failed', async () => {
  const stepsMs = [100, 400, 1200]
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [{ name: 'ops', url: receiver.url, secret, events: ['job.executing'] }],
    delivery: { retry: stepsMs.map((ms) => `${ms}ms`) },
  })
  // Retry-After that says nothing is none.
  receiver.will(500, { status: 429, headers: { 'retry-after': 'soon' } }, 'reset', 404)
  const job = await at.watch('a')
  const event = await job.event('job.executing')
  const failed = await at.delivery('endpoint=ops', ({ state }) => state === 'failed')

  expect(failed).toMatchObject({ attemptCount: 4, nextAttemptAt: null, deliveredAt: null })
  expect(failed.attempts.map(({ status, error }) => [status, error])).toEqual([
    [500, 'status'],
    [429, 'status'],
    [null, 'reset'],
    [404, 'status'],
  ])
  const { received } = receiver
  expect(received).toHaveLength(4)
  for (const [index, gap] of gapsOf(received).entries()) {
    const step = stepsMs[index] ?? 0
    expect(gap).toBeGreaterThanOrEqual(step * 0.8)
    // A busy machine is late, never early.
    expect(gap).toBeLessThan(step * 1.2 + 1000)
  }
  const log = await at.log()
  for (const one of received) {
    expect(one.id).toBe(event.id)
    expect(one.raw).toEqual(received[0]?.raw)
    expect(log).toContain(one.body)
    expect(one.isSignedBy(secret)).toBe(true)
    expect(Math.abs(Number(one.headers['webhook-timestamp']) - one.at / 1000)).toBeLessThan(2)
  }
  expect(received[3]?.headers['webhook-timestamp']).not.toBe(
    received[0]?.headers['webhook-timestamp'],
  )
})

test('the pauses are spread by a fifth to either side', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [{ name: 'ops', url: receiver.url, events: ['job.watched'] }],
    delivery: { retry: ['1h', '1h'] },
  })
  receiver.will(503)
  const jobs = Array.from({ length: 40 }, (_, n) => ({ jobid: `job-${n}` }))
  expect((await at.post('/v1/jobs/batch', { jobs })).status).toBe(200)
  let tried: readonly DeliveryView[] = []
  await until(async () => {
    tried = (await at.deliveries('endpoint=ops')).filter((one) => one.attemptCount === 1)
    return tried.length === jobs.length
  })
  const pauses: number[] = []
  for (const { seq } of tried) {
    const one = await at.delivery(`seq=${seq}`)
    pauses.push(pauseMs(one, first(one.attempts)))
  }
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.8 * hourMs - 1000)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1.2 * hourMs + 10_000)
  // That all of forty are in one half has a chance of 2 in 10^12.
  expect(Math.min(...pauses)).toBeLessThan(hourMs)
  expect(Math.max(...pauses)).toBeGreaterThan(hourMs)
})

test.each([
  [429, 'in seconds', () => '2'],
  [503, 'as a date', () => new Date(Math.ceil(Date.now() / 1000) * 1000 + 2000).toUTCString()],
])('%i with Retry-After %s pauses the whole endpoint and no other', async (status, _, header) => {
  await using receiver = await startBadReceiver()
  await using other = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url, events: ['job.watched'] },
      { name: 'other', url: other.url, events: ['job.watched'] },
    ],
    delivery: { retry: ['20ms', '20ms', '20ms'] },
  })
  let pausedUntil = 0
  receiver.decide((_, count) => {
    if (count > 1) return 204
    const retryAfter = header()
    const isDate = retryAfter.includes('GMT')
    pausedUntil = isDate ? Date.parse(retryAfter) : Date.now() + Number(retryAfter) * 1000
    return { status, headers: { 'retry-after': retryAfter } }
  })
  await at.watch('a')
  await at.delivery('endpoint=ops', ({ attemptCount }) => attemptCount === 1)
  await at.watch('b')
  await until(() => other.received.length === 2)
  // By hand it goes out all the same.
  await at.tell('ops', 'test')
  await at.drained()

  const isTest = ({ id }: { readonly id: string | null }) => id?.startsWith('test-') === true
  expect(receiver.received.find(isTest)?.at).toBeLessThan(pausedUntil)
  const events = receiver.received.filter((one) => !isTest(one))
  expect(events).toHaveLength(3)
  expect(new Set(events.map(({ body }) => body)).size).toBe(2)
  for (const one of events.slice(1)) expect(one.at).toBeGreaterThanOrEqual(pausedUntil - 5)
})

test('on other answers Retry-After is the floor of that delivery alone; a day is the most it can ask', async () => {
  await using receiver = await startBadReceiver()
  await using greedy = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url, events: ['job.watched'] },
      { name: 'greedy', url: greedy.url, events: ['job.watched'] },
    ],
  })
  receiver.will({ status: 500, headers: { 'retry-after': '7200' } }, 204)
  greedy.will({ status: 503, headers: { 'retry-after': '31536000' } }, 204)
  const { jobid } = await at.watch('a')
  const floor = await at.delivery(`endpoint=ops&jobid=${jobid}`, (one) => one.attemptCount === 1)
  expect(pauseMs(floor, first(floor.attempts))).toBeGreaterThan(2 * hourMs - 1000)
  expect(pauseMs(floor, first(floor.attempts))).toBeLessThan(3 * hourMs)
  await at.watch('b')
  await at.delivery('endpoint=ops&jobid=b', ({ state }) => state === 'delivered')
  const capped = await at.delivery('endpoint=greedy&jobid=a', (one) => one.attemptCount === 1)
  expect(pauseMs(capped, first(capped.attempts))).toBeGreaterThan(dayMs - 60_000)
  expect(pauseMs(capped, first(capped.attempts))).toBeLessThan(dayMs + 10_000)
  expect(greedy.received).toHaveLength(1)
})

test('410 disables the endpoint, cancels what it was owed and is told to the others', async () => {
  await using receiver = await startBadReceiver()
  await using watchman = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url },
      { name: 'watchman', url: watchman.url, events: ['endpoint.*'] },
    ],
  })
  receiver.decide(({ body }) => (body.includes('"gone"') ? 410 : forAnHour))
  const waiting = await at.watch('waiting')
  const watched = await waiting.event('job.watched')
  await waiting.event('job.executing')
  await at.delivery(`endpoint=ops&seq=${watched.data.seq}`, (one) => one.attemptCount === 1)
  await at.watch('gone')
  const disabled = await at.event('endpoint.disabled')
  expect(disabled).toMatchObject({
    source: '/endpoints/ops',
    data: { change: { kind: 'endpoint' } },
  })
  expect(disabled.data.change['reason']).toMatch(/410|gone/i)
  await until(() => watchman.received.some(({ id }) => id === disabled.id))

  expect(await at.endpoint('ops')).toMatchObject({ state: 'disabled', pending: 0 })
  const owed = await at.deliveries('endpoint=ops')
  expect(owed.map(({ state }) => state)).not.toContain('pending')
  for (const one of await at.deliveries('endpoint=ops&jobid=waiting')) {
    expect(one.state).toBe('cancelled')
  }
  const sent = receiver.received.length
  waiting.complete()
  const end = await waiting.event('job.completed')
  expect(await at.deliveries(`endpoint=ops&seq=${end.data.seq}`)).toEqual([])
  await at.drained()
  expect(receiver.received).toHaveLength(sent)
})

test('the fifth failure in a row makes an endpoint failing, the next success recovered; others are told once of each', async () => {
  await using receiver = await startBadReceiver()
  await using watchman = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url },
      { name: 'watchman', url: watchman.url, events: ['endpoint.*'] },
    ],
    delivery: { retry: Array<string>(60).fill('100ms') },
  })
  receiver.will(503, 500, 'reset', 503, 204)
  const early = await at.watch('early')
  await early.event('job.executing')
  await at.drained()
  expect(await at.events('type=endpoint.*')).toEqual([])
  expect(await at.endpoint('ops')).toMatchObject({ state: 'active', disablesAt: null })

  receiver.will(503)
  early.step()
  const stage = await early.event('job.stage.changed')
  const failing = await at.event('endpoint.failing')
  const { attempts } = await at.delivery(`endpoint=ops&seq=${stage.data.seq}`)
  expect(attempts.length).toBeGreaterThanOrEqual(5)
  expect(Date.parse(failing.time)).toBeGreaterThanOrEqual(Date.parse(attempts[4]?.at ?? ''))
  expect(failing).toMatchObject({
    source: '/endpoints/ops',
    subject: 'ops',
    data: { change: { kind: 'endpoint' } },
  })
  const { reason, disablesAt } = failing.data.change
  expect(reason).toMatch(/503|status/)
  const fromFirst = Date.parse(String(disablesAt)) - Date.parse(first(attempts).at)
  expect(Math.abs(fromFirst - 5 * dayMs)).toBeLessThan(2000)
  expect(await at.endpoint('ops')).toMatchObject({ state: 'failing', disablesAt, reason })

  receiver.will(204)
  const recovered = await at.event('endpoint.recovered')
  expect(recovered).toMatchObject({
    source: '/endpoints/ops',
    data: { previousSeq: failing.data.seq },
  })
  await at.drained()
  expect(await at.endpoint('ops')).toMatchObject({ state: 'active', disablesAt: null, pending: 0 })
  expect((await at.events('type=endpoint.*')).map(({ type }) => type)).toEqual([
    'endpoint.failing',
    'endpoint.recovered',
  ])
  expect(watchman.received.map(({ id }) => id)).toEqual([failing.id, recovered.id])
  expect(receiver.received.map(({ body }) => body).join()).not.toContain('"endpoint.')
})

test('one job waits for its first event; other jobs and other endpoints do not', async () => {
  await using receiver = await startBadReceiver()
  await using other = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url, events: ['job.*'] },
      { name: 'other', url: other.url, events: ['job.*'] },
    ],
    delivery: { retry: Array<string>(100).fill('100ms') },
  })
  receiver.decide(({ body }) => (body.includes('"stuck"') ? 503 : 204))
  const jobs = [await at.watch('stuck'), await at.watch('free')]
  for (const job of jobs) {
    job.step()
    await job.event('job.stage.changed')
    job.step()
    job.complete()
    await job.event('job.completed')
  }
  const [ofStuck, ofFree] = [await jobs[0]?.events(), await jobs[1]?.events()].map((events = []) =>
    events.map(({ id }) => id),
  )
  await until(async () => (await at.deliveries('state=delivered')).length === 15)
  const sent = (ids: readonly string[] | undefined) =>
    receiver.received.flatMap(({ id }) => (id !== null && ids?.includes(id) ? [id] : []))
  expect(ofStuck).toHaveLength(5)
  expect(sent(ofFree)).toEqual(ofFree)
  expect(new Set(sent(ofStuck))).toEqual(new Set(ofStuck?.slice(0, 1)))
  for (const ids of [ofStuck, ofFree]) {
    const got = other.received.flatMap(({ id }) => (id !== null && ids?.includes(id) ? [id] : []))
    expect(got).toEqual(ids)
  }

  receiver.will(204)
  await at.drained()
  expect([...new Set(sent(ofStuck))]).toEqual(ofStuck)
  expect(sent(ofStuck?.slice(1))).toEqual(ofStuck?.slice(1))
})

test('an end waits for an earlier event of its job no longer than overtake, which keeps its schedule', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url, events: ['job.executing', 'job.st*', 'job.failed'] },
    ],
    delivery: { overtake: '600ms' },
  })
  receiver.will(forAnHour, 204)
  const job = await at.watch('a')
  const executing = await job.event('job.executing')
  const front = await at.delivery(`seq=${executing.data.seq}`, (one) => one.attemptCount === 1)
  job.step()
  job.fail()
  const end = await job.event('job.failed')
  const stage = await job.event('job.stage.changed')
  await at.delivery(`seq=${end.data.seq}`, ({ state }) => state === 'delivered')

  const [, overtaking] = receiver.received
  expect(overtaking?.id).toBe(end.id)
  const waitedMs = (overtaking?.at ?? 0) - Date.parse(end.time)
  expect(waitedMs).toBeGreaterThanOrEqual(500)
  expect(waitedMs).toBeLessThan(3000)
  expect(await at.delivery(`seq=${executing.data.seq}`)).toEqual(front)
  expect(await at.delivery(`seq=${stage.data.seq}`)).toMatchObject({
    state: 'pending',
    attemptCount: 0,
  })
  await at.post(`/v1/deliveries/${front.id}/retry`)
  await at.drained()
  expect(receiver.received.map(({ id }) => id)).toEqual(
    [executing, end, executing, stage].map(({ id }) => id),
  )
})

test('after an outage folding leaves out stages, never an end or a reopening; a late chat shows the job as it is', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'plain', url: `${receiver.origin}/plain`, events: ['job.*'] },
      { name: 'folding', url: `${receiver.origin}/folding`, events: ['job.*'], fold: true },
      { name: 'chat', format: 'slack', url: `${receiver.origin}/chat`, events: ['job.*'] },
    ],
    delivery: { retry: Array<string>(100).fill('100ms') },
  })
  receiver.will(503)
  const job = await at.watch('a')
  await job.event('job.executing')
  job.step()
  await job.event('job.stage.changed')
  job.step()
  job.fail()
  await job.event('job.failed')
  await job.reopen()
  await job.event('job.reopened')
  job.step()
  job.complete()
  await job.event('job.completed')
  await until(async () => (await at.events('type=endpoint.failing')).length === 3)
  receiver.decide(({ path }) => (path === '/chat' ? { status: 200, body: 'ok' } : 204))
  await at.drained()

  const events = await job.events()
  const stateOf = new Map(
    (await at.deliveries('jobid=a')).map(({ endpoint, seq, state }) => [
      `${endpoint} ${seq}`,
      state,
    ]),
  )
  for (const { type, data } of events) {
    const [plain, ...folded] = ['plain', 'folding', 'chat'].map((name) =>
      stateOf.get(`${name} ${data.seq}`),
    )
    expect(plain, type).toBe('delivered')
    const isStage = type === 'job.stage.changed'
    const isToStay = ['job.failed', 'job.reopened', 'job.completed'].includes(type)
    if (isStage) expect(folded, type).toEqual(['superseded', 'superseded'])
    if (isToStay) expect(folded, type).toEqual(['delivered', 'delivered'])
  }

  const log = await at.log()
  const taken = receiver.received.filter(
    ({ answeredAt, behaviour }) => answeredAt && behaviour !== 503,
  )
  for (const { path, body } of taken) if (path !== '/chat') expect(log).toContain(body)
  const told = taken.filter(({ path }) => path === '/folding').map(({ id }) => id)
  const expected = events.filter(({ data }) => stateOf.get(`folding ${data.seq}`) === 'delivered')
  expect(told).toEqual(expected.map(({ id }) => id))

  const messages = taken.filter(({ path }) => path === '/chat').map(({ body }) => body)
  expect(messages.length).toBeGreaterThanOrEqual(3)
  for (const message of messages.slice(0, -1)) {
    expect(message).toMatch(/\blate\b|delayed|meanwhile|\bnow\b/i)
    expect(message).toMatch(/completed/i)
  }
})

test('an endpoint that hangs slows no other on the same host, and takes no more than its share', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      {
        name: 'hanging',
        url: `${receiver.origin}/hanging`,
        events: ['job.watched'],
        timeout: '30s',
      },
      { name: 'well', url: `${receiver.origin}/well`, events: ['job.watched'] },
    ],
    delivery: { concurrency: 2 },
  })
  receiver.decide(({ path }) => (path === '/hanging' ? 'hang' : 204))
  const jobs = Array.from({ length: 30 }, (_, n) => ({ jobid: `job-${n}` }))
  expect((await at.post('/v1/jobs/batch', { jobs })).status).toBe(200)
  await until(async () => (await at.deliveries('endpoint=well&state=delivered')).length === 30)
  expect(new Set(receiver.to('/well').map(({ id }) => id)).size).toBe(30)
  await until(() => receiver.to('/hanging').length >= 2)
  expect(receiver.to('/hanging')).toHaveLength(2)
  expect((await at.deliveries('endpoint=hanging&state=pending')).length).toBe(30)
})

test('every way to answer badly has its name, and 2xx counts whatever follows it', async () => {
  await using receiver = await startBadReceiver()
  await using elsewhere = await startBadReceiver()
  await using at = await deliveryGround({ delivery: { timeout: '500ms' } })
  await at.create({ name: 'hook', url: receiver.url })
  const huge = 'x'.repeat(5_000_000)
  const binary = Buffer.from([0, 255, 254, 13, 10, 27, 128, 0])
  const cases: [behaviour: Behaviour, status: number | null, error: string | null][] = [
    ['hang', null, 'timeout'],
    ['drip-headers', null, 'timeout'],
    ['reset', null, 'reset'],
    ...redirects.map((status): (typeof cases)[number] => [
      redirectTo(status, elsewhere.url),
      status,
      'redirect',
    ]),
    [{ status: 400, body: huge }, 400, 'status'],
    [{ status: 500, body: binary }, 500, 'status'],
    [{ status: 200, body: huge }, 200, null],
    [{ status: 200, body: 'error' }, 200, null],
    ['drip-body', 200, null],
    ['endless-body', 200, null],
    ['reset-in-body', 200, null],
    ['length-too-long', 200, null],
    ['length-too-short', 200, null],
  ]
  for (const [behaviour, status, error] of cases) {
    receiver.will(behaviour)
    const attempt = (await at.tell('hook', 'test')) as AttemptView
    const name = JSON.stringify(behaviour).slice(0, 80)
    expect([name, attempt.status, attempt.error]).toEqual([name, status, error])
    expect(Buffer.byteLength(attempt.answer ?? ''), name).toBeLessThanOrEqual(4096)
    expect(attempt.durationMs, name).toBeLessThan(3000)
  }
  expect(receiver.received).toHaveLength(cases.length)
  expect(elsewhere.received).toEqual([])

  const closed = await startBadReceiver()
  await closed[Symbol.asyncDispose]()
  const others: [url: string, error: string][] = [
    [closed.url, 'connect'],
    [receiver.url.replace('http:', 'https:'), 'tls'],
  ]
  for (const [url, error] of others) {
    await at.create({ name: error, url })
    expect(await at.tell(error, 'test')).toMatchObject({ status: null, error })
  }
})
