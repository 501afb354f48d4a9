import { expect, test } from 'vitest'
import type { ProblemAnswer } from '../../src/http/schemas.ts'
import { startBadReceiver } from './bad-receiver.ts'
import { deliveryGround, fitsGlob } from './delivery-ground.ts'
import type { AttemptView, EndpointView, Page } from './delivery-ground.ts'
import { until } from './ground.ts'

const chatDefaults = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.reopened',
  'job.lost',
  'job.stalled',
  'job.overdue',
  'upstream.*',
  'endpoint.*',
]
const forAnHour = { status: 500, headers: { 'retry-after': '3600' } }

function isSecret(secret: string): boolean {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const { length } = Buffer.from(base64, 'base64')
  return length >= 24 && length <= 64
}

test('an endpoint made over the API shows its secret once, signs with it, changes and goes', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround()
  const asked = { name: 'hook', url: receiver.url, events: ['job.executing'] }
  const { secret, ...made } = await at.create(asked)
  expect(made).toMatchObject({
    ...asked,
    origin: 'api',
    format: 'webhook',
    fold: false,
    state: 'active',
    reason: null,
    disablesAt: null,
    lastDeliveredAt: null,
    pending: 0,
  })
  expect(isSecret(secret), secret).toBe(true)
  expect(await at.endpoint('hook')).toEqual(made)
  expect((await at.call('/v1/endpoints')).text).not.toContain(secret)

  await at.watch('first')
  await until(() => receiver.received.length === 1)
  await at.drained()
  expect(receiver.received[0]?.isSignedBy(secret)).toBe(true)
  expect((await at.endpoint('hook')).lastDeliveredAt).toMatch(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/)

  const patch = {
    url: `${receiver.origin}/moved`,
    events: ['job.c*'],
    headers: { 'X-Team': 'gis' },
  }
  const patched = await at.call('/v1/endpoints/hook', { method: 'PATCH', body: patch })
  expect(patched.status, patched.text).toBe(200)
  expect(patched.json).toMatchObject({ name: 'hook', url: patch.url, events: ['job.c*'] })
  expect(patched.text).not.toContain('whsec_')
  receiver.will(forAnHour)
  ;(await at.watch('second')).complete()
  const { id } = await at.delivery('endpoint=hook&state=pending', (one) => one.attemptCount === 1)
  const [, moved] = receiver.received
  expect(moved).toMatchObject({ path: '/moved', headers: { 'x-team': 'gis' } })
  expect(moved?.body).toContain('"type":"job.completed"')
  expect(moved?.isSignedBy(secret)).toBe(true)

  expect((await at.call('/v1/endpoints/hook', { method: 'DELETE' })).status).toBe(204)
  expect((await at.call('/v1/endpoints/hook')).status).toBe(404)
  expect((await at.call(`/v1/deliveries/${id}`)).json).toMatchObject({ state: 'cancelled' })
})

test('the list has those of the configuration in its order, then the others by name', async () => {
  await using at = await deliveryGround({
    endpoints: [
      { name: 'zeta', url: 'http://127.0.0.1:9/zeta' },
      { name: 'ops-slack', format: 'slack', url: 'http://127.0.0.1:9/services/T0/B0/XYZ' },
      { name: 'tagged', url: 'http://127.0.0.1:9/', match: { tag: ['nightly'] } },
      {
        name: 'mail',
        format: 'email',
        settings: {
          host: '127.0.0.1',
          port: 9,
          from: 'jobwatch@example.com',
          to: ['a@example.com'],
        },
      },
    ],
  })
  await at.create({ name: 'b', url: 'http://127.0.0.1:9/b' })
  await at.create({ name: 'a', format: 'teams', url: 'http://127.0.0.1:9/workflows/XYZ?sig=XYZ' })
  const names: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const answer = await at.call(
      `/v1/endpoints?limit=4${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    const { items, next } = answer.json as Page<EndpointView>
    names.push(...items.map(({ name }) => name))
    cursor = next
  }
  expect(names).toEqual(['zeta', 'ops-slack', 'tagged', 'mail', 'a', 'b'])

  const all = await at.call('/v1/endpoints')
  expect(all.text).not.toMatch(/XYZ|whsec_|"secret"/)
  const { items } = all.json as Page<EndpointView>
  for (const { name, format, origin, url, events, fold } of items) {
    expect(origin).toBe(['a', 'b'].includes(name) ? 'api' : 'config')
    const ofChat = name === 'tagged' ? ['job.*'] : chatDefaults
    expect(events, name).toEqual(format === 'webhook' && name !== 'tagged' ? ['*'] : ofChat)
    expect(fold, name).toBe(format !== 'webhook')
    if (format === 'slack' || format === 'teams') {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:9(\/[….]*)?$/)
    }
  }
  expect(items.find(({ name }) => name === 'zeta')?.url).toBe('http://127.0.0.1:9/zeta')
  expect(items.find(({ name }) => name === 'tagged')?.match).toMatchObject({ tag: ['nightly'] })
})

test('what cannot be is refused with the field it is about, the name taken and the unknown too', async () => {
  await using at = await deliveryGround({
    endpoints: [{ name: 'ops', url: 'http://127.0.0.1:9/' }],
  })
  const url = 'https://127.0.0.1:9/'
  const bad: [body: object, field: string][] = [
    [{ url }, 'name'],
    [{ name: '../x', url }, 'name'],
    [{ name: 'x' }, 'url'],
    [{ name: 'x', url: 'no url' }, 'url'],
    [{ name: 'x', url: 'ftp://127.0.0.1/' }, 'url'],
    [{ name: 'x', url, format: 'irc' }, 'format'],
    [{ name: 'x', url, events: 'job.*' }, 'events'],
    [{ name: 'x', url, match: { colour: ['red'] } }, 'match'],
    [{ name: 'x', url, secret: 'short' }, 'secret'],
    [{ name: 'x', url, headers: { 'bad name': 'x' } }, 'headers'],
    [{ name: 'x', url, fold: 'yes' }, 'fold'],
    [{ name: 'x', url, timeout: 'soon' }, 'timeout'],
    [{ name: 'x', url, evnets: ['*'] }, 'evnets'],
    [{ name: 'x', format: 'email' }, 'settings'],
  ]
  for (const [body, field] of bad) {
    const answer = await at.post('/v1/endpoints', body)
    expect([answer.status, body], answer.text).toEqual([400, body])
    const { errors = [] } = answer.json as ProblemAnswer
    expect(errors.map((one) => one.field.split('.')[0])).toContain(field)
  }
  expect((await at.call('/v1/endpoints')).json).toMatchObject({ items: [{ name: 'ops' }] })

  await at.create({ name: 'mine', url })
  for (const name of ['mine', 'ops']) {
    expect((await at.post('/v1/endpoints', { name, url })).status).toBe(409)
  }
  const body = { events: ['*'] }
  expect((await at.call('/v1/endpoints/ops', { method: 'PATCH', body })).status).toBe(409)
  expect((await at.call('/v1/endpoints/ops', { method: 'DELETE' })).status).toBe(409)
  expect(await at.endpoint('ops')).toMatchObject({ origin: 'config', events: ['*'] })

  const unknown = '/v1/endpoints/nobody'
  expect((await at.call(unknown)).status).toBe(404)
  expect((await at.call(unknown, { method: 'PATCH', body })).status).toBe(404)
  expect((await at.call(unknown, { method: 'DELETE' })).status).toBe(404)
  for (const verb of ['test', 'enable', 'disable', 'rotate-secret']) {
    expect((await at.post(`${unknown}/${verb}`)).status, verb).toBe(404)
  }
  expect((await at.post(`${unknown}/replay`, { after: 0 })).status).toBe(404)
  expect((await at.post('/v1/endpoints/ops/replay', {})).status).toBe(400)
  expect((await at.call('/v1/deliveries/987654')).status).toBe(404)
  expect((await at.post('/v1/deliveries/987654/retry')).status).toBe(404)
  expect((await at.call('/v1/deliveries?state=late')).status).toBe(400)
})

test('globs and matches decide what is sent, and all of it is', async () => {
  await using receiver = await startBadReceiver()
  const tag = 'nightly'
  const settings: Record<string, { events?: string[]; match?: Record<string, string[]> }> = {
    all: {},
    'empty-match': { match: { tag: [], jobid: [], upstream: [] } },
    stages: { events: ['job.stage.*'] },
    several: { events: ['*.comp*ed', 'endpoint.*'] },
    tagged: { match: { tag: [tag, 'weekly'] } },
    'one-job': { match: { jobid: ['plain'] }, events: ['job.executing', 'job.completed'] },
    elsewhere: { match: { upstream: ['test'] }, events: ['job.*'] },
    here: { match: { upstream: ['prod'], tag: [tag] }, events: ['job.c*'] },
  }
  await using at = await deliveryGround({
    endpoints: [
      { name: 'off', url: receiver.url, events: ['nothing'] },
      ...Object.entries(settings).map(([name, filter]) => ({
        name,
        url: `${receiver.origin}/${name}`,
        ...filter,
      })),
    ],
  })
  const jobs = [await at.watch('plain'), await at.watch('tagged', { tags: ['other', tag] })]
  await at.tell('off', 'disable')
  for (const job of jobs) {
    job.step()
    job.complete()
  }
  for (const job of jobs) await job.event('job.completed')
  await at.drained()

  const events = await at.events()
  expect(new Set(events.map(({ type }) => type))).toEqual(
    new Set([
      'job.watched',
      'job.executing',
      'job.stage.changed',
      'job.completed',
      'endpoint.disabled',
    ]),
  )
  for (const [name, { events: given, match = {} }] of Object.entries(settings)) {
    const globs = given ?? (match['tag']?.length ? ['job.*'] : ['*'])
    const lets = (key: string, values: readonly string[]) =>
      !match[key]?.length || values.some((value) => match[key]?.includes(value))
    const expected = events.filter(
      ({ type, data: { job } }) =>
        fitsGlob(type, globs) &&
        lets('tag', job?.tags ?? []) &&
        lets('jobid', job ? [job.jobid] : []) &&
        lets('upstream', job ? [job.upstream] : []),
    )
    const got = receiver.to(`/${name}`).map(({ id }) => id)
    expect(got.toSorted(), name).toEqual(expected.map(({ id }) => id).toSorted())
  }
})

test('a test is sent at once, is in no log, and its attempt is the answer', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround()
  const { secret } = await at.create({ name: 'hook', url: receiver.url })
  receiver.will({ status: 200, body: 'thanks' }, { status: 500, body: 'broken' })
  expect(await at.tell('hook', 'test')).toMatchObject({
    status: 200,
    error: null,
    answer: 'thanks',
  })
  const failed = (await at.tell('hook', 'test')) as AttemptView
  expect(failed).toMatchObject({ status: 500, error: 'status', answer: 'broken' })
  expect(failed.durationMs).toBeGreaterThanOrEqual(0)
  expect(Math.abs(Date.parse(failed.at) - Date.now())).toBeLessThan(20_000)

  expect(receiver.received).toHaveLength(2)
  for (const one of receiver.received) {
    expect(one.id).toMatch(/^test-[0-9a-z]+$/i)
    expect(JSON.parse(one.body)).toMatchObject({
      id: one.id,
      type: 'jobwatch.test',
      data: { seq: null },
    })
    expect(one.isSignedBy(secret)).toBe(true)
  }
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(2)
  expect(await at.events()).toEqual([])
  expect(await at.deliveries()).toEqual([])
})

test('a disabled endpoint loses what is pending and gets nothing; enabled, it goes on with what is new', async () => {
  await using receiver = await startBadReceiver()
  await using watchman = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'ops', url: receiver.url },
      { name: 'watchman', url: watchman.url, events: ['endpoint.*'] },
    ],
  })
  receiver.will(forAnHour)
  const job = await at.watch('during')
  await job.event('job.executing')
  const watched = await job.event('job.watched')
  await at.delivery(`endpoint=ops&seq=${watched.data.seq}`, (one) => one.attemptCount === 1)
  expect(await at.endpoint('ops')).toMatchObject({ pending: 2 })
  expect(await at.tell('ops', 'disable')).toMatchObject({ name: 'ops', state: 'disabled' })
  const { state, pending, since, reason } = await at.endpoint('ops')
  expect({ state, pending }).toEqual({ state: 'disabled', pending: 0 })
  expect([since, reason]).not.toContain(null)
  expect((await at.deliveries('endpoint=ops')).map((one) => one.state)).toEqual([
    'cancelled',
    'cancelled',
  ])
  job.step()
  const missed = await job.event('job.stage.changed')
  expect(await at.deliveries(`endpoint=ops&seq=${missed.data.seq}`)).toEqual([])

  receiver.will(204)
  expect(await at.tell('ops', 'enable')).toMatchObject({ name: 'ops', state: 'active' })
  job.complete()
  const end = await job.event('job.completed')
  await at.drained()
  expect(receiver.received.slice(1).map(({ id }) => id)).toEqual([end.id])

  const [disabled] = await at.events('type=endpoint.*')
  expect(disabled).toMatchObject({
    type: 'endpoint.disabled',
    source: '/endpoints/ops',
    subject: 'ops',
    data: { change: { kind: 'endpoint' } },
  })
  expect(disabled?.data).not.toHaveProperty('job')
  expect(watchman.received[0]?.id).toBe(disabled?.id)

  // Its own health is never its own business, on replay neither.
  const others = (await at.events()).filter(({ source }) => source !== '/endpoints/ops')
  expect(await at.tell('ops', 'replay', { after: 0 })).toEqual({ queued: others.length })
  await at.drained()
  const replayed = receiver.received.slice(2).map(({ id }) => id)
  expect(new Set(replayed)).toEqual(new Set(others.map(({ id }) => id)))
})

test('after a rotation both secrets sign; the new one is shown that one time', async () => {
  await using receiver = await startBadReceiver()
  const old = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  await using at = await deliveryGround({ endpoints: [{ name: 'nameless', url: receiver.url }] })
  expect((await at.create({ name: 'hook', url: receiver.url, secret: old })).secret).toBe(old)
  const { secret } = (await at.tell('hook', 'rotate-secret')) as { secret: string }
  expect(isSecret(secret), secret).toBe(true)
  expect(secret).not.toBe(old)
  await at.tell('hook', 'test')
  const [request] = receiver.received
  expect([request?.isSignedBy(old), request?.isSignedBy(secret)]).toEqual([true, true])
  expect(request?.headers['webhook-signature']).toMatch(/^v1,[^ ]{44} v1,[^ ]{44}$/)
  expect((await at.call('/v1/endpoints')).text).not.toContain('whsec_')

  // One of the configuration that got its secret at the first start keeps what it was given.
  const given = (await at.tell('nameless', 'rotate-secret')) as { secret: string }
  await at.kill()
  await at.start()
  await at.tell('nameless', 'test')
  await at.tell('hook', 'test')
  const [, ofConfig, ofApi] = receiver.received
  expect(ofConfig?.isSignedBy(given.secret)).toBe(true)
  expect([ofApi?.isSignedBy(old), ofApi?.isSignedBy(secret)]).toEqual([true, true])
  expect(at.printed).not.toContain('whsec_')
})

test('a replay brings the past again, filtered, in order, with the same ids and bytes', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [{ name: 'ops', url: receiver.url, match: { tag: ['nightly'] } }],
  })
  for (const [jobid, tag] of [
    ['one', 'nightly'],
    ['two', 'daily'],
    ['three', 'nightly'],
  ] as const) {
    const job = await at.watch(jobid, { tags: [tag] })
    job.step()
    await job.event('job.stage.changed')
    job.complete()
    await job.event('job.completed')
  }
  await at.drained()
  const events = (await at.events()).filter(({ subject }) => subject !== 'two')
  const firstById = new Map(receiver.received.map((one) => [one.id, one]))
  expect([...firstById.keys()].toSorted()).toEqual(events.map(({ id }) => id).toSorted())

  /** Replays, and gives the seqs that came, those of one job after those of another. */
  async function replay(body: object) {
    const already = receiver.received.length
    const { queued } = (await at.tell('ops', 'replay', body)) as { queued: number }
    await at.drained()
    const again = receiver.received.slice(already)
    for (const one of again) expect(one.raw).toEqual(firstById.get(one.id)?.raw)
    expect(again).toHaveLength(queued)
    const came = again.map(({ body }) => JSON.parse(body) as (typeof events)[number])
    return ['one', 'three'].flatMap((jobid) =>
      came.filter(({ subject }) => subject === jobid).map(({ data }) => data.seq),
    )
  }
  const seqsOf = (isIn: (event: (typeof events)[number]) => boolean) =>
    events.filter(isIn).map(({ data }) => data.seq)

  expect(await replay({ after: 0 })).toEqual(seqsOf(() => true))
  const third = events[2]?.data.seq ?? 0
  expect(await replay({ after: third })).toEqual(seqsOf(({ data }) => data.seq > third))
  const types = ['job.executing', 'job.completed']
  expect(await replay({ after: 0, types })).toEqual(seqsOf(({ type }) => types.includes(type)))
  // From just before one job's end to just before the other's: no bound is the time of an event.
  const [since = '', before = ''] = events
    .filter(({ type }) => type === 'job.completed')
    .map(({ time }) => new Date(Date.parse(time) - 1).toISOString())
  expect(await replay({ since, until: before })).toEqual(
    seqsOf(({ time }) => time > since && time < before),
  )
  expect(await at.tell('ops', 'replay', { since: new Date().toISOString() })).toEqual({ queued: 0 })
  expect(await at.events()).toHaveLength(12)
})

test('a retry by hand is one attempt, at once and outside the order', async () => {
  await using receiver = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [{ name: 'ops', url: receiver.url, events: ['job.*'] }],
    delivery: { retry: ['20ms'] },
  })
  receiver.will(500, 500, forAnHour)
  const job = await at.watch('a')
  const watched = await job.event('job.watched')
  const executing = await job.event('job.executing')
  const first = await at.delivery(`seq=${watched.data.seq}`, ({ state }) => state === 'failed')
  const second = await at.delivery(`seq=${executing.data.seq}`, (one) => one.attemptCount === 1)
  expect(first).toMatchObject({ attemptCount: 2, nextAttemptAt: null })
  expect(second.state).toBe('pending')

  const retry = async ({ id }: { readonly id: string | number }) =>
    expect((await at.post(`/v1/deliveries/${id}/retry`)).status).toBe(202)
  receiver.will(503)
  await retry(first)
  const again = await at.delivery(`seq=${watched.data.seq}`, (one) => one.attemptCount === 3)
  expect(again).toMatchObject({ state: 'failed', nextAttemptAt: null })

  receiver.will(204)
  await retry(first)
  await at.delivery(`seq=${watched.data.seq}`, ({ state }) => state === 'delivered')
  expect(await at.delivery(`seq=${executing.data.seq}`)).toMatchObject({
    state: 'pending',
    attemptCount: 1,
    nextAttemptAt: second.nextAttemptAt,
  })
  await retry(second)
  await at.drained()
  const [w, e] = [watched.id, executing.id]
  expect(receiver.received.map(({ id }) => id)).toEqual([w, w, e, w, w, e])
})

test('deliveries are listed newest first, by every filter and in pages, each alone with its attempts', async () => {
  await using good = await startBadReceiver()
  await using bad = await startBadReceiver()
  await using at = await deliveryGround({
    endpoints: [
      { name: 'good', url: good.url },
      { name: 'bad', url: bad.url, events: ['job.watched'] },
    ],
    delivery: { retry: ['20ms'] },
  })
  bad.will({ status: 503, body: 'no, \u0000 not now' })
  for (const jobid of ['a', 'b']) {
    const job = await at.watch(jobid)
    job.complete()
    await job.event('job.completed')
    await at.drained()
  }
  const all = await at.deliveries()
  expect(all).toHaveLength(8)
  const created = all.map(({ createdAt }) => createdAt)
  expect(created).toEqual(created.toSorted().reverse())
  expect(all.every((one) => one.attempts === undefined)).toBe(true)

  const [watched] = await at.events('jobid=a&type=job.watched')
  const seq = watched?.data.seq ?? 0
  const filters: [query: string, isIn: (one: (typeof all)[number]) => boolean, count: number][] = [
    ['endpoint=bad', ({ endpoint }) => endpoint === 'bad', 2],
    ['state=failed', ({ state }) => state === 'failed', 2],
    ['state=delivered&jobid=a', ({ state, jobid }) => state === 'delivered' && jobid === 'a', 3],
    [`seq=${seq}`, (one) => one.seq === seq, 2],
    [`seq=${seq}&endpoint=good`, (one) => one.seq === seq && one.endpoint === 'good', 1],
    ['jobid=nobody', () => false, 0],
  ]
  for (const [query, isIn, count] of filters) {
    expect(await at.deliveries(query), query).toEqual(all.filter(isIn))
    expect(all.filter(isIn), query).toHaveLength(count)
  }
  const paged: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const answer = await at.call(
      `/v1/deliveries?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    const page = answer.json as Page<unknown>
    paged.push(...page.items)
    cursor = page.next
  }
  expect(paged).toEqual(all)

  const failed = await at.delivery(`endpoint=bad&seq=${seq}`)
  expect(failed).toMatchObject({ type: 'job.watched', jobid: 'a', seq, attemptCount: 2 })
  expect(failed.attempts.map(({ status, error }) => ({ status, error }))).toEqual([
    { status: 503, error: 'status' },
    { status: 503, error: 'status' },
  ])
  expect(failed.attempts[0]?.answer).toMatch(/^no, .* not now$/)
  const times = failed.attempts.map((attempt) => attempt.at)
  expect(times).toEqual(times.toSorted())
})

test('endpoints made over the API stay outside unless the operator allows an address; metadata never', async () => {
  await using receiver = await startBadReceiver()
  const endpoints = [{ name: 'ops', url: receiver.url, events: ['job.watched'] }]
  await using at = await deliveryGround({ endpoints, delivery: { allow: [] } })
  const { port } = new URL(receiver.url)
  await at.watch('a')
  await until(() => receiver.received.length === 1)

  const metadata = [
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
  ]
  const inside = [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://2130706433:${port}/`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    'http://0.0.0.0/',
    'http://10.20.30.40/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://[fd00::1]/',
  ]
  for (const url of [...metadata, ...inside]) {
    const answer = await at.post('/v1/endpoints', { name: 'x', url })
    expect([answer.status, url], answer.text).toEqual([400, url])
    expect((answer.json as ProblemAnswer).errors?.map(({ field }) => field)).toEqual(['url'])
  }
  const refusal = await at.post('/v1/endpoints', { name: 'x', url: 'http://10.20.30.40/' })
  expect(refusal.text).toMatch(/allow[^]{1,12}10\.\d+\.\d+\.\d+/)

  // A name that is not there yet may come; until then it is no address.
  await at.create({ name: 'later', url: 'http://receiver.invalid/', timeout: '10s' })
  expect(await at.tell('later', 'test')).toMatchObject({ status: null, error: 'dns' })
  const moved = { method: 'PATCH', body: { url: 'http://127.0.0.1/' } } as const
  expect((await at.call('/v1/endpoints/later', moved)).status).toBe(400)

  await at.kill()
  await at.start({ delivery: { allow: ['0.0.0.0/0', '::/0'] } })
  for (const url of metadata) {
    expect((await at.post('/v1/endpoints', { name: 'x', url })).status, url).toBe(400)
  }
  await at.create({ name: 'inside', url: receiver.url })
  expect(await at.tell('inside', 'test')).toMatchObject({ status: 204, error: null })

  // What was allowed when it was saved is looked at again when it is dialled.
  await at.kill()
  await at.start({ delivery: { allow: [] } })
  const already = receiver.received.length
  expect(await at.tell('inside', 'test')).toMatchObject({ status: null, error: 'refused_address' })
  expect(receiver.received).toHaveLength(already)
})
