import fc from 'fast-check'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { addDoctorCommand } from '../../src/cli/commands/doctor.ts'
import { AppError } from '../../src/core/errors.ts'
import { anyJson, anyText } from '../core/arbitraries.ts'
import { serveHttp } from '../upstream/servers.ts'
import { openTerminal, run } from './terminal.ts'

const username = 'doctor-canary'
const password = 'pass&word "canary"/1'
const token = 'token-canary-0123456789'
const canaries = [username, password, token, '127.0.0.1']

/** JSON of the names that this API uses, with these secrets in it. */
function anAnswerOf(secrets: readonly string[]): fc.Arbitrary<unknown> {
  const said = fc
    .tuple(anyText, fc.constantFrom(...secrets, ...secrets.map(encodeURIComponent)), anyText)
    .map((parts) => parts.join(''))
  const name = fc.oneof(
    fc.constantFrom('error', 'code', 'message', 'messages', 'status', 'jobs', 'jobid', 'token'),
    fc.constantFrom('progress', 'stages', 'name', 'state', 'expires', 'updatedtime', 'result'),
    said,
  )
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      said,
      anyJson,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name, tie('value')),
    ),
  })).value
}

const answer = anAnswerOf(canaries)

/** Bodies for the token, the list, the job and the unknown job; now and then as a healthy one has them. */
const answers = fc.record({
  token: fc.oneof(answer, fc.constant({ token, expires: Date.now() + 3_600_000 })),
  jobs: fc.oneof(answer, fc.constant({ jobs: ['j-1'] })),
  job: fc.oneof(
    answer,
    fc
      .dictionary(fc.constantFrom('status', 'progress', 'messages', 'username', 'endtime'), answer)
      .map((fields) => ({ status: 'COMPLETED', ...fields, jobid: 'j-1' })),
  ),
  unknown: answer,
  status: fc.constantFrom(200, 200, 200, 400, 401, 403, 404, 500, 503),
})

type Answers = typeof answers extends fc.Arbitrary<infer T> ? T : never

function stepOf(path: string): Exclude<keyof Answers, 'status'> {
  if (path.includes('generateToken')) return 'token'
  if (path.includes('/jobs?')) return 'jobs'
  return path.includes('/jobs/j-1?') ? 'job' : 'unknown'
}

test('whatever is answered, the command says what it found and shows no secret', async () => {
  let now: Answers | null = null
  const origin = await serveHttp((request, response) => {
    const step = stepOf(request.url ?? '')
    const isHealthy = step === 'token' || step === 'jobs'
    response.writeHead(isHealthy ? 200 : (now?.status ?? 200), { 'content-type': username })
    response.end(JSON.stringify(now?.[step]))
  })
  const folder = await mkdtemp(join(tmpdir(), 'jobwatch-doctor-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const config = join(folder, 'jobwatch.json')
  const auth = { username, password, referer: origin }
  const upstreams = [{ name: 'prod', root: `${origin}/gis/admin`, auth }]
  await writeFile(config, JSON.stringify({ upstreams }))

  await fc.assert(
    fc.asyncProperty(answers, fc.boolean(), async (given, isJson) => {
      now = given
      const terminal = openTerminal({ isTTY: !isJson })
      const flags = isJson ? ['--json'] : []
      const problem: unknown = await run(
        addDoctorCommand,
        terminal,
        'doctor',
        '--config',
        config,
        ...flags,
      ).catch((error: unknown) => error)
      if (problem !== undefined) expect(problem).toBeInstanceOf(AppError)
      const printed = `${terminal.out()}${terminal.err()}${problem instanceof Error ? problem.message : ''}`
      expect(printed).toContain('prod')
      expect(printed).toContain('unknown job')
      // A token that was never given is nobody's secret.
      const isGiven = JSON.stringify(given.token).startsWith(`{"token":"${token}"`)
      for (const canary of canaries.filter((one) => one !== token || isGiven)) {
        expect(printed).not.toContain(canary)
        expect(printed).not.toContain(encodeURIComponent(canary))
      }
      if (isJson) JSON.parse(terminal.out())
    }),
    { numRuns: 100 },
  )
})
