import type { Command } from 'commander'
import type { RegisterJobInput } from '../../http/requests/jobs.ts'
import { jobFrom } from '../job-argument.ts'
import { jsonText, safe } from '../output.ts'
import { addServerOptions, collect, openClient, print } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'

interface WatchOptions extends ServerOptions {
  readonly upstream?: string
  readonly label?: string
  readonly tag?: readonly string[]
  readonly stallAfter?: string
  readonly deadline?: string
  readonly json?: boolean
}

export function addWatchCommand(program: Command, io: CliIo): void {
  const command = program
    .command('watch')
    .description('watch a job')
    .argument('<job>', "a job id, a job's URL, or - for a submit answer on stdin")
    .option('--upstream <name>', 'where the job runs, when there are several upstreams')
    .option('--label <text>', 'what to call the job')
    .option('--tag <tag>', 'a tag to filter by; may be repeated', collect)
    .option('--stall-after <duration>', 'report the job as stalled after no change for so long')
    .option('--deadline <time>', 'report the job as overdue then: a time, or a duration like 2h')
    .option('--json', 'print the job as JSON')
  addServerOptions(command).action(async (job: string, options: WatchOptions) => {
    const client = openClient(options, io)
    const input = { ...(await jobFrom(job, io)), ...settingsFrom(options) }
    const registered = await client.registerJob(input)
    const { jobid, upstream } = registered.job
    const verb = registered.began ? 'watching' : 'already watched'
    const line = `${verb} ${safe(jobid)} at ${safe(upstream)}\n`
    await print(io.stdout, options.json ? jsonText(registered.job) : line)
  })
}

function settingsFrom({
  upstream,
  label,
  tag,
  stallAfter,
  deadline,
}: WatchOptions): RegisterJobInput {
  return {
    ...(upstream !== undefined && { upstream }),
    ...(label !== undefined && { label }),
    ...(tag !== undefined && { tags: tag }),
    ...(stallAfter !== undefined && { stallAfter }),
    ...(deadline !== undefined && { deadline }),
  }
}
