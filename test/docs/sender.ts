import { Agent } from 'undici'
import { systemClock } from '../../src/clock.ts'
import type { Clock } from '../../src/clock.ts'
import type { AttemptResult } from '../../src/core/delivery.ts'
import type { LoggedEvent } from '../../src/core/event.ts'
import { Secret } from '../../src/core/secret.ts'
import { createSend } from '../../src/notify/send.ts'
import type { Carrier } from '../../src/notify/send.ts'
import { webhook } from '../../src/notify/webhook.ts'

export interface Sending {
  readonly secrets: readonly string[]
  readonly userAgent?: string
  /** What the sender takes for the time, epoch ms. */
  readonly now?: () => number
}

/** jobwatch's own sender of webhooks, without anything around it. */
export function sender() {
  const http = new Agent()
  const carrier: Carrier = {
    http,
    mail: () => Promise.reject(new Error('nothing here goes by mail')),
    close: () => http.close(),
    destroy: () => http.destroy(),
  }
  return {
    send(
      url: string,
      event: LoggedEvent,
      { secrets, userAgent = 'jobwatch/0.0.0', now = Date.now }: Sending,
    ): Promise<AttemptResult> {
      const clock: Clock = { ...systemClock, now }
      const send = createSend({ clock, userAgent, publicUrl: null, rootOf: () => null })
      const target = {
        name: 'hook',
        format: webhook,
        url: new Secret(url),
        headers: {},
        secretsAt: () => secrets.map((secret) => new Secret(secret)),
        timeoutMs: 15_000,
        carrier,
      }
      return send(event, target, null)
    },
    [Symbol.asyncDispose]: () => carrier.close(),
  }
}
