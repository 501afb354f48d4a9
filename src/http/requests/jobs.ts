import { z } from 'zod'
import { durationPattern, parseDuration } from '../../core/duration.ts'
import { jobStates, jobStatuses } from '../../core/job.ts'
import { durationUpTo, iso, jobid, page, timePattern } from './fields.ts'

/** A deadline that far away has been mistyped, and much further no date could show it. */
const maxDeadlineMs = 3650 * 86_400_000

const deadline = z
  .string()
  .meta({
    description: 'A time with a zone, or how long after its start the job may take',
    examples: ['2h', '2026-01-31T18:00:00Z'],
    pattern: `${durationPattern.source}|${timePattern.source}`,
  })
  .transform((text, ctx) => {
    const afterMs = parseDuration(text)
    if (afterMs !== null && afterMs <= maxDeadlineMs) return { afterMs }
    if (iso.safeParse(text).success) return { atMs: Date.parse(text) }
    ctx.issues.push({
      code: 'custom',
      input: text,
      message:
        'must be a time with a zone such as 2026-01-31T18:00:00Z, ' +
        'or a duration such as 2h, at most 3650d',
    })
    return z.NEVER
  })

const upstream = z.string().max(64)
const duration = durationUpTo(Infinity, {
  example: '30m',
  hint: 'must be a duration such as 30m or 2h',
})
const tags = z.array(z.string().min(1).max(100)).max(50)

const JobSettings = {
  label: z
    .string()
    .max(200)
    .nullable()
    .optional()
    .describe('What people call the job; it becomes the title'),
  tags: tags.optional().describe('Words to find the job and its events by'),
  stallAfter: duration
    .nullable()
    .optional()
    .describe(
      "How long without a change until job.stalled; null for the upstream's own stallAfter",
    ),
  deadline: deadline
    .nullable()
    .optional()
    .describe('When job.overdue is told, should it still run'),
}

/** A job by its id, or by its URL as copied from a browser. */
export const RegisterByName = z.strictObject({
  jobid: jobid.optional().describe('The id; either this or url is needed'),
  url: z
    .string()
    .max(4096)
    .optional()
    .describe("The job's URL, as copied from a browser; query and token in it are dropped"),
  upstream: upstream.optional().describe('Which upstream; may be left out when there is one'),
  ...JobSettings,
})

/** Esri's answer to a submit is taken as it is: `jobsUrl` names the job, what else it says is ignored. */
export const RegisterBySubmitAnswer = z
  .object({
    jobsUrl: z.string().max(4096).describe("The job's URL; it wins over jobid"),
    upstream: upstream.optional().describe('Only when several upstreams have the root of the URL'),
    ...JobSettings,
  })
  .meta({ additionalProperties: true })

/** A registration as the API understands it; exactly one of `jobsUrl`, `url` and `jobid` counts. */
export interface RegisterJob {
  readonly jobsUrl?: string
  readonly url?: string | undefined
  readonly jobid?: string | undefined
  readonly upstream?: string | undefined
  readonly label?: string | null | undefined
  readonly tags?: string[] | undefined
  readonly stallAfter?: number | null | undefined
  readonly deadline?: { atMs: number } | { afterMs: number } | null | undefined
}

/** Body of `POST /v1/jobs`. Which of its two forms it has is told by `jobsUrl`, not by trying both. */
export const RegisterJob = z
  .unknown()
  .transform((body, ctx): RegisterJob => {
    const isSubmitAnswer = typeof body === 'object' && body !== null && 'jobsUrl' in body
    const form: z.ZodType<RegisterJob> = isSubmitAnswer ? RegisterBySubmitAnswer : RegisterByName
    const parsed = form.safeParse(body)
    if (parsed.success) return parsed.data
    ctx.issues.push(...parsed.error.issues.map((issue) => ({ ...issue, input: undefined })))
    return z.NEVER
  })
  .meta({
    anyOf: [
      { $ref: '#/components/schemas/JobByName' },
      { $ref: '#/components/schemas/JobBySubmitAnswer' },
    ],
  })

/** Body of `POST /v1/jobs/batch`; each of the jobs is checked for itself. */
export const RegisterJobs = z.strictObject({
  jobs: z
    .array(z.unknown().meta({ $ref: '#/components/schemas/JobToWatch' }))
    .min(1)
    .max(1000),
})

/** What a client may put into `POST /v1/jobs`. */
export interface RegisterJobInput {
  readonly jobid?: string
  readonly url?: string
  readonly jobsUrl?: string
  readonly upstream?: string
  readonly label?: string | null
  readonly tags?: readonly string[]
  readonly stallAfter?: string | null
  readonly deadline?: string | null
}

/** Body of `PATCH /v1/jobs/{jobid}`: what is left out stays, null clears. */
export const PatchJob = z.strictObject({
  ...JobSettings,
  tags: tags.nullable().optional().describe('All of them: they take the place of those before'),
})

/** Path and query of the calls on one job. */
export const JobParams = z.object({ jobid })
export const WhichUpstream = z.strictObject({
  upstream: z
    .string()
    .optional()
    .describe('Needed only when several upstreams know a job of this id'),
})

/** Query of `GET /v1/jobs`. */
export const ListJobs = z.strictObject({
  state: z.enum(jobStates).optional(),
  status: z.enum(jobStatuses).optional(),
  upstream: z.string().optional(),
  tag: z.string().optional().describe('One that the job has'),
  q: z
    .string()
    .max(200)
    .optional()
    .describe('Text to look for in label, title, operation, username and jobid, in any case'),
  ...page,
})
