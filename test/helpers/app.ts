import { join } from 'node:path'
import { request } from 'undici'
import { createApp } from '../../src/app.ts'
import type { App, AppOverrides } from '../../src/app.ts'
import { parseConfig } from '../../src/config/load.ts'
import { createLogger } from '../../src/log.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator, SimulatorOptions } from '../../src/simulator/simulator.ts'
import { temporaryFolder } from './daemon.ts'

/** What one call of the API answered. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body as JSON; throws when it is none. */
  readonly json: unknown
}

export interface Call {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  readonly headers?: Readonly<Record<string, string>>
  /** A string is sent as it is, anything else as JSON with its content type. */
  readonly body?: unknown
}

export interface AppOptions extends Pick<AppOverrides, 'clock' | 'random'> {
  /** Settings beside, or in place of, those below. */
  readonly config?: (simulator: Simulator) => object
  readonly simulator?: SimulatorOptions
}

/** Looks often, so that a test which waits for an event need not wait long. */
export const quickPolling = { interval: '20ms', maxInterval: '20ms', rate: 1000 }

/** What is never looked at again after its first look. */
export const noPolling = { interval: '365d', maxInterval: '365d' }

/** An upstream as the configuration names it. What it does not know makes no events by itself. */
export function anUpstream(name: string, { root, username, password }: Simulator) {
  const never = { stallAfter: '365d', lostAfter: '365d', downAfter: '365d' }
  return { name, root, auth: { username, password }, polling: quickPolling, ...never }
}

/**
 * The daemon in this process: one simulated upstream named `prod`, a fresh database, a free port.
 */
export async function startApp({ config, simulator: options, ...overrides }: AppOptions = {}) {
  const folder = await temporaryFolder()
  const simulator = await startSimulator(options)
  const database = join(folder.path, 'jobwatch.db')
  const settings = {
    listen: '127.0.0.1:0',
    database,
    upstreams: [anUpstream('prod', simulator)],
    ...config?.(simulator),
  }
  let app = await startOne(settings, overrides)
  const { url } = app

  return {
    simulator,
    folder: folder.path,
    database,
    url,
    call: (path: string, options: Call = {}) => callApi(`${url}${path}`, options),
    post: (path: string, body: unknown) => callApi(`${url}${path}`, { method: 'POST', body }),
    stop: () => app.stop(),
    /** Starts it anew on the same address and database. */
    async restart() {
      await app.stop()
      app = await startOne({ ...settings, listen: new URL(url).host }, overrides)
    },
    async [Symbol.asyncDispose]() {
      await app.stop()
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export type TestApp = Awaited<ReturnType<typeof startApp>>

async function startOne(settings: object, overrides: AppOverrides): Promise<App> {
  const log = createLogger('silent')
  const app = await createApp(parseConfig(settings, 'the test', {}), { log, ...overrides })
  await app.start()
  return app
}

/** One call; undici's own, since it sends any header and follows nothing. */
export async function callApi(
  url: string,
  { method = 'GET', headers = {}, body }: Call,
): Promise<Answer> {
  const isJson = body !== undefined && typeof body !== 'string'
  const answer = await request(url, {
    method,
    headers: { ...(isJson && { 'content-type': 'application/json' }), ...headers },
    body: typeof body === 'string' || body === undefined ? (body ?? null) : JSON.stringify(body),
  })
  const text = await answer.body.text()
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    get json(): unknown {
      return JSON.parse(text) as unknown
    },
  }
}
