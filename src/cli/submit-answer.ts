import { AppError, UsageError } from '../core/errors.ts'
import type { RegisterJobInput } from '../http/requests/jobs.ts'
import { safe } from './output.ts'

/** Finds the job that Esri's answer to a submit names, or says why there is none. */
export function parseSubmitAnswer(text: string): Pick<RegisterJobInput, 'jobid' | 'jobsUrl'> {
  const answer = parseAnswer(text)
  const { jobsUrl, jobid } = answer
  if (typeof jobsUrl === 'string' && jobsUrl !== '') return { jobsUrl: withoutQuery(jobsUrl) }
  if (typeof jobid === 'string' && jobid !== '') return { jobid }
  const said = refusalOf(answer)
  if (said !== null) throw new AppError('submit_refused', `the submit was refused: ${safe(said)}`)
  throw new UsageError(
    'usage',
    'stdin names no job: it has neither jobsUrl nor jobid; was the operation called with async=true?',
  )
}

/** A URL without its query, which may hold a token of the portal: nobody's business here. */
export function withoutQuery(url: string): string {
  return url.replace(/\?[^#]*/, '')
}

interface SubmitAnswer {
  readonly jobsUrl?: unknown
  readonly jobid?: unknown
  readonly error?: unknown
  readonly status?: unknown
  readonly messages?: unknown
}

function parseAnswer(text: string): SubmitAnswer {
  const hint = 'pipe the JSON answer of a submit into it (f=json)'
  if (text.trim() === '') throw new UsageError('usage', `stdin is empty: ${hint}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError('usage', `stdin is no JSON: ${hint}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new UsageError('usage', `stdin is no JSON object: ${hint}`)
}

/** What an error answer says: `{ error: { code, message, details } }`, or a status of error with messages. */
function refusalOf({ error, status, messages }: SubmitAnswer): string | null {
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null) {
    const { code, message, details } = error as Readonly<Record<string, unknown>>
    const more: readonly unknown[] = Array.isArray(details) ? details : []
    const words = [message, ...more].filter(isWords)
    const said = [...new Set(words)].join('; ') || 'no message'
    return typeof code === 'number' || typeof code === 'string' ? `${said} (code ${code})` : said
  }
  if (status !== 'error') return null
  return Array.isArray(messages) ? messages.filter(isWords).join('; ') : 'status error'
}

function isWords(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
