import { z } from 'zod'
import { attemptErrors, deliveryStates } from '../core/delivery.ts'
import { parseDuration } from '../core/duration.ts'
import { formatNames } from '../core/endpoint.ts'
import { endpointStates } from '../core/endpoint-state.ts'
import { jobidPattern, jobStates, jobStatuses } from '../core/job.ts'
import { problemKinds } from '../core/observation.ts'
import { Secret } from '../core/secret.ts'
import { upstreamStates } from '../core/upstream-state.ts'
import { endpointFields, endpointSettings, settingName } from '../endpoint-settings.ts'

/*
 * The public contract of the HTTP API: what may be sent and what is answered. Requests refuse
 * unknown keys; answers may gain keys, so readers must not.
 */

// Requests

const duration = z.codec(z.string(), z.number(), {
  decode: (text, ctx) => {
    const ms = parseDuration(text)
    if (ms !== null) return ms
    ctx.issues.push({
      code: 'custom',
      input: text,
      message: 'must be a duration such as 30m or 2h',
    })
    return z.NEVER
  },
  encode: (ms) => `${ms}ms`,
})

/** A deadline that far away has been mistyped, and much further no date could show it. */
const maxDeadlineMs = 3650 * 86_400_000
const timeWithZone = z.union(
  [
    z.iso.datetime({ offset: true }),
    // Without seconds, as people type it.
    z.iso.datetime({ offset: true, precision: -1 }),
  ],
  { error: 'must be a time with a zone such as 2026-01-31T18:00:00Z' },
)

const deadline = z.string().transform((text, ctx) => {
  const afterMs = parseDuration(text)
  if (afterMs !== null && afterMs <= maxDeadlineMs) return { afterMs }
  if (timeWithZone.safeParse(text).success) return { atMs: Date.parse(text) }
  ctx.issues.push({
    code: 'custom',
    input: text,
    message:
      'must be a time with a zone such as 2026-01-31T18:00:00Z, ' +
      'or a duration such as 2h, at most 3650d',
  })
  return z.NEVER
})

const jobid = z
  .string()
  .regex(jobidPattern, 'must be 1 to 128 letters, digits, - or _, the first a letter or digit')
const label = z.string().max(200)
const tags = z.array(z.string().min(1).max(100)).max(50)

const JobSettings = {
  label: label.nullable().optional(),
  tags: tags.optional(),
  stallAfter: duration.nullable().optional(),
  deadline: deadline.nullable().optional(),
}

const RegisterByName = z.strictObject({
  jobid: jobid.optional(),
  url: z.string().max(4096).optional(),
  upstream: z.string().max(64).optional(),
  ...JobSettings,
})

/** Esri's answer to a submit is taken as it is: `jobsUrl` names the job, what else it says is ignored. */
const RegisterBySubmitAnswer = z.object({
  jobsUrl: z.string().max(4096),
  upstream: z.string().max(64).optional(),
  ...JobSettings,
})

/** The schema of a `POST /v1/jobs` body: which of the two forms it has, the body tells. */
export function registerJobSchema(body: unknown): z.ZodType<RegisterJob> {
  const isSubmitAnswer = typeof body === 'object' && body !== null && 'jobsUrl' in body
  return isSubmitAnswer ? RegisterBySubmitAnswer : RegisterByName
}

/** Body of `POST /v1/jobs/batch`; each of the jobs is checked for itself. */
export const RegisterJobs = z.strictObject({ jobs: z.array(z.unknown()).min(1).max(1000) })

/** Body of `PATCH /v1/jobs/{jobid}`: what is left out stays, null clears. */
export const PatchJob = z.strictObject({ ...JobSettings, tags: tags.nullable().optional() })

/** Body of a `POST` that needs none; an empty object will do. */
export const NoBody = z.strictObject({}).optional()

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

const upTo1000 = z.coerce
  .number({ error: 'must be a whole number from 1 to 1000' })
  .int('must be a whole number from 1 to 1000')
  .min(1, 'must be from 1 to 1000')
  .max(1000, 'must be from 1 to 1000')
const limit = upTo1000.default(100)

const page = { limit, cursor: z.string().max(200).optional() }

/** Query of a list without filters. */
export const ListAll = z.strictObject(page)

/** Query of `GET /v1/jobs`. */
export const ListJobs = z.strictObject({
  state: z.enum(jobStates).optional(),
  status: z.enum(jobStatuses).optional(),
  upstream: z.string().optional(),
  tag: z.string().optional(),
  q: z.string().max(200).optional(),
  ...page,
})

// Of the API a secret is only ever a string: files and variables are the daemon's own.
const secret = z.codec(z.string().min(1), z.instanceof(Secret), {
  decode: (text) => new Secret(text),
  encode: String,
})
const fields = endpointFields(secret)

/** Body of `POST /v1/endpoints`: as in the configuration, but for the forms of secrets. */
export const CreateEndpoint = z.preprocess(withFormat, endpointSettings(secret))

/** A body may leave out the format, like the configuration. */
function withFormat(body: unknown): unknown {
  const isPlain = typeof body === 'object' && body !== null && !Array.isArray(body)
  return isPlain && !('format' in body) ? { ...body, format: 'webhook' } : body
}

/** Body of `PATCH /v1/endpoints/{name}`: what is left out stays, null brings the default back. */
export const PatchEndpoint = z.strictObject({
  url: fields.url.optional(),
  events: fields.events.nullable().optional(),
  match: fields.match.nullable().optional(),
  headers: fields.headers.nullable().optional(),
  fold: fields.fold.nullable().optional(),
  timeout: fields.timeout.nullable().optional(),
  settings: fields.mail.optional(),
})
export type PatchEndpoint = z.output<typeof PatchEndpoint>

/** Path of the calls on one endpoint. */
export const EndpointParams = z.object({ name: settingName })

const seq = z.int('must be a seq, such as 1042').min(0)

/** Body of `POST /v1/endpoints/{name}/replay`; `until` is a seq or a time, and taken in as well. */
export const ReplayEndpoint = z
  .strictObject({
    after: seq.optional(),
    since: timeWithZone.transform((text) => Date.parse(text)).optional(),
    until: z
      .union([seq, timeWithZone.transform((text) => ({ at: Date.parse(text) }))], {
        error: 'must be a seq, such as 1042, or a time with a zone, such as 2026-01-31T18:00:00Z',
      })
      .optional(),
    types: z.array(z.string().min(1).max(200)).max(100).default([]),
  })
  .check((ctx) => {
    const { after, since } = ctx.value
    if ((after === undefined) !== (since === undefined)) return
    ctx.issues.push({
      code: 'custom',
      input: ctx.value,
      path: [after === undefined ? 'after' : 'since'],
      message: 'give either after (a seq) or since (a time)',
    })
  })

const idHint = 'must be the number of a delivery, such as 42'
const id = z.coerce
  .number({ error: idHint })
  .int(idHint)
  .min(1, idHint)
  .max(Number.MAX_SAFE_INTEGER, idHint)

/** Query of `GET /v1/deliveries`. */
export const ListDeliveries = z.strictObject({
  endpoint: z.string().max(64).optional(),
  state: z.enum(deliveryStates).optional(),
  seq: z.coerce
    .number({ error: 'must be a seq, such as 1042' })
    .int('must be a seq, such as 1042')
    .min(0)
    .optional(),
  jobid: z.string().max(128).optional(),
  ...page,
})

/** Path of the calls on one delivery. */
export const DeliveryParams = z.object({ id })

/** Path and query of the calls on one job. */
export const JobParams = z.object({ jobid })
export const WhichUpstream = z.strictObject({ upstream: z.string().optional() })

const several = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === 'string' ? [value] : value))
  .optional()

const eventFilters = { type: several, jobid: several, upstream: several, tag: several }

const maxWaitMs = 300_000
const waitHint = 'must be a duration such as 30s, at most 5m'
const wait = z.string().transform((text, ctx) => {
  const ms = parseDuration(text)
  if (ms !== null && ms <= maxWaitMs) return ms
  ctx.issues.push({ code: 'custom', input: text, message: waitHint })
  return z.NEVER
})

/** Query of `GET /v1/events`; `after` is read by the cursor's own rules, an empty one is none. */
export const ListEvents = z
  .strictObject({
    after: z.string().optional(),
    limit: upTo1000.optional(),
    last: upTo1000.optional(),
    wait: wait.optional(),
    ...eventFilters,
  })
  .check(({ value: { last, after, limit: given, wait: waitMs }, issues }) => {
    if (last === undefined) return
    const refuse = (path: string, message: string) =>
      issues.push({ code: 'custom', input: undefined, path: [path], message })
    if (after) {
      refuse(
        'last',
        'is counted from the end of the log, after from a place in it: give one of the two',
      )
    }
    if (given !== undefined) refuse('limit', 'is for after: last itself says how many')
    if (waitMs !== undefined) {
      refuse('wait', 'is for after: take the next of this answer, and wait after that')
    }
  })

/** Query of `GET /v1/events/stream`. */
export const StreamEvents = z.strictObject({ after: z.string().optional(), ...eventFilters })

// Answers

const time = z.string().nullable()
const text = z.string().nullable()

export const StageView = z.object({
  name: z.string(),
  occurrence: z.int(),
  state: z.string(),
  rawState: z.string(),
  startedAt: time,
  endedAt: time,
})

export const ProblemOfJob = z.object({
  kind: z.enum(problemKinds),
  detail: z.string(),
  since: z.string(),
  attempts: z.int(),
})

/** A job as events carry it. */
export const JobInEvent = z.object({
  jobid: z.string(),
  upstream: z.string(),
  state: z.enum(jobStates),
  title: z.string(),
  status: z.enum(jobStatuses).nullable(),
  rawStatus: text,
  outcome: z.enum(['success', 'warning', 'error', 'cancelled']).nullable(),
  reason: text,
  name: text,
  operation: text,
  resource: text,
  username: text,
  requestId: text,
  startedAt: time,
  endedAt: time,
  updatedAt: time,
  durationMs: z.number().nullable(),
  stages: z.array(StageView),
  progress: z.object({ done: z.int(), total: z.int() }),
  messages: z.array(z.object({ text: z.string(), level: text, at: time })),
  messageCount: z.int(),
  result: z.unknown(),
  resultBytes: z.int(),
  label: text,
  tags: z.array(z.string()),
  stallAfter: text,
  deadline: time,
  eta: time,
  typicalDurationMs: z.number().nullable(),
  watchedAt: z.string(),
  changedAt: time,
  lastSeq: z.int().nullable(),
})
export type JobInEvent = z.output<typeof JobInEvent>

/** A job as `GET /v1/jobs/{jobid}` answers it. */
export const JobAnswer = JobInEvent.extend({
  polledAt: time,
  nextPollAt: time,
  problem: ProblemOfJob.nullable(),
})
export type JobAnswer = z.output<typeof JobAnswer>

export const JobList = z.object({ items: z.array(JobAnswer), next: text })
export type JobList = z.output<typeof JobList>

/** An upstream as `GET /v1/upstreams` answers it. */
export const UpstreamAnswer = z.object({
  name: z.string(),
  kind: z.string(),
  root: z.string(),
  state: z.enum(upstreamStates),
  since: z.string(),
  lastSuccessAt: time,
  lastError: text,
  requestsPerSecond: z.number(),
  tokenExpiresAt: time,
  jobs: z.int(),
})
export type UpstreamAnswer = z.output<typeof UpstreamAnswer>

export const UpstreamList = z.object({ items: z.array(UpstreamAnswer), next: text })
export type UpstreamList = z.output<typeof UpstreamList>

/** An endpoint as `GET /v1/endpoints/{name}` answers it; of a chat's URL only scheme and host. */
export const EndpointAnswer = z.object({
  name: z.string(),
  origin: z.enum(['config', 'api']),
  format: z.enum(formatNames),
  url: z.string(),
  events: z.array(z.string()),
  match: z.object({
    upstream: z.array(z.string()),
    tag: z.array(z.string()),
    jobid: z.array(z.string()),
  }),
  fold: z.boolean(),
  state: z.enum(endpointStates),
  since: z.string(),
  reason: text,
  disablesAt: time,
  lastDeliveredAt: time,
  pending: z.int(),
})
export type EndpointAnswer = z.output<typeof EndpointAnswer>

/** The answer to the calls that make a secret. */
export const EndpointWithSecret = EndpointAnswer.extend({ secret: z.string().optional() })
export type EndpointWithSecret = z.output<typeof EndpointWithSecret>

export const EndpointList = z.object({ items: z.array(EndpointAnswer), next: text })
export type EndpointList = z.output<typeof EndpointList>

/** One try at a delivery. */
export const AttemptAnswer = z.object({
  at: z.string(),
  durationMs: z.int(),
  status: z.int().nullable(),
  error: z.enum(attemptErrors).nullable(),
  answer: text,
})
export type AttemptAnswer = z.output<typeof AttemptAnswer>

/** A delivery as lists show it. */
export const DeliveryAnswer = z.object({
  id: z.int(),
  endpoint: z.string(),
  seq: z.int(),
  type: z.string(),
  jobid: text,
  state: z.enum(deliveryStates),
  attemptCount: z.int(),
  nextAttemptAt: time,
  createdAt: z.string(),
  deliveredAt: time,
})
export type DeliveryAnswer = z.output<typeof DeliveryAnswer>

export const DeliveryList = z.object({ items: z.array(DeliveryAnswer), next: text })
export type DeliveryList = z.output<typeof DeliveryList>

/** A delivery with its attempts, in order. */
export const DeliveryDetail = DeliveryAnswer.extend({ attempts: z.array(AttemptAnswer) })
export type DeliveryDetail = z.output<typeof DeliveryDetail>

/** The answer to a replay: how many deliveries it made. */
export const ReplayAnswer = z.object({ queued: z.int() })
export type ReplayAnswer = z.output<typeof ReplayAnswer>

/** An event: CloudEvents 1.0 in JSON. */
export const EventAnswer = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  datacontenttype: z.literal('application/json'),
  data: z.object({
    seq: z.int(),
    previousSeq: z.int().nullable(),
    change: z.looseObject({ kind: z.string() }),
    job: JobInEvent.optional(),
  }),
})
export type EventAnswer = z.output<typeof EventAnswer>

export const EventList = z.object({
  items: z.array(EventAnswer),
  next: z.int(),
  newest: z.int(),
  oldest: z.int().nullable(),
  gap: z.boolean(),
})
export type EventList = z.output<typeof EventList>

/** An error answer: RFC 9457. */
export const ProblemAnswer = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
})
export type ProblemAnswer = z.output<typeof ProblemAnswer>
