import { join } from 'node:path'
import { expect } from 'vitest'
import type { EventAnswer, EventList } from '../../src/http/schemas.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { callApi } from '../helpers/app.ts'
import type { Answer, Call } from '../helpers/app.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'
import { begin, running, until } from './ground.ts'

/** An endpoint as the contract's section 5 has it. */
export interface EndpointView {
  readonly name: string
  readonly origin: 'config' | 'api'
  readonly format: 'webhook' | 'slack' | 'teams' | 'email'
  readonly url: string | null
  readonly events: readonly string[]
  readonly match: Readonly<Record<string, readonly string[]>>
  readonly fold: boolean
  readonly state: 'active' | 'failing' | 'disabled'
  readonly since: string | null
  readonly reason: string | null
  readonly disablesAt: string | null
  readonly lastDeliveredAt: string | null
  readonly pending: number
  /** In the answers to POST and rotate-secret alone. */
  readonly secret?: string
}

export interface AttemptView {
  readonly at: string
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly answer: string | null
}

export interface DeliveryView {
  readonly id: string | number
  readonly endpoint: string
  readonly seq: number
  readonly type: string
  readonly jobid: string | null
  readonly state: 'pending' | 'delivered' | 'failed' | 'superseded' | 'cancelled'
  readonly attemptCount: number
  readonly nextAttemptAt: string | null
  readonly createdAt: string
  readonly deliveredAt: string | null
  /** In the answer about a single one alone. */
  readonly attempts?: readonly AttemptView[]
}

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

export interface GroundSettings {
  readonly endpoints?: readonly object[]
  readonly delivery?: object
  readonly publicUrl?: string
}

/** That API endpoints may live where all receivers of the tests do. */
export const allowLoopback = { allow: ['127.0.0.0/8'] }

/** The built daemon before a simulated Enterprise whose jobs move only when the test says so. */
export async function deliveryGround(settings: GroundSettings = {}) {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const configOf = ({ endpoints = [], delivery, ...others }: GroundSettings) => ({
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    upstreams: [
      {
        name: 'prod',
        root: simulator.root,
        auth: { username: simulator.username, password: simulator.password },
        polling: { interval: '20ms', maxInterval: '40ms', rate: 1000 },
      },
    ],
    endpoints,
    delivery: {
      retry: Array<string>(10).fill('50ms'),
      timeout: '5s',
      ...allowLoopback,
      ...delivery,
    },
    shutdownTimeout: '2s',
    ...others,
  })
  let daemon = await serve(configOf(settings), folder.path)
  let printedBefore = ''

  const call = (path: string, options: Call = {}): Promise<Answer> =>
    callApi(`${daemon.url}${path}`, options)
  const post = (path: string, body?: unknown) => call(path, { method: 'POST', body })

  async function read(path: string): Promise<unknown> {
    const answer = await call(path)
    expect(answer.status, `${path}: ${answer.text}`).toBe(200)
    return answer.json
  }

  async function events(query = ''): Promise<EventAnswer[]> {
    const all: EventAnswer[] = []
    for (let after = 0; ;) {
      const page = (await read(`/v1/events?limit=1000&after=${after}&${query}`)) as EventList
      if (page.items.length === 0) return all
      all.push(...page.items)
      after = page.next
    }
  }

  async function event(type: string, query = ''): Promise<EventAnswer> {
    let found: EventAnswer | undefined
    await until(async () => (found = (await events(`type=${type}&${query}`))[0]) !== undefined)
    if (found === undefined) throw new Error(`there is no ${type}`)
    return found
  }

  async function deliveries(query = ''): Promise<readonly DeliveryView[]> {
    return ((await read(`/v1/deliveries?limit=1000&${query}`)) as Page<DeliveryView>).items
  }

  /** The one delivery of this query, once it is so. */
  async function delivery(
    query: string,
    isSo: (one: DeliveryView) => boolean = () => true,
  ): Promise<DeliveryView & { readonly attempts: readonly AttemptView[] }> {
    let found: DeliveryView | undefined
    await until(async () => {
      const [one, ...more] = await deliveries(query)
      expect(more).toEqual([])
      found = one !== undefined && isSo(one) ? one : undefined
      return found !== undefined
    })
    if (found === undefined) throw new Error(`there is no delivery of ${query}`)
    const alone = (await read(`/v1/deliveries/${found.id}`)) as DeliveryView
    return { ...alone, attempts: alone.attempts ?? [] }
  }

  /** Has the simulator serve a job and jobwatch watch it. */
  async function watch(jobid: string, { tags = [] }: { readonly tags?: readonly string[] } = {}) {
    let steps = 0
    let fields: object = {}
    const show = (): void => {
      const stages = Array.from({ length: steps }, (_, n) => ({
        name: `step-${n + 1}`,
        state: 'Completed',
      }))
      const document = { ...running(jobid), progress: { stages }, ...fields }
      simulator.addScript([document], { jobid })
    }
    const ended = { endtime: begin + 5, updatedtime: begin + 5 }
    show()
    const answer = await post('/v1/jobs', { jobid, tags })
    expect(answer.status, answer.text).toBe(201)
    // What it does next is a change only once it was seen.
    await event('job.executing', `jobid=${jobid}`)
    return {
      jobid,
      /** One more stage: one event. */
      step() {
        steps += 1
        show()
      },
      complete() {
        fields = { status: 'COMPLETED', ...ended }
        show()
      },
      fail() {
        fields = { status: 'FAILED', ...ended }
        show()
      },
      /** It runs again, and is looked at. */
      async reopen() {
        fields = {}
        show()
        expect((await post(`/v1/jobs/${jobid}/poll`)).status).toBe(200)
      },
      event: (type: string) => event(type, `jobid=${jobid}`),
      events: () => events(`jobid=${jobid}`),
    }
  }

  return {
    simulator,
    folder: folder.path,
    get url() {
      return daemon.url
    },
    /** All that the daemon has printed, over all its lives. */
    get printed() {
      return printedBefore + daemon.stdout + daemon.stderr
    },
    call,
    post,
    events,
    event,
    deliveries,
    delivery,
    watch,
    /** The log as it is read over the API: every event's bytes are in it. */
    async log(): Promise<string> {
      return (await call('/v1/events?limit=1000')).text
    },
    async endpoint(name: string): Promise<EndpointView> {
      return (await read(`/v1/endpoints/${name}`)) as EndpointView
    },
    /** Makes one over the API. */
    async create(body: object): Promise<EndpointView & { readonly secret: string }> {
      const answer = await post('/v1/endpoints', body)
      expect(answer.status, answer.text).toBe(201)
      const view = answer.json as EndpointView
      return { ...view, secret: view.secret ?? '' }
    },
    /** One of the verbs that are posted to an endpoint; throws unless it is answered well. */
    async tell(name: string, verb: string, body?: object): Promise<unknown> {
      const answer = await post(`/v1/endpoints/${name}/${verb}`, body)
      expect(answer.status, answer.text).toBe(verb === 'replay' ? 202 : 200)
      return answer.json
    },
    /** Resolves when no delivery is owed. */
    drained: () => until(async () => (await deliveries('state=pending')).length === 0),
    kill: () => daemon.stop('SIGKILL'),
    /** Starts it anew after a kill or a stop, on other settings if any are given. */
    async start(others: GroundSettings = {}) {
      printedBefore += daemon.stdout + daemon.stderr
      daemon = await serve(configOf({ ...settings, ...others }), folder.path)
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export type DeliveryGround = Awaited<ReturnType<typeof deliveryGround>>

/** The times between one request and the next, in ms. */
export function gapsOf(requests: readonly { readonly at: number }[]): number[] {
  return requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? 0))
}

/** Whether a type fits one of the globs, as the contract's section 6 has them. */
export function fitsGlob(type: string, globs: readonly string[]): boolean {
  return globs.some((glob) => {
    const pattern = glob.replaceAll('.', '\\.').replaceAll('*', '.*')
    return new RegExp(`^${pattern}$`).test(type)
  })
}
