import type { Dispatcher } from 'undici'
import type { Clock } from '../../clock.ts'
import { exponential } from '../../core/backoff.ts'
import { jobidPattern } from '../../core/job.ts'
import { sendRequest } from '../../request.ts'
import type { HttpAnswer } from '../../request.ts'
import { renewedToken, staticToken } from '../token.ts'
import type { TokenAnswer, TokenSource } from '../token.ts'
import type { Look, Upstream } from '../upstream.ts'
import { classifyJobAnswer } from './answer.ts'
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
}

const maxTokenBytes = 65_536
const tokenPauseMs = 1000
const maxTokenPauseMs = 300_000

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
  const tokens = tokenSource()

  function tokenSource(): TokenSource {
    const { auth } = options
    if ('token' in auth) return staticToken(auth.token)
    const { username, password, tokenUrl, expirationMs } = auth
    const body = tokenForm({ username, password, referer, expirationMs })
    return renewedToken({
      request: async (): Promise<TokenAnswer> => {
        const answer = await sendRequest(dispatcher, clock, {
          method: 'POST',
          url: new URL(tokenUrl),
          headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
          body,
          timeoutMs,
          maxBytes: maxTokenBytes,
        })
        const given = classifyTokenAnswer(answer, { expirationMs, now: clock.now() })
        return without(password, given)
      },
      now: () => clock.now(),
      pauseMs: (failures) => exponential(failures, tokenPauseMs, maxTokenPauseMs),
    })
  }

  async function get(url: URL, token: string): Promise<HttpAnswer> {
    const request = {
      method: 'GET',
      url,
      headers: { ...headers, authorization: `Bearer ${token}` },
      timeoutMs,
      maxBytes: maxBodyBytes,
    } as const
    const answer = await sendRequest(dispatcher, clock, request)
    // The upstream may close a kept-alive connection just as it is used again.
    const isStaleConnection = answer.error === 'reset' && answer.status === null
    return isStaleConnection ? sendRequest(dispatcher, clock, request) : answer
  }

  async function lookOnce(
    jobid: string,
    known: string | null,
  ): Promise<{ look: Look; token: string | null }> {
    const answer = await tokens.get()
    if (answer.outcome !== 'token') return { look: answer, token: null }
    const { token } = answer
    const url = new URL(`${root}/jobs/${encodeURIComponent(jobid)}?f=json`)
    const look = classifyJobAnswer(await get(url, token), { jobid, known, now: clock.now() })
    return { look: without(token, look), token }
  }

  return {
    name,
    kind: 'enterprise-admin',
    root,
    async fetchJob(jobid, known) {
      // An id with dots or slashes would lead to another resource.
      if (!jobidPattern.test(jobid)) throw new Error(`jobid ${jobid} cannot stand in a path`)
      const { look, token } = await lookOnce(jobid, known)
      if (token === null) return look
      if (!isRefused(look)) {
        tokens.accept(token)
        return look
      }
      tokens.refuse(token)
      if (!tokens.canRenew) return look
      const again = await lookOnce(jobid, known)
      if (again.token !== null) tokens[isRefused(again.look) ? 'refuse' : 'accept'](again.token)
      return again.look
    },
    jobidOf(url) {
      const { pathname } = url
      if (url.origin !== new URL(root).origin || !pathname.startsWith(jobsPath)) return null
      const jobid = pathname.slice(jobsPath.length).replace(/\/$/, '')
      return jobidPattern.test(jobid) ? jobid : null
    },
    close: () => dispatcher.destroy(),
  }
}

function isRefused(look: Look): boolean {
  return look.outcome === 'failed' && look.failure === 'auth'
}

/** An upstream may quote the secret that it refuses, and details are shown to everyone. */
function without<T extends object>(secret: string, answer: T): T {
  if (!('detail' in answer) || typeof answer.detail !== 'string') return answer
  return { ...answer, detail: answer.detail.replaceAll(secret, '[secret]') }
}
