import { UsageError } from '../core/errors.ts'
import type { RegisterJobInput } from '../http/requests/jobs.ts'
import { safe } from './output.ts'
import { isJobid } from './session.ts'
import type { CliIo } from './session.ts'
import { readStdin } from './stdin.ts'
import { parseSubmitAnswer, withoutQuery } from './submit-answer.ts'

/** A job as people name it: an id, a URL as copied from a browser, or `-` for stdin. */
export async function jobFrom(job: string, io: CliIo): Promise<RegisterJobInput> {
  if (job === '-') return parseSubmitAnswer(await readStdin(io, 'submit answer'))
  if (/^https?:\/\//i.test(job)) return { url: withoutQuery(job) }
  if (isJobid(job)) return { jobid: job }
  throw new UsageError('usage', `"${safe(job)}" is neither a job id nor the http(s) URL of a job`)
}
