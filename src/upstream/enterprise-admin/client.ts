import type { Dispatcher } from 'undici'
import type { Clock } from '../../clock.ts'
import { exponential } from '../../core/backoff.ts'
import { jobidPattern } from '../../core/job.ts'
import type { Failed, FailureKind } from '../../core/observation.ts'
import { RateMeter } from '../../core/rate-meter.ts'
import { headerOf, sendRequest } from '../../request.ts'
import type { HttpAnswer, HttpRequest } from '../../request.ts'
import { anySpelling } from '../spelling.ts'
import { renewedToken, staticToken } from '../token.ts'
import type { TokenSource } from '../token.ts'
import type { Listing, Look, Upstream } from '../upstream.ts'
import { classifyJobAnswer, classifyListAnswer } from './answer.ts'
import { examine } from './examine.ts'
import type { TokenWay } from './examine.ts'
import { classifyTokenAnswer, tokenForm } from './generate-token.ts'

export interface EnterpriseAdminOptions {
  readonly name: string
  /** The URL of the admin directory, without a slash at its end. */
  readonly root: string
  readonly auth:
    | { readonly token: string }
    | {
        readonly username: string
        readonly password: string
        readonly tokenUrl: string
        readonly expirationMs: number
      }
  readonly referer: string
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly userAgent: string
  /** Closed with the upstream. */
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Hears what came of each request for a token. */
  readonly onTokenRequest?: (result: 'renewed' | FailureKind) => void
  /** Hears how long each answer held the event loop up that was not the same as before. */
  readonly onParsed?: (durationMs: number) => void
}

const maxTokenBytes = 65_536
const tokenPauseMs = 1000
const maxPauseMs = 15_000
/** Asking often with what was refused may lock the account. */
const maxRefusedPauseMs = 300_000

/** ArcGIS Enterprise on Kubernetes, through its Administrator API. */
export function createEnterpriseAdmin(options: EnterpriseAdminOptions): Upstream {
  const { name, root, referer, timeoutMs, maxBodyBytes, dispatcher, clock } = options
  const jobsPath = `${new URL(root).pathname.replace(/\/$/, '')}/jobs/`
  const headers = {
    accept: 'application/json',
    // A compressed answer could be a bomb, and nothing here decodes one.
    'accept-encoding': 'identity',
    referer,
    'user-agent': options.userAgent,
  }
  const meter = new RateMeter(clock.now())
  const way = tokenWay()
  const tokens = tokenSource()
  const password = 'password' in options.auth ? [options.auth.password] : []
  let secrets = { token: '', pattern: patternOf(password) }
  let lastWorked = true
  let lastDate: { readonly header: string; readonly at: number } | null = null

  function tokenSource(): TokenSource {
    if ('fixed' in way) return staticToken(way.fixed)
    return renewedToken({
      request: async () => {
        const { given } = await way.request()
        options.onTokenRequest?.(given.outcome === 'token' ? 'renewed' : given.failure)
        return given
      },
      now: () => clock.now(),
      pauseMs: (failures, { failure }) =>
        exponential(failures, tokenPauseMs, failure === 'auth' ? maxRefusedPauseMs : maxPauseMs),
    })
  }

  function tokenWay(): TokenWay {
    const { auth } = options
    if ('token' in auth) return { fixed: auth.token }
    const { tokenUrl, expirationMs } = auth
    const body = tokenForm({ ...auth, referer })
    return {
      credentials: { ...auth, referer },
      async request() {
        const answer = await send({
          method: 'POST',
          url: new URL(tokenUrl),
          headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
          body,
          timeoutMs,
          maxBytes: maxTokenBytes,
        })
        const given = classified(
          answer,
          () => secrets.pattern,
          (one) => classifyTokenAnswer(one, { expirationMs, now: clock.now() }),
        )
        return { answer, given }
      },
    }
  }

  function send(request: HttpRequest): Promise<HttpAnswer> {
    meter.note(clock.now())
    return sendRequest(dispatcher, clock, request)
  }

  async function get(path: string, token: string): Promise<HttpAnswer> {
    const request = {
      method: 'GET',
      url: new URL(`${root}${path}?f=json`),
      headers: { ...headers, authorization: `Bearer ${token}` },
      timeoutMs,
      maxBytes: maxBodyBytes,
    } as const
    // The upstream may close a kept-alive connection just as it is used again; one that resets every
    // connection is not asked twice as often for that.
    const mayBeStale = lastWorked
    let answer = await send(request)
    const isReset = answer.error === 'reset' && answer.status === null
    if (isReset && mayBeStale) answer = await send(request)
    lastWorked = answer.error === null
    const header = headerOf(answer, 'date')
    if (header !== undefined) lastDate = { header, at: clock.now() }
    return answer
  }

  /** Parsed only when someone wants to know. */
  function clockSkewMs(): number | null {
    const skewMs = lastDate === null ? NaN : Date.parse(lastDate.header) - lastDate.at
    return Number.isNaN(skewMs) ? null : skewMs
  }

  async function askOnce<T extends object>(
    path: string,
    classify: (answer: HttpAnswer) => T,
  ): Promise<{ answer: T | Failed; token: string | null }> {
    const given = await tokens.get()
    if (given.outcome !== 'token') return { answer: given, token: null }
    const { token } = given
    const received = await get(path, token)
    const begunAt = performance.now()
    const answer = classified(received, () => secretsWith(token), classify)
    if (!isSame(answer)) options.onParsed?.(performance.now() - begunAt)
    return { answer, token }
  }

  /** What finds the password and the token in an answer; to make it takes milliseconds, so it is kept. */
  function secretsWith(token: string): RegExp {
    if (token !== secrets.token) secrets = { token, pattern: patternOf([...password, token]) }
    return secrets.pattern
  }

  /** Asks with a token; a refused one is renewed, once. */
  async function ask<T extends object>(
    path: string,
    classify: (answer: HttpAnswer) => T,
  ): Promise<T | Failed> {
    const { answer, token } = await askOnce(path, classify)
    if (token === null) return answer
    if (!isRefused(answer)) {
      tokens.accept(token)
      return answer
    }
    tokens.refuse(token, answer.detail)
    if (!tokens.canRenew) return answer
    const again = await askOnce(path, classify)
    if (again.token === null) return again.answer
    if (isRefused(again.answer)) tokens.refuse(again.token, again.answer.detail)
    else tokens.accept(again.token)
    return again.answer
  }

  return {
    name,
    kind: 'enterprise-admin',
    root,
    async fetchJob(jobid, known) {
      // An id with dots or slashes would lead to another resource.
      if (!jobidPattern.test(jobid)) throw new Error(`jobid ${jobid} cannot stand in a path`)
      return ask<Look>(`/jobs/${encodeURIComponent(jobid)}`, (answer) =>
        classifyJobAnswer(answer, { jobid, known, now: clock.now() }),
      )
    },
    listJobs: () => ask<Listing>('/jobs', (answer) => classifyListAnswer(answer, clock.now())),
    retryToken: () => {
      tokens.retry()
    },
    status: () => ({
      tokenExpiresAt: tokens.expiresAt(),
      requestsPerSecond: meter.perSecond(clock.now()),
      clockSkewMs: clockSkewMs(),
    }),
    examine: () =>
      examine({ root, referer, userAgent: options.userAgent, way, get, now: () => clock.now() }),
    jobidOf(url) {
      const { pathname } = url
      if (url.origin !== new URL(root).origin || !pathname.startsWith(jobsPath)) return null
      const jobid = pathname.slice(jobsPath.length).replace(/\/$/, '')
      return jobidPattern.test(jobid) ? jobid : null
    },
    close: () => dispatcher.destroy(),
  }
}

function isRefused(answer: object): answer is Failed {
  return 'failure' in answer && answer.failure === 'auth'
}

function isSame(answer: object): boolean {
  return 'outcome' in answer && answer.outcome === 'same'
}

function patternOf(secrets: readonly string[]): RegExp {
  return new RegExp(secrets.map(anySpelling).join('|') || '(?!)', 'gi')
}

/** No error is longer; of what is, only what is shown in the end is searched for secrets. */
const maxSearchedBytes = 262_144

/**
 * What an answer means, told without the secrets that it may quote: details are shown to everyone,
 * and they are cut, so the secrets have to be gone before they are made.
 */
function classified<T extends object>(
  answer: HttpAnswer,
  secretsNow: () => RegExp,
  classify: (answer: HttpAnswer) => T,
): T {
  const meaning = classify(answer)
  if (!hasDetail(meaning)) return meaning
  const secrets = secretsNow()
  if (answer.body.length > maxSearchedBytes) {
    return { ...meaning, detail: meaning.detail.replace(secrets, '[secret]') }
  }
  const text = answer.body.toString('utf8')
  const shown = text.replace(secrets, '[secret]')
  if (shown === text) return meaning
  const hidden = classify({ ...answer, body: Buffer.from(shown) })
  return { ...meaning, detail: hasDetail(hidden) ? hidden.detail : 'the answer quotes a secret' }
}

function hasDetail(meaning: object): meaning is { detail: string } {
  return 'detail' in meaning && typeof meaning.detail === 'string'
}
