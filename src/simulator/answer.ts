import type { ServerResponse } from 'node:http'

/** What the simulated Enterprise says to one request. */
export interface Answer {
  readonly httpStatus: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string is sent as a page, a buffer as it is, anything else as JSON. */
  readonly body: unknown
}

/** An answer as HTTP has it. */
export interface Encoded {
  readonly httpStatus: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Buffer
}

export function ok(body: unknown): Answer {
  return { httpStatus: 200, body }
}

/** Errors of this API usually come with HTTP 200, in this envelope. */
export function failed(
  code: number | string,
  message: string,
  details: readonly string[] | null,
): Answer {
  return ok({ error: { code, message, details } })
}

/** The other envelope, whose `status` is none of a job. */
export function adminFailed(code: number, message: string): Answer {
  return ok({ status: 'error', messages: [message], code })
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

export function parameterRequired(name: string): Answer {
  return failed(400, 'Unable to complete operation.', [`Parameter '${name}' is required.`])
}

export function methodNotAllowed(allow: 'GET' | 'POST'): Answer {
  const error = { code: 405, message: 'Method not allowed.', details: [] }
  return { httpStatus: 405, headers: { allow }, body: { error } }
}

export function page(title: string, content = ''): Answer {
  return ok(`<!DOCTYPE html>
<html lang="en">
<head><title>${title}</title></head>
<body><h1>${title}</h1>${content}</body>
</html>
`)
}

/** What a browser gets: the directory's page, with 200. */
export const directoryPage = page(
  'ArcGIS Enterprise Administrator API Directory',
  '<p>Supported formats: JSON.</p>',
)

/** Where one signs in; nothing is there. */
export const signInPath = '/gis/home/signin.html'

export function encode({ httpStatus, headers, body }: Answer): Encoded {
  const isPage = typeof body === 'string'
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(isPage ? body : JSON.stringify(body))
  return {
    httpStatus,
    headers: {
      ...(httpStatus !== 204 && {
        'content-type': `${isPage ? 'text/html' : 'application/json'}; charset=UTF-8`,
        'content-length': bytes.length,
      }),
      'cache-control': 'no-store',
      ...headers,
    },
    body: bytes,
  }
}

export function send(response: ServerResponse, answer: Answer): void {
  const { httpStatus, headers, body } = encode(answer)
  response.writeHead(httpStatus, headers).end(body)
}
