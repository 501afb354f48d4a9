import { EventSource } from 'eventsource'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import type { EventAnswer, EventList, JobAnswer } from '../../src/http/schemas.ts'
import { startReceiver } from '../../src/simulator/receiver.ts'
import type { Received, ReceiverAnswer } from '../../src/simulator/receiver.ts'
import { scenario } from '../../src/simulator/scenarios.ts'
import type { ScenarioKind } from '../../src/simulator/scenarios.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'
import { until } from './ground.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** A simulated deployment, a receiver and a place for the daemon's database. */
async function surroundings(answer?: (request: Received, count: number) => ReceiverAnswer) {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const receiver = await startReceiver({ secret, ...(answer && { answer }) })
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    upstreams: [
      {
        name: 'prod',
        root: simulator.root,
        auth: { username: simulator.username, password: simulator.password },
        polling: { interval: '20ms', maxInterval: '50ms', rate: 1000 },
      },
    ],
    endpoints: [{ name: 'ops', url: receiver.url, secret }],
    delivery: { retry: ['20ms', '40ms', '80ms', '160ms', '320ms', '1s', '1s', '1s', '1s', '1s'] },
    shutdownTimeout: '2s',
  }
  return {
    simulator,
    receiver,
    config,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await Promise.all([simulator.close(), receiver.close()])
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** The documents of a built-in job, to be served one after another as the test says. */
function documentsOf(kind: ScenarioKind, jobid: string) {
  const startedAt = Date.now() - 1000
  const trace = scenario(kind, { jobid, startedAt, context: 'gis', username: 'siteadmin', pace: 0 })
  return trace.map(({ body }) => body as Record<string, unknown>)
}

async function register(url: string, body: object): Promise<JobAnswer> {
  const answer = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect([200, 201]).toContain(answer.status)
  return (await answer.json()) as JobAnswer
}

async function eventsOf(url: string): Promise<EventAnswer[]> {
  const answer = await fetch(`${url}/v1/events?limit=1000`)
  return ((await answer.json()) as EventList).items
}

const feedTypes = [
  'job.submitted',
  'job.executing',
  'job.completed',
  'job.failed',
  'job.cancelling',
  'job.cancelled',
  'job.stage.changed',
  'job.message.added',
  'job.watched',
]

/** Follows the feed with an independent client and hands out events as they are asked for. */
function followFeed(url: string) {
  const source = new EventSource(`${url}/v1/events/stream?after=0`)
  const seen: { id: string; event: EventAnswer; text: string }[] = []
  const waiting = new Set<() => void>()
  for (const type of feedTypes) {
    source.addEventListener(type, ({ data, lastEventId }) => {
      const text = data as string
      seen.push({ id: lastEventId, event: JSON.parse(text) as EventAnswer, text })
      for (const check of [...waiting]) check()
    })
  }
  return {
    seen,
    /** Resolves when an event fits. */
    until: (fits: (event: EventAnswer) => boolean) =>
      new Promise<EventAnswer>((resolve) => {
        const check = (): void => {
          const found = seen.find(({ event }) => fits(event))
          if (found === undefined) return
          waiting.delete(check)
          resolve(found.event)
        }
        waiting.add(check)
        check()
      }),
    [Symbol.dispose]: () => {
      source.close()
    },
  }
}

function told(events: readonly EventAnswer[]) {
  return events.map(({ type, data: { change } }) =>
    change.kind === 'stage'
      ? `${type} ${String(change['stage'])} ${String(change['from'])}>${String(change['to'])}`
      : type,
  )
}

test('a service edit is told from registration to its end, on the feed and by signed webhooks', async () => {
  await using around = await surroundings()
  const { simulator, receiver, config, folder } = around
  await using daemon = await serve(config, folder)
  const jobid = 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d'
  const [executing, completed] = documentsOf('serviceEdit', jobid)
  if (!executing || !completed) throw new Error('a service edit has two documents')
  const job = simulator.addScript([executing, completed], { jobid })
  using feed = followFeed(daemon.url)

  const registered = await register(daemon.url, {
    jobsUrl: `${simulator.root}/jobs/${jobid}`,
    jobid,
  })
  expect(registered).toMatchObject({ jobid, upstream: 'prod', state: 'active', status: null })
  await feed.until(({ type }) => type === 'job.executing')
  job.next()
  const end = await feed.until(({ type }) => type === 'job.completed')

  expect(told(await eventsOf(daemon.url))).toEqual([
    'job.watched',
    'job.executing',
    'job.completed',
  ])
  expect(end.data).toMatchObject({
    seq: 3,
    previousSeq: 2,
    change: { kind: 'status', from: 'EXECUTING', to: 'COMPLETED', rawTo: 'COMPLETED' },
    job: { state: 'ended', outcome: 'success', lastSeq: 3 },
  })
  const document = await fetch(`${daemon.url}/v1/jobs/${jobid}/document`)
  expect(JSON.parse(await document.text())).toEqual(completed)

  const webhooks = await receiver.waitFor(3)
  const judge = new Webhook(secret)
  for (const [index, { headers, body }] of webhooks.entries()) {
    const verified = judge.verify(body, headers as Record<string, string>) as EventAnswer
    expect(verified.id).toBe(headers['webhook-id'])
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
    expect(headers['user-agent']).toMatch(/^jobwatch\/\d/)
    expect(body).toBe(feed.seen[index]?.text)
    expect(verified.id).toBe(feed.seen[index]?.id)
  }
})

test('every stage of a registry edit is one event, in order', async () => {
  await using around = await surroundings()
  const { simulator, config, folder } = around
  await using daemon = await serve(config, folder)
  const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'
  const names = ['validating', 'relational_store', 'object_store']
  const base = documentsOf('registryEdit', jobid)[0] ?? {}
  const staged = (states: readonly string[], fields: object = {}) => ({
    ...base,
    status: 'EXECUTING',
    name: 'editContainerRegistry',
    progress: { stages: names.map((name, index) => ({ name, state: states[index] })) },
    ...fields,
  })
  const job = simulator.addScript(
    [
      staged(['in progress', 'pending', 'pending']),
      staged(['completed', 'In Progress', 'pending']),
      // Only spelt in another way: nothing to tell.
      staged(['COMPLETED', 'IN_PROGRESS', 'pending']),
      staged(['completed', 'completed', 'completed'], {
        status: 'COMPLETED',
        endtime: Date.now(),
        result: { credentialUpdateOnly: true },
      }),
    ],
    { jobid },
  )
  using feed = followFeed(daemon.url)
  await register(daemon.url, { jobid, label: 'registry' })
  await feed.until(({ type }) => type === 'job.executing')
  job.next()
  await feed.until(({ data }) => data.change['to'] === 'running')
  const looks = simulator.requests.jobs.get(jobid) ?? 0
  job.next()
  // The respelled document has been looked at when two more looks have begun.
  await until(() => (simulator.requests.jobs.get(jobid) ?? 0) > looks + 2)
  job.next()
  await feed.until(({ type }) => type === 'job.completed')

  expect(told(await eventsOf(daemon.url))).toEqual([
    'job.watched',
    'job.executing',
    'job.stage.changed validating running>completed',
    'job.stage.changed relational_store pending>running',
    'job.stage.changed relational_store running>completed',
    'job.stage.changed object_store pending>completed',
    'job.completed',
  ])
})

test('after kill -9 between commit and send, the delivery is made with the same id and bytes', async () => {
  let isAnswering = false
  await using around = await surroundings(() => (isAnswering ? 204 : 'hang'))
  const { simulator, receiver, config, folder } = around
  const jobid = simulator.submit('noProgress', { pace: 0 }).jobid
  const first = await serve(config, folder)
  await register(first.url, { jobid })
  const [unanswered] = await receiver.waitFor(1)
  await first.stop('SIGKILL')

  isAnswering = true
  await using second = await serve(config, folder)
  const requests = await receiver.waitFor(2)
  const again = requests
    .slice(1)
    .find(({ headers }) => headers['webhook-id'] === unanswered?.headers['webhook-id'])
  expect(again?.body).toBe(unanswered?.body)
  expect(again?.verified).toBe(true)
  const seqs = (await eventsOf(second.url)).map(({ data }) => data.seq)
  expect(seqs).toEqual(seqs.map((_, index) => index + 1))
})

test('a receiver that answers 503 for a while gets everything, each job in order', async () => {
  await using around = await surroundings((_, count) => (count <= 5 ? 503 : 204))
  const { simulator, receiver, config, folder } = around
  await using daemon = await serve(config, folder)
  using feed = followFeed(daemon.url)
  const jobids = ['serviceEdit', 'registryEdit', 'failing'].map(
    (kind) => simulator.submit(kind as ScenarioKind, { pace: 0.01 }).jobid,
  )
  for (const jobid of jobids) await register(daemon.url, { jobid })
  for (const jobid of jobids) {
    await feed.until(({ subject, data }) => subject === jobid && data.job?.state === 'ended')
  }
  const events = await eventsOf(daemon.url)
  // What is told of the receiver itself goes to others.
  const owed = events.filter(({ type }) => !type.startsWith('endpoint.'))
  const delivered = await taken(receiver, owed.length, (_, index) => index >= 5)
  for (const jobid of jobids) {
    const ofJob = ({ subject }: EventAnswer) => subject === jobid
    expect(delivered.filter(ofJob).map(({ id }) => id)).toEqual(
      events.filter(ofJob).map(({ id }) => id),
    )
  }
})

test('killed with -9 again and again, it tells each change once and delivers every event', async () => {
  await using around = await surroundings()
  const { simulator, receiver, config, folder } = around
  const kinds: ScenarioKind[] = [
    'serviceEdit',
    'registryEdit',
    'failing',
    'cancelled',
    'noProgress',
  ]
  const jobids = Array.from({ length: 20 }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? 'serviceEdit'
    return simulator.submit(kind, { pace: 0.15 }).jobid
  })
  let daemon = await serve(config, folder)
  for (const jobid of jobids) await register(daemon.url, { jobid })
  for (let kill = 0; kill < 4; kill += 1) {
    const already = receiver.received.length
    await receiver.waitFor(already + 10)
    await daemon.stop('SIGKILL')
    daemon = await serve(config, folder)
  }
  await using last = daemon
  using feed = followFeed(last.url)
  for (const jobid of jobids) {
    await feed.until(({ subject, data }) => subject === jobid && data.job?.state === 'ended')
  }

  const events = await eventsOf(last.url)
  expect(events.map(({ data }) => data.seq)).toEqual(events.map((_, index) => index + 1))
  const facts = events.map(({ subject, type, data: { change } }) =>
    JSON.stringify([subject, type, change]),
  )
  expect(new Set(facts).size).toBe(facts.length)
  const ids = new Set(events.map(({ id }) => id))
  await until(
    () => new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size === ids.size,
  )
  const bodies = new Map<unknown, string>()
  for (const { headers, body, verified } of receiver.received) {
    expect(verified).toBe(true)
    expect(ids).toContain(headers['webhook-id'])
    expect(bodies.get(headers['webhook-id']) ?? body).toBe(body)
    bodies.set(headers['webhook-id'], body)
  }
})

test('a token that the upstream no longer takes is renewed without a word in the log of events', async () => {
  await using around = await surroundings()
  const { simulator, config, folder } = around
  await using daemon = await serve(config, folder)
  const jobid = 'jb9c8b9ff-e46e-4627-9419-c7723226db94'
  const [executing, completed] = documentsOf('serviceEdit', jobid)
  if (!executing || !completed) throw new Error('a service edit has two documents')
  const job = simulator.addScript([executing, completed], { jobid })
  using feed = followFeed(daemon.url)
  await register(daemon.url, { jobid })
  await feed.until(({ type }) => type === 'job.executing')
  simulator.expireTokens()
  await until(() => simulator.requests.tokens === 2)
  job.next()
  await feed.until(({ type }) => type === 'job.completed')
  expect(simulator.requests.tokens).toBe(2)
  expect(told(await eventsOf(daemon.url))).toEqual([
    'job.watched',
    'job.executing',
    'job.completed',
  ])
})

test('jobs that nobody registered are told from the first sight on, also over kills, and old ends are not', async () => {
  await using around = await surroundings()
  const { simulator, config, folder } = around
  const discover = { enabled: true, interval: '50ms', match: { username: ['siteadmin'] } }
  const discovering = {
    ...config,
    upstreams: config.upstreams.map((upstream) => ({ ...upstream, discover })),
  }
  for (let n = 0; n < 20; n += 1) {
    const [, completed] = documentsOf('serviceEdit', `old-${n}`)
    simulator.addScript([completed ?? {}], { jobid: `old-${n}` })
  }
  const [executing, completed] = documentsOf('serviceEdit', 'new-1')
  const job = simulator.addScript([executing ?? {}, completed ?? {}], { jobid: 'new-1' })
  const [others] = documentsOf('serviceEdit', 'theirs')
  simulator.addScript([{ ...others, username: 'eve' }], { jobid: 'theirs' })

  const listOf = async (url: string) => {
    const answer = await fetch(`${url}/v1/jobs`)
    return ((await answer.json()) as { items: JobAnswer[] }).items
  }
  for (let kills = 0; kills < 3; kills += 1) {
    await using daemon = await serve(discovering, folder)
    using feed = followFeed(daemon.url)
    await feed.until(({ subject }) => subject === 'new-1')
    await daemon.stop('SIGKILL')
  }
  await using daemon = await serve(discovering, folder)
  using feed = followFeed(daemon.url)
  job.next()
  await feed.until(({ type }) => type === 'job.completed')
  await until(async () => (await listOf(daemon.url)).length === 21)

  expect((await eventsOf(daemon.url)).map(({ type, subject }) => `${subject} ${type}`)).toEqual([
    'new-1 job.watched',
    'new-1 job.executing',
    'new-1 job.completed',
  ])
  const jobs = await listOf(daemon.url)
  expect(jobs.map(({ jobid }) => jobid)).not.toContain('theirs')
  expect(jobs.every(({ state, outcome }) => state === 'ended' && outcome === 'success')).toBe(true)
})

test('Slack hears of the end of a job, why it failed, and nothing else', async () => {
  await using around = await surroundings()
  const { simulator, config, folder } = around
  const lines: string[] = []
  const slack = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      lines.push((JSON.parse(Buffer.concat(chunks).toString()) as { text: string }).text)
      response.end('ok')
    })
  })
  await new Promise<void>((resolve) => slack.listen(0, '127.0.0.1', resolve))
  const { port } = slack.address() as AddressInfo
  const endpoints = [
    { name: 'ops-slack', format: 'slack', url: `http://127.0.0.1:${port}/services/x` },
    ...config.endpoints,
  ]
  await using daemon = await serve({ ...config, endpoints }, folder)
  const { jobid } = simulator.submit('failing', { pace: 0.01 })
  await register(daemon.url, { jobid, label: 'nightly <backup>' })
  await until(() => lines.length > 0)
  expect(lines).toEqual([
    expect.stringMatching(/^❌ FAILED: nightly &lt;backup&gt; \(prod\) – .*backup store/),
  ])
  slack.close()
})

/** The events of the requests that were answered well, when there are as many as asked for. */
async function taken(
  receiver: Awaited<ReturnType<typeof startReceiver>>,
  count: number,
  isTaken: (received: Received, index: number) => boolean,
): Promise<EventAnswer[]> {
  const good = () => receiver.received.filter(isTaken)
  await until(() => good().length >= count)
  return good().map(({ body }) => JSON.parse(body) as EventAnswer)
}
