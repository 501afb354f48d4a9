import type { Command } from 'commander'
import type { EndpointChanges, MailInput, MatchInput } from '../client/endpoints.ts'
import { UsageError } from '../core/errors.ts'
import { EndpointParams } from '../http/requests/endpoints.ts'
import { parseWhole } from './pages.ts'
import { collect } from './session.ts'
import type { CliIo, ServerOptions } from './session.ts'
import { readSecret } from './stdin.ts'

/** What may be said about an endpoint on the command line. */
export interface EndpointOptions extends ServerOptions {
  readonly url?: string
  readonly events?: readonly string[]
  readonly upstream?: readonly string[]
  readonly tag?: readonly string[]
  readonly jobid?: readonly string[]
  readonly header?: readonly string[]
  readonly fold?: boolean
  readonly timeout?: string
  readonly secret?: string
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly from?: string
  readonly to?: readonly string[]
  readonly json?: boolean
}

const parsePort = (text: string) => parseWhole('--port', text, 1)

/** The options that adding and changing have in common. */
export function addEndpointOptions(command: Command): Command {
  return command
    .option('--url <url>', 'where requests go, or - for stdin; the URL of a chat is a secret')
    .option('--events <glob>', 'events of this type, such as job.*; may be repeated', collect)
    .option('--upstream <name>', 'events of this upstream; may be repeated', collect)
    .option('--tag <tag>', 'events of jobs with this tag; may be repeated', collect)
    .option('--jobid <jobid>', 'events of this job; may be repeated', collect)
    .option('--header <header>', '"Name: value" to send along; may be repeated', collect)
    .option('--fold', 'after an outage, leave out what later events made pointless')
    .option('--no-fold', 'send every event, however late')
    .option('--timeout <duration>', 'how long one attempt may take, such as 15s')
    .option('--host <name>', 'mail: the server to hand it to')
    .option('--port <number>', 'mail: its port (default 587)', parsePort)
    .option('--user <name>', 'mail: the account at the server')
    .option('--password <password>', 'mail: its password, or - for stdin')
    .option('--from <address>', 'mail: the sender')
    .option('--to <address>', 'mail: a recipient; may be repeated', collect)
    .option('--json', 'print the endpoint as JSON')
    .addHelpText('after', '\nArguments can be seen by others on this machine: give secrets as -.')
}

/** The name of an endpoint, or a refusal. */
export function requireEndpointName(text: string): string {
  if (EndpointParams.safeParse({ name: text }).success) return text
  throw new UsageError(
    'usage',
    `"${text}" is no name of an endpoint: it has 1 to 64 of the characters a-z, 0-9 and -`,
  )
}

/** The options with the secret that stdin holds, where one of them says `-`. */
export async function withStdin<T extends EndpointOptions>(options: T, io: CliIo): Promise<T> {
  const [name, ...others] = (['url', 'secret', 'password'] as const).filter(
    (option) => options[option] === '-',
  )
  if (name === undefined) return options
  if (others.length > 0) {
    const named = [name, ...others].map((option) => `--${option}`).join(' and ')
    throw new UsageError('usage', `only one of ${named} can come from stdin`)
  }
  return { ...options, [name]: await readSecret(io, name === 'url' ? 'URL' : name) }
}

/** What the options say, as the API takes it; the match is only what was given of it. */
export function changesFrom(options: EndpointOptions): EndpointChanges {
  const { url, events, header, fold, timeout } = options
  const match = matchFrom(options)
  const settings = mailFrom(options)
  return {
    ...(url !== undefined && { url }),
    ...(events !== undefined && { events: orDefault(events) }),
    ...(match !== null && { match }),
    ...(header !== undefined && { headers: headersFrom(header) }),
    ...(fold !== undefined && { fold }),
    ...(timeout !== undefined && { timeout: timeout === '' ? null : timeout }),
    ...(settings !== null && { settings }),
  }
}

/** An empty value stands for what is so when nothing is said. */
function orDefault(values: readonly string[]): readonly string[] | null {
  return values.every((value) => value === '') ? null : values
}

function matchFrom({ upstream, tag, jobid }: EndpointOptions): MatchInput | null {
  if (upstream === undefined && tag === undefined && jobid === undefined) return null
  return {
    ...(upstream !== undefined && { upstream: orDefault(upstream) ?? [] }),
    ...(tag !== undefined && { tag: orDefault(tag) ?? [] }),
    ...(jobid !== undefined && { jobid: orDefault(jobid) ?? [] }),
  }
}

function headersFrom(lines: readonly string[]): Readonly<Record<string, string>> | null {
  if (orDefault(lines) === null) return null
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(line) ?? []
      // What is wrong may be a secret, so that it is not quoted.
      if (name !== undefined && value !== undefined) return [name, value]
      throw new UsageError('usage', '--header must look like "X-Team: gis"')
    }),
  )
}

/** The settings of mail: the API takes them as a whole. */
function mailFrom({ host, port, user, password, from, to }: EndpointOptions): MailInput | null {
  const given = [host, port, user, password, from, to].some((value) => value !== undefined)
  if (!given) return null
  if (host === undefined || from === undefined || to === undefined) {
    throw new UsageError(
      'usage',
      'mail needs --host, --from and --to together, ' +
        'and --user with --password where the server wants to know who sends',
    )
  }
  return {
    host,
    from,
    to,
    ...(port !== undefined && { port }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
  }
}
