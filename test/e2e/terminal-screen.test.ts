import { describe, expect, test } from 'vitest'
import type { PseudoTerminal, TerminalOptions } from '../helpers/pseudo-terminal.ts'
import type { ScriptedJob } from './terminal-ground.ts'
import {
  dangerIn,
  hasShells,
  hostile,
  hostileFields,
  story,
  terminalGround,
} from './terminal-ground.ts'

const above = ['first line above', `a long one ${'.'.repeat(60)}`, '漢字 above']
const printAbove = above.map((line) => `echo '${line}'; `).join('')

type Ground = Awaited<ReturnType<typeof terminalGround>>

/** Waits in a terminal below what was there before, and says with which code. */
function wait(at: Ground, args: string, options: TerminalOptions = {}): PseudoTerminal {
  return at.inShell(`${printAbove}jobwatch wait ${args}; echo "code $?"`, options)
}

/** Jobs that run and have had a stage, entitled `job-1.`, `job-2.`… */
async function runningJobs(at: Ground, count: number, more: readonly string[] = []) {
  const jobs = Array.from({ length: count }, (_, index) => at.job(`job-${index + 1}`))
  for (const [index, job] of jobs.entries()) {
    job.step()
    await at.watch(job.jobid, { label: `${job.jobid}.${more[index] ?? ''}` })
  }
  return jobs
}

/** What is written below the lines above, up to and including the code if it is there. */
function below(lines: readonly string[]): readonly string[] {
  const start = lines.findLastIndex((line) => line.endsWith('漢字 above')) + 1
  const end = lines.findLastIndex((line) => line !== '') + 1
  return lines.slice(start, end)
}

function rowOf(terminal: PseudoTerminal, jobid: string): string {
  return terminal.lines().find((line) => line.includes(`${jobid}.`)) ?? ''
}

const isRow = (line: string): boolean => /job-\d+\./.test(line)

/** Resolves once nothing but these rows is below, in any order, each in one row of the screen. */
async function settled(terminal: PseudoTerminal, ...rows: readonly RegExp[]): Promise<void> {
  await terminal.until((lines) => {
    const found = below(lines)
    return found.length === rows.length && rows.every((row) => found.some((line) => row.test(line)))
  })
  expect(terminal.history().slice(0, above.length)).toEqual(above)
}

/** Resolves once the shell waits for the next line. */
async function prompted(terminal: PseudoTerminal): Promise<void> {
  await terminal.until((lines) => lines.findLast((line) => line !== '')?.trim() === '$')
}

describe.skipIf(!hasShells)('wait on a screen', story, () => {
  test('shows how far each job is, in its place, and leaves how each ended', async () => {
    await using at = await terminalGround()
    const [first, second] = await runningJobs(at, 2)
    await using terminal = wait(at, 'job-1 job-2', { cols: 100 })
    await settled(terminal, /job-1\..* 0\/1 .*step-1.* \d+s/, /job-2\..* 0\/1 .*step-1/)
    expect(below(terminal.lines())[0]).toMatch(/^▶️? /u)
    const bar = () => (/ [█░]+ /u.exec(rowOf(terminal, 'job-1'))?.[0] ?? '').split('█').length
    expect(bar()).toBe(1)
    first?.step()
    await settled(terminal, /job-1\..* 1\/2 .*step-2/, /job-2\./)
    expect(bar()).toBeGreaterThan(1)
    // Time passes without any event.
    const elapsed = () => / (\d+)s/.exec(rowOf(terminal, 'job-1'))?.[1]
    const then = elapsed()
    await terminal.until(() => elapsed() !== then)

    first?.complete()
    await settled(terminal, /^✅ job-1\..* 2\/2 /u, /job-2\..* 0\/1 /)
    second?.fail('The disk is full.')
    await terminal.ended
    const [done, failed, ...rest] = below(terminal.lines())
    expect(done).toMatch(/^✅ job-1\./u)
    expect(failed).toMatch(/^❌ job-2\./u)
    expect(rest.join('\n')).toMatch(/^\s*The disk is full\.\ncode 1$/)
    expect(terminal.history()).toEqual([...above, done, failed, ...rest])
    expect(terminal.isCursorVisible).toBe(true)
    expect(terminal.coloursOf('job-1.')).toContain(2)
    expect(terminal.coloursOf('job-2.')).toContain(1)
    expect(dangerIn(terminal.raw)).toBe('')
  })

  test('says how long it may take when earlier runs tell', async () => {
    await using at = await terminalGround()
    const now = Date.now()
    for (const jobid of ['a', 'b', 'c']) {
      at.job(jobid).complete({ starttime: now - 500_000, endtime: now - 500_000 + 175_000 })
      await at.watch(jobid)
    }
    await at.logged('type=job.completed', (events) => events.length === 3)
    at.job('job-1')
    await using terminal = wait(at, 'job-1')
    await terminal.shows(/about 3m left/)
  })

  test('is drawn without any colour where NO_COLOR is set', async () => {
    await using at = await terminalGround()
    const [job] = await runningJobs(at, 1)
    await using terminal = wait(at, 'job-1', { env: { NO_COLOR: '1' } })
    await settled(terminal, /job-1\..* 0\/1 /)
    job?.fail('No.')
    await terminal.shows('code 1')
    // eslint-disable-next-line no-control-regex -- the escape is what is looked for
    expect(terminal.raw).not.toMatch(/\x1b\[[\d;]*m/)
    expect(terminal.history().filter(isRow)).toHaveLength(1)
  })

  test('a dumb terminal gets lines without escapes', async () => {
    await using at = await terminalGround()
    const [job] = await runningJobs(at, 1)
    await using terminal = wait(at, 'job-1', { term: 'dumb', cols: 200 })
    await at.read(1)
    job?.complete()
    await terminal.shows('code 0')
    expect(terminal.raw).not.toContain('\x1b')
    expect(terminal.history().some((line) => /#\d+ .*job\.completed/.test(line))).toBe(true)
  })

  test('shows as many jobs as fit and counts the rest; in the end every one has its row', async () => {
    await using at = await terminalGround()
    const jobs = await runningJobs(at, 15)
    const ids = jobs.map(({ jobid }) => jobid)
    await using terminal = wait(at, ids.join(' '), { rows: 8 })
    const [, count = '0'] =
      /and (\d+) more/.exec((await terminal.shows(/and \d+ more/)).join('\n')) ?? []
    const shown = terminal.lines().filter(isRow)
    expect(shown.length).toBeGreaterThanOrEqual(5)
    expect(shown.length + Number(count)).toBe(15)
    for (const job of jobs.slice(0, 7)) job.complete()
    await at.logged('type=job.completed', (events) => events.length === 7)
    await terminal.until((lines) => lines.some((line) => /and \d+ more/.test(line)))
    for (const job of jobs.slice(7)) job.complete()
    await terminal.ended
    const told = terminal.history()
    expect(told.slice(0, 3)).toEqual(above)
    expect(told.slice(3, -1).map((line) => /job-\d+/.exec(line)?.[0])).toEqual(ids)
    expect(told.at(-1)).toBe('code 0')
  })

  test.each([
    ['terminals that widen symbols to emojis', true],
    ['terminals that do not', false],
  ])(
    'stays clean while it is made narrower, wider, lower and higher, in %s',
    async (_, wideEmojis) => {
      await using at = await terminalGround()
      const [first, second, third] = await runningJobs(at, 3, ['', ' ▶️▶️ 漢字', ' 👩‍🚀🇪🇺👍🏽 ㄅ㈱'])
      await using terminal = wait(at, 'job-1 job-2 job-3', { rows: 24, wideEmojis })
      const rows = [/job-1\./, /job-2\./, /job-3\./]
      await settled(terminal, ...rows)
      const narrower = Array.from({ length: 55 }, (_, index) => [79 - index, 24] as const)
      const sizes = [
        ...narrower,
        [60, 24],
        [110, 24],
        [45, 24],
        [45, 12],
        [90, 12],
        [120, 30],
      ] as const
      for (const [cols, height] of sizes) {
        const drawn = terminal.raw.length
        await terminal.resize(cols, height)
        await terminal.until(() => terminal.raw.length > drawn)
        await settled(terminal, ...rows)
      }
      first?.complete()
      await settled(terminal, /✅ job-1\./u, /job-2\./, /job-3\./)
      await terminal.resize(50, 30)
      second?.complete()
      third?.complete()
      await terminal.ended
      expect(below(terminal.history()).map((line) => /job-\d|code \d/.exec(line)?.[0])).toEqual([
        ...['job-1', 'job-2', 'job-3'],
        'code 0',
      ])
      expect(terminal.history().slice(0, 3)).toEqual(above)
    },
  )

  test('a window that has become too low for it shows what fits, and nothing above is lost', async () => {
    await using at = await terminalGround()
    const jobs = await runningJobs(at, 8)
    const ids = jobs.map(({ jobid }) => jobid)
    await using terminal = wait(at, ids.join(' '), { rows: 20 })
    await settled(terminal, ...ids.map((jobid) => new RegExp(`${jobid}\\.`)))
    await terminal.resize(80, 5)
    await terminal.until((lines) => {
      const [count = 0] = lines.flatMap((line) => /and (\d+) more/.exec(line)?.slice(1) ?? [])
      const shown = lines.filter(isRow)
      return shown.length + Number(count) === 8 && new Set(shown).size === shown.length
    })
    for (const job of jobs) job.complete()
    await terminal.ended
    const told = terminal.history()
    expect(told.slice(0, 3)).toEqual(above)
    expect(told.slice(-9, -1).map((line) => /✅ (job-\d)/u.exec(line)?.[1])).toEqual(ids)
  })

  test.each([20, 80])('nothing is wider than a terminal of %i columns', async (cols) => {
    await using at = await terminalGround()
    const jobs = new Map<string, ScriptedJob>()
    for (const [jobid, fields] of [
      [
        'wide',
        { name: '漢字ㄅ㈱㌔ꀀ한글'.repeat(20), progress: { stages: [stage('検証'.repeat(60))] } },
      ],
      ['emoji', { name: '🚀👩‍🚀'.repeat(60), progress: { stages: [stage('▶️🇪🇺👍🏽'.repeat(30))] } }],
      ['hostile', hostileFields],
      ['long', { name: 'x'.repeat(200), progress: { stages: [stage('y'.repeat(200))] } }],
    ] as const) {
      jobs.set(jobid, at.job(jobid, fields))
      await at.watch(jobid)
    }
    await using terminal = at.inTerminal(['wait', 'wide', 'emoji', 'hostile', 'long'], { cols })
    const drawn = await terminal.until((lines) => lines.filter((line) => line !== '').length >= 4)
    expect(terminal.isWrapped).toBe(false)
    expect(drawn.filter((line) => line !== '')).toHaveLength(4)
    jobs.get('hostile')?.fail(`reason ${hostile}`)
    await at.logged('type=job.failed')
    for (const jobid of ['wide', 'emoji', 'long']) jobs.get(jobid)?.cancel()
    expect(await terminal.ended).toMatchObject({ code: 1 })
    expect(terminal.isWrapped).toBe(false)
    expect(terminal.lines().slice(0, 4).join('\n')).toMatch(/^🚫 .*\n🚫 .*\n❌ .*\n/u)
    expect(dangerIn(terminal.raw)).toBe('')
  })

  test('Ctrl-C leaves the screen in order and is told by 130', async () => {
    await using at = await terminalGround()
    await runningJobs(at, 2)
    await using terminal = wait(at, 'job-1 job-2')
    await settled(terminal, /job-1\./, /job-2\./)
    terminal.type('\x03')
    await terminal.shows('code 130')
    await terminal.ended
    expect(terminal.history().slice(0, 3)).toEqual(above)
    expect(terminal.history().filter(isRow).length).toBeLessThanOrEqual(2)
    // The terminal itself echoes the key.
    expect(terminal.history().at(-1)).toMatch(/^(\^C)?code 130$/)
    expect(terminal.isCursorVisible).toBe(true)
  })

  test('time that has run out leaves how far each job was', async () => {
    await using at = await terminalGround()
    await runningJobs(at, 2)
    await using terminal = wait(at, 'job-1 job-2 --timeout 1500ms')
    await terminal.shows('code 3')
    const told = below(terminal.history())
    expect(told.filter(isRow)).toHaveLength(2)
    expect(terminal.history().slice(0, 3)).toEqual(above)
    expect(terminal.isCursorVisible).toBe(true)
  })

  test('SIGTERM leaves the cursor visible', async () => {
    await using at = await terminalGround()
    await runningJobs(at, 1)
    await using terminal = at.inTerminal(['wait', 'job-1'])
    await terminal.shows(/job-1\./)
    terminal.signal('SIGTERM')
    expect((await terminal.ended).code).not.toBe(0)
    expect(terminal.isCursorVisible).toBe(true)
    expect(terminal.history().filter(isRow).length).toBeLessThanOrEqual(1)
  })

  test('closing the terminal ends it', async () => {
    await using at = await terminalGround()
    await runningJobs(at, 1)
    await using terminal = at.inTerminal(['wait', 'job-1'])
    await terminal.shows(/job-1\./)
    await at.read(1)
    terminal.close()
    await terminal.ended
    await at.read(0)
  })

  test('Ctrl-Z gives the shell back, and fg goes on below what was typed there', async () => {
    await using at = await terminalGround()
    const [job] = await runningJobs(at, 1)
    await using terminal = await at.shell()
    terminal.type('jobwatch wait job-1\r')
    await terminal.shows(/job-1\..* 0\/1 /)
    terminal.type('\x1a')
    await terminal.shows(/Stopped/)
    await prompted(terminal)
    expect(terminal.isCursorVisible).toBe(true)
    terminal.type('echo typed "here"\r')
    await terminal.shows(/^typed here$/)
    await prompted(terminal)
    const before = terminal.history()
    job?.step()
    terminal.type('fg\r')
    await terminal.shows(/job-1\..* 1\/2 /)
    job?.complete()
    await terminal.shows(/✅ job-1\./u)
    await prompted(terminal)
    terminal.type('echo "code $?"\r')
    await terminal.shows(/^code 0$/)
    const told = terminal.history()
    // The last line was the prompt.
    expect(told.slice(0, before.length - 1)).toEqual(before.slice(0, -1))
    const after = told.slice(before.length)
    expect(after.filter(isRow)).toEqual([expect.stringMatching(/^✅ job-1\./u)])
    expect(terminal.isCursorVisible).toBe(true)
  })

  test('a daemon that is away for a moment leaves nothing on the screen that is wrong', async () => {
    await using at = await terminalGround()
    const [first, second] = await runningJobs(at, 2)
    await using terminal = wait(at, 'job-1 job-2')
    await settled(terminal, /job-1\./, /job-2\./)
    await at.stop()
    await terminal.shows(/not connected/)
    first?.step()
    await at.restart()
    await terminal.shows(/job-1\..* 1\/2 /)
    first?.complete()
    second?.complete()
    await terminal.shows('code 0')
    const told = terminal.history()
    expect(told.slice(0, 3)).toEqual(above)
    expect(told.filter(isRow)).toEqual([
      expect.stringMatching(/^✅ job-1\./u),
      expect.stringMatching(/^✅ job-2\./u),
    ])
    expect(told.at(-1)).toBe('code 0')
  })
})

function stage(name: string) {
  return { name, state: 'In Progress' }
}
