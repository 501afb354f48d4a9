import { afterAll, expect } from 'vitest'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { join } from 'node:path'
import type { EventList, JobAnswer } from '../../src/http/schemas.ts'
import type { ScriptDocument } from '../../src/simulator/jobs.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { startBadReceiver } from '../e2e/bad-receiver.ts'
import { until } from '../e2e/ground.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import { openBrowser } from '../helpers/browser.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'

export interface GroundOptions {
  /** Settings beside, or in place of, those below. */
  readonly config?: object
  readonly browser?: BrowserContextOptions
}

const writer = { name: 'ops', token: 'the-token-of-ops', scopes: ['write'] }
const reader = { name: 'wall', token: 'the-token-of-the-wall', scopes: ['read'] }
/** In place of an open API: one token of each scope. */
export const withTokens = { api: { tokens: [writer, reader] } }
export { reader, writer }

/** A job that runs, named so that it is found again. */
export function aJob(jobid: string, fields: object = {}) {
  return {
    jobid,
    status: 'EXECUTING',
    starttime: Date.now() - 5000,
    endtime: 0,
    updatedtime: Date.now(),
    name: `job ${jobid}`,
    operationURI: '/gis/admin/services/Hydrants.MapServer/edit',
    username: 'siteadmin',
    messages: ['Started.'],
    progress: {
      stages: [
        { name: 'copying', state: 'In Progress' },
        { name: 'cleaning', state: 'Not Started' },
      ],
    },
    ...fields,
  }
}

/** The same job when it has failed, and says why. */
export function aFailedJob(jobid: string, fields: object = {}) {
  return aJob(jobid, {
    status: 'FAILED',
    endtime: Date.now(),
    messages: ['Started.', 'The disk is full.'],
    progress: {
      stages: [
        { name: 'copying', state: 'Failed' },
        { name: 'cleaning', state: 'Not Started' },
      ],
    },
    result: { status: 'error', messages: ['The disk is full.'] },
    ...fields,
  })
}

/** The same job when all is done. */
export function aCompletedJob(jobid: string, fields: object = {}) {
  return aJob(jobid, {
    status: 'COMPLETED',
    endtime: Date.now(),
    messages: ['Started.', 'Done.'],
    progress: {
      stages: [
        { name: 'copying', state: 'Completed' },
        { name: 'cleaning', state: 'Completed' },
      ],
    },
    ...fields,
  })
}

/** One for all tests of a file: each has a context of its own. */
let opened: Promise<Browser> | undefined
afterAll(async () => (await opened)?.close())

/**
 * The built daemon in a process of its own, a simulated Enterprise named `prod`, a receiver of
 * webhooks, and a real browser before it. What a browser complains of fails the test at the end.
 */
export async function pageGround({
  config = {},
  browser: contextOptions = {},
}: GroundOptions = {}) {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const receiver = await startBadReceiver()
  const settings = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    upstreams: [anUpstream('prod', simulator)],
    endpoints: [{ name: 'on-call', url: receiver.url, events: ['job.failed', 'job.lost'] }],
    delivery: { retry: Array<string>(10).fill('20ms'), allow: ['127.0.0.0/8'] },
    ...config,
  }
  let daemon = await serve(settings, folder.path)
  const { url } = daemon
  opened ??= openBrowser()
  const browser = await opened
  const context: BrowserContext = await browser.newContext(contextOptions)
  context.setDefaultTimeout(15_000)
  const complaints: string[] = []
  const asOps = { authorization: `Bearer ${writer.token}` }

  return {
    simulator,
    receiver,
    context,
    url,
    settings,
    folder: folder.path,
    /** What browsers have said of scripts that failed, and of what the policy forbids. */
    complaints,
    /** A new tab; `#/` is the list. The origin is another one where something stands in between. */
    async open(hash = '#/', origin = url): Promise<Page> {
      const page = await context.newPage()
      page.on('console', (message) => {
        const text = message.text()
        if (/content security policy|trusted/i.test(text)) complaints.push(text)
      })
      page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
      await page.goto(`${origin}/${hash}`)
      return page
    },
    call: (path: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE' = 'GET', body?: unknown) =>
      callApi(`${url}${path}`, { method, headers: asOps, ...(body !== undefined && { body }) }),
    /** Has the simulator serve these documents one after another, and watches that job. */
    async watch(jobid: string, documents: readonly ScriptDocument[], fields: object = {}) {
      const script = simulator.addScript(documents, { jobid })
      const answer = await this.call('/v1/jobs', 'POST', { jobid, ...fields })
      expect(answer.status, answer.text).toBe(201)
      await until(async () => {
        const seen = (await this.call(`/v1/jobs/${jobid}`)).json as JobAnswer
        return seen.polledAt !== null
      })
      return script
    },
    /** Resolves when the log has an event of this type of the job. */
    async untilEvent(type: string, jobid: string): Promise<void> {
      const query = new URLSearchParams({ last: '1', type, jobid })
      await until(async () => {
        const list = (await this.call(`/v1/events?${query.toString()}`)).json as EventList
        return list.items.length > 0
      })
    },
    /** As metrics tell it: how many streams are open. */
    async openStreams(): Promise<number> {
      const { text } = await this.call('/metrics')
      return Number(/^jobwatch_sse_clients (\d+)/m.exec(text)?.[1] ?? NaN)
    },
    /** Ends the daemon as a power cut would. */
    kill: () => daemon.stop('SIGKILL'),
    /** Starts it anew on the same address. */
    async start(changes: object = {}): Promise<void> {
      daemon = await serve({ ...settings, listen: new URL(url).host, ...changes }, folder.path)
    },
    async [Symbol.asyncDispose]() {
      await context.close()
      await daemon.stop('SIGTERM')
      await simulator.close()
      await receiver[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
      expect(complaints).toEqual([])
    },
  }
}

export type PageGround = Awaited<ReturnType<typeof pageGround>>
