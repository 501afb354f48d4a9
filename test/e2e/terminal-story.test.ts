import { describe, expect, test } from 'vitest'
import { openRelay } from '../helpers/relay.ts'
import { daemonGround, hasPseudoTerminal, linesOf, seqsOf, story } from './terminal-ground.ts'

test('no interruption of daemon, network or reader loses or repeats an event', story, async () => {
  await using at = await daemonGround()
  await using relay = await openRelay(at.url)
  const jobs = ['a', 'b'].map((jobid) => at.job(jobid))
  const step = (): void => {
    for (const job of jobs) job.step()
  }
  const far = ['--server', relay.url]
  await using wait = at.start(['wait', 'a', 'b'])
  await using farWait = at.start(['wait', 'b', 'a', ...far])
  await using json = at.start(['follow', '--after', '0', '--json'])
  await using farFollow = at.start(['follow', '--after', '0', ...far])
  const readers = [wait, farWait, json, farFollow]
  const all = async (words: string): Promise<void> => {
    for (const reader of readers) await reader.line((line) => line.includes(words))
  }
  await all('EXECUTING')

  // The network breaks amid a frame, and what happens meanwhile is told when it is back.
  const cut = relay.cutAfter(1000)
  step()
  await cut
  step()
  await relay.mend()
  await all('step-2')

  // The daemon dies with the network, twice, once just as it has something to write.
  step()
  await Promise.all([at.kill(), relay.cut()])
  step()
  await at.restart()
  await at.kill()
  await relay.mend()
  await at.restart()
  await all('step-4')

  // A reader dies, and another one goes on from its last line.
  await json.stop('SIGKILL')
  const last = String(seqsOf(json.stdout).at(-1))
  step()
  await using next = at.start(['follow', '--after', last, '--json'])
  await next.line((line) => line.includes('step-5'))
  await at.kill()
  for (const job of jobs) job.complete()
  await at.restart()

  expect((await wait.ended).code).toBe(0)
  expect((await farWait.ended).code).toBe(0)
  const log = await at.logged('', (events) => events.at(-1)?.type === 'job.completed')
  const seqs = log.map(({ data }) => data.seq)
  for (const reader of [next, farFollow]) {
    await reader.line((line) => seqsOf(`${line}\n`)[0] === seqs.at(-1))
  }
  expect(seqs).toEqual(seqs.map((_, index) => index + 1))
  expect(linesOf(json.stdout + next.stdout)).toEqual(log.map((event) => JSON.stringify(event)))
  expect(seqsOf(farFollow.stdout)).toEqual(seqs)
  // Whoever waits is told from the registration on, in the words of follow.
  for (const { stdout } of [wait, farWait]) {
    const lines = linesOf(farFollow.stdout)
    const from = lines.indexOf(linesOf(stdout)[0] ?? '')
    expect(linesOf(stdout)).toEqual(lines.slice(from))
    expect(from).toBeLessThan(4)
  }
})

describe.skipIf(!hasPseudoTerminal)('on a screen', story, () => {
  test('no interruption leaves anything but how each job ended', async () => {
    await using at = await daemonGround()
    await using relay = await openRelay(at.url)
    const jobs = ['job-1', 'job-2'].map((jobid) => at.job(jobid))
    for (const { jobid } of jobs) await at.watch(jobid, { label: `${jobid}.` })
    const args = ['wait', 'job-1', 'job-2']
    await using near = at.inTerminal(args)
    await using far = at.inTerminal([...args, '--server', relay.url])
    for (const terminal of [near, far]) await terminal.shows(/job-2\. .*EXECUTING/)
    const cut = relay.cutAfter(1000)
    for (const job of jobs) job.step()
    await cut
    await at.kill()
    for (const terminal of [near, far]) await terminal.shows(/not connected/)
    for (const job of jobs) job.step()
    await relay.mend()
    await at.restart()
    for (const terminal of [near, far]) await terminal.shows(/job-1\. .*1\/2 .*step-2/)
    jobs[0]?.complete()
    jobs[1]?.fail('The disk is full.')
    for (const terminal of [near, far]) {
      expect(await terminal.ended).toMatchObject({ code: 1 })
      expect(terminal.history()).toEqual([
        expect.stringMatching(/^✅ job-1\. /u),
        expect.stringMatching(/^❌ job-2\. /u),
        expect.stringMatching(/^ +The disk is full\.$/),
      ])
      expect(terminal.isCursorVisible).toBe(true)
    }
  })
})
