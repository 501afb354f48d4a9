import { join } from 'node:path'
import type { Receiver } from './receivers.ts'
import { upstreamNames } from './script.ts'
import type { Script } from './script.ts'
import { now } from './trace.ts'
import type { Setup } from './trace.ts'

const polling = {
  interval: '200ms',
  maxInterval: '400ms',
  rate: 100,
  concurrency: 8,
  timeout: '1s',
}
const retryMs = [200, 400, 800, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600]
const overtakeMs = 2000
const inFlight = 8
const lostAfterMs = 1000

/** All of them are canaries: they must be seen nowhere. */
export const secrets = {
  token: 'canary-api-token-5b2e9f40c7d14a',
  password: 'canary+password/with=signs 77',
  prodToken: 'canary-prod-token-0c8f2ad1e6',
  labToken: 'canary-lab-token-93be5d1fa2',
  all: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1hbGwtMDAwMQ==',
  ends: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1lbmRzLTAwMg==',
  moody: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1tb29keS0wMw==',
  dead: 'whsec_Y2FuYXJ5LXNlY3JldC1vZi1kZWFkLTAwNA==',
} as const

/** Those of the configuration; who is far is reached over a bad network. */
export const receivers: readonly (Receiver & {
  readonly name: 'all' | 'ends' | 'moody' | 'dead'
  readonly events: readonly string[]
  readonly isFar: boolean
})[] = [
  { name: 'all', manners: 'good', events: ['*'], isFar: false },
  { name: 'ends', manners: 'good', events: ['job.completed', 'job.failed'], isFar: true },
  { name: 'moody', manners: 'moody', events: ['job.*'], isFar: true },
  { name: 'dead', manners: 'dead', events: ['job.stage.*', 'job.cancelled'], isFar: false },
]
/** The one that is made over the API while everything goes wrong. */
export const made = { name: 'made', manners: 'moody', events: ['job.*ed', 'upstream.*'] } as const

/** One that is disabled and enabled all the time. */
export const fickle = { name: 'fickle', manners: 'moody', events: ['job.*'] } as const

/** Where the daemon finds the others. */
export interface Places {
  readonly prod: string
  readonly lab: string
  /** The receivers, directly and over a bad network. */
  readonly near: string
  readonly far: string
}

/** What the daemon is started with, and the endpoints that it then has. */
export function settingsOf(folder: string, { prod, lab, near, far }: Places) {
  const endpoints = receivers.map(({ name, events, isFar }) => ({
    ...{ name, events, secret: secrets[name] },
    url: `${isFar ? far : near}/${name}`,
  }))
  const upstream = (name: string, origin: string, auth: object) => ({
    ...{ name, polling, auth, root: `${origin}/gis/admin` },
    ...{ downAfter: '2s', lostAfter: `${lostAfterMs}ms` },
  })
  const config = {
    database: join(folder, 'jobwatch.db'),
    api: { tokens: [{ name: 'rig', token: secrets.token, scopes: ['write'] }] },
    feed: { maxStreams: 100 },
    upstreams: [
      upstream('prod', prod, { username: 'rig', password: secrets.password }),
      upstream('lab', lab, { token: secrets.labToken }),
    ],
    endpoints,
    delivery: {
      retry: retryMs.map((ms) => `${ms}ms`),
      ...{ timeout: '1s', concurrency: inFlight },
      ...{ overtake: `${overtakeMs}ms`, allow: ['127.0.0.0/8'] },
    },
    shutdownTimeout: '3s',
  }
  return { config, endpoints }
}

/** The same for the verifier. */
export function setupOf({ seed, jobs }: Script): Setup {
  return {
    ...{ kind: 'setup', at: now(), seed, retryMs, overtakeMs, inFlight },
    upstreams: upstreamNames.map((name) => ({
      ...{ name, maxIntervalMs: 400, timeoutMs: 1000 },
      ...{ rate: polling.rate, concurrency: polling.concurrency, lostAfterMs },
      jobs: jobs.filter((job) => job.upstream === name).length,
    })),
  }
}
