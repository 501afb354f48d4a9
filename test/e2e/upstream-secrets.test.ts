import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JobAnswer } from '../../src/http/schemas.ts'
import { callApi, noPolling } from '../helpers/app.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'
import { sendJson, serveHttp } from '../upstream/servers.ts'
import { running, until } from './ground.ts'

/*
 * An upstream that refuses something likes to quote it. Whatever it quotes of the password and the
 * token, and wherever it does so, neither is in a log line, an answer, an event, or the database.
 */

const password = 'Canary pass/word+1&"ü"<2>'
// Longer than what is told of any answer, so that it may be cut and no longer be recognised.
const token = `Canary-token-${'0123456789abcdef'.repeat(40)}`

type Quote = readonly [says: string, answer: (secret: string) => object | string, status?: number]

const spellings: readonly (readonly [string, (secret: string) => string])[] = [
  ['as it is', (secret) => secret],
  ['as in a URL', encodeURIComponent],
  ['as in a form', (secret) => new URLSearchParams({ '': secret }).toString().slice(1)],
  ['as in JSON', (secret) => JSON.stringify(secret).slice(1, -1)],
  ['as in HTML', (secret) => secret.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)],
]

const error = (fields: object) => ({ error: { code: 500, message: 'No.', details: [], ...fields } })

const quotes: readonly Quote[] = [
  ...spellings.map(([how, spell]): Quote => [
    `a message ${how}`,
    (secret) => error({ message: `What is ${spell(secret)}?` }),
  ]),
  ['a message, where it is cut', (secret) => error({ message: `${'x'.repeat(270)}${secret}` })],
  ['a message, twice', (secret) => error({ message: `${secret}, ${secret}` })],
  ['details', (secret) => error({ message: '', details: [`What is ${secret}?`] })],
  ['a refusal', (secret) => error({ code: 498, message: `Invalid token ${secret}` })],
  ['a denial', (secret) => error({ code: 403, message: `Not for ${secret}` })],
  ['a 404', (secret) => error({ code: 404, message: `No job for ${secret}` })],
  ['a plea for patience', (secret) => error({ code: 429, message: `${secret} asks too often` })],
  ['the other envelope', (secret) => ({ status: 'error', messages: [secret], code: 500 })],
  ['an error that is a text', (secret) => ({ error: secret, code: 500 })],
  ['the id of another job', (secret) => ({ jobid: secret, status: 'EXECUTING' })],
  ['a page', (secret) => `<html><h1>Sign in, ${secret}</h1></html>`],
  ['a page of a gateway', (secret) => `<html><h1>${secret}</h1></html>`, 502],
  ['what is no JSON', (secret) => `{"error": ${secret}}`],
]

test('neither the password nor the token is in anything that is told of an upstream that quotes them', async () => {
  let answering: { to: 'token' | 'job'; body: object | string; status: number } | null = null
  const given: string[] = []
  const origin = await serveHttp((request, response) => {
    let form = ''
    request.setEncoding('utf8').on('data', (text: string) => (form += text))
    request.once('end', () => {
      const isToken = request.url?.endsWith('/generateToken') === true
      given.push((isToken ? new URLSearchParams(form).get('password') : null) ?? '')
      given.push(request.headers.authorization ?? '')
      if (answering?.to === (isToken ? 'token' : 'job')) {
        const { body, status } = answering
        const where = `https://sso.example.com/${token}?password=${encodeURIComponent(password)}`
        response.setHeader('location', where)
        if (typeof body === 'object') sendJson(response, body, status)
        else response.writeHead(status, { 'content-type': 'text/html' }).end(body)
        return
      }
      sendJson(response, isToken ? { token, expires: Date.now() + 3_600_000 } : running('j1'))
    })
  })

  await using folder = await temporaryFolder()
  const polling = { ...noPolling, rate: 1000 }
  const auth = { username: 'jobwatch', password: { env: 'GIS_PASSWORD' } }
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    log: { level: 'trace' },
    upstreams: [{ name: 'prod', root: `${origin}/gis/admin`, auth, polling }],
  }
  await using daemon = await serve(config, folder.path, { GIS_PASSWORD: password })
  const call = async (path: string, method: 'GET' | 'POST' = 'GET', body?: object) =>
    (await callApi(`${daemon.url}${path}`, { method, body })).text
  const told: string[] = []
  const look = async () => {
    const text = await call('/v1/jobs/j1/poll', 'POST')
    told.push(text, await call('/v1/upstreams'))
    return JSON.parse(text) as JobAnswer
  }

  told.push(await call('/v1/jobs', 'POST', { jobid: 'j1' }))
  await until(async () => (JSON.parse(await call('/v1/jobs/j1')) as JobAnswer).polledAt !== null)
  expect(given).toContain(password)
  expect(given).toContain(`Bearer ${token}`)

  for (const to of ['job', 'token'] as const) {
    for (const [says, quote, status = 200] of quotes) {
      for (const secret of [password, token]) {
        if (to === 'token') {
          // With a refused token a new one is asked for.
          answering = { to: 'job', body: error({ code: 498 }), status: 200 }
          await look()
        }
        answering = { to, body: quote(secret), status }
        expect((await look()).problem, says).not.toBeNull()
      }
    }
  }
  answering = { to: 'job', body: {}, status: 302 }
  expect((await look()).problem?.detail).toContain('https://sso.example.com')
  answering = null
  expect((await look()).problem).toBeNull()

  for (const path of ['/v1/jobs', '/v1/jobs/j1', '/v1/events?limit=1000', '/metrics']) {
    told.push(await call(path))
  }
  expect(told.join('\n')).toContain('upstream.denied')
  expect((await daemon.stop()).code).toBe(0)
  told.push(daemon.stdout, daemon.stderr)
  for (const name of await readdir(folder.path)) {
    told.push(await readFile(join(folder.path, name), 'latin1'))
  }
  expect(daemon.stdout).toContain('poller.look_failed')
  expect(told.flatMap((text) => text.match(/.{0,80}canary.{0,40}/gis) ?? []).slice(0, 10)).toEqual(
    [],
  )
})
