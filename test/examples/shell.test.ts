import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listing } from '../docs/markdown.ts'
import { requestToken } from '../helpers/simulator.ts'
import {
  apiToken,
  completed,
  failed,
  failure,
  ground,
  jobidIn,
  missing,
  service,
} from './ground.ts'
import type { Ground } from './ground.ts'

const absent = missing('bash', 'curl')
if (absent !== null) process.stderr.write(`skipped: the example in bash, since ${absent}\n`)

// A test is some processes, on a machine that may have other things to do.
const options = { concurrent: true, timeout: 120_000 }

describe.skipIf(absent !== null)('wait-for-edit.sh', options, () => {
  const script = resolve('examples/wait-for-edit.sh')
  let at: Ground
  beforeAll(async () => {
    at = await ground()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  /** Starts it as its first lines say. */
  const start = (more: Record<string, string> = {}, file = 'service.json') =>
    at.run([script, file], { ...at.secrets, ...more })

  const isWatching = (line: string) => line.startsWith('watching ')
  const isWaiting = (line: string) => line.startsWith('waiting for ')

  test('waits until the service is edited, and ends with 0', async () => {
    await using run = start()
    const jobid = jobidIn(await run.line(isWatching))
    await run.line(isWaiting, 'stderr')
    await at.goOn(jobid, completed)
    expect((await run.ended).code, run.stderr).toBe(0)
    expect(run.stdout).toContain(`watching ${jobid} at prod\n`)
    expect(run.stdout).toMatch(new RegExp(`COMPLETED[^]*\n${service} is edited\\.\n$`))
    expect(run.stderr).toContain(`waiting for edit of ${service} (${jobid})`)
  })

  test('an edit that fails ends with 1 and says why; no command line shows a secret', async () => {
    const files: Record<string, string> = {}
    for (const [name, secret] of Object.entries(at.secrets)) {
      files[`${name}_FILE`] = join(at.folder, name)
      await writeFile(join(at.folder, name), `${secret}\n`)
    }
    await using run = at.run([script, 'service.json'], files)
    await at.goOn(jobidIn(await run.line(isWatching)), failed)
    expect((await run.ended).code).toBe(1)
    expect(run.stderr).toContain(failure)
    expect(run.stderr).toMatch(/was refused, failed or was cancelled, as said above\n$/)
    const called = run.calledWith()
    expect(called).toContain(`${at.simulator.root}/services/${service}/edit`)
    for (const shown of [called, run.stdout, run.stderr]) {
      for (const secret of Object.values(at.secrets)) expect(shown).not.toContain(secret)
      expect(shown).not.toMatch(/token[=:].*\w{20}/)
    }
  })

  test('an edit that is still running when the time is over ends with 3', async () => {
    await using run = start({ WAIT_TIMEOUT: '500ms' })
    expect((await run.ended).code).toBe(3)
    expect(run.stderr).toMatch(/still runs after 500ms, and goes on\n$/)
  })

  test('a job that ArcGIS forgets ends with 4', async () => {
    await using run = start()
    const jobid = jobidIn(await run.line(isWatching))
    await run.line(isWaiting, 'stderr')
    at.simulator.removeJob(jobid)
    expect((await run.ended).code).toBe(4)
    expect(run.stderr).toMatch(/nobody knows how .* came out: look at the service itself\n$/)
  })

  test('an edit that goes on while there is no jobwatch ends with 5', async () => {
    await using run = start({ JOBWATCH_URL: 'http://127.0.0.1:9' })
    expect((await run.ended).code).toBe(5)
    expect(run.calledWith()).toContain('/edit')
    expect(run.stderr).toMatch(/jobwatch cannot be reached; the edit of .* goes on without it\n$/)
  })

  test('an edit that ArcGIS refuses ends with 1 and its words', async () => {
    await writeFile(join(at.folder, 'broken.json'), '{ "serviceName": ')
    await using run = start({}, 'broken.json')
    expect((await run.ended).code).toBe(1)
    expect(run.stderr).toContain("Parameter 'service' is required.")
  })

  test.each([
    ['a wrong password', { ARCGIS_PASSWORD: 'wrong' }, /no token: .*Invalid username or password/],
    ['no password', { ARCGIS_PASSWORD: '' }, /set ARCGIS_PASSWORD or ARCGIS_PASSWORD_FILE/],
    [
      'a file of a secret that is not there',
      { JOBWATCH_TOKEN: '', JOBWATCH_TOKEN_FILE: '/nowhere' },
      /nowhere/,
    ],
    ['no ArcGIS', { ARCGIS_ROOT: 'http://127.0.0.1:9/gis/admin' }, /the portal cannot be asked/],
  ])('with %s nothing is submitted', async (_, more, words) => {
    await using run = start(more)
    expect((await run.ended).code).not.toBe(0)
    expect(run.stderr).toMatch(words)
    expect(run.stderr).not.toContain(apiToken)
    expect(run.calledWith()).not.toContain('/edit')
  })

  test('without the JSON of the service it says what it wants, and ends with 2', async () => {
    await using run = start({}, 'missing.json')
    expect((await run.ended).code).toBe(2)
    expect(run.stderr).toMatch(/give it one file: the JSON of the service/)
  })

  test('the one line of the README does the same', async () => {
    const { token } = await requestToken(at.simulator)
    const command = listing('examples/README.md', 'sh')
    const { ARCGIS_ROOT: root } = at.env
    await using run = at.run(['bash', '-c', command], { token, root, service, ...at.secrets })
    const line = await run.line(isWaiting, 'stderr')
    await at.goOn(/\w[\w-]+$/.exec(line)?.[0] ?? '', failed)
    expect((await run.ended).code).toBe(1)
    expect(run.stderr).toContain(failure)
    expect(run.calledWith()).toContain('service@service.json')
    expect(run.calledWith()).not.toContain(token)
  })
})
