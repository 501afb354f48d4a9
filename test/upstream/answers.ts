import type { HttpAnswer } from '../../src/request.ts'

/** A complete answer of the upstream with this body: a text or bytes as they are, else as JSON. */
export function anAnswer(body: unknown, fields: Partial<HttpAnswer> = {}): HttpAnswer {
  return {
    status: 200,
    headers: {},
    body: Buffer.isBuffer(body)
      ? body
      : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    error: null,
    detail: 'ok',
    ...fields,
  }
}

/** Both envelopes in which the administrator API tells of errors. */
export const envelopes: readonly [
  string,
  (code: unknown, message: string) => Readonly<Record<string, unknown>>,
][] = [
  ['the error envelope', (code, message) => ({ error: { code, message, details: [] } })],
  ['the admin envelope', (code, message) => ({ status: 'error', messages: [message], code })],
]

export const gatewayPage =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n' +
  '<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n'

export const signInPage =
  '<!DOCTYPE html>\n<html lang="en"><head><title>Sign In</title></head><body>' +
  '<form action="/gis/admin/login" method="post"><input name="username">' +
  '<input name="password" type="password"></form></body></html>\n'
