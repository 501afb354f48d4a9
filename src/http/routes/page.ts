import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { daemonOperations } from '../operations/daemon.ts'
import { readPageFiles } from '../page-files.ts'
import type { PageFile } from '../page-files.ts'
import { HttpProblem } from '../problem.ts'
import { serve } from '../serve.ts'

/** Nothing inline, nothing from elsewhere, and no text that becomes markup. */
const policy = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `connect-src 'self'`,
  `img-src 'self' data:`,
  `base-uri 'none'`,
  `form-action 'self'`,
  `frame-ancestors 'none'`,
  `require-trusted-types-for 'script'`,
].join('; ')

const headers = {
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** `GET /` and the files that the page is made of. They hold no data: nobody needs a token for them. */
export function pageRoutes(app: FastifyInstance, folder: string): void {
  const files = readPageFiles(folder)
  serve(app, daemonOperations.page, (_, request, reply) => send('index.html', request, reply))
  serve(app, daemonOperations.pageIcon, (_, request, reply) => send('favicon.svg', request, reply))
  serve(app, daemonOperations.pageFile, ({ params: { file } }, request, reply) =>
    send(`assets/${file}`, request, reply),
  )

  function send(path: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const file = files.get(path)
    if (file === undefined) {
      throw new HttpProblem(404, 'not_found', 'The page has no such file; load it anew')
    }
    const content = takesGzip(request) ? file.gzipped : null
    return reply
      .headers({ ...headers, ...cachingOf(file), vary: 'accept-encoding' })
      .headers(content === null ? {} : { 'content-encoding': 'gzip' })
      .type(file.type)
      .send(content ?? file.content)
  }
}

/** With an old index.html a browser would ask for files that a newer daemon no longer has. */
function cachingOf({ isImmutable }: PageFile) {
  return isImmutable ? { 'cache-control': 'public, max-age=31536000, immutable' } : {}
}

function takesGzip({ headers: { 'accept-encoding': accepted } }: FastifyRequest): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accepted ?? '')
}
