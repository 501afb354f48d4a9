import { isIP } from 'node:net'
import { z } from 'zod'
import { duration, endpointSettings, settingName } from '../endpoint-settings.ts'
import { logLevels } from '../log.ts'
import { isTokenSecret, secretCodec } from './secret.ts'
import type { Environment } from './secret.ts'

/**
 * The whole configuration: names, checks and defaults in one place. Durations are milliseconds and
 * secrets are `Secret` once decoded; `z.encode` gives back the form of the file, secrets hidden.
 * `env` is where `{ env: NAME }` looks.
 */
export function configSchema(env: Environment) {
  const secret = secretCodec(env)
  const tls = z.strictObject({
    ca: z.string().min(1).optional(),
    rejectUnauthorized: z.boolean().default(true),
  })
  const auth = z
    .strictObject({
      token: secret.optional(),
      username: z.string().min(1).optional(),
      password: secret.optional(),
      tokenUrl: httpUrl.optional(),
      expiration: duration.prefault('60m'),
      referer: z.string().min(1).max(200).optional(),
    })
    .check((ctx) => {
      const { token, username, password } = ctx.value
      const isToken = token !== undefined && username === undefined && password === undefined
      const isPassword = token === undefined && username !== undefined && password !== undefined
      if (isToken || isPassword) return
      ctx.issues.push({
        code: 'custom',
        input: ctx.value,
        message: 'give either token, or username and password',
      })
    })
  const upstream = z.strictObject({
    name: settingName,
    kind: z.enum(['enterprise-admin']).default('enterprise-admin'),
    root: httpUrl,
    auth,
    polling: z
      .strictObject({
        interval: duration.prefault('5s'),
        maxInterval: duration.prefault('20s'),
        concurrency: z.int().min(1).max(1000).default(8),
        rate: z.number().min(0.01).max(10_000).default(20),
        timeout: duration.prefault('10s'),
        maxBodyBytes: z.int().min(1024).max(268_435_456).default(16_777_216),
      })
      .prefault({}),
    discover: z
      .strictObject({
        enabled: z.boolean().default(false),
        interval: duration.prefault('30s'),
        match: z
          .strictObject({
            operation: z.array(z.string()).default(['*']),
            username: z.array(z.string()).default(['*']),
          })
          .prefault({}),
      })
      .prefault({}),
    stallAfter: duration.prefault('2h'),
    lostAfter: duration.prefault('60s'),
    downAfter: duration.prefault('30s'),
    tls: tls.prefault({}),
  })

  return z
    .strictObject({
      listen: listenCodec.prefault('127.0.0.1:8484'),
      publicUrl: httpUrl.optional(),
      database: z.string().min(1).default('data/jobwatch.db'),
      api: z
        .strictObject({
          tokens: z
            .array(
              z.strictObject({
                name: z.string().min(1).max(100),
                token: secret.check(isTokenSecret),
                scopes: z.array(z.enum(['read', 'write'])).min(1),
              }),
            )
            .default([]),
        })
        .prefault({}),
      feed: z.strictObject({ maxStreams: z.int().min(1).max(100_000).default(32) }).prefault({}),
      log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
      retention: z
        .strictObject({
          events: duration.prefault('90d'),
          deliveries: duration.prefault('30d'),
          jobs: duration.prefault('90d'),
        })
        .prefault({}),
      upstreams: z.array(upstream).default([]),
      endpoints: z.array(endpointSettings(secret)).default([]),
      delivery: z
        .strictObject({
          concurrency: z.int().min(1).max(1000).default(8),
          timeout: duration.prefault('15s'),
          retry: z
            .array(duration)
            .prefault(['5s', '30s', '2m', '10m', '30m', '1h', '3h', '6h', '12h', '24h']),
          overtake: duration.prefault('5m'),
          allow: z.array(z.string().refine(isCidr, cidrHint)).default([]),
          proxy: httpUrl.nullable().default(null),
        })
        .prefault({}),
      shutdownTimeout: duration.prefault('10s'),
    })
    .check((ctx) => {
      const { listen, api, upstreams, endpoints } = ctx.value
      reportRepeats(ctx.issues, 'upstreams', upstreams)
      reportRepeats(ctx.issues, 'endpoints', endpoints)
      reportRepeats(ctx.issues, 'api.tokens', api.tokens)
      if (!isLoopback(listen.host) && api.tokens.length === 0) {
        ctx.issues.push({
          code: 'custom',
          input: listen.host,
          path: ['listen'],
          message:
            `${listen.host} is not loopback, and no API token is configured: set api.tokens ` +
            '(or JOBWATCH_API_TOKEN) to a token made with `openssl rand -base64 32`',
        })
      }
    })
}

/** Hosts on which an API without tokens may listen. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

const httpUrl = z.codec(z.string(), z.url({ protocol: /^https?$/ }), {
  decode: (text, ctx) => {
    const url = parseHttpUrl(text)
    if (url !== null) return url.href.replace(/\/$/, '')
    ctx.issues.push({ code: 'custom', input: text, message: urlHint })
    return z.NEVER
  },
  encode: (url) => url,
})

const urlHint = 'must be an http or https URL without user, password, query or fragment'

function parseHttpUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  return isPlain && /^https?:$/.test(url.protocol) ? url : null
}

const listenCodec = z.codec(z.string(), z.object({ host: z.string(), port: z.int() }), {
  decode: (text, ctx) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text)
    const host = match?.[1] ?? match?.[2]
    const port = Number(match?.[3])
    if (host !== undefined && port <= 65_535) return { host, port }
    ctx.issues.push({
      code: 'custom',
      input: text,
      message: `"${text}" is no address to listen on: write host:port, such as 127.0.0.1:8484`,
    })
    return z.NEVER
  },
  encode: ({ host, port }) => (isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`),
})

const cidrHint = 'must be a CIDR range, such as 10.20.0.0/16'

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return Number(bits) <= (family === 4 ? 32 : 128)
}

function reportRepeats(
  issues: z.core.$ZodRawIssue[],
  key: string,
  items: readonly { name: string }[],
): void {
  const seen = new Set<string>()
  items.forEach(({ name }, index) => {
    if (seen.has(name)) {
      const path = [...key.split('.'), index, 'name']
      issues.push({ code: 'custom', input: name, path, message: `"${name}" is used twice` })
    }
    seen.add(name)
  })
}
