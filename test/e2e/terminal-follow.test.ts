import { describe, expect, test } from 'vitest'
import { until } from './ground.ts'
import {
  dangerIn,
  daemonGround,
  hasShells,
  hostile,
  hostileFields,
  terminalGround,
} from './terminal-ground.ts'

describe.skipIf(!hasShells)('follow in a terminal', () => {
  test('shows a line for each event, in colour, and ends on Ctrl-C as it should', async () => {
    await using at = await terminalGround()
    await using terminal = at.inTerminal(['follow', '--after', '0'], { cols: 200 })
    const job = at.job('a')
    await at.watch('a')
    await terminal.shows(/#2 .*EXECUTING/)
    job.fail('The disk is full.')
    await terminal.shows(/job\.failed.*The disk is full\./)
    expect(terminal.coloursOf('job.failed')).toEqual([1])
    terminal.type('\x03')
    expect(await terminal.ended).toMatchObject({ code: 0, signal: 0 })
    const told = terminal.history().filter((line) => !line.includes('^C'))
    expect(told).toHaveLength((await at.log()).length)
    expect(terminal.isCursorVisible).toBe(true)
    expect(dangerIn(terminal.raw.replace('^C', ''))).toBe('')
  })

  test.each([
    ['NO_COLOR', { env: { NO_COLOR: '1' } }],
    ['a dumb terminal', { term: 'dumb' }],
  ])('writes no escapes with %s', async (_, options) => {
    await using at = await terminalGround()
    at.job('a').complete()
    await at.watch('a')
    await using terminal = at.inTerminal(['follow', '--after', '0'], { cols: 200, ...options })
    await terminal.shows('job.completed')
    expect(terminal.raw).not.toContain('\x1b')
  })

  test('text from upstream stays text, one line for each event', async () => {
    await using at = await terminalGround()
    const job = at.job('a', hostileFields)
    await at.watch('a', { label: 'first' })
    job.show({
      progress: { stages: [{ name: `stage ${hostile}`, state: `state ${hostile}` }] },
      messages: [`message ${hostile}`, `second ${hostile}`],
    })
    await at.logged('type=job.message.added')
    job.fail(`reason ${hostile}`)
    await at.logged('type=job.failed')
    await at.unwatch('a')
    const events = await at.log()
    for (const cols of [300, 60]) {
      await using terminal = at.inTerminal(['follow', '--after', '0'], { cols, rows: 60 })
      await terminal.shows('job.unwatched')
      expect(dangerIn(terminal.raw)).toBe('')
      const told = terminal.history()
      expect(told.map((line) => Number(/ #(\d+) /.exec(line)?.[1]))).toEqual(
        events.map(({ data }) => data.seq),
      )
      for (const part of ['one', 'two three', '漢字かな 🚀👩‍🚀 five']) {
        expect(told.find((line) => line.includes('message.added'))).toContain(part)
      }
    }
  })

  test('is ended by closing the terminal', async () => {
    await using at = await terminalGround()
    await using terminal = at.inTerminal(['follow', '--after', '0'])
    at.job('a')
    await at.watch('a')
    await terminal.shows('#1 ')
    await at.read(1)
    terminal.close()
    await terminal.ended
    await at.read(0)
  })

  test('closing the terminal does not end a daemon that was started from it', async () => {
    await using at = await daemonGround()
    await at.kill()
    await using terminal = await at.shell()
    const daemon = `'${process.execPath}' dist/main.js serve --config '${at.configFile}'`
    terminal.type(`${daemon} & echo "pid [$!]"\r`)
    const shown = await terminal.until((lines) => lines.some((line) => /^pid \[\d+\]/.test(line)))
    const pid = Number(/^pid \[(\d+)\]/m.exec(shown.join('\n'))?.[1])
    try {
      const answers = async () => {
        const answer = await fetch(`${at.url}/readyz`).catch(() => null)
        return answer?.status === 200
      }
      await until(answers)
      terminal.close()
      await terminal.ended
      // It has things to log, and nowhere to write them.
      const job = at.job('a')
      await at.watch('a')
      job.complete()
      await at.logged('type=job.completed')
      expect(await answers()).toBe(true)
    } finally {
      process.kill(pid, 'SIGKILL')
    }
  })
})
