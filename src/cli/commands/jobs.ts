import type { Command } from 'commander'
import type { Client, JobQuery } from '../../client/client.ts'
import { UsageError } from '../../core/errors.ts'
import { ListJobs } from '../../http/schemas.ts'
import type { JobAnswer, JobList } from '../../http/schemas.ts'
import { jobTable } from '../job-view.ts'
import { jsonText, styleFor } from '../output.ts'
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
const maxPageSize = 1000

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
    const { items, hasMore } = await collectJobs(openClient(options, io), options)
    if (options.json) {
      await print(io.stdout, jsonText({ items }))
      return
    }
    if (items.length === 0) notice(io, 'no such jobs')
    else await print(io.stdout, jobTable(items, styleFor(io)))
    if (hasMore) notice(io, `these are the newest ${items.length}: --limit shows more`)
  })
}

/** Follows the pages until the limit is reached or there are no more. */
async function collectJobs(client: Client, options: JobsOptions) {
  const { state, status, upstream, tag, search: q, limit } = options
  const items: JobAnswer[] = []
  let cursor: string | null = null
  do {
    const page: JobList = await client.listJobs({
      state,
      status,
      upstream,
      tag,
      q,
      limit: Math.min(limit - items.length, maxPageSize),
      cursor: cursor ?? undefined,
    })
    items.push(...page.items)
    cursor = page.items.length === 0 ? null : page.next
  } while (cursor !== null && items.length < limit)
  return { items: items.slice(0, limit), hasMore: cursor !== null }
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(limit) && limit > 0) return limit
  throw new UsageError('usage', '--limit must be a whole number from 1')
}
