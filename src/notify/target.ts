import type { Clock } from '../clock.ts'
import type { EndpointSpec, MailSettings } from '../core/endpoint.ts'
import { createAgent } from './connect.ts'
import { checkHost, checkUrl, createGuard } from './guard.ts'
import type { Guard } from './guard.ts'
import { sendMail } from './mail.ts'
import { formats } from './registry.ts'
import type { Carrier, Target } from './send.ts'

export interface TargetOptions {
  readonly clock: Clock
  /** Connections to one endpoint. */
  readonly connections: number
  /** CIDRs outside the public internet in which endpoints made over the API may live. */
  readonly allow: readonly string[]
  /** The URL of an egress proxy; null: connect directly. */
  readonly proxy: string | null
}

/** Makes what endpoints are delivered through. */
export function createTargets({ clock, connections, allow, proxy }: TargetOptions) {
  const guards = {
    // What the configuration says is the operator's word.
    config: createGuard({ trusted: true, allow: [] }),
    api: createGuard({ trusted: false, allow }),
  }

  /** Connections of its own: endpoints on one host must not wait for each other. */
  function carrierOf(guard: Guard, settings: MailSettings | null): Carrier {
    const http = createAgent({ guard, proxy, connections })
    return {
      http,
      mail({ subject, text, html, id }, timeoutMs) {
        if (settings === null) throw new Error('an endpoint without settings for mail wants one')
        const mail = { settings, subject, text, html, messageId: id }
        return sendMail(mail, { guard, clock, timeoutMs })
      },
      close: () => http.close(),
      destroy: () => http.destroy(),
    }
  }

  return {
    /** Why an endpoint made over the API may not be where it is; null when it may. */
    async refusalOf({ url, mail }: EndpointSpec): Promise<string | null> {
      if (mail !== null) return checkHost(mail.host, guards.api)
      return url && checkUrl(new URL(url.reveal()), guards.api)
    },
    /** An endpoint as a target of deliveries; a carrier that is given is kept. */
    targetOf(
      { name, format, url, mail, headers, timeoutMs }: EndpointSpec,
      origin: 'config' | 'api',
      carrier: Carrier = carrierOf(guards[origin], mail),
    ): Omit<Target, 'secretsAt'> {
      return { name, format: formats[format], url, headers, timeoutMs, carrier }
    },
  }
}
