import type { ServerResponse } from 'node:http'

/** What the simulated Enterprise says to one request. */
export interface Answer {
  readonly httpStatus: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string is sent as a page, anything else as JSON. */
  readonly body: unknown
}

export function ok(body: unknown): Answer {
  return { httpStatus: 200, body }
}

/** Errors of this API usually come with HTTP 200. */
export function failed(code: number, message: string, details: readonly string[] | null): Answer {
  return ok({ error: { code, message, details } })
}

export const invalidToken = failed(498, 'Invalid token.', [])

export const tokenRequired = ok({
  error: {
    code: 499,
    message: 'Token Required',
    messageCode: 'GWM_0003',
    details: ['Token Required'],
  },
})

export const wrongCredentials = failed(400, 'Unable to generate token.', [
  'Invalid username or password.',
])

export function jobNotFound(jobid: string): Answer {
  return failed(404, `Job '${jobid}' was not found.`, null)
}

export function resourceNotFound(path: string): Answer {
  return failed(404, `Could not find resource or operation '${path}' on the system.`, null)
}

export function methodNotAllowed(allow: 'GET' | 'POST'): Answer {
  const error = { code: 405, message: 'Method not allowed.', details: [] }
  return { httpStatus: 405, headers: { allow }, body: { error } }
}

/** What a browser gets: the directory's page, with 200. */
export const directoryPage = ok(`<!DOCTYPE html>
<html lang="en">
<head><title>ArcGIS Enterprise Administrator API Directory</title></head>
<body><h1>ArcGIS Enterprise Administrator API Directory</h1><p>Supported formats: JSON.</p></body>
</html>
`)

/** Writes the answer; a redirect leads to `signInUrl` and a 429 asks for 30 s, unless it says so. */
export function send(response: ServerResponse, answer: Answer, signInUrl: string): void {
  const isPage = typeof answer.body === 'string'
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
  response.writeHead(answer.httpStatus, {
    'content-type': isPage ? 'text/html; charset=UTF-8' : 'application/json; charset=UTF-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(answer.httpStatus === 302 && { location: signInUrl }),
    ...(answer.httpStatus === 429 && { 'retry-after': '30' }),
    ...answer.headers,
  })
  response.end(text)
}
