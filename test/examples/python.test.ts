import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { createParser } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Run } from '../helpers/daemon.ts'
import { completed, failed, failure, ground, jobidIn, service } from './ground.ts'
import type { Ground } from './ground.ts'

/** The first Python that has requests, or null. */
const python = ['python3', '/usr/bin/python3'].map(pathWithRequests).find((path) => path !== '')

function pathWithRequests(command: string): string {
  const program = 'import requests, sys; print(sys.executable)'
  const { status, stdout } = spawnSync(command, ['-c', program], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}

if (python === undefined) {
  process.stderr.write('skipped: the example in Python, since no python3 here has requests\n')
}

// A test is some processes, on a machine that may have other things to do.
const options = { concurrent: true, timeout: 120_000 }

describe.skipIf(python === undefined)('wait_for_edit.py', options, () => {
  const script = resolve('examples/wait_for_edit.py')
  // Without it, the folder of the examples would get one of compiled files.
  const clean = { PYTHONDONTWRITEBYTECODE: '1', PYTHONIOENCODING: 'utf-8' }

  const edit = ['service.json']

  const isWaiting = (line: string) => line.startsWith('waiting for ')

  function startAt(at: Ground, args: readonly string[], more: Record<string, string> = {}): Run {
    return at.run([python ?? '', script, ...args], { ...at.secrets, ...clean, ...more })
  }

  /** The job goes on to a stage that runs, which is told as soon as the feed is followed. */
  const aStage = (state: string) => ({ progress: { stages: [{ name: 'überprüft', state }] } })

  /** Resolves with its job as soon as it follows the feed. */
  async function jobFollowedBy(run: Run, at: Ground): Promise<string> {
    const jobid = jobidIn(await run.line(isWaiting))
    await at.look(jobid)
    await at.goOn(jobid, aStage('in progress'))
    await run.line((text) => text.includes('running'))
    return jobid
  }

  describe('with a jobwatch that is killed', () => {
    test('an end in between is told after it is back, and nothing twice', async () => {
      await using at = await ground()
      await using run = startAt(at, edit)
      const jobid = await jobFollowedBy(run, at)
      await at.kill()
      await at.goOn(jobid, { ...completed, ...aStage('completed') })
      await at.restart()
      expect((await run.ended).code, run.stderr).toBe(0)
      expect(run.stderr).toMatch(/lost jobwatch \(\w+\), coming back in \d+ s\n/)
      const { items } = await at.events()
      const told = items.filter(({ type }) => type.startsWith('job.')).map(({ time }) => time)
      const shown = run.stdout.match(/^\d{4}-\S+/gm) ?? []
      expect(told.slice(-shown.length)).toEqual(shown)
      expect(run.stdout.match(/überprüft: running/g)).toHaveLength(1)
      expect(run.stdout.match(/überprüft: completed/g)).toHaveLength(1)
      expect(run.stdout.match(/job\.completed/g)).toHaveLength(1)
    })

    test('an end that the feed no longer has is found in the job itself', async () => {
      await using at = await ground()
      await using run = startAt(at, edit)
      const jobid = await jobFollowedBy(run, at)
      await at.kill()
      await at.goOn(jobid, failed)
      // The cursor is of the log that was, which this one cannot go on from.
      await at.restart('another.db')
      expect((await run.ended).code, run.stderr).toBe(1)
      expect(run.stdout).toContain(`FAILED (error): ${failure}\n`)
    })
  })

  describe('with a jobwatch that stays', () => {
    let at: Ground
    beforeAll(async () => {
      at = await ground()
    })
    afterAll(() => at[Symbol.asyncDispose]())

    const start = (args: readonly string[], more?: Record<string, string>) =>
      startAt(at, args, more)

    test('submits an edit, tells how it goes, and ends with 0 when the service is edited', async () => {
      await using run = start(edit)
      const jobid = await jobFollowedBy(run, at)
      expect(run.stdout).toContain('überprüft: running (0 of 1 stages done)\n')
      await at.goOn(jobid, { ...completed, ...aStage('completed') })
      expect((await run.ended).code, run.stderr).toBe(0)
      expect(run.stdout).toMatch(
        /überprüft: completed \(1 of 1 stages done\)\n.* job\.completed\n.*COMPLETED \(success\)\n$/,
      )
      expect(run.stderr).toBe('')
    })

    test('a job that fails ends with 1 and says why', async () => {
      await using run = start(edit)
      await at.goOn(jobidIn(await run.line(isWaiting)), failed)
      expect((await run.ended).code, run.stderr).toBe(1)
      expect(run.stdout).toContain(`FAILED (error): ${failure}\n`)
    })

    test('a job that was submitted before and has ended is told at once', async () => {
      const { jobid } = at.simulator.submit('serviceEdit', { target: service, pace: 0 })
      await using run = start(['--jobid', jobid])
      expect((await run.ended).code, run.stderr).toBe(0)
    })

    test('a job that ArcGIS forgets ends with 4', async () => {
      await using run = start(edit)
      const jobid = jobidIn(await run.line(isWaiting))
      await at.look(jobid)
      at.simulator.removeJob(jobid)
      expect((await run.ended).code, run.stderr).toBe(4)
      expect(run.stdout).toMatch(/ job\.lost\n.*EXECUTING \(lost\)\n$/)
    })

    test('a job that is still running when the time is over ends with 3', async () => {
      await using run = start([...edit, '--timeout', '1s'])
      expect((await run.ended).code).toBe(3)
      expect(run.stderr).toContain('timeout: the job has not ended yet, and goes on\n')
    })

    const byId = ['--jobid', 'j1']
    const nowhere = 'http://127.0.0.1:9/gis/admin'
    test.each([
      ['a wrong API token', byId, { JOBWATCH_TOKEN: 'wrong' }, 1, 'refuses with 401'],
      ['no jobwatch', byId, { JOBWATCH_URL: nowhere }, 5, 'cannot be reached'],
      ['a wrong password', edit, { ARCGIS_PASSWORD: 'wrong' }, 2, 'Invalid username or password'],
      ['no JSON in the file', ['/dev/null'], {}, 1, "Parameter 'service' is required"],
    ])('with %s it says so and ends with its code', async (_, args, more, code, words) => {
      await using run = start(args, more)
      expect((await run.ended).code, run.stderr).toBe(code)
      expect(run.stderr).toContain(words)
      expect(run.stderr).not.toContain('Traceback')
    })
  })

  describe('its reader of event streams', () => {
    const program = [
      'import json, sys',
      `sys.path.insert(0, ${JSON.stringify(resolve('examples'))})`,
      'from wait_for_edit import frames',
      'cases = [[part.encode("latin-1") for part in parts] for parts in json.load(sys.stdin)]',
      'print(json.dumps([[list(frame) for frame in frames(parts)] for parts in cases]))',
    ].join('\n')

    /** What it reads of each stream, given as pieces of bytes. */
    function read(cases: readonly (readonly Buffer[])[]): unknown[] {
      const input = JSON.stringify(
        cases.map((parts) => parts.map((part) => part.toString('latin1'))),
      )
      const { stdout, stderr } = spawnSync(python ?? '', ['-c', program], {
        input,
        encoding: 'utf8',
        env: { ...process.env, ...clean },
      })
      expect(stderr).toBe('')
      return JSON.parse(stdout) as unknown[]
    }

    /** The same by a reader that is not ours. */
    function readByAnother(text: string): unknown[] {
      const frames: unknown[] = []
      let id = ''
      let retry: number | null = null
      const parser = createParser({
        onEvent: (event) => {
          id = event.id ?? id
          frames.push([event.event ?? 'message', event.data, id, retry])
        },
        onRetry: (ms) => (retry = ms),
      })
      parser.feed(text)
      return frames
    }

    const stream = [
      ...['retry: 2500', '', 'id: 7f-1', 'event: feed.hello', 'data: {"epoch":"7f"}', ''],
      ...[': a comment', 'event:job.failed', 'data:  two spaces', 'data', 'data:Straße 地図', ''],
      ...['retry: soon', 'id: 7f-3', 'data: a\u2028b\u0085c', 'unknown: field', 'id', ''],
      ...['event: without.data', '', 'data: plain', '', 'data: cut off'],
    ]

    test('finds what another reader finds, whatever the pieces, and however lines end', () => {
      const texts = ['\n', '\r\n', '\r'].map((end) => stream.join(end))
      const cases = texts.flatMap((text) => {
        const bytes = Buffer.from(text)
        const halves = [...bytes.keys()].map((at) => [bytes.subarray(0, at), bytes.subarray(at)])
        const singles = [...bytes].map((byte) => Buffer.from([byte]))
        const expected = readByAnother(text)
        return [singles, ...halves].map((parts) => ({ parts, expected }))
      })
      expect(cases[0]?.expected).toHaveLength(4)
      const found = read(cases.map(({ parts }) => parts))
      expect(found).toEqual(cases.map(({ expected }) => expected))
    })
  })
})
