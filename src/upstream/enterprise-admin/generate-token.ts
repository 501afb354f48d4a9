import type { Failed } from '../../core/observation.ts'
import type { HttpAnswer } from '../../request.ts'
import type { TokenAnswer } from '../token.ts'
import { classifyError, failed, parseJson } from './answer.ts'
import { isObject } from './document.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
  readonly referer: string
  readonly expirationMs: number
}

/**
 * The form of a `generateToken` call
 * (developers.arcgis.com/rest/users-groups-and-items/generate-token). The token is bound to the
 * referer, which every later request then has to carry.
 */
export function tokenForm({ username, password, referer, expirationMs }: Credentials): string {
  return new URLSearchParams({
    username,
    password,
    client: 'referer',
    referer,
    expiration: String(Math.max(1, Math.round(expirationMs / 60_000))),
    f: 'json',
  }).toString()
}

/** What the token endpoint answered. `expirationMs` is what was asked for. */
export function classifyTokenAnswer(
  answer: HttpAnswer,
  { expirationMs, now }: { expirationMs: number; now: number },
): TokenAnswer {
  const { error: cause, detail } = answer
  if (cause !== null) return { ...failed('transient', `no token: ${detail}`), cause }
  const body = parseJson(answer.body.toString('utf8'))
  const { token } = isObject(body) ? body : { token: undefined }
  if (answer.status === 200 && isObject(body) && typeof token === 'string' && token !== '') {
    return { outcome: 'token', token, expiresAt: expiryOf(body['expires'], expirationMs, now) }
  }
  const refusal = classifyError(answer, body, now)
  if (refusal === null) return failed('protocol', 'no token: the answer holds none')
  if (refusal.outcome === 'missing') return failed('protocol', 'no token: no such address')
  return { ...refusal, ...verdictOn(refusal), detail: `no token: ${refusal.detail}` }
}

/**
 * `Unable to generate token`, code 400, says that the credentials are wrong, unless its details speak
 * of trouble. Only what names them is final: a portal may speak any language.
 */
function verdictOn({ failure, detail }: Failed): Pick<Failed, 'failure' | 'badCredentials'> {
  if (!detail.endsWith('(code 400)')) return { failure }
  if (/not available|unavailable|try again|temporar|timed? ?out/i.test(detail)) return { failure }
  const isFinal = /(invalid|incorrect|wrong) (user|login|password|credential)/i.test(detail)
  return { failure: 'auth', ...(isFinal && { badCredentials: true }) }
}

/** The longest life a token can have is 14 days; what is not in the future is no expiry either. */
const longestLifeMs = 15 * 86_400_000

/**
 * The moment of expiry as the answer says, since asking for more than the portal allows is no
 * error. Server's pages show it as a string. Nonsense counts as half of what was asked for.
 */
function expiryOf(value: unknown, expirationMs: number, now: number): number {
  const at = typeof value === 'string' ? Number(value) : value
  const isPlausible = typeof at === 'number' && at > now && at <= now + longestLifeMs
  return isPlausible ? at : now + expirationMs / 2
}
