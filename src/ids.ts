import { randomBytes } from 'node:crypto'

/** A fresh epoch word: six hex digits. */
export function newEpoch(): string {
  return randomBytes(3).toString('hex')
}

/** A fresh webhook secret in the form of Standard Webhooks: 32 random bytes. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** A fresh id for an event that is in no log. */
export function newTestEventId(): string {
  return `test-${randomBytes(9).toString('hex')}`
}
