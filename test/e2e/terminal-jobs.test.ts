import { describe, expect, test } from 'vitest'
import {
  dangerIn,
  hasPseudoTerminal,
  hostileFields,
  story,
  terminalGround,
} from './terminal-ground.ts'

type Ground = Awaited<ReturnType<typeof terminalGround>>

/** A job in each of several states, of titles that are hard to lay out. */
async function someJobs(at: Ground): Promise<void> {
  at.job('running').step()
  at.job('wide', { name: '漢字ㄅ㈱ 한글', resource: { name: '🚀🇪🇺 की' } }).complete()
  at.job('hostile', hostileFields).fail('The disk is full.')
  at.job('odd', { name: '表'.repeat(100), username: '使用者'.repeat(20) }).cancel()
  for (const jobid of ['running', 'wide', 'hostile', 'odd']) await at.watch(jobid)
}

describe.skipIf(!hasPseudoTerminal)('jobs in a terminal', story, () => {
  test('is a table whose columns stand below one another, coloured by status', async () => {
    await using at = await terminalGround()
    await someJobs(at)
    await using terminal = at.inTerminal(['jobs'], { cols: 220 })
    expect(await terminal.ended).toMatchObject({ code: 0 })
    const rows = terminal.lines().filter((line) => line !== '')
    expect(rows).toHaveLength(5)
    const year = `${new Date().getUTCFullYear()}-`
    expect(new Set([...terminal.columnsOf(year), ...terminal.columnsOf('STARTED')]).size).toBe(1)
    expect(terminal.columnsOf(year)).toHaveLength(4)
    expect(terminal.coloursOf('running  ')).toEqual([6])
    expect(terminal.coloursOf('wide  ')).toEqual([2])
    expect(terminal.coloursOf('hostile  ')).toEqual([1])
    expect(terminal.coloursOf('odd  ')).toEqual([3])
    expect(dangerIn(terminal.raw)).toBe('')
  })

  test.each([
    ['NO_COLOR', { env: { NO_COLOR: '1' } }],
    ['a dumb terminal', { term: 'dumb' }],
  ])('has no escapes with %s', async (_, options) => {
    await using at = await terminalGround()
    await someJobs(at)
    await using terminal = at.inTerminal(['jobs'], { cols: 220, ...options })
    expect(await terminal.ended).toMatchObject({ code: 0 })
    expect(terminal.raw).toContain('FAILED')
    expect(terminal.raw).not.toContain('\x1b')
  })

  test('one job is shown in full, and nothing of it steers the terminal', async () => {
    await using at = await terminalGround()
    await someJobs(at)
    await using terminal = at.inTerminal(['job', 'hostile'], { cols: 100, rows: 40 })
    expect(await terminal.ended).toMatchObject({ code: 0 })
    const shown = terminal.history().join('\n')
    for (const part of [
      'hostile at prod',
      'FAILED',
      'name one',
      'stage one',
      'The disk is full.',
    ]) {
      expect(shown).toContain(part)
    }
    expect(dangerIn(terminal.raw)).toBe('')
  })
})
