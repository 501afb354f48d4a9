/**
 * Every code that an error answer may have, with its status and what it means. Clients tell errors
 * apart by the code: one is added here, and none is ever changed.
 */
export const problemCodes = {
  invalid_input: {
    status: 400,
    meaning: 'Something that was sent is not as it should be; errors names each field',
  },
  bad_request: {
    status: 400,
    meaning: 'The request cannot be read: no HTTP, no JSON, or a path that is wrongly encoded',
  },
  unauthorized: {
    status: 401,
    meaning: 'There is no token, or none that is configured under api.tokens',
  },
  forbidden: { status: 403, meaning: 'The token lacks the scope that this call needs' },
  host_refused: {
    status: 403,
    meaning:
      'While no token is configured, Host must be a loopback name or that of publicUrl: this one is neither',
  },
  origin_refused: {
    status: 403,
    meaning:
      'The request comes from a page of another site, which is neither this server nor publicUrl',
  },
  not_found: { status: 404, meaning: 'There is nothing at this path' },
  job_not_found: { status: 404, meaning: 'No job of this id is registered here' },
  no_document: {
    status: 404,
    meaning: 'The job has not been seen yet, so there is no document of it',
  },
  endpoint_not_found: { status: 404, meaning: 'There is no endpoint of this name' },
  delivery_not_found: { status: 404, meaning: 'There is no delivery of this number, or no longer' },
  method_not_allowed: {
    status: 405,
    meaning: 'The path does not take this method; the header Allow says which it takes',
  },
  not_acceptable: {
    status: 406,
    meaning: 'Accept leaves out text/event-stream: the feed is nothing else',
  },
  request_timeout: {
    status: 408,
    meaning: 'The request did not come to its end within 30 seconds',
  },
  ambiguous_job: {
    status: 409,
    meaning: 'Several upstreams know a job of this id: add ?upstream= with the name of one',
  },
  job_stopped: {
    status: 409,
    meaning: 'The job is no longer watched: register it again to have it polled',
  },
  upstream_gone: { status: 409, meaning: "The job's upstream is no longer configured" },
  endpoint_exists: { status: 409, meaning: 'There is already an endpoint of this name' },
  endpoint_configured: {
    status: 409,
    meaning: 'The endpoint, or its secret, comes from the configuration: change it there',
  },
  endpoint_unsigned: {
    status: 409,
    meaning: 'The endpoint has no secret to rotate: only what goes to webhooks is signed',
  },
  endpoint_disabled: {
    status: 409,
    meaning: 'Nothing is delivered to an endpoint that is disabled: enable it first',
  },
  already_delivered: {
    status: 409,
    meaning: 'The delivery has arrived: a replay sends its event once more',
  },
  endpoint_removed: { status: 409, meaning: 'The endpoint of the delivery was removed' },
  no_tokens: {
    status: 409,
    meaning: 'No token is configured: the API is open and needs no sign-in',
  },
  body_too_large: {
    status: 413,
    meaning: 'A body may have 1 MiB, that of POST /v1/jobs/batch 8 MiB',
  },
  unsupported_media_type: {
    status: 415,
    meaning: 'Bodies are JSON: send Content-Type: application/json, as curl --json does',
  },
  too_many_streams: {
    status: 429,
    meaning:
      'As many streams and waits are open as feed.maxStreams allows; Retry-After says when to try again',
  },
  headers_too_large: { status: 431, meaning: 'The headers of the request are too large' },
  database_unwritable: {
    status: 503,
    meaning:
      'The database cannot be written at the moment: its disk is full, or another program holds it. Nothing was changed; Retry-After says when to try again',
  },
  internal: { status: 500, meaning: 'Something went wrong here; the log of the daemon says what' },
} as const satisfies Readonly<Record<string, { status: number; meaning: string }>>

export type ProblemCode = keyof typeof problemCodes
