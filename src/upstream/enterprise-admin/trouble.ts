import type { Failed } from '../../core/observation.ts'
import { headerOf } from '../../request.ts'
import type { HttpAnswer, RequestError } from '../../request.ts'
import type { Finding } from '../upstream.ts'
import { classifyError } from './answer.ts'

/** An answer, with its body as JSON; undefined when it is none. */
export interface Reply {
  readonly answer: HttpAnswer
  readonly json: unknown
}

/** What the words for the administrator depend on. */
export interface Situation {
  readonly root: string
  /** Null where the token is fixed, like the user name. */
  readonly tokenUrl: string | null
  readonly username: string | null
  readonly userAgent: string
  readonly now: number
  /** Makes a text of the upstream fit to stand in a sentence. */
  readonly quote: (text: string) => string
}

type Step = Finding['step']
type Cause =
  | RequestError
  | 'redirect'
  | 'sign-in'
  | 'page'
  | 'unreadable'
  | 'nowhere'
  | 'credentials'
  | 'token'
  | 'privileges'
  | 'upgrade'
  | 'throttled'
  | 'firewall'
  | 'gateway'
  | 'own error'
  | 'other JSON'

/** Why a step did not work, and what to do about it. */
export function explain(
  step: Step,
  reply: Reply,
  failed: Failed,
  situation: Situation,
): Pick<Finding, 'verdict' | 'says'> {
  const cause = causeOf(reply, failed, situation.now)
  const isDenied = ['credentials', 'token', 'privileges', 'sign-in'].includes(cause)
  const words = wordsFor(cause, { step, answer: reply.answer, failed, ...situation })
  return { verdict: isDenied ? 'denied' : 'fails', says: words }
}

function causeOf({ answer, json }: Reply, failed: Failed, now: number): Cause {
  const { status, error } = answer
  const { failure } = failed
  if (failure === 'throttled') return 'throttled'
  if (status !== null && status >= 300 && status < 400) {
    return failure === 'auth' ? 'sign-in' : 'redirect'
  }
  if (error !== null) return error
  if (json === undefined) return causeWithoutJson(answer, failed)
  if (failed.badCredentials) return 'credentials'
  if (failure === 'auth') return 'token'
  if (failure === 'denied') return 'privileges'
  if (classifyError(answer, json, now)?.outcome === 'missing') return 'nowhere'
  if (failure === 'protocol') return 'other JSON'
  return /upgrade in progress/i.test(failed.detail) ? 'upgrade' : 'own error'
}

function causeWithoutJson({ status, body }: HttpAnswer, { failure }: Failed): Cause {
  if (failure === 'auth') return 'sign-in'
  if (status === 404) return 'nowhere'
  if (status === 403) return 'firewall'
  if (status !== 200) return 'gateway'
  return /<html|<!doctype/i.test(body.toString('latin1', 0, 2048)) ? 'page' : 'unreadable'
}

interface Told extends Situation {
  readonly step: Step
  readonly answer: HttpAnswer
  readonly failed: Failed
}

const rightRoot =
  'root has to be the address of the Administrator API, https://HOST/CONTEXT/admin: opened in ' +
  'a browser, it shows a directory with Jobs in it'
const rightTokenUrl =
  'Set auth.tokenUrl to the token operation of the portal, ' +
  'https://HOST/CONTEXT/sharing/rest/generateToken (it follows from root unless it is set)'
const rightRole =
  'the default Administrator role, or a custom role with the privilege "Security and ' +
  'infrastructure" (Esri\'s pages also name "Update", "Delete" and the Publisher role)'

function wordsFor(cause: Cause, told: Told): string {
  const { step, answer, root } = told
  const isToken = step === 'token'
  const place = placeOf(told)
  const status = `HTTP ${answer.status ?? 0}`
  const code = /\(([A-Z]\w+)\)$/.exec(answer.detail)?.[1] ?? answer.error ?? ''
  const maybeHttps = root.startsWith('http:')
    ? ` If the deployment speaks https alone, let ${place} begin with https://.`
    : ''
  switch (cause) {
    case 'dns':
      return `The host name in ${place} is not found (${code}). Check its spelling, and that the DNS of this machine knows it.`
    case 'connect':
    case 'refused_address':
      return `Nothing accepts a connection there (${code}). Check host and port in ${place}, that the deployment runs, and that no firewall is in between.`
    case 'tls':
      return certificateWords(code, place)
    case 'timeout':
      return `No complete answer came in time. Check host and port in ${place} and the firewalls in between; if the deployment is only slow, raise polling.timeout.`
    case 'reset':
      return `The connection broke before the answer was complete (${code}). Run this again; if it stays so, look into the log of the proxy or load balancer in between.${maybeHttps}`
    case 'malformed':
      return code === 'UND_ERR_INVALID_ARG'
        ? 'The request could not be written: auth.token or auth.referer holds characters that no header can carry, such as a line end. Correct them.'
        : `What answers there does not speak HTTP as it should (${code}). Check the port in ${place}; if it speaks TLS, ${place} has to begin with https://.`
    case 'too_large':
      return isToken
        ? `The answer is much too large to be a token. ${rightTokenUrl}.`
        : 'The answer is larger than polling.maxBodyBytes allows. Raise that setting.'
    case 'redirect':
      return redirectWords(told)
    case 'sign-in':
      return `A sign-in page came instead of an answer: something in front of the API wants a sign-in of its own, such as web-tier authentication or a single sign-on. Set ${settingOf(step)} to an address that reaches the API without it.`
    case 'page':
      return isToken
        ? `A web page came instead of a token. ${rightTokenUrl}.`
        : `A web page came instead of JSON. ${rightRoot}.`
    case 'unreadable':
      return `The answer is not JSON (${said(told)}). Check ${settingOf(step)}, and whether a proxy in between changes answers.`
    case 'nowhere':
      return isToken
        ? `There is no token operation at this address (${said(told)}). ${rightTokenUrl}.`
        : `There is no list of jobs below root (${said(told)}). ${rightRoot}. jobwatch follows ArcGIS Enterprise on Kubernetes; ArcGIS Server on Windows and Linux has another API.`
    case 'credentials':
      return `The portal does not accept this user name and password: ${said(told)}. Try both in a browser: the user name is case-sensitive, and an account of a single sign-on gets no token this way. Then correct auth.username or auth.password. Only one attempt was made, since accounts can lock.`
    case 'token':
    case 'privileges':
      return isToken ? refusalOfToken(told) : refusalOfLook(cause, told)
    case 'upgrade':
      return 'An upgrade is in progress; nothing is wrong with the settings. Run this again when it is over.'
    case 'throttled':
      return `The deployment, or a gateway in front of it, limits requests (${status}). Run this again later; if it happens while jobwatch runs, lower polling.rate.`
    case 'firewall':
      return `A firewall or gateway in front of the deployment refused the request (${status}, no JSON). Let it pass requests of this machine; they carry the User-Agent ${told.userAgent}.`
    case 'gateway':
      return (answer.status ?? 0) >= 500
        ? `Something in front of the deployment answered in its place (${status}, no JSON): the API is away, as while it starts, is upgraded or restored. Check that its pods run, and run this again.`
        : `Something in front of the deployment answered in its place (${status}, no JSON). Check ${settingOf(step)}.${maybeHttps}`
    case 'own error':
      return `The deployment met an error of its own: ${said(told)}. Look into its logs and run this again; if it stays so, please report the answer below.`
    case 'other JSON':
      return isToken
        ? `The answer holds no token. ${rightTokenUrl}.`
        : `The answer is JSON, but no list of jobs. ${rightRoot}. If it is that address, please report the answer below.`
  }
}

/** The setting in which a resource's address is given. */
function settingOf(step: Step): string {
  return step === 'token' ? 'auth.tokenUrl' : 'root'
}

/** The setting in which its host and port are given: that of the token may follow from root. */
function placeOf({ step, root, tokenUrl }: Told): string {
  const isOfRoot = tokenUrl === null || new URL(tokenUrl).origin === new URL(root).origin
  return isOfRoot ? 'root' : settingOf(step)
}

function certificateWords(code: string, place: string): string {
  if (code === 'CERT_HAS_EXPIRED') {
    return 'The certificate of the deployment has expired. Renew it there.'
  }
  if (/ALTNAME|HOSTNAME/.test(code)) {
    return `The certificate is for another host name than the one in ${place}. Write a name there that the certificate has, or have it issued anew.`
  }
  if (/WRONG_VERSION|PACKET_LENGTH/.test(code)) {
    return `This port does not speak TLS (${code}). Let ${place} begin with http://, or give another port.`
  }
  if (/SELF_SIGNED|UNABLE_TO/.test(code)) {
    return `The certificate is signed by an authority that this machine does not know (${code}). Save the certificate of that authority as a PEM file, and name the file in tls.ca; if one is named already, it is of another authority.`
  }
  return `No secure connection could be made (${code}). Check the certificate of the deployment, and the file in tls.ca if one is named.`
}

/** A redirect is not followed, since the token would go along. */
function redirectWords(told: Told): string {
  const { answer, step, root, quote } = told
  const status = `HTTP ${answer.status ?? 0}`
  const location = headerOf(answer, 'location') ?? ''
  if (!URL.canParse(location, root)) {
    return `The request is sent on to nowhere (${status}). Check ${settingOf(step)}, and the proxy that answers there.`
  }
  const { protocol, hostname, origin, pathname } = new URL(location, root)
  const isSameHost = hostname === new URL(root).hostname
  if (isSameHost && root.startsWith('http:') && protocol === 'https:') {
    return `The deployment wants https: it sends on what comes with http. Let ${placeOf(told)} begin with https://.`
  }
  return `The request is sent on to ${quote(origin + pathname)} (${status}), and jobwatch does not follow, since the token would go along. Set ${settingOf(step)} to the address that \`curl -I\` shows as its location.`
}

function refusalOfToken(told: Told): string {
  return `The portal gives this account no token: ${said(told)}. Check that the account is active and not locked, that it may sign in with a password, and that auth.tokenUrl begins with https://.`
}

function refusalOfLook(cause: 'token' | 'privileges', told: Told): string {
  const { step } = told
  const hasFixedToken = told.tokenUrl === null
  if (cause === 'token') {
    const what = hasFixedToken
      ? 'The token in auth.token is not accepted'
      : 'The portal gave a token, but the Administrator API does not accept it'
    const remedy = hasFixedToken
      ? 'It may have run out, be bound to another referer than auth.referer, or belong to another deployment: make a new one, or give username and password instead'
      : 'Check that auth.tokenUrl and root are of the same deployment, and that no proxy takes away the headers Authorization and Referer'
    return `${what}: ${said(told)}. ${remedy}.`
  }
  const what = {
    token: '',
    jobs: 'may not list the jobs',
    job: 'may list the jobs, but not read this one',
    'unknown job':
      'is refused a job that does not exist, so that a job that is gone cannot be told from one that it may not see',
  }[step]
  const hint = hasFixedToken
    ? ' The token of an app carries such privileges in newer versions at most, and only those it was given.'
    : ''
  return `The account ${what}: ${said(told)}. Give it ${rightRole}.${hint}`
}

/** What the deployment itself says to it. */
function said({ failed, quote }: Told): string {
  return quote(failed.detail.replace(/^(no token|no list of jobs): /, ''))
}
