import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { callApi } from '../helpers/app.ts'
import { requestToken } from '../helpers/simulator.ts'
import { deadUrl, hasBash, linesOf, programsOn, story, terminalGround } from './terminal-ground.ts'

const hasCurl = existsSync('/usr/bin/curl')
if (!hasCurl) process.stderr.write('skipped: a test of a submit from a shell needs curl\n')

describe.skipIf(!hasBash)('a pipeline', story, () => {
  test.skipIf(!hasCurl)(
    'submits with curl, watches what was submitted, and waits for it',
    async () => {
      // The simulated Enterprise lives ten times as fast.
      const begin = Date.now()
      const now = () => begin + (Date.now() - begin) * 10
      await using at = await terminalGround({ simulator: { now } })
      const { token } = await requestToken(at.simulator)
      const { root } = at.simulator
      const edit = `${root}/system/containerregistries/default/edit`
      const { code, stdout } = await at.bash(
        `curl -sS -H 'Authorization: Bearer ${token}' -d f=json '${edit}' |
           jobwatch watch - >watched.txt && cat watched.txt &&
         read -r _ id _ <watched.txt && jobwatch wait "$id" && echo all is well`.replaceAll(
          'watched.txt',
          `'${at.folder}/watched.txt'`,
        ),
      )
      expect(code).toBe(0)
      expect(linesOf(stdout)[0]).toMatch(/^watching s[0-9a-f-]+ at prod$/)
      expect(linesOf(stdout).at(-1)).toBe('all is well')
      expect(await at.log('type=job.completed')).toHaveLength(1)
    },
  )

  test('a submit that was refused stops it before anything is waited for', async () => {
    await using at = await terminalGround()
    const refused = `{"error":{"code":498,"message":"Invalid token.","details":[]}}`
    const { code, stdout, stderr } = await at.bash(
      `set -o pipefail; echo '${refused}' | jobwatch watch - && jobwatch wait a`,
    )
    expect(code).not.toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/Invalid token/)
    expect(await at.log()).toEqual([])
  })

  test('may end before follow does, which then ends in silence and as it should', async () => {
    await using at = await terminalGround()
    const job = at.job('a')
    await at.watch('a')
    const run = at.bash('set -o pipefail; jobwatch follow --after 0 | head -2')
    await at.read(1)
    // A reader's going is noticed when there is something to tell it.
    const stop = new AbortController()
    const ended = run.finally(() => stop.abort())
    for (let step = 1; !stop.signal.aborted; step += 1) {
      job.step()
      await at.logged('type=job.stage.changed', (events) => events.length >= step)
    }
    const { code, stdout, stderr } = await ended
    expect(linesOf(stdout)).toEqual([
      expect.stringMatching(/ #1 .*job\.watched/),
      expect.stringMatching(/ #2 .*job\.executing/),
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('may take but a part of a list', async () => {
    await using at = await terminalGround()
    // More than a pipe holds.
    const jobs = Array.from({ length: 400 }, (_, index) => ({
      jobid: `j${index}`,
      label: 'x'.repeat(200),
      tags: ['y'.repeat(100)],
    }))
    const { status } = await callApi(`${at.url}/v1/jobs/batch`, { method: 'POST', body: { jobs } })
    expect(status).toBe(200)
    for (const command of ['jobs --limit 1000', 'jobs --limit 1000 --json']) {
      const { code, stdout, stderr } = await at.bash(
        `set -o pipefail; jobwatch ${command} | head -1`,
      )
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' })
      expect(linesOf(stdout)).toHaveLength(1)
    }
  })
})

describe('what cannot work', story, () => {
  const clientCommands = [
    ['watch', '-'],
    ['wait', 'a'],
    ['wait', '-', '--json'],
    ['jobs'],
    ['follow'],
    ['job', 'a'],
    ['endpoints'],
    ['deliveries'],
  ]
  const input = '{"jobid":"a"}'

  test('without a daemon is told by every command, with what to do and 5', async () => {
    const url = await deadUrl()
    const programs = programsOn({ JOBWATCH_URL: url })
    for (const args of clientCommands) {
      const { code, stdout, stderr } = await programs.run(args, { input })
      expect({ args, code, stdout }).toEqual({ args, code: 5, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^[^\n]*no daemon at ${url}: start one with [^\n]*\n$`))
    }
  })

  test('with a wrong token is told, and the token is not', async () => {
    const tokens = [{ name: 'ops', token: 'the-right-token', scopes: ['write'] }]
    await using at = await terminalGround({ api: { tokens } })
    const env = { JOBWATCH_TOKEN: 'canary-token' }
    for (const args of clientCommands.slice(0, 5)) {
      const { code, stdout, stderr } = await at.run(args, { env, input })
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' })
      expect(stderr).toMatch(/token/)
      expect(stderr).not.toMatch(/canary-token|^\s+at /m)
    }
  })
})
