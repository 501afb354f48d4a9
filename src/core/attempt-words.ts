import type { AttemptError } from './delivery.ts'
import { elapsed } from './duration.ts'

/** An attempt as people are told of it. */
export interface AttemptTold {
  /** Of HTTP, or the reply code of SMTP; null without an answer. */
  readonly status: number | null
  readonly error: AttemptError | null
  readonly durationMs: number
}

/** Whether the receiver took what was sent. */
export function isTaken({ status, error }: Pick<AttemptTold, 'status' | 'error'>): boolean {
  return status !== null && error === null
}

/** What came of an attempt, and how long it took. */
export function attemptWords(attempt: AttemptTold): string {
  const { durationMs } = attempt
  const took = durationMs < 1000 ? `${durationMs} ms` : elapsed(durationMs)
  return `${outcomeWords(attempt)} after ${took}`
}

function outcomeWords({ status, error }: AttemptTold): string {
  const answered = `answered ${status}`
  if (error === 'status') return `not taken: ${answered}`
  if (error === 'redirect') return `not taken: ${answered}, and redirects are not followed`
  // Whoever says it may be newer and know more.
  if (error !== null) return (troubles as Partial<Record<string, string>>)[error] ?? error
  return status === null ? 'not sent: it could not be put into words' : `taken: ${answered}`
}

const troubles: Readonly<Record<Exclude<AttemptError, 'status' | 'redirect'>, string>> = {
  timeout: 'no answer in time',
  dns: 'its name does not resolve',
  connect: 'nobody takes connections there',
  tls: 'no secure connection: its certificate or protocol is not accepted',
  reset: 'the connection broke off before the answer was whole',
  refused_address: 'its address is not allowed: see delivery.allow in the configuration',
}
