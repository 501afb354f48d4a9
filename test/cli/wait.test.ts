import { describe, expect, test } from 'vitest'
import { addWaitCommand } from '../../src/cli/commands/wait.ts'
import { Exit } from '../../src/cli/exit.ts'
import { DaemonUnreachable } from '../../src/client/errors.ts'
import { UsageError } from '../../src/core/errors.ts'
import type { EventAnswer, JobAnswer } from '../../src/http/schemas.ts'
import { finished, running } from '../e2e/ground.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { aBrokenPipe, openTerminal, run } from './terminal.ts'
import type { Terminal, TerminalOptions } from './terminal.ts'

const failed = (jobid: string) => ({
  ...finished(jobid),
  status: 'FAILED',
  messages: ['Started.', 'The disk is full.'],
})
const cancelled = (jobid: string) => ({ ...finished(jobid), status: 'CANCELLED' })

/** Runs `jobwatch wait`; resolves to its exit code, or to the error that main.ts would map to one. */
async function wait(io: Terminal, ...argv: readonly string[]): Promise<unknown> {
  return run(addWaitCommand, io, 'wait', ...argv).then(
    () => 0,
    (error: unknown) => (error instanceof Exit ? error.exitCode : error),
  )
}

function terminalOf({ url }: TestApp, options: TerminalOptions = {}): Terminal {
  return openTerminal({ ...options, env: { JOBWATCH_URL: url, ...options.env } })
}

/** The lines of events, each as its seq and its type. */
function told(io: Terminal): string[] {
  return io
    .out()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('  ').slice(1, 3).join(' '))
}

async function logged(app: TestApp, jobid: string): Promise<string[]> {
  const { items } = (await app.call(`/v1/events?jobid=${jobid}`)).json as { items: EventAnswer[] }
  return items.map(({ type, data }) => `#${data.seq} ${type}`)
}

describe('the exit code', () => {
  test.each([
    [0, 'succeeded', finished],
    [1, 'failed', failed],
    [1, 'was cancelled', cancelled],
  ])('is %d when the job %s, whether before or meanwhile', async (code, _, end) => {
    await using app = await startApp()
    const script = app.simulator.addScript([running('j1'), end('j1')], { jobid: 'j1' })
    const io = terminalOf(app)
    const waiting = wait(io, 'j1')
    await io.outWith('job.executing')
    script.next()
    expect(await waiting).toBe(code)
    expect(told(io)).toEqual(await logged(app, 'j1'))

    const late = terminalOf(app)
    expect(await wait(late, 'j1')).toBe(code)
    expect(late.out()).toBe('')
  })

  test('is 4 when the upstream does not know the job', async () => {
    await using app = await startApp({
      config: (simulator) => ({
        upstreams: [{ ...anUpstream('prod', simulator), lostAfter: '30ms' }],
      }),
    })
    const io = terminalOf(app)
    expect(await wait(io, 'nobody-knows-it')).toBe(4)
    expect(io.err()).toMatch(/nobody-knows-it is lost: the upstream no longer knows it\n$/)
  })

  test('is 4 when somebody ends the watching', async () => {
    await using app = await startApp()
    app.simulator.addScript([running('j1')], { jobid: 'j1' })
    const io = terminalOf(app)
    const waiting = wait(io, 'j1')
    await io.outWith('job.executing')
    await app.call('/v1/jobs/j1', { method: 'DELETE' })
    expect(await waiting).toBe(4)
    expect(io.err()).toContain('is no longer watched\n')
  })

  test('is 3 when time is up, and says what still runs', async () => {
    await using app = await startApp()
    app.simulator.addScript([running('j1')], { jobid: 'j1' })
    const io = terminalOf(app)
    expect(await wait(io, 'j1', '--timeout', '300ms')).toBe(3)
    expect(io.err()).toMatch(/timeout: 1 job has not ended yet\n$/)
  })

  test('of several jobs says the worst, once all have ended', async () => {
    await using app = await startApp()
    const script = app.simulator.addScript([running('good'), finished('good')], { jobid: 'good' })
    app.simulator.addScript([failed('bad')], { jobid: 'bad' })
    const io = terminalOf(app)
    const waiting = wait(io, 'good', 'bad', 'good')
    await io.outWith('job.failed')
    script.next()
    expect(await waiting).toBe(1)
    expect(io.out()).toContain('job.completed')
  })

  test('is 1 when one has failed and time is up for the others', async () => {
    await using app = await startApp()
    app.simulator.addScript([running('slow')], { jobid: 'slow' })
    app.simulator.addScript([failed('bad')], { jobid: 'bad' })
    expect(await wait(terminalOf(app), 'slow', 'bad', '--timeout', '500ms')).toBe(1)
  })

  test('is that of an unreachable daemon where there is none', async () => {
    const io = openTerminal({ env: { JOBWATCH_URL: 'http://127.0.0.1:9' } })
    expect(await wait(io, 'j1')).toBeInstanceOf(DaemonUnreachable)
    expect(io.out()).toBe('')
  })

  test.each([
    [['j1', '--timeout', 'soon'], '--timeout must be a duration such as 90s, 30m or 2h'],
    [['a b'], '"a b" is neither a job id nor the http(s) URL of a job'],
  ])('is that of wrong usage for %o', async (argv, message) => {
    const error = await wait(openTerminal(), ...argv)
    expect(error).toBeInstanceOf(UsageError)
    expect(error).toMatchObject({ message })
  })
})

test('a stop ends the waiting at once', async () => {
  await using app = await startApp()
  app.simulator.addScript([running('j1')], { jobid: 'j1' })
  const io = terminalOf(app)
  const waiting = wait(io, 'j1')
  await io.outWith('job.executing')
  io.stop.abort()
  expect(await waiting).toBe(io.signal.reason)
})

test('a submit answer on stdin names the job', async () => {
  await using app = await startApp()
  app.simulator.addScript([finished('j1')], { jobid: 'j1' })
  const stdin = JSON.stringify({ jobid: 'j1', jobsUrl: `${app.simulator.root}/jobs/j1` })
  const io = terminalOf(app, { stdin })
  expect(await wait(io, '-')).toBe(0)
  expect(told(io)).toEqual(await logged(app, 'j1'))
})

test('what is no event is told apart, so that lines are events and nothing else', async () => {
  await using app = await startApp()
  app.simulator.addScript([failed('j1')], { jobid: 'j1' })
  await app.post('/v1/jobs', { jobid: 'j1', label: 'nightly backup' })
  const io = terminalOf(app)
  expect(await wait(io, 'j1')).toBe(1)
  expect(io.err()).toMatch(/nightly backup \(j1\): FAILED after .*: The disk is full\.\n$/)
})

test('that a job is waited for is said once, whatever it comes to be called', async () => {
  await using app = await startApp()
  const documents = [running('j1'), { ...running('j1'), name: 'editRoads' }, finished('j1')]
  const script = app.simulator.addScript(documents, { jobid: 'j1' })
  const io = terminalOf(app)
  const waiting = wait(io, 'j1')
  await io.outWith('job.executing')
  script.next()
  script.next()
  expect(await waiting).toBe(0)
  expect(io.err().match(/^waiting for /gm)).toHaveLength(1)
})

test('with --json the jobs are printed in the order given, and nothing else', async () => {
  await using app = await startApp()
  app.simulator.addScript([finished('b')], { jobid: 'b' })
  app.simulator.addScript([running('a')], { jobid: 'a' })
  const io = terminalOf(app)
  expect(await wait(io, 'b', 'a', '--json', '--timeout', '500ms')).toBe(3)
  const { items } = JSON.parse(io.out()) as { items: JobAnswer[] }
  expect(items.map(({ jobid, state }) => [jobid, state])).toEqual([
    ['b', 'ended'],
    ['a', 'active'],
  ])
})

test('a reader that goes away ends the lines, not the waiting', async () => {
  await using app = await startApp()
  app.simulator.addScript([failed('j1')], { jobid: 'j1' })
  const io = terminalOf(app)
  expect(await wait({ ...io, stdout: aBrokenPipe() }, 'j1')).toBe(1)
})

test('a restart of the daemon is told, and neither loses nor repeats a line', async () => {
  await using app = await startApp()
  const script = app.simulator.addScript([running('j1'), finished('j1')], { jobid: 'j1' })
  const io = terminalOf(app)
  const waiting = wait(io, 'j1')
  await io.outWith('job.executing')
  await app.restart()
  await io.errWith('\nconnected\n')
  script.next()
  expect(await waiting).toBe(0)
  expect(told(io)).toEqual(await logged(app, 'j1'))
})

test('on a terminal there is a row that is drawn over, and at the end one that stays', async () => {
  await using app = await startApp()
  const script = app.simulator.addScript([running('j1'), failed('j1')], { jobid: 'j1' })
  const io = terminalOf(app, { isTTY: true, env: { NO_COLOR: '1' } })
  const waiting = wait(io, 'j1')
  await io.outWith('  0/2  copying')
  script.next()
  expect(await waiting).toBe(1)
  const last = io.out().split('\x1b[1A').at(-1) ?? ''
  expect(last).toMatch(
    /^❌ edit services\/Hydrants\.MapServer .* 2\/2 {2}FAILED .*\n {3}The disk is full\./,
  )
  expect(io.err()).toBe('')
})

test('on a terminal that cannot be drawn on there are lines', async () => {
  await using app = await startApp()
  app.simulator.addScript([finished('j1')], { jobid: 'j1' })
  const io = terminalOf(app, { isTTY: true, env: { TERM: 'dumb', NO_COLOR: '1' } })
  expect(await wait(io, 'j1')).toBe(0)
  expect(io.out()).not.toContain('\x1b')
  expect(io.out()).toContain('job.completed')
})
