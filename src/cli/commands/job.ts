import type { Command } from 'commander'
import { jobDetail } from '../job-view.ts'
import { jsonText, styleFor } from '../output.ts'
import { addServerOptions, openClient, print, requireJobid } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'

interface JobOptions extends ServerOptions {
  readonly upstream?: string
  readonly json?: boolean
}

export function addJobCommand(program: Command, io: CliIo): void {
  const command = program
    .command('job')
    .description('show a job with its stages and messages')
    .argument('<jobid>', 'the job', requireJobid)
    .option('--upstream <name>', 'where the job runs, when two upstreams share the id')
    .option('--json', 'print the job as JSON')
  addServerOptions(command).action(async (jobid: string, options: JobOptions) => {
    const { upstream } = options
    const job = await openClient(options, io).getJob(jobid, { upstream })
    await print(io.stdout, options.json ? jsonText(job) : jobDetail(job, styleFor(io)))
  })
}
