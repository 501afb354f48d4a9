import { readFileSync } from 'node:fs'
import { Agent } from 'undici'
import { UsageError } from '../core/errors.ts'
import { createEnterpriseAdmin } from './enterprise-admin/client.ts'
import type { EnterpriseAdminOptions } from './enterprise-admin/client.ts'
import type { Upstream } from './upstream.ts'

/** What every kind of upstream is made from. */
export interface UpstreamSettings {
  readonly name: string
  readonly root: string
  readonly auth: EnterpriseAdminOptions['auth']
  readonly referer: string
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly concurrency: number
  readonly tls: { readonly ca?: string | undefined; readonly rejectUnauthorized: boolean }
}

type CreateUpstream = (
  settings: UpstreamSettings,
  surroundings: Pick<EnterpriseAdminOptions, 'clock' | 'userAgent' | 'onTokenRequest' | 'onParsed'>,
) => Upstream

/** One line per kind of upstream. */
export const upstreamKinds = {
  'enterprise-admin': (settings, surroundings) =>
    createEnterpriseAdmin({ ...settings, ...surroundings, dispatcher: createAgent(settings) }),
} satisfies Record<string, CreateUpstream>

export type UpstreamKind = keyof typeof upstreamKinds

/** As many connections as requests may be in flight, and one for the token. */
function createAgent({ name, concurrency, timeoutMs, tls }: UpstreamSettings): Agent {
  return new Agent({
    connections: concurrency + 1,
    pipelining: 1,
    // A deployment that moved is found again: no connection is reused for ever.
    keepAliveMaxTimeout: 300_000,
    connect: {
      timeout: timeoutMs,
      rejectUnauthorized: tls.rejectUnauthorized,
      ...(tls.ca !== undefined && { ca: readAuthority(name, tls.ca) }),
    },
  })
}

function readAuthority(upstream: string, file: string): string {
  const setting = `tls.ca of the upstream ${upstream}`
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = (error as Error).message
    throw new UsageError('config_unreadable', `${setting} cannot be read: ${reason}`)
  }
  // With anything else nobody would be trusted, and nothing would say why.
  if (/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/.test(text)) return text
  throw new UsageError(
    'config_invalid',
    `${setting}: ${file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`,
  )
}
