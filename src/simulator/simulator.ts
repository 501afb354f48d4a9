import { randomUUID } from 'node:crypto'
import {
  directoryPage,
  invalidToken,
  methodNotAllowed,
  ok,
  parameterRequired,
  resourceNotFound,
  send,
  tokenRequired,
  wrongCredentials,
} from './answer.ts'
import type { Answer } from './answer.ts'
import { hasObject, readCall, tokenOf, wantsJson } from './call.ts'
import type { Call } from './call.ts'
import { isObject } from './check.ts'
import { controlAnswer, isControl } from './control.ts'
import { createFaults } from './faults.ts'
import type { Resource } from './faults.ts'
import { createJobs } from './jobs.ts'
import type { ScriptDocument, ScriptHandle } from './jobs.ts'
import { listenOnLoopback } from './loopback.ts'
import { operationAt } from './operation.ts'
import { perform } from './perform.ts'
import { scenario } from './scenarios.ts'
import type { ScenarioKind } from './scenarios.ts'
import { createTokens } from './tokens.ts'
import { createPlayer, paced, targetOf, traceJobid, withJobid } from './trace.ts'
import type { Player, Trace } from './trace.ts'
import type { Played, PlayOptions, Submitted, SubmitOptions, Verbs } from './verbs.ts'

export interface SimulatorOptions {
  /** 0 takes a free one. */
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly context?: string
  /** A factor on the times of the jobs that its operations submit. */
  readonly pace?: number
  /** The longest life a token can get. */
  readonly tokenMinutes?: number
  /** Epoch ms; what traces and tokens go by. */
  readonly now?: () => number
}

/** A running, simulated ArcGIS Enterprise: its token operation, its jobs, a few that submit some. */
export interface Simulator extends Verbs {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** The one that is right now. */
  readonly password: string
  /** Plays a trace as a job, and gives its id. */
  addTrace(trace: Trace, options?: { readonly jobid?: string }): string
  /** A job that serves the first document until it is told to go on. */
  addScript(documents: readonly ScriptDocument[], options: { readonly jobid: string }): ScriptHandle
  close(): Promise<void>
}

/**
 * Starts one on 127.0.0.1. Without options: context `gis`, user `siteadmin`, real time. All that it
 * can do is there over HTTP too, under `/_simulator`.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, context = 'gis', pace = 1, tokenMinutes, now = Date.now } = options
  const { username = 'siteadmin' } = options
  let { password = 'simulated-password' } = options
  const adminPath = `/${context}/admin`
  const tokens = createTokens({
    now,
    ...(tokenMinutes !== undefined && { maxMinutes: tokenMinutes }),
  })
  const jobs = createJobs(now)
  const faults = createFaults()
  const counts = { tokens: 0, lists: 0, jobs: new Map<string, number>() }
  const played = new Map<Resource['target'], Player>()
  const usedSockets = new WeakSet<object>()

  const server = await listenOnLoopback(async (request, response) => {
    const isReused = usedSockets.has(request.socket)
    usedSockets.add(request.socket)
    const call = await readCall(request)
    if (isControl(call)) {
      send(response, controlAnswer(simulator, call))
      return
    }
    const resource = resourceOf(call.path)
    const answer = answerTo(call, resource)
    const fault = faults.take({ ...resource, isReused })
    if (fault === null) send(response, answer)
    else await perform(fault, answer, response)
  }, port)
  const root = `${server.origin}${adminPath}`

  function resourceOf(path: string): Resource {
    if (path === `/${context}/sharing/rest/generateToken`) return { target: 'token', jobid: null }
    if (path === `${adminPath}/jobs`) return { target: 'jobs', jobid: null }
    const jobPath = `${adminPath}/jobs/`
    const jobid = path.startsWith(jobPath) ? path.slice(jobPath.length) : ''
    const isJob = jobid !== '' && !jobid.includes('/')
    return isJob ? { target: 'job', jobid } : { target: 'other', jobid: null }
  }

  function answerTo(call: Call, resource: Resource): Answer {
    if (resource.target === 'token') return generateToken(call)
    const isAdmin = call.path === adminPath || call.path.startsWith(`${adminPath}/`)
    if (!isAdmin) return { ...resourceNotFound(call.path), httpStatus: 404 }
    const path = call.path.slice(adminPath.length)
    return call.method === 'POST' ? answerToPost(path, call) : answerToGet(path, call, resource)
  }

  function generateToken(call: Call): Answer {
    const { form } = call
    if (form === null) return methodNotAllowed('POST')
    counts.tokens += 1
    if (!wantsJson(call)) return directoryPage
    const answer = played.get('token')?.(now())
    if (answer !== undefined) {
      const { token } = isObject(answer.body) ? answer.body : {}
      if (typeof token === 'string') tokens.adopt(token)
      return answer
    }
    if (form.get('username') !== username || form.get('password') !== password) {
      return wrongCredentials
    }
    const minutes = form.get('expiration')
    return ok({ ...tokens.grant({ minutes, referer: form.get('referer') }), ssl: true })
  }

  function answerToGet(path: string, call: Call, { target, jobid }: Resource): Answer {
    if (call.method !== 'GET') return methodNotAllowed('GET')
    if (jobid !== null) counts.jobs.set(jobid, (counts.jobs.get(jobid) ?? 0) + 1)
    if (target === 'jobs') counts.lists += 1
    if (!wantsJson(call)) return directoryPage
    const grantedAt = grantOf(call)
    if (typeof grantedAt !== 'number') return grantedAt
    if (jobid !== null) return jobs.answerOf(jobid, grantedAt)
    if (target === 'jobs') return played.get('jobs')?.(grantedAt) ?? ok({ jobs: jobs.list() })
    return operationAt(path) === null ? resourceNotFound(path) : methodNotAllowed('POST')
  }

  function answerToPost(path: string, call: Call): Answer {
    const operation = operationAt(path)
    if (operation === null) return methodNotAllowed('GET')
    if (!wantsJson(call)) return directoryPage
    const grantedAt = grantOf(call)
    if (typeof grantedAt !== 'number') return grantedAt
    const { requires } = operation
    if (requires !== null && !hasObject(call, requires)) return parameterRequired(requires)
    if (!operation.isAlwaysAsync && call.form?.get('async') !== 'true') {
      return ok({ status: 'success' })
    }
    return ok(submit(operation.kind, { target: operation.target, pace }))
  }

  /** When the call's token was granted, or how it is refused. */
  function grantOf(call: Call): number | Answer {
    const token = tokenOf(call)
    if (token === null) return tokenRequired
    return tokens.grantedAt(token, call.headers.referer ?? null) ?? invalidToken
  }

  function submit(kind: ScenarioKind, options: SubmitOptions = {}): Submitted {
    const jobid = `${kind === 'registryEdit' ? 's' : 'j'}${randomUUID()}`
    const startedAt = now()
    jobs.addTrace(jobid, scenario(kind, { jobid, startedAt, context, username, ...options }))
    return { jobsUrl: `${root}/jobs/${jobid}`, jobid }
  }

  function play(
    trace: Trace,
    { target = targetOf(trace), pace = 1, ...rest }: PlayOptions = {},
  ): Played {
    const atPace = paced(trace, pace)
    if (target === 'job') return { target, ...playAsJob(atPace, rest) }
    played.set(target, createPlayer(atPace, now))
    return { target, jobsUrl: null, jobid: null }
  }

  function playAsJob(
    trace: Trace,
    { jobid = traceJobid(trace) ?? `j${randomUUID()}` }: { readonly jobid?: string } = {},
  ): Submitted {
    jobs.addTrace(jobid, withJobid(trace, jobid))
    return { jobsUrl: `${root}/jobs/${jobid}`, jobid }
  }

  const simulator: Simulator = {
    url: server.origin,
    root,
    username,
    get password() {
      return password
    },
    requests: counts,
    get jobids() {
      return jobs.ids()
    },
    get faults() {
      return faults.list()
    },
    play,
    addTrace: (trace, options) => playAsJob(trace, options).jobid,
    endTraces() {
      played.clear()
    },
    addScript: (documents, { jobid }) => jobs.addScript(jobid, documents),
    submit,
    removeJob: (jobid) => jobs.remove(jobid),
    removeJobs: () => {
      jobs.clear()
    },
    inject: (fault, where) => faults.add(fault, where),
    clearFault: (id) => faults.remove(id),
    clearFaults: () => {
      faults.clear()
    },
    expireTokens: () => {
      tokens.expireAll()
    },
    setPassword(next) {
      password = next
      tokens.expireAll()
    },
    close: () => server.close(),
  }
  return simulator
}
