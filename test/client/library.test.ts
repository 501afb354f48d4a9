import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { consumerFolder } from './consumer.ts'
import type { Consumer } from './consumer.ts'

// As somebody sees it who has installed the package.

/** Uses everything that is exported, as the types say it may be. */
const everything = `
import { ClientError, createClient, DaemonUnreachable, endingOf, follow } from 'jobwatch/client'
import { isTestEvent, verifyWebhook, WaitTimeout, WebhookError } from 'jobwatch/client'
import type * as jobwatch from 'jobwatch/client'

const connection: jobwatch.ConnectionOptions = { server: 'http://127.0.0.1:9', fetch }
const options: jobwatch.ClientOptions = { ...connection, token: undefined, timeoutMs: 1000 }
const client: jobwatch.Client = createClient(options)

const input: jobwatch.RegisterJobInput = { jobid: 'j1', tags: ['nightly'], stallAfter: '2h' }
const which: jobwatch.AtUpstream = { upstream: 'prod' }
const jobs: jobwatch.JobQuery = { ...which, state: 'active', status: 'EXECUTING' }
const filters: jobwatch.EventFilters = { types: ['job.*'], jobids: ['j1'], tags: [], upstreams: [] }
const events: jobwatch.EventQuery = { ...filters, after: '7f3a9c-1', limit: 10 }
const page: jobwatch.PageQuery = { limit: 1 }
const deliveries: jobwatch.DeliveryQuery = { state: 'pending', seq: 1042 }
const match: jobwatch.MatchInput = { tag: ['nightly'] }
const mail: jobwatch.MailInput = { host: 'mail.example.com', to: ['ops@example.com'] }
const changes: jobwatch.EndpointChanges = { match, settings: mail, events: null }
const endpoint: jobwatch.EndpointInput = { ...changes, name: 'ops', format: 'email' }
const replay: jobwatch.ReplayInput = { after: 0, until: '2026-01-31T18:00:00Z' }

export async function calls(): Promise<readonly object[]> {
  const { job, began }: { job: jobwatch.JobAnswer; began: boolean } = await client.registerJob(input)
  const list: jobwatch.JobList = await client.listJobs(jobs)
  const stages: jobwatch.Stage[] = job.stages
  const listed: jobwatch.EventList = await client.listEvents(events)
  const endpointCalls: jobwatch.EndpointCalls = client
  const deliveryCalls: jobwatch.DeliveryCalls = client
  const added: jobwatch.EndpointWithSecret = await endpointCalls.addEndpoint(endpoint)
  const changed: jobwatch.EndpointAnswer = await client.changeEndpoint('ops', changes)
  const endpoints: jobwatch.EndpointList = await client.listEndpoints(page)
  const replayed: jobwatch.ReplayAnswer = await client.replayEndpoint('ops', replay)
  const owed: jobwatch.DeliveryList = await deliveryCalls.listDeliveries(deliveries)
  const delivery: jobwatch.DeliveryAnswer = await client.retryDelivery(1)
  const detail: jobwatch.DeliveryDetail = await client.getDelivery(1)
  const attempts: jobwatch.AttemptAnswer[] = detail.attempts
  const lists = [list, listed, endpoints, owed]
  return [...lists, { began }, ...stages, added, changed, replayed, delivery, ...attempts]
}

export async function streams(signal: AbortSignal): Promise<jobwatch.Ending | null> {
  const onState = (state: jobwatch.FollowState) => state.state === 'lost' && state.retryInMs
  const query: jobwatch.FollowQuery = { ...filters, after: 0, signal, onState }
  const alone: jobwatch.FollowOptions = { ...options, ...query }
  for await (const item of follow(alone)) take(item)
  for await (const item of client.follow(query)) take(item)
  const following: jobwatch.Following = { signal, giveUpAfterMs: 1000 }
  for await (const news of client.waitForJobs([input], following)) tell(news)
  const wait: jobwatch.WaitOptions = { ...which, ...following, timeoutMs: 1000, onNews: tell }
  const { ending, job }: jobwatch.WaitResult = await client.waitFor('j1', wait)
  return ending === endingOf(job) ? ending : null
}

function take(item: jobwatch.FollowItem): number {
  if (item.kind === 'gap') return item.newest
  const event: jobwatch.EventAnswer = item.event
  const data: jobwatch.EventData = event.data
  // @ts-expect-error an event need not be about a job
  const title: string = data.job.title
  const change: string | undefined = data.change.kind
  return data.seq + (title + change).length
}

function tell({ job, ending, event }: jobwatch.JobNews): void {
  const known: jobwatch.JobInEvent = job
  console.log(known.title, ending, event?.data.seq)
}

export function receive(body: jobwatch.WebhookBody, headers: jobwatch.WebhookHeaders): string {
  try {
    const event: jobwatch.WebhookEvent = verifyWebhook(body, headers, ['whsec_', 'whsec_'])
    const test: jobwatch.TestEvent | null = isTestEvent(event) ? event : null
    // @ts-expect-error a test has no number
    const seq: number = event.data.seq
    return isTestEvent(event) ? String(test?.id) : String(event.data.seq + seq)
  } catch (error) {
    if (error instanceof WebhookError) {
      const code: jobwatch.WebhookErrorCode = error.code
      return code
    }
    throw error
  }
}

export function tellError(error: unknown): string {
  if (error instanceof ClientError) {
    const problem: jobwatch.ProblemAnswer | null = error.problem
    return error.code + String(error.status) + String(problem?.detail)
  }
  if (error instanceof DaemonUnreachable) return error.code + error.server
  return error instanceof WaitTimeout ? error.code + String(error.job?.title) : ''
}
`

let consumer: Consumer

beforeAll(async () => {
  consumer = await consumerFolder()
  await consumer.write('everything.mts', everything)
}, 60_000)
afterAll(() => consumer[Symbol.asyncDispose]())

describe('its types', () => {
  test.each<[string, ts.CompilerOptions]>([
    [
      'Node, at its strictest',
      {
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noPropertyAccessFromIndexSignature: true,
        verbatimModuleSyntax: true,
        isolatedModules: true,
      },
    ],
    [
      'a bundler, with the types of a browser and none of Node',
      {
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
        types: [],
        noEmit: true,
      },
    ],
  ])(
    'are complete and right for %s',
    (_, options) => {
      expect(consumer.compile(['everything.mts'], options)).toEqual([])
    },
    120_000,
  )

  test('are all of them tried out here', () => {
    const library = readFileSync('src/client/library.ts', 'utf8')
    const names = [...library.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
      list.split(',').map((name) => name.trim()),
    )
    const unused = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(everything))
    expect(unused).toEqual([])
  })
})

describe('at run time', () => {
  test('it needs two small packages and none of what the daemon needs', () => {
    expect(packagesOf('dist/client/library.js')).toEqual(['eventsource-parser', 'standardwebhooks'])
  })

  test('the commands do not load what only the library needs', () => {
    expect(packagesOf('dist/main.js')).toContain('eventsource-parser')
    expect(packagesOf('dist/main.js')).not.toContain('standardwebhooks')
  })
})

/** The packages that a built file imports, itself or through others. */
function packagesOf(entry: string): string[] {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles) {
      if (fileName.startsWith('.')) visit(resolve(dirname(file), fileName))
      else if (!fileName.startsWith('node:')) packages.add(packageOf(fileName))
    }
  }
  visit(resolve(entry))
  return [...packages].sort()
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
