import type { Command } from 'commander'
import type { JobQuery } from '../../client/client.ts'
import { ListJobs } from '../../http/requests/jobs.ts'
import { jobTable } from '../job-view.ts'
import { jsonText, styleFor } from '../output.ts'
import { collectPages, parseLimit } from '../pages.ts'
import { addServerOptions, notice, oneOf, openClient, print } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'

interface JobsOptions extends ServerOptions {
  readonly state?: JobQuery['state']
  readonly status?: JobQuery['status']
  readonly upstream?: string
  readonly tag?: string
  readonly search?: string
  readonly limit: number
  readonly json?: boolean
}

const states = ListJobs.shape.state.unwrap().options
const statuses = ListJobs.shape.status.unwrap().options

export function addJobsCommand(program: Command, io: CliIo): void {
  const command = program
    .command('jobs')
    .description('list the jobs, newest first')
    .option('--state <state>', states.join(', '), (text) => oneOf('--state', states, text))
    .option('--status <status>', 'SUBMITTED, EXECUTING, …', (text) =>
      oneOf('--status', statuses, text),
    )
    .option('--upstream <name>', 'jobs of this upstream')
    .option('--tag <tag>', 'jobs with this tag')
    .option('--search <text>', 'in label, title, operation, username and job id')
    .option('--limit <number>', 'at most so many', parseLimit, 100)
    .option('--json', 'print one JSON document')
  addServerOptions(command).action(async (options: JobsOptions) => {
    const { state, status, upstream, tag, search: q, limit } = options
    const client = openClient(options, io)
    const { items, hasMore } = await collectPages(limit, (page) =>
      client.listJobs({ state, status, upstream, tag, q, ...page }),
    )
    if (options.json) {
      await print(io.stdout, jsonText({ items }))
      return
    }
    if (items.length === 0) notice(io, 'no such jobs')
    else await print(io.stdout, jobTable(items, styleFor(io)))
    if (hasMore) notice(io, `these are the newest ${items.length}: --limit shows more`)
  })
}
