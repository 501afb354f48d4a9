import type { IncomingMessage, ServerResponse } from 'node:http'
import { listenOnLoopback, readBody } from '../../src/simulator/loopback.ts'
import { Random } from './random.ts'
import type { ScriptedJob } from './script.ts'
import type { Trail } from './trail.ts'
import { now } from './trace.ts'

/** What an upstream does in place of a whole, true answer; each with its part of all answers. */
const faults = {
  ...{ '500': 0.02, hang: 0.005, reset: 0.01, truncated: 0.01, html: 0.01 },
  ...{ slow: 0.02, missing: 0.01, another: 0.01, token: 0.01, busy: 0.02 },
} as const
type Fault = keyof typeof faults

/** Two refusals of fresh tokens in a row look like a locked account, and then nothing is asked. */
const refusalPauseMs = 5000
/** Enough that two silences do not become one long one. */
const busyPauseMs = 10_000

export interface UpstreamOptions {
  readonly name: string
  readonly seed: number
  readonly jobs: readonly ScriptedJob[]
  readonly trail: Trail
  /** Given out for name and password, or expected as it is. */
  readonly token: string
  readonly password: string | null
}

/** An ArcGIS Enterprise of which every answer is known beforehand. */
export async function startUpstream(options: UpstreamOptions) {
  const { name, seed, jobs, trail, token, password } = options
  const byId = new Map(jobs.map((job) => [job.jobid, job]))
  const counts = new Map<string, number>()
  const began = { at: Infinity }
  let isBad = true
  let isOver = false
  let refusedAt = -Infinity
  let busyAt = -Infinity

  function versionOf(job: ScriptedJob): number {
    if (isOver) return job.versions.length - 1
    const ms = now() - began.at
    const later = job.versions.findIndex(({ atMs }) => atMs > ms)
    return Math.max(0, (later === -1 ? job.versions.length : later) - 1)
  }

  function isAbsent({ absence }: ScriptedJob): boolean {
    const ms = now() - began.at
    return absence !== null && ms >= absence.fromMs && ms < absence.toMs
  }

  function faultFor(job: ScriptedJob): Fault | null {
    const { jobid } = job
    const count = (counts.get(jobid) ?? 0) + 1
    counts.set(jobid, count)
    if (!isBad) return null
    if (isAbsent(job)) return 'missing'
    const fault = Random.of(seed, `${jobid} ${count}`).oneOf(faults)
    if (fault === 'token') {
      if (password === null || now() - refusedAt < refusalPauseMs) return null
      refusedAt = now()
    }
    if (fault === 'busy') {
      if (now() - busyAt < busyPauseMs) return null
      busyAt = now()
    }
    return fault
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = now()
    const { pathname } = new URL(request.url ?? '', 'http://upstream')
    const connection = `${name}:${String(request.socket.remotePort)}`
    if (pathname === '/gis/sharing/rest/generateToken') {
      const form = new URLSearchParams((await readBody(request)).toString())
      const isGiven = form.get('password') === password
      trail.write({ kind: 'token-ask', at, upstream: name, isGiven })
      const expires = Date.now() + 3_600_000
      send(response, isGiven ? { token, expires } : { error: { code: 400, message: 'Unable' } })
      return
    }
    const jobid = /^\/gis\/admin\/jobs\/([\w-]+)$/.exec(pathname)?.[1] ?? ''
    const job = byId.get(jobid)
    if (job === undefined || request.headers.authorization !== `Bearer ${token}`) {
      send(response, { error: { code: 498, message: 'Invalid token.' } })
      return
    }
    const version = versionOf(job)
    const fault = faultFor(job)
    const isTrue = fault === null || fault === 'slow'
    let isOut = false
    const done = (isWhole: boolean): void => {
      if (isOut) return
      isOut = true
      const shown = isWhole && isTrue ? version : null
      const retryAfterMs = fault === 'busy' && isWhole ? 1000 : null
      const of = { upstream: name, jobid, version: shown, fault, retryAfterMs, connection }
      trail.write({ kind: 'ask', at, to: now(), ...of })
    }
    response.on('finish', () => done(true))
    response.on('close', () => done(false))
    // The same state in other words, now and then: that is no change.
    const spelling = Random.of(seed, `${jobid} ${String(counts.get(jobid))} spelling`)
    const text = documentText(job, version, spelling)
    if (fault === null) sendText(response, text)
    else spoil(fault, text, request, response)
  }

  const server = await listenOnLoopback(answer, 0)
  return {
    origin: server.origin,
    /** The script begins now. */
    begin() {
      began.at = now()
      for (const { jobid, upstream, versions } of jobs) {
        versions.forEach(({ status, stages }, version) => {
          trail.write({ kind: 'version', upstream, jobid, version, status, stages })
        })
      }
    },
    /** From now on every answer is good. */
    heal() {
      isBad = false
    },
    /** From now on every job shows its last version. */
    end() {
      isOver = true
    },
    close: () => server.close(),
  }
}

export type ScriptedUpstream = Awaited<ReturnType<typeof startUpstream>>

function spoil(fault: Fault, text: string, request: IncomingMessage, response: ServerResponse) {
  const half = text.slice(0, text.length / 2)
  switch (fault) {
    case '500':
      sendText(response, 'It did not work', 500)
      return
    case 'busy':
      response.setHeader('retry-after', '1')
      sendText(response, 'Later', 503)
      return
    case 'hang':
      return
    case 'reset':
      request.socket.resetAndDestroy()
      return
    case 'truncated':
      sendText(response, half)
      return
    case 'html':
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>Sign in</title><form action="/login"></form>')
      return
    case 'slow':
      response.writeHead(200, { 'content-length': Buffer.byteLength(text) })
      response.write(half)
      setTimeout(() => response.end(text.slice(half.length)), 150)
      return
    case 'missing':
      sendText(response, JSON.stringify({ error: { code: 404, message: 'Not found' } }), 404)
      return
    case 'another':
      sendText(response, text.replace(/"jobid":"/, '"jobid":"not-').replace('"v=', '"v=1000'))
      return
    case 'token':
      send(response, { error: { code: 498, message: 'Invalid token.' } })
  }
}

const began = 1_760_000_000_000
const spellings: Readonly<Record<string, readonly [string, string]>> = {
  pending: ['Not Started', 'NOT_STARTED'],
  running: ['In Progress', 'IN_PROGRESS'],
  completed: ['Completed', 'COMPLETED'],
  failed: ['Failed', 'FAILED'],
}

/** The document of a version; its only message names the version. */
function documentText({ jobid, versions }: ScriptedJob, version: number, random: Random): string {
  const shown = versions[version]
  if (shown === undefined) throw new Error(`${jobid} has no version ${version}`)
  const isOver = ['COMPLETED', 'FAILED', 'CANCELLED'].includes(shown.status)
  const stages = Object.entries(shown.stages).map(([name, state]) => ({
    name,
    state: spellings[state]?.[random.chance(0.2) ? 1 : 0] ?? state,
  }))
  return JSON.stringify({
    progress: { stages },
    messages: [`v=${version}`],
    resource: { name: jobid },
    name: 'edit',
    updatedtime: began + random.int(0, 1000),
    jobid,
    requestID: `request-${jobid}`,
    endtime: isOver ? began + 60_000 : 0,
    starttime: began,
    operationURI: '/gis/admin/services/Hydrants.MapServer/edit',
    status: shown.status,
    username: 'siteadmin',
  })
}

function send(response: ServerResponse, body: object): void {
  sendText(response, JSON.stringify(body))
}

function sendText(response: ServerResponse, text: string, status = 200): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
