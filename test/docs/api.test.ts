import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { operationGroups } from '../../src/http/operations.ts'
import { problemCodes } from '../../src/http/problem-codes.ts'
import { ProblemAnswer } from '../../src/http/schemas.ts'
import { startApp } from '../helpers/app.ts'
import { eventsOf } from '../http/answers.ts'
import { listing, listings, tableWith } from './markdown.ts'

const api = 'docs/api.md'

test('the calls are those that there are', () => {
  const operations = operationGroups.flatMap((group) => group.operations)
  expect(tableWith(api, 'call')).toEqual(
    operations.map(({ method, path, scope, summary }) => [
      ...[`\`${method} ${path}\``, scope ?? '-', summary],
    ]),
  )
})

test('the codes of errors are those that there are', () => {
  expect(tableWith(api, 'code')).toEqual(
    Object.entries(problemCodes).map(([code, { status, meaning }]) => [
      ...[`\`${code}\``, String(status), meaning],
    ]),
  )
})

test('each code is one that the program answers with', () => {
  const files = readdirSync('src/http', { recursive: true, encoding: 'utf8' })
  const used = files
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [
      ...readFileSync(`src/http/${name}`, 'utf8').matchAll(
        /new HttpProblem\(\s*(\d+),\s*'([a-z_]+)'/g,
      ),
    ])
    .map(([, status = '', code = '']) => `${code} ${status}`)
  const known = Object.entries(problemCodes).map(([code, { status }]) => `${code} ${status}`)
  expect([...new Set(used)].sort()).toEqual(known.sort())
})

test('the error that is shown is what the daemon answers', async () => {
  await using app = await startApp()
  const shown = JSON.parse(listing(api, 'json')) as unknown
  expect(ProblemAnswer.parse(shown)).toEqual(shown)
  expect((await app.call('/v1/jobs?limit=0')).json).toEqual(shown)
})

test('what is shown for a shell does what it says', async (context) => {
  const version = /^curl (\d+)\.(\d+)/.exec(String(spawnSync('curl', ['--version']).stdout))
  const [major = 0, minor = 0] = version?.slice(1).map(Number) ?? []
  if (major * 1000 + minor < 7082) context.skip('there is no curl here that knows --json')
  const token = 'token-of-the-docs'
  await using app = await startApp({
    config: () => ({ api: { tokens: [{ name: 'docs', token, scopes: ['write'] }] } }),
  })
  const script = ['set -eu', ...listings(api, 'sh'), 'printf "\\nnext %s" "$next"'].join('\n')
  const env = { PATH: process.env['PATH'], JOBWATCH_URL: app.url, JOBWATCH_TOKEN: token }
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { env })

  const headers = { authorization: `Bearer ${token}` }
  const jobs = (await app.call('/v1/jobs', { headers })).json
  expect(jobs).toMatchObject({
    items: [{ jobid: 'j2bcbcd49-83a4-4cc1-a034-40e4a266e96d', label: null, tags: ['nightly'] }],
  })
  const { newest } = eventsOf(await app.call('/v1/events', { headers }))
  expect(newest).toBeGreaterThan(0)
  expect(stdout).toContain('event: feed.hello')
  expect(stdout).toContain('"secret":"whsec_')
  expect(stdout).toMatch(/\{"queued":\d+\}/)
  expect(stdout).toMatch(/\nnext \d+$/)
  expect((await app.call('/v1/endpoints/my-software', { headers })).json).toMatchObject({
    events: ['job.failed'],
    state: 'active',
  })
})

test('what is shown of lists goes on to the next page', async (context) => {
  if (spawnSync('curl', ['--version']).status !== 0) context.skip('there is no curl here')
  await using app = await startApp()
  for (const jobid of ['a', 'b']) await app.post('/v1/jobs', { jobid })
  const [paging = ''] = listings(api, 'sh').filter((code) => code.includes('cursor='))
  const script = ['api() { curl -sS "$@"; }', paging.replaceAll('limit=50', 'limit=1')].join('\n')
  const env = { PATH: process.env['PATH'], JOBWATCH_URL: app.url }
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { env })
  expect(JSON.parse(stdout)).toMatchObject({ items: [{ jobid: 'a' }], next: null })
})
