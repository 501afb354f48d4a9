import { describe, expect, test } from 'vitest'
import { callApi } from '../helpers/app.ts'
import {
  controls,
  daemonGround,
  deadUrl,
  hasBash,
  hostile,
  hostileFields,
  linesOf,
  seqsOf,
  story,
  terminalGround,
} from './terminal-ground.ts'

/** Loses a job as soon as its id is unknown. */
const quickLoss = { upstream: { lostAfter: '20ms' } }

describe('wait in a pipe', story, () => {
  test('prints each event as follow does, says all else on stderr, and ends when all have', async () => {
    await using at = await terminalGround()
    const [a, b] = [at.job('a'), at.job('b')]
    at.job('other')
    await at.watch('a', { label: 'nightly backup' })
    await at.watch('other')
    const { seq } = (await at.log('jobid=a')).at(-1)?.data ?? { seq: 0 }
    await using wait = at.start(['wait', 'a', b.url])
    await wait.line((line) => line.includes('EXECUTING'))
    a.step()
    await wait.line((line) => line.includes('step-1'))
    a.complete()
    await wait.line((line) => line.includes('job.completed'))
    b.complete({ messages: ['All is well.'] })
    expect(await wait.ended).toEqual({ code: 0, signal: null })

    await using follow = at.start(['follow', '--after', '0', '--jobid', 'a', '--jobid', 'b'])
    await follow.line((line) => line === linesOf(wait.stdout).at(-1))
    const later = linesOf(follow.stdout).filter((line) => Number(/#(\d+)/.exec(line)?.[1]) > seq)
    expect(linesOf(wait.stdout)).toEqual(later)
    expect(wait.stderr).toMatch(/nightly backup[^]*COMPLETED/)
    expect(wait.stderr).toMatch(/edit services\/Hydrants\.MapServer[^]*COMPLETED/)
    expect(wait.stdout + wait.stderr).not.toContain('\x1b')
  })

  test('its code tells how it ended: failures before losses before time', async () => {
    await using at = await terminalGround(quickLoss)
    const jobs = {
      well: () => at.job('well').complete(),
      warned: () => at.job('warned').complete({ result: { status: 'success with warnings' } }),
      failed: () => at.job('failed').fail('The disk is full.'),
      cancelled: () => at.job('cancelled').cancel(),
      // The upstream does not know it.
      lost: () => undefined,
      running: () => at.job('running'),
    }
    for (const [jobid, begin] of Object.entries(jobs)) {
      begin()
      await at.watch(jobid)
    }
    await at.logged('type=job.lost')
    await at.logged('jobid=failed&type=job.failed')
    // Long enough for a busy machine to register three jobs.
    const timeout = ['--timeout', '2s']
    const cases: (readonly [readonly string[], number])[] = [
      [['well', 'warned'], 0],
      [['well', 'failed'], 1],
      [['cancelled'], 1],
      [['well', 'lost'], 4],
      [['running', ...timeout], 3],
      [['running', 'well', 'lost', ...timeout], 4],
      [['running', 'lost', 'failed', ...timeout], 1],
    ]
    const codes: (readonly [readonly string[], number | null])[] = []
    for (const [args] of cases) codes.push([args, (await at.run(['wait', ...args])).code])
    expect(codes).toEqual(cases)
    const { stderr } = await at.run(['wait', 'failed', 'lost'])
    expect(stderr).toMatch(/FAILED.*The disk is full\./)
    expect(stderr).toMatch(/lost/)
  })

  test('a job that nobody watches any more is waited for no longer', async () => {
    await using at = await terminalGround(quickLoss)
    at.job('stopped')
    const vanishing = at.job('vanishing')
    const failing = at.job('failing')
    await using first = at.start(['wait', 'stopped', 'vanishing'])
    await using second = at.start(['wait', 'stopped', 'failing'])
    for (const wait of [first, second]) {
      await wait.line((line) => line.includes('job.executing'))
    }
    await at.logged('type=job.executing', (events) => events.length === 3)
    await at.unwatch('stopped')
    vanishing.vanish()
    failing.fail('No.')
    expect((await first.ended).code).toBe(4)
    expect((await second.ended).code).toBe(1)
    expect(first.stdout).toMatch(/job\.unwatched/)
    expect(first.stdout).toMatch(/job\.lost/)
  })

  test('is one JSON document with --json, whatever comes of it', async () => {
    await using at = await terminalGround()
    const [b, a] = [at.job('b'), at.job('a')]
    await using wait = at.start(['wait', b.jobid, a.jobid, '--json'])
    await at.logged('type=job.executing', (events) => events.length === 2)
    a.fail('The disk is full.')
    const late = await at.run(['wait', 'b', 'a', '--json', '--timeout', '500ms'])
    expect(late.code).toBe(1)
    const running = [
      { jobid: 'b', status: 'EXECUTING' },
      { jobid: 'a', status: 'FAILED', reason: 'The disk is full.' },
    ]
    expect(JSON.parse(late.stdout)).toMatchObject({ items: running })
    expect((await at.run(['wait', 'b', '--json', '--timeout', '20ms'])).code).toBe(3)

    b.complete()
    expect((await wait.ended).code).toBe(1)
    const items = await Promise.all(
      ['b', 'a'].map(async (jobid) => (await callApi(`${at.url}/v1/jobs/${jobid}`, {})).json),
    )
    const known = ['jobid', 'status', 'outcome', 'reason', 'endedAt', 'stages', 'upstream', 'state']
    const only = (item: unknown) =>
      Object.fromEntries(known.map((key) => [key, (item as Record<string, unknown>)[key]]))
    const printed = JSON.parse(wait.stdout) as { readonly items: readonly unknown[] }
    expect(Object.keys(printed)).toEqual(['items'])
    expect(printed.items.map(only)).toEqual(items.map(only))
  })

  test('text from upstream stays text, one line for each event', async () => {
    await using at = await terminalGround()
    const job = at.job('a', hostileFields)
    await using wait = at.start(['wait', 'a'])
    await wait.line((line) => line.includes('EXECUTING'))
    job.show({ progress: { stages: [{ name: `stage ${hostile}`, state: hostile }] } })
    await at.logged('type=job.stage.changed')
    job.fail(`reason ${hostile}`)
    expect((await wait.ended).code).toBe(1)
    expect(seqsOf(wait.stdout)).toEqual((await at.log()).map(({ data }) => data.seq))
    for (const line of [...linesOf(wait.stdout), ...linesOf(wait.stderr)]) {
      expect(line).not.toMatch(controls)
    }
    expect(wait.stderr).toContain('reason one')
  })

  test('what cannot be meant is a usage error that says what would be right', async () => {
    await using at = await terminalGround()
    for (const [args, says] of [
      [['a', '--timeout', 'soon'], /--timeout.*\d+(ms|s|m|h)\b/],
      [['a', '--timeout', '5'], /--timeout.*\d+(ms|s|m|h)\b/],
      [['a', '--timeout', '0s'], /--timeout.*\d+(ms|s|m|h)\b/],
      [['a', '../etc'], /\.\.\/etc/],
      [[], /job/],
    ] as const) {
      const wait = await at.run(['wait', ...args])
      expect(wait, args.join(' ')).toMatchObject({ code: 2, stdout: '' })
      expect(wait.stderr).toMatch(says)
    }
    const elsewhere = await at.run(['wait', 'a', '--upstream', 'nowhere'])
    expect(elsewhere).toMatchObject({ code: 1, stdout: '' })
    expect(elsewhere.stderr).toMatch(/nowhere|prod/)
    expect(await at.log()).toEqual([])
  })

  test('a daemon that is not there is told at once with 5', async () => {
    const url = await deadUrl()
    await using at = await terminalGround()
    const wait = await at.run(['wait', 'a', '--server', url])
    expect(wait).toMatchObject({ code: 5, stdout: '' })
    expect(wait.stderr).toContain(`no daemon at ${url}: start one with`)
  })

  test('Ctrl-C, SIGTERM and a hang-up end it, the first with 130', async () => {
    await using at = await terminalGround()
    at.job('a')
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', null],
      ['SIGHUP', null],
    ] as const) {
      await using wait = at.start(['wait', 'a', '--json'])
      await at.logged('type=job.executing')
      await at.read(1)
      const ended = await wait.stop(signal)
      if (code !== null) expect(ended.code).toBe(code)
      expect(ended.code).not.toBe(0)
      expect(wait.stderr).not.toMatch(/Error|^\s+at /m)
    }
  })

  test('a daemon that goes and comes back costs it neither an event nor its patience', async () => {
    await using at = await daemonGround()
    const job = at.job('a')
    await using wait = at.start(['wait', 'a'])
    await wait.line((line) => line.includes('EXECUTING'))
    await at.kill()
    job.step()
    await at.restart()
    await wait.line((line) => line.includes('step-1'))
    await at.kill()
    job.complete()
    await at.restart()
    expect((await wait.ended).code).toBe(0)
    expect(seqsOf(wait.stdout)).toEqual((await at.log('jobid=a')).map(({ data }) => data.seq))
    expect(wait.stderr).toMatch(/not connected[^]*connected/)
  })
})

describe.skipIf(!hasBash)('wait in a shell', story, () => {
  test('its reader may go: it waits on in silence, and its code still tells', async () => {
    await using at = await terminalGround()
    const job = at.job('a')
    const run = at.bash('jobwatch wait a | head -1; echo "code ${PIPESTATUS[0]}"')
    await at.logged('type=job.executing')
    for (const step of [1, 2, 3]) {
      job.step()
      await at.logged('type=job.stage.changed', (events) => events.length >= step)
    }
    job.fail('The disk is full.')
    const { stdout, stderr } = await run
    expect(linesOf(stdout)).toEqual([expect.stringMatching(/ #1 /), 'code 1'])
    expect(stderr).not.toMatch(/EPIPE|Error:|^\s+at /m)
  })

  test('takes a submit answer from a pipe, and && goes on only when all is well', async () => {
    await using at = await terminalGround()
    at.job('a').complete()
    at.job('b').fail('No.')
    const answers = ['a', 'b'].map((jobid) => `'{"status":"success","jobid":"${jobid}"}'`)
    const [well, ill] = await Promise.all(
      answers.map((answer) => at.bash(`echo ${answer} | jobwatch wait - && echo went on`)),
    )
    expect(well).toMatchObject({ code: 0, stdout: expect.stringMatching(/went on\n$/) as string })
    expect(ill).toMatchObject({ code: 1, stdout: expect.not.stringContaining('went on') as string })
  })
})
