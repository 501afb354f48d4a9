import type { FastifyInstance } from 'fastify'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { daemonOperations } from '../operations/daemon.ts'
import { serve } from '../serve.ts'

/** `GET /`: the page, one file, whose inline script and style are allowed by their hashes. */
export function pageRoute(app: FastifyInstance): void {
  const html = readFileSync(new URL('../../web/index.html', import.meta.url), 'utf8')
  const policy = [
    `default-src 'none'`,
    `connect-src 'self'`,
    `script-src ${hashOf(html, 'script')}`,
    `style-src ${hashOf(html, 'style')}`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ].join('; ')

  serve(app, daemonOperations.page, (_, __, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(html),
  )
}

function hashOf(html: string, tag: string): string {
  const [, content = ''] = new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`).exec(html) ?? []
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`
}
