import { createHmac } from 'node:crypto'
import type { Secret } from '../core/secret.ts'

export interface Signed {
  readonly id: string
  /** Seconds since 1970, of this attempt. */
  readonly timestamp: number
  readonly body: string
}

/**
 * The value of `webhook-signature` (Standard Webhooks 1.0.0): one signature per secret, separated
 * by spaces, each the HMAC-SHA256 of id, timestamp and body joined by full stops.
 */
export function sign({ id, timestamp, body }: Signed, secrets: readonly Secret[]): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64')
      const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`, 'utf8')
      return `v1,${mac.digest('base64')}`
    })
    .join(' ')
}
