import type { Format } from './format.ts'

/**
 * The event itself, byte for byte as the log has it; only 2xx is success, and 410 means that nothing
 * more is wanted (Standard Webhooks 1.0.0, "Status codes").
 */
export const webhook: Format = {
  isMessage: false,
  per10s: null,
  request: (event) => ({
    via: 'http',
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    body: event.text,
    signed: true,
  }),
  judge({ status }) {
    if (status >= 200 && status < 300) return 'delivered'
    return status === 410 ? 'endpoint_dead' : 'retry'
  },
}
