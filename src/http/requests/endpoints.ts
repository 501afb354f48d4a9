import { z } from 'zod'
import { Secret } from '../../core/secret.ts'
import { endpointFields, endpointSettings, settingName } from '../../endpoint-settings.ts'
import { seqHint, timeWithZone } from './fields.ts'

// Of the API a secret is only ever a string: files and variables are the daemon's own.
const secret = z.codec(z.string().min(1), z.instanceof(Secret), {
  decode: (text) => new Secret(text),
  encode: String,
})
const fields = endpointFields(secret)
const byFormat = endpointSettings(secret)

/** The forms that the body of `POST /v1/endpoints` has, by format. */
export const [WebhookEndpoint, SlackEndpoint, TeamsEndpoint, MailEndpoint] = byFormat.options

/** Body of `POST /v1/endpoints`: as in the configuration, but for the forms of secrets. */
export const CreateEndpoint = z.preprocess(withFormat, byFormat)

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

const seq = z.int(seqHint).min(0)

/** Body of `POST /v1/endpoints/{name}/replay`; `until` is a seq or a time, and taken in as well. */
export const ReplayEndpoint = z
  .strictObject({
    after: seq.optional().describe('The events after this seq; either this or since is needed'),
    since: timeWithZone
      .transform((text) => Date.parse(text))
      .optional()
      .describe('The events from this time on'),
    until: z
      .union([seq, timeWithZone.transform((text) => ({ at: Date.parse(text) }))], {
        error: 'must be a seq, such as 1042, or a time with a zone, such as 2026-01-31T18:00:00Z',
      })
      .optional()
      .describe('The last seq, or the last moment, that is sent'),
    types: z
      .array(z.string().min(1).max(200))
      .max(100)
      .default([])
      .describe("Globs over the type, beside the endpoint's own filter; empty lets all through"),
  })
  .meta({ oneOf: [{ required: ['after'] }, { required: ['since'] }] })
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
