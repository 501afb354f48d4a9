import type { Command } from 'commander'
import type { Client } from '../../client/client.ts'
import { isTaken } from '../../core/attempt-words.ts'
import { AppError, UsageError } from '../../core/errors.ts'
import { attemptLines } from '../delivery-view.ts'
import { requireEndpointName } from '../endpoint-options.ts'
import { endpointDetail, endpointTable } from '../endpoint-view.ts'
import { addListCommand } from '../group.ts'
import { jsonText, safe, styleFor } from '../output.ts'
import { collectPages, parseWhole } from '../pages.ts'
import { addServerOptions, collect, notice, openClient, print } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'
import { addEndpointsAdd, addEndpointsChange } from './endpoints-add.ts'

interface Options extends ServerOptions {
  readonly json?: boolean
}

interface ReplayOptions extends Options {
  readonly after?: number
  readonly since?: string
  readonly until?: string
  readonly type?: readonly string[]
}

/** What a command has to say: the answer as `--json` prints it, and the same for people. */
interface Said {
  readonly answer: object
  readonly text: string
}

/** `endpoints` and all its commands. */
export function addEndpointsCommand(program: Command, io: CliIo): void {
  const endpoints = program
    .command('endpoints')
    .description('list, add, test and change where events are sent')
  addList(endpoints, io)
  addVerb(endpoints, io, 'show', 'show an endpoint', async (client, name) => {
    const answer = await client.getEndpoint(name)
    return { answer, text: endpointDetail(answer, styleFor(io)) }
  })
  addEndpointsAdd(endpoints, io)
  addEndpointsChange(endpoints, io)
  addVerb(endpoints, io, 'remove', 'remove an endpoint that was added', async (client, name) => {
    await client.removeEndpoint(name)
    return { answer: { name, removed: true }, text: `removed ${name}\n` }
  })
  addTest(endpoints, io)
  addVerb(endpoints, io, 'enable', 'deliver new events again', async (client, name) => {
    const answer = await client.enableEndpoint(name)
    return { answer, text: `${safe(answer.name)} is ${safe(answer.state)}\n` }
  })
  const disable = 'deliver nothing more; what is pending is cancelled'
  addVerb(endpoints, io, 'disable', disable, async (client, name) => {
    const answer = await client.disableEndpoint(name)
    return { answer, text: `${safe(answer.name)} is ${safe(answer.state)}\n` }
  })
  addRotateSecret(endpoints, io)
  addReplay(endpoints, io)
}

function addList(endpoints: Command, io: CliIo): void {
  const command = addListCommand(endpoints)
    .description('list the endpoints; meant when no command is named')
    .option('--json', 'print one JSON document')
  addServerOptions(command).action(async (options: Options) => {
    const client = openClient(options, io)
    const { items } = await collectPages(Infinity, (page) => client.listEndpoints(page))
    if (options.json) await print(io.stdout, jsonText({ items }))
    else if (items.length > 0) await print(io.stdout, endpointTable(items, styleFor(io)))
    else notice(io, 'no endpoints: "jobwatch endpoints add --help" says how to add one')
  })
}

/** A command on one endpoint that has no options of its own. */
function addVerb(
  endpoints: Command,
  io: CliIo,
  verb: string,
  description: string,
  act: (client: Client, name: string) => Promise<Said>,
): void {
  named(endpoints, verb, description).action(async (name: string, options: Options) => {
    const { answer, text } = await act(openClient(options, io), name)
    await print(io.stdout, options.json ? jsonText(answer) : text)
  })
}

function named(endpoints: Command, verb: string, description: string): Command {
  const command = endpoints
    .command(verb)
    .description(description)
    .argument('<name>', 'the endpoint', requireEndpointName)
    .option('--json', 'print the answer as JSON')
  return addServerOptions(command)
}

function addTest(endpoints: Command, io: CliIo): void {
  const command = named(endpoints, 'test', 'send a test event and say what came of it')
  command.action(async (name: string, options: Options) => {
    const attempt = await openClient(options, io).testEndpoint(name)
    const text = options.json ? jsonText(attempt) : attemptLines(attempt, styleFor(io))
    await print(io.stdout, text)
    if (!isTaken(attempt)) throw new AppError('not_taken', `${name} did not take the test event`)
  })
}

function addRotateSecret(endpoints: Command, io: CliIo): void {
  const description = 'make a new secret to sign with, and print it'
  addVerb(endpoints, io, 'rotate-secret', description, async (client, name) => {
    const answer = await client.rotateSecret(name)
    notice(io, 'the new secret is shown only now; for 24 h the old one signs along:')
    return { answer, text: `${safe(answer.secret ?? '')}\n` }
  })
}

function addReplay(endpoints: Command, io: CliIo): void {
  const command = named(endpoints, 'replay', 'send past events again, as far as its filters let')
    .option('--after <seq>', 'those after this seq; 0 is everything kept', parseAfter)
    .option('--since <time>', 'those since a time such as 2026-01-31T18:00:00Z')
    .option('--until <seq or time>', 'and no later than this')
    .option('--type <glob>', 'only events of this type, such as job.*; may be repeated', collect)
  command.action(async (name: string, options: ReplayOptions) => {
    const { after, since, until, type } = options
    if ((after === undefined) === (since === undefined)) {
      throw new UsageError('usage', 'say from where: give either --after or --since')
    }
    const answer = await openClient(options, io).replayEndpoint(name, {
      ...(after !== undefined && { after }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until: /^\d+$/.test(until) ? Number(until) : until }),
      ...(type !== undefined && { types: type }),
    })
    const count = answer.queued === 1 ? '1 delivery' : `${answer.queued} deliveries`
    await print(io.stdout, options.json ? jsonText(answer) : `queued ${count} to ${name}\n`)
  })
}

function parseAfter(text: string): number {
  return parseWhole('--after', text, 0)
}
