import type { Command } from 'commander'
import { createClient } from '../../client/client.ts'
import { startDeadline } from '../../client/deadline.ts'
import type { FollowState } from '../../client/follow.ts'
import { jobKey } from '../../client/wait.ts'
import type { Ending, JobNews } from '../../client/wait.ts'
import { parseDuration } from '../../core/duration.ts'
import { UsageError } from '../../core/errors.ts'
import type { RegisterJobInput } from '../../http/requests/jobs.ts'
import { Exit } from '../exit.ts'
import { jobFrom } from '../job-argument.ts'
import { addServerOptions, notice, serverFrom } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'
import { barsView, jsonView, linesView } from '../wait-view.ts'
import type { WaitView } from '../wait-view.ts'

interface WaitOptions extends ServerOptions {
  readonly timeout?: number
  readonly upstream?: string
  readonly json?: boolean
}

/** A daemon that is being upgraded is back by then. */
const giveUpAfterMs = 300_000

export function addWaitCommand(program: Command, io: CliIo): void {
  const command = program
    .command('wait')
    .description('wait until jobs have ended, showing how far they are')
    .argument('<job...>', "job ids, jobs' URLs, or - for a submit answer on stdin")
    .option('--timeout <duration>', 'wait no longer than this, such as 2h', parseTimeout)
    .option('--upstream <name>', 'where the jobs run, when there are several upstreams')
    .option('--json', 'print the jobs as one JSON document at the end')
    .addHelpText('after', exitCodes)
  addServerOptions(command).action(async (names: string[], options: WaitOptions) => {
    const { upstream, timeout } = options
    const inputs: RegisterJobInput[] = []
    for (const name of names) {
      inputs.push({ ...(await jobFrom(name, io)), ...(upstream !== undefined && { upstream }) })
    }
    const deadline = startDeadline(io.signal)
    if (timeout !== undefined) deadline.restart(timeout)
    const { signal } = deadline
    const client = createClient({ ...serverFrom(options, io), signal })
    const view = openView(options, io)
    const known = new Map<string, JobNews>()
    try {
      const onState = (state: FollowState) => view.connection(state)
      for await (const news of client.waitForJobs(inputs, { signal, onState, giveUpAfterMs })) {
        known.set(jobKey(news.job), news)
        await view.news(news)
      }
    } catch (error) {
      if (!deadline.isOver()) throw error
    } finally {
      deadline.end()
      view.close()
    }
    io.signal.throwIfAborted()
    await view.result([...known.values()].map(({ job }) => job))
    const endings = [...known.values()].map(({ ending }) => ending)
    if (deadline.isOver()) notice(io, timeoutWords(endings))
    const exitCode = exitCodeOf(endings, deadline.isOver())
    if (exitCode !== 0) throw new Exit(exitCode)
  })
}

const exitCodes = `
Exit code:
  0    all succeeded
  1    one failed or was cancelled
  3    timeout
  4    one was lost, or is no longer watched
  5    the daemon cannot be reached`

function parseTimeout(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null) return ms
  throw new UsageError('usage', '--timeout must be a duration such as 90s, 30m or 2h')
}

function openView({ json }: WaitOptions, io: CliIo): WaitView {
  if (json) return jsonView(io)
  const canDraw = io.stdout.isTTY === true && io.env['TERM'] !== 'dumb'
  return canDraw ? barsView(io, Date.now) : linesView(io)
}

/** What is known for certain comes before what is not, and both before a mere timeout. */
function exitCodeOf(endings: readonly (Ending | null)[], isTimeout: boolean): number {
  if (endings.some((ending) => ending === 'failed' || ending === 'cancelled')) return 1
  if (endings.some((ending) => ending === 'lost' || ending === 'unwatched')) return 4
  return isTimeout ? 3 : 0
}

function timeoutWords(endings: readonly (Ending | null)[]): string {
  const { length } = endings.filter((ending) => ending === null)
  return `timeout: ${length === 1 ? '1 job has' : `${length} jobs have`} not ended yet`
}
