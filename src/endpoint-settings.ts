import { z } from 'zod'
import { durationPattern, formatDuration, parseDuration } from './core/duration.ts'
import type { EndpointSpec, FormatName } from './core/endpoint.ts'
import type { Secret } from './core/secret.ts'

/*
 * What may be said about an endpoint: the same in the configuration and over the API, but for the
 * forms that a secret may have.
 */

/** Decodes to a `Secret` from whatever form a secret may have there. */
export type SecretCodec = z.ZodType<Secret>

const durationText = z.string().meta({ pattern: durationPattern.source, examples: ['15s'] })

/** A length of time as people write it; milliseconds once decoded. */
export const duration = z.codec(durationText, z.number(), {
  decode: (text, ctx) => {
    const ms = parseDuration(text)
    if (ms !== null) return ms
    ctx.issues.push({
      code: 'custom',
      input: text,
      message: `"${text}" is no duration: write 500ms, 5s, 2m, 1h or 7d`,
    })
    return z.NEVER
  },
  encode: formatDuration,
})

/** The name of an upstream or an endpoint. */
export const settingName = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'must be 1 to 64 of the characters a-z, 0-9 and -')

const list = z.array(z.string().min(1).max(200)).max(1000)
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
const headerValue = /^[\t\x20-\x7e]*$/
/** Headers that say how a message is framed, what it is and who signed it are jobwatch's own. */
const ownHeader =
  /^(host|content-(length|type)|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|user-agent|webhook-(id|timestamp|signature))$/i

const webhookSecret = /^whsec_([A-Za-z0-9+/]+={0,2})$/

const mailAddress = z
  .string()
  .max(320)
  .regex(
    /^(?:[^\p{Cc}<>@]* <[^\s\p{Cc}<>@]+@[^\s\p{Cc}<>@]+>|[^\s\p{Cc}<>@]+@[^\s\p{Cc}<>@]+)$/u,
    'must be a mail address, such as gis@example.com or GIS Team <gis@example.com>',
  )

/** The parts of an endpoint's settings, by the name they have there. */
export function endpointFields(secret: SecretCodec) {
  return {
    url: secret
      .check(isHttpUrl)
      .meta({ format: 'uri', description: 'Where events are sent to, http or https' }),
    events: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(100)
      .describe('Globs over the type, in which * stands for any characters, dots included'),
    match: z
      .strictObject({
        upstream: list.default([]),
        tag: list.default([]),
        jobid: list.default([]),
      })
      .describe('Whose events are sent; an empty list lets everything through'),
    headers: z
      .record(
        z
          .string()
          .regex(headerName, 'is no name of a header')
          .refine((name) => !ownHeader.test(name), 'is a header that jobwatch sets itself'),
        z.string().max(8192).regex(headerValue, 'must be printable ASCII'),
      )
      .describe('Headers to send besides, but for those that jobwatch sets itself'),
    fold: z.boolean().describe('After an outage, leave out what later events made pointless'),
    timeout: duration.describe('How long an attempt may take'),
    secret: secret.check(isWebhookSecret).meta({
      description: 'What signs the webhooks: the base64 of 24 to 64 random bytes',
      pattern: webhookSecret.source,
    }),
    mail: z.strictObject({
      host: z
        .string()
        .regex(/^[A-Za-z0-9.:-]{1,253}$/, 'must be a host name or an IP address')
        .describe('The mail server'),
      port: z.int().min(1).max(65_535).default(587),
      user: z.string().min(1).optional(),
      password: secret.optional(),
      from: mailAddress,
      to: z.union([mailAddress, z.array(mailAddress).min(1).max(100)], {
        error: 'must be one mail address or a list of them, such as gis@example.com',
      }),
    }),
  }
}

/** An endpoint's settings whole, one form per format. */
export function endpointSettings(secret: SecretCodec) {
  const { url, events, match, headers, fold, timeout, ...fields } = endpointFields(secret)
  const common = {
    name: settingName,
    events: events.optional(),
    match: match.prefault({}),
    headers: headers.default({}),
    fold: fold.optional(),
    timeout: timeout.optional(),
  }
  const noSettings = z.strictObject({}).prefault({})
  const toUrl = { ...common, url, settings: noSettings }
  return z.discriminatedUnion('format', [
    z.strictObject({
      ...toUrl,
      format: z.literal('webhook').default('webhook'),
      secret: fields.secret.optional(),
    }),
    z.strictObject({ ...toUrl, format: z.literal('slack') }),
    z.strictObject({ ...toUrl, format: z.literal('teams') }),
    z.strictObject({ ...common, format: z.literal('email'), settings: fields.mail }),
  ])
}
export type EndpointSettings = z.output<ReturnType<typeof endpointSettings>>

/** What a chat is told of unless it says otherwise: ends, alarms and health. */
const chatEvents = [
  'job.completed',
  'job.failed',
  'job.cancelled',
  'job.reopened',
  'job.lost',
  'job.stalled',
  'job.overdue',
  'upstream.*',
  'endpoint.*',
]

/** The events that an endpoint gets which does not say. */
export function defaultEvents(
  format: FormatName,
  match: { readonly tag: readonly string[]; readonly jobid: readonly string[] },
): readonly string[] {
  if (match.tag.length > 0 || match.jobid.length > 0) return ['job.*']
  return format === 'webhook' ? ['*'] : chatEvents
}

/** Only the stream of events itself is complete by default. */
export function defaultFold(format: FormatName): boolean {
  return format !== 'webhook'
}

/** Checked settings as the endpoint that they describe. */
export function toEndpointSpec(
  settings: EndpointSettings,
  defaults: { readonly timeoutMs: number },
): EndpointSpec {
  const { name, format, events, match, headers, fold, timeout } = settings
  return {
    name,
    format,
    url: 'url' in settings ? settings.url : null,
    mail: settings.format === 'email' ? toMail(settings.settings) : null,
    secret: settings.format === 'webhook' ? (settings.secret ?? null) : null,
    filter: {
      types: events ?? defaultEvents(format, match),
      upstreams: match.upstream,
      tags: match.tag,
      jobids: match.jobid,
    },
    headers,
    fold: fold ?? defaultFold(format),
    timeoutMs: timeout ?? defaults.timeoutMs,
  }
}

/** Checked settings of a mail endpoint as its spec holds them. */
export function toMail({
  user,
  password,
  to,
  ...settings
}: z.output<ReturnType<typeof endpointFields>['mail']>): EndpointSpec['mail'] {
  return {
    ...settings,
    user: user ?? null,
    password: password ?? null,
    to: typeof to === 'string' ? [to] : to,
  }
}

interface Check<T> {
  readonly value: T
  readonly issues: z.core.$ZodRawIssue[]
}

function isHttpUrl({ value, issues }: Check<Secret>): void {
  const url = value.reveal()
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return
  issues.push({ code: 'custom', input: undefined, message: 'must be an http or https URL' })
}

function isWebhookSecret({ value, issues }: Check<Secret>): void {
  const [, base64 = ''] = webhookSecret.exec(value.reveal()) ?? []
  const bytes = Buffer.from(base64, 'base64').length
  if (bytes >= 24 && bytes <= 64) return
  issues.push({
    code: 'custom',
    input: undefined,
    message:
      'must be whsec_ and the base64 of 24 to 64 random bytes: ' +
      'make one with `echo whsec_$(openssl rand -base64 32)`',
  })
}
