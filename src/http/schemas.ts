import { z } from 'zod'
import { attemptErrors, deliveryStates } from '../core/delivery.ts'
import { durationPattern } from '../core/duration.ts'
import { formatNames } from '../core/endpoint.ts'
import { endpointStates } from '../core/endpoint-state.ts'
import { jobStates, jobStatuses, outcomes, stageStates } from '../core/job.ts'
import { problemKinds } from '../core/observation.ts'
import { upstreamStates } from '../core/upstream-state.ts'

/*
 * What the HTTP API answers. Answers may gain keys, so readers must not refuse what they do not
 * know. What may be sent is in requests.ts.
 */

const moment = z.string().meta({ format: 'date-time' })
const time = moment.nullable()
const text = z.string().nullable()
const count = z.int().min(0)
const durationMs = z.number().min(0)
const cursor = text.describe('The cursor of the next page; null after the last one')

// Jobs

/** A named part of a job's progress. */
export const StageView = z.object({
  name: z.string(),
  occurrence: z.int().min(1).describe('Tells stages of the same name apart'),
  state: z.enum(stageStates),
  rawState: z.string().describe("Esri's own word for the state"),
  startedAt: time.describe('When jobwatch saw it begin; null when that was before its first look'),
  endedAt: time.describe('When jobwatch saw it end'),
})

export const MessageView = z.object({
  text: z.string().describe('Cut at 4 KiB'),
  level: text,
  at: time.describe('When, as the upstream says'),
})

export const ProblemOfJob = z.object({
  kind: z.enum(problemKinds),
  detail: z.string(),
  since: moment.describe('The first failed look of the row'),
  attempts: count.describe('Failed looks in a row'),
})

/** A job as events carry it. */
export const JobInEvent = z.object({
  jobid: z.string(),
  upstream: z.string(),
  state: z.enum(jobStates).describe('What jobwatch does with the job'),
  title: z
    .string()
    .describe('For people: the label, else name and resource, else the tail of the operation'),
  status: z
    .enum(jobStatuses)
    .nullable()
    .describe('OTHER for a word that is none of the seven; null before the first look'),
  rawStatus: text.describe("Esri's own word for the status"),
  outcome: z.enum(outcomes).nullable().describe('How it ended; null while it runs'),
  reason: text.describe('The first human line of why it failed'),
  name: text,
  operation: text.describe('The path of the operation that was called'),
  resource: text.describe('What it was called on'),
  username: text.describe('Who started it'),
  requestId: text,
  startedAt: time,
  endedAt: time,
  updatedAt: time.describe('As the upstream says, which is of little use'),
  durationMs: durationMs.nullable().describe('Of a running job: up to the last look'),
  stages: z.array(StageView).describe('In the order in which Esri lists them, at most 200'),
  progress: z.object({ done: count, total: count }).describe('Counts all stages'),
  messages: z.array(MessageView).describe('The last 20; in an event the last 3'),
  messageCount: count.describe('Counts all messages'),
  result: z.unknown().describe("Esri's result as it is, up to 16 KiB of JSON; else null"),
  resultBytes: count,
  label: text.describe('What people call it'),
  tags: z.array(z.string()),
  stallAfter: text.meta({
    description: "A duration; null where the upstream's own is meant",
    pattern: durationPattern.source,
  }),
  deadline: time.describe('Null also while it depends on a start that is not known yet'),
  eta: time.describe('When it should end, from its last runs; null with fewer than three'),
  typicalDurationMs: durationMs.nullable().describe('The median of the last ten runs'),
  watchedAt: moment.describe('When watching began'),
  changedAt: time.describe('The last change of status, stages or messages'),
  lastSeq: z.int().min(1).nullable().describe('The seq of its last event'),
})
export type JobInEvent = z.output<typeof JobInEvent>

/** A job as `GET /v1/jobs/{jobid}` answers it. */
export const JobAnswer = JobInEvent.extend({
  polledAt: time.describe('The last look'),
  nextPollAt: time.describe('The next look; null while one is under way, or none is to come'),
  problem: ProblemOfJob.nullable().describe('The last look, when it failed'),
})
export type JobAnswer = z.output<typeof JobAnswer>

export const JobList = z.object({ items: z.array(JobAnswer), next: cursor })
export type JobList = z.output<typeof JobList>

/** An error answer: RFC 9457. */
export const ProblemAnswer = z.object({
  type: z.string(),
  title: z.string().describe("The status in HTTP's words"),
  status: z.int().min(400).max(599),
  code: z.string().describe('What happened, as a word that stays the same'),
  detail: z.string().describe('What would be right, in words'),
  errors: z
    .array(z.object({ field: z.string(), message: z.string() }))
    .optional()
    .describe('The fields that are wrong, and why'),
})
export type ProblemAnswer = z.output<typeof ProblemAnswer>

/** The answer to `POST /v1/jobs/batch`: one result for each job, in order. */
export const BatchAnswer = z.object({
  results: z.array(
    z.union([
      z.object({ status: z.union([z.literal(200), z.literal(201)]), job: JobAnswer }),
      z.object({ status: z.literal(400), problem: ProblemAnswer }),
    ]),
  ),
})

/** The upstream's own document of a job. */
export const JobDocument = z.looseObject({})

// Events

/** What changed, by `kind`; the contract's section 4 names the fields of each. */
export const StatusChange = z.object({
  kind: z.literal('status'),
  from: z.enum(jobStatuses).nullable().describe('Null at the first sight of the job'),
  to: z.enum(jobStatuses),
  rawTo: z.string().describe("Esri's own word"),
})
export const StageChange = z.object({
  kind: z.literal('stage'),
  stage: z.string(),
  occurrence: z.int().min(1),
  from: z.enum(stageStates).nullable().describe('Null: it appeared'),
  to: z.enum(stageStates).nullable().describe('Null: it went away'),
  rawTo: text.describe("Esri's own word"),
})
export const MessagesChange = z.object({
  kind: z.literal('messages'),
  added: z.array(MessageView).describe('The last 20 of those that were added'),
  count: z.int().min(1).describe('How many were added'),
})
export const StallChange = z.object({
  kind: z.literal('stall'),
  since: time.describe('The last change before it'),
})
export const DeadlineChange = z.object({ kind: z.literal('deadline'), deadline: time })
export const PresenceChange = z.object({
  kind: z.literal('presence'),
  since: time.describe('Since when the upstream did not know the job'),
})
export const RegistryChange = z.object({
  kind: z.literal('registry'),
  by: z.enum(['api', 'discovery', 'lost']).describe('lost: after seven days of that'),
})
export const UpstreamChange = z.object({
  kind: z.literal('upstream'),
  reason: z.string().describe('In words'),
  since: time.describe('When the trouble began'),
})
export const EndpointChange = z.object({
  kind: z.literal('endpoint'),
  reason: z.string().describe('In words'),
  since: time.describe('When it began to fail'),
  disablesAt: time.describe('When it will be disabled unless a delivery succeeds'),
})

const changeSchemas = {
  status: 'StatusChange',
  stage: 'StageChange',
  messages: 'MessagesChange',
  stall: 'StallChange',
  deadline: 'DeadlineChange',
  presence: 'PresenceChange',
  registry: 'RegistryChange',
  upstream: 'UpstreamChange',
  endpoint: 'EndpointChange',
}
const changeRefs = Object.entries(changeSchemas).map(
  ([kind, name]) => [kind, `#/components/schemas/${name}`] as const,
)

/** An event: CloudEvents 1.0 in JSON. */
export const EventAnswer = z.object({
  specversion: z.literal('1.0'),
  id: z.string().describe('<epoch>-<seq>; the same in the feed, as webhook-id and here'),
  source: z
    .string()
    .describe('/upstreams/<name>/jobs/<jobid>, /upstreams/<name> or /endpoints/<name>'),
  type: z.string().describe('Such as job.failed; later versions may have others'),
  subject: z.string().describe('The last part of the source'),
  time: moment.describe('When jobwatch saw the change'),
  datacontenttype: z.literal('application/json'),
  data: z.object({
    seq: z.int().min(1).describe('Grows by one with each event'),
    previousSeq: z.int().min(1).nullable().describe('The event before it of the same source'),
    change: z.looseObject({ kind: z.string() }).meta({
      description: 'What changed; later versions may have other kinds',
      oneOf: changeRefs.map(([, $ref]) => ({ $ref })),
      discriminator: { propertyName: 'kind', mapping: Object.fromEntries(changeRefs) },
    }),
    job: JobInEvent.optional().describe('The job after the change; absent when it is of no job'),
  }),
})
export type EventAnswer = z.output<typeof EventAnswer>

export const EventList = z.object({
  items: z.array(EventAnswer).describe('In order of seq'),
  next: count.describe('The seq to go on from, as after'),
  newest: count.describe('The highest seq ever given, 0 before the first event'),
  oldest: z.int().min(1).nullable().describe('The lowest seq still kept, null while nothing is'),
  gap: z
    .boolean()
    .describe(
      'Events after after are no longer kept, or it is not of this log: what is kept follows',
    ),
})
export type EventList = z.output<typeof EventList>

// Endpoints and deliveries

/** An endpoint as `GET /v1/endpoints/{name}` answers it; of a chat's URL only scheme and host. */
export const EndpointAnswer = z.object({
  name: z.string(),
  origin: z.enum(['config', 'api']).describe('Those from the configuration are changed there'),
  format: z.enum(formatNames),
  url: z
    .string()
    .describe("Of a chat's URL only scheme and host, since it is a secret; of mail the server"),
  events: z.array(z.string()).describe('Globs over the type'),
  match: z
    .object({
      upstream: z.array(z.string()),
      tag: z.array(z.string()),
      jobid: z.array(z.string()),
    })
    .describe('Whose events it gets; an empty list lets everything through'),
  fold: z
    .boolean()
    .describe('Whether what later events made pointless is left out after an outage'),
  state: z.enum(endpointStates),
  since: moment.describe('Since when it is in this state'),
  reason: text.describe('Why it fails, or is disabled'),
  disablesAt: time.describe('When it will be disabled unless a delivery succeeds'),
  lastDeliveredAt: time,
  pending: count.describe('Deliveries that are still owed, counted up to 100,000'),
})
export type EndpointAnswer = z.output<typeof EndpointAnswer>

/** The answer to the calls that make a secret. */
export const EndpointWithSecret = EndpointAnswer.extend({
  secret: z
    .string()
    .optional()
    .describe('What signs the webhooks; shown here and never again. Chats have none'),
})
export type EndpointWithSecret = z.output<typeof EndpointWithSecret>

export const EndpointList = z.object({ items: z.array(EndpointAnswer), next: cursor })
export type EndpointList = z.output<typeof EndpointList>

/** One try at a delivery. */
export const AttemptAnswer = z.object({
  at: moment,
  durationMs: count,
  status: z.int().nullable().describe('Of HTTP, or the reply code of SMTP; null without an answer'),
  error: z.enum(attemptErrors).nullable().describe('Null: it was delivered'),
  answer: text.describe('What was answered, the first 4 KiB'),
})
export type AttemptAnswer = z.output<typeof AttemptAnswer>

/** A delivery as lists show it. */
export const DeliveryAnswer = z.object({
  id: z.int().min(1),
  endpoint: z.string(),
  seq: z.int().min(1).describe('The seq of the event'),
  type: z.string().describe('The type of the event'),
  jobid: text,
  state: z.enum(deliveryStates),
  attemptCount: count,
  nextAttemptAt: time.describe('Null also while it waits for an earlier one of its job'),
  createdAt: moment,
  deliveredAt: time,
})
export type DeliveryAnswer = z.output<typeof DeliveryAnswer>

export const DeliveryList = z.object({ items: z.array(DeliveryAnswer), next: cursor })
export type DeliveryList = z.output<typeof DeliveryList>

/** A delivery with its attempts, in order. */
export const DeliveryDetail = DeliveryAnswer.extend({
  attempts: z.array(AttemptAnswer).describe('In order'),
})
export type DeliveryDetail = z.output<typeof DeliveryDetail>

/** The answer to a replay: how many deliveries it made. */
export const ReplayAnswer = z.object({ queued: count.describe('How many deliveries were made') })
export type ReplayAnswer = z.output<typeof ReplayAnswer>

// Upstreams, and the daemon itself

/** An upstream as `GET /v1/upstreams` answers it. */
export const UpstreamAnswer = z.object({
  name: z.string(),
  kind: z.string(),
  root: z.string(),
  state: z.enum(upstreamStates),
  since: moment.describe('Since when it is in this state'),
  lastSuccessAt: time.describe('The last look that worked'),
  lastError: text.describe('Why the last look failed; null when it worked'),
  requestsPerSecond: z.number().min(0),
  tokenExpiresAt: time,
  jobs: count.describe('Jobs that are looked at and have not ended'),
})
export type UpstreamAnswer = z.output<typeof UpstreamAnswer>

export const UpstreamList = z.object({ items: z.array(UpstreamAnswer), next: cursor })
export type UpstreamList = z.output<typeof UpstreamList>

/** The answer of `GET /v1/session`. */
export const SessionAnswer = z.object({
  required: z.boolean().describe('Whether a token is needed: false where none is configured'),
  name: text.describe("The token's name; null where there is none, or nobody is signed in"),
  scopes: z.array(z.enum(['read', 'write'])).describe('What may be done; write comes with read'),
})
export type SessionAnswer = z.output<typeof SessionAnswer>

/** The answer of `GET /healthz`. */
export const HealthAnswer = z.object({ status: z.literal('ok') })

/** The answer of `GET /readyz`. */
export const ReadyAnswer = z.object({ status: z.literal('ready') })
export const NotReadyAnswer = z.object({
  status: z.literal('not ready'),
  reasons: z.array(z.string()).min(1).describe('What is not well, in words'),
})

/** The answer of `GET /openapi.json`. */
export const OpenApiDocument = z.looseObject({ openapi: z.string() })
