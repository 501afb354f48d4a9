import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import {
  directoryPage,
  invalidToken,
  jobNotFound,
  methodNotAllowed,
  ok,
  resourceNotFound,
  send,
  tokenRequired,
  wrongCredentials,
} from './answer.ts'
import type { Answer } from './answer.ts'
import { createJobs } from './jobs.ts'
import type { ScriptDocument, ScriptHandle } from './jobs.ts'
import { listenOnLoopback, readBody } from './loopback.ts'
import { operationAt } from './operation.ts'
import { scenario } from './scenarios.ts'
import type { ScenarioKind } from './scenarios.ts'
import { createTokens, tokenOf } from './tokens.ts'
import { traceJobid, withJobid } from './trace.ts'
import type { Trace } from './trace.ts'

export interface SimulatorOptions {
  /** 0 takes a free one. */
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly context?: string
  /** The longest life a token can get. */
  readonly tokenMinutes?: number
  /** Epoch ms; what traces and tokens go by. */
  readonly now?: () => number
}

export interface SubmitOptions {
  /** What the operation acts on, decoded: a service, a registry's id, a backup store. */
  readonly target?: string
  /** A factor on the scenario's times; 0.1 plays ten times as fast. */
  readonly pace?: number
}

/** The answer to a submit; `jobsUrl` names one job, in spite of its name. */
export interface Submitted {
  readonly jobsUrl: string
  readonly jobid: string
}

/** How often something was asked for so far, refused requests included. */
export interface RequestCounts {
  readonly tokens: number
  /** Looks at the list of jobs. */
  readonly lists: number
  /** Looks at one job, by the id asked for. */
  readonly jobs: ReadonlyMap<string, number>
}

/** A running, simulated ArcGIS Enterprise: its token operation, its jobs, a few that submit some. */
export interface Simulator {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Where the Administrator API begins: `http://127.0.0.1:PORT/<context>/admin`. */
  readonly root: string
  readonly username: string
  readonly password: string
  readonly requests: RequestCounts
  /** Plays a trace from now on; another `jobid` than its own is written into its documents. */
  addTrace(trace: Trace, options?: { readonly jobid?: string }): string
  /** A job that serves the first document until it is told to go on. */
  addScript(documents: readonly ScriptDocument[], options: { readonly jobid: string }): ScriptHandle
  /** Starts a built-in scenario, like the operation that makes such a job. */
  submit(kind: ScenarioKind, options?: SubmitOptions): Submitted
  /** From now on all tokens handed out so far are answered with 498. */
  expireTokens(): void
  close(): Promise<void>
}

/** A request as far as routing needs it. */
interface Call {
  readonly request: IncomingMessage
  readonly path: string
  readonly query: URLSearchParams
  /** The body of a POST, otherwise null. */
  readonly form: URLSearchParams | null
}

/** Starts one on 127.0.0.1. Without options: context `gis`, user `siteadmin`, real time. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, context = 'gis', tokenMinutes, now = Date.now } = options
  const { username = 'siteadmin', password = 'simulated-password' } = options
  const adminPath = `/${context}/admin`
  const tokens = createTokens({
    now,
    ...(tokenMinutes !== undefined && { maxMinutes: tokenMinutes }),
  })
  const jobs = createJobs(now)
  const counts = { tokens: 0, lists: 0, jobs: new Map<string, number>() }

  const server = await listenOnLoopback(async (request, response) => {
    const answer = answerTo(await readCall(request))
    send(response, answer, `${server.origin}/${context}/home/signin.html`)
  }, port)
  const root = `${server.origin}${adminPath}`

  function answerTo(call: Call): Answer {
    if (call.path === `/${context}/sharing/rest/generateToken`) return generateToken(call)
    const isAdmin = call.path === adminPath || call.path.startsWith(`${adminPath}/`)
    if (!isAdmin) return { ...resourceNotFound(call.path), httpStatus: 404 }
    const path = call.path.slice(adminPath.length)
    return call.request.method === 'POST' ? answerToPost(path, call) : answerToGet(path, call)
  }

  function generateToken({ query, form }: Call): Answer {
    if (form === null) return methodNotAllowed('POST')
    counts.tokens += 1
    if (!wantsJson(query, form)) return directoryPage
    if (form.get('username') !== username || form.get('password') !== password) {
      return wrongCredentials
    }
    const minutes = form.get('expiration')
    return ok({ ...tokens.grant({ minutes, referer: form.get('referer') }), ssl: true })
  }

  function answerToGet(path: string, call: Call): Answer {
    if (call.request.method !== 'GET') return methodNotAllowed('GET')
    const jobid = /^\/jobs\/([^/]+)$/.exec(path)?.[1]
    if (jobid !== undefined) counts.jobs.set(jobid, (counts.jobs.get(jobid) ?? 0) + 1)
    if (path === '/jobs') counts.lists += 1
    if (!wantsJson(call.query, null)) return directoryPage
    const refusal = refusalOf(call)
    if (refusal !== null) return refusal
    if (jobid !== undefined) return jobs.answerOf(jobid) ?? jobNotFound(jobid)
    if (path === '/jobs') return ok({ jobs: jobs.list() })
    return operationAt(path) === null ? resourceNotFound(path) : methodNotAllowed('POST')
  }

  function answerToPost(path: string, call: Call): Answer {
    const operation = operationAt(path)
    if (operation === null) return methodNotAllowed('GET')
    if (!wantsJson(call.query, call.form)) return directoryPage
    const refusal = refusalOf(call)
    if (refusal !== null) return refusal
    if (!operation.isAlwaysAsync && call.form?.get('async') !== 'true') {
      return ok({ status: 'success' })
    }
    return ok(submit(operation.kind, { target: operation.target }))
  }

  function refusalOf({ request, query, form }: Call): Answer | null {
    const token = tokenOf(request, query, form)
    if (token === null) return tokenRequired
    return tokens.accepts(token, request.headers.referer ?? null) ? null : invalidToken
  }

  function submit(kind: ScenarioKind, options: SubmitOptions = {}): Submitted {
    const jobid = `${kind === 'registryEdit' ? 's' : 'j'}${randomUUID()}`
    const startedAt = now()
    jobs.addTrace(jobid, scenario(kind, { jobid, startedAt, context, username, ...options }))
    return { jobsUrl: `${root}/jobs/${jobid}`, jobid }
  }

  return {
    url: server.origin,
    root,
    username,
    password,
    requests: counts,
    addTrace(trace, { jobid = traceJobid(trace) ?? `j${randomUUID()}` } = {}) {
      jobs.addTrace(jobid, withJobid(trace, jobid))
      return jobid
    },
    addScript: (documents, { jobid }) => jobs.addScript(jobid, documents),
    submit,
    expireTokens: () => {
      tokens.expireAll()
    },
    close: () => server.close(),
  }
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
  const body = (await readBody(request)).toString()
  return {
    request,
    path: decoded(path),
    query: new URLSearchParams(query),
    form: request.method === 'POST' ? new URLSearchParams(body) : null,
  }
}

/** The path as text; one that is encoded wrongly stays as it is and matches nothing. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The format is HTML unless asked for otherwise. */
function wantsJson(query: URLSearchParams, form: URLSearchParams | null): boolean {
  const format = form?.get('f') ?? query.get('f')
  return format === 'json' || format === 'pjson'
}
