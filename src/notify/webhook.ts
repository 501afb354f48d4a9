import type { Format } from './format.ts'

/** The event itself, byte for byte as the log has it; only 2xx is success. */
export const webhook: Format = {
  request: (event) => ({
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    body: event.text,
    signed: true,
  }),
  judge: ({ status }) => (status >= 200 && status < 300 ? 'delivered' : 'retry'),
}
