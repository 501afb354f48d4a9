import type { Command } from 'commander'
import { follow } from '../../client/follow.ts'
import { UsageError } from '../../core/errors.ts'
import { connectionNotices, gapWords } from '../connection-notices.ts'
import { eventLine } from '../event-view.ts'
import { styleFor } from '../output.ts'
import { addServerOptions, collect, notice, print, requireJobid, serverFrom } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'

interface FollowOptions extends ServerOptions {
  readonly type?: readonly string[]
  readonly jobid?: readonly string[]
  readonly upstream?: readonly string[]
  readonly tag?: readonly string[]
  readonly after?: string
  readonly json?: boolean
}

export function addFollowCommand(program: Command, io: CliIo): void {
  const command = program
    .command('follow')
    .description('follow the feed of events, reconnecting and resuming by itself')
    .option('--type <glob>', 'events of this type, such as job.*; may be repeated', collect)
    .option('--jobid <jobid>', 'events of this job; may be repeated', collectJobid)
    .option('--upstream <name>', 'events of this upstream; may be repeated', collect)
    .option('--tag <tag>', 'events of jobs with this tag; may be repeated', collect)
    .option('--after <seq>', 'go on after this seq or event id; 0 is everything kept', parseAfter)
    .option('--json', 'print each event as a line of JSON')
  addServerOptions(command).action(async (options: FollowOptions) => {
    const items = follow({
      ...serverFrom(options, io),
      after: options.after,
      types: options.type,
      jobids: options.jobid,
      upstreams: options.upstream,
      tags: options.tag,
      signal: io.signal,
      mustBeThere: true,
      onState: connectionNotices((words) => notice(io, words)),
    })
    const style = styleFor(io)
    for await (const item of items) {
      if (item.kind === 'gap') {
        notice(io, gapWords(item))
        continue
      }
      const line = options.json ? `${item.text}\n` : eventLine(item.event, style)
      if (!(await print(io.stdout, line))) return
    }
  })
}

function collectJobid(value: string, values?: readonly string[]): readonly string[] {
  return collect(requireJobid(value), values)
}

function parseAfter(text: string): string {
  if (/^([0-9a-z]{1,32}-)?\d{1,15}$/.test(text)) return text
  throw new UsageError('usage', '--after must be a seq such as 1042, or the id of an event')
}
