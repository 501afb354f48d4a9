import { randomUUID } from 'node:crypto'
import { jobidPattern } from '../../core/job.ts'
import { headerOf } from '../../request.ts'
import type { HttpAnswer } from '../../request.ts'
import type { TokenAnswer } from '../token.ts'
import type { Exchange, Finding, Listing } from '../upstream.ts'
import { classifyJobAnswer, classifyListAnswer, parseJson } from './answer.ts'
import { tokenForm } from './generate-token.ts'
import type { Credentials } from './generate-token.ts'
import { createRedaction } from './redact.ts'
import type { Redaction } from './redact.ts'
import type { Reply, Situation } from './trouble.ts'
import { judgeJob, judgeList, judgeToken, judgeUnknownJob } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** How the daemon itself asks this deployment. */
export interface Access {
  readonly root: string
  readonly referer: string
  readonly userAgent: string
  readonly way: TokenWay
  readonly get: (path: string, token: string) => Promise<HttpAnswer>
  readonly now: () => number
}

/** Where the token comes from: the configuration holds it, or the portal gives one. */
export type TokenWay =
  | { readonly fixed: string }
  | {
      readonly credentials: Credentials & { readonly tokenUrl: string }
      readonly request: () => Promise<{ readonly answer: HttpAnswer; readonly given: TokenAnswer }>
    }

/**
 * Asks for a token, the list of jobs, one job of it and one that does not exist, each once and with
 * the requests of the daemon. A token that is refused is not asked for again: accounts lock.
 */
export async function* examine(access: Access): AsyncGenerator<Finding, void, undefined> {
  const { finding, token } = await examineToken(access)
  yield finding
  if (token === null) {
    for (const step of ['jobs', 'job', 'unknown job'] as const) {
      yield skipped(step, 'There is no token to ask with.')
    }
    return
  }

  const at = createGround(access, token)
  const list = await at.ask('/jobs')
  const listing = classifyListAnswer(list.answer, access.now())
  yield at.finding('jobs', list, judgeList(list, listing, at.situation))
  yield await examineJob(access, at, listing)
  const isReached = listing.outcome === 'listed' || listing.failure === 'denied'
  if (!isReached) {
    yield skipped('unknown job', 'The list of jobs has to come first.')
    return
  }
  const jobid = `j${randomUUID()}`
  const reply = await at.ask(`/jobs/${jobid}`)
  const look = classifyJobAnswer(reply.answer, { jobid, known: null, now: access.now() })
  yield at.finding('unknown job', reply, judgeUnknownJob(reply, look, listing, at.situation))
}

async function examineToken(
  access: Access,
): Promise<{ readonly finding: Finding; readonly token: string | null }> {
  const { way } = access
  if ('fixed' in way) {
    const says =
      'The configuration holds a fixed token (auth.token), so none is asked for. When it runs out, ' +
      'someone has to replace it: jobwatch renews only what it gets with username and password.'
    return { finding: skipped('token', says), token: way.fixed }
  }
  const { credentials } = way
  const { answer, given } = await way.request()
  const token = given.outcome === 'token' ? given.token : null
  const { redaction, situation } = createGround(access, token)
  const reply = replyOf(answer)
  const form = tokenForm({ ...credentials, username: '[username]', password: '[password]' })
  const address = redaction.text(credentials.tokenUrl)
  const request = `POST ${address} with ${redaction.text(decodeURIComponent(form))}`
  return {
    finding: {
      step: 'token',
      ...judgeToken(reply, given, credentials.expirationMs, situation),
      exchange: exchangeOf(request, answer, redaction),
    },
    token,
  }
}

async function examineJob(access: Access, at: Ground, listing: Listing): Promise<Finding> {
  if (listing.outcome !== 'listed') {
    return skipped('job', 'The list of jobs has to come first.')
  }
  if (listing.jobids.length === 0) {
    const says =
      'There is no job to read at present. Start one, for example by editing a service, and run ' +
      'this again to see whether the account may read it.'
    return skipped('job', says)
  }
  const jobid = listing.jobids.find((one) => jobidPattern.test(one))
  if (jobid === undefined) {
    const says =
      'None of the listed ids has a form that jobwatch takes (1 to 128 letters, digits, - or _). ' +
      'Please report the list below.'
    return { ...skipped('job', says), verdict: 'fails' }
  }
  const reply = await at.ask(`/jobs/${jobid}`)
  const look = classifyJobAnswer(reply.answer, { jobid, known: null, now: access.now() })
  return at.finding('job', reply, judgeJob(reply, look, at.situation))
}

function skipped(step: Finding['step'], says: string): Finding {
  return { step, verdict: 'skipped', says, facts: [], exchange: null }
}

/** What the steps with a token share. */
type Ground = ReturnType<typeof createGround>

function createGround(access: Access, token: string | null) {
  const { root, way, referer, userAgent } = access
  const credentials = 'fixed' in way ? null : way.credentials
  const username = credentials?.username ?? null
  const redaction = createRedaction({
    root,
    token,
    username,
    password: credentials?.password ?? null,
    otherUrls: [credentials?.tokenUrl ?? '', referer],
  })
  const situation: Situation = {
    root,
    tokenUrl: credentials?.tokenUrl ?? null,
    userAgent,
    username,
    now: access.now(),
    quote: (text) => quoted(redaction.text(text)),
  }
  const headers = `Authorization: Bearer [token], Referer: ${redaction.text(referer)}`
  return {
    redaction,
    situation,
    async ask(path: string): Promise<Reply & { readonly exchange: Exchange }> {
      const answer = await access.get(path, token ?? '')
      const request = `GET ${redaction.text(root + path)}?f=json with ${headers}`
      return { ...replyOf(answer), exchange: exchangeOf(request, answer, redaction) }
    },
    finding: (
      step: Finding['step'],
      { exchange }: { readonly exchange: Exchange },
      verdict: Verdict,
    ): Finding => ({ step, ...verdict, exchange }),
  }
}

const maxQuotedLength = 200

/** As code in Markdown, which pings nobody and links nowhere. */
function quoted(text: string): string {
  const line = text.replace(/\s+/g, ' ').replaceAll('`', "'").trim()
  return `\`${line.length > maxQuotedLength ? `${line.slice(0, maxQuotedLength)}…` : line}\``
}

function replyOf(answer: HttpAnswer): Reply {
  return { answer, json: parseJson(answer.body.toString('utf8').replace(/^\ufeff/, '')) }
}

function exchangeOf(request: string, answer: HttpAnswer, redaction: Redaction): Exchange {
  const contentType = headerOf(answer, 'content-type')
  return {
    request,
    status: answer.status,
    contentType: contentType === undefined ? null : redaction.text(contentType).slice(0, 100),
    body: redaction.body(answer),
  }
}
