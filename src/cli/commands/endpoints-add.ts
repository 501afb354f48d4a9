import type { Command } from 'commander'
import type { EndpointChanges } from '../../client/endpoints.ts'
import { formatNames } from '../../core/endpoint.ts'
import type { FormatName } from '../../core/endpoint.ts'
import { UsageError } from '../../core/errors.ts'
import {
  addEndpointOptions,
  changesFrom,
  requireEndpointName,
  withStdin,
} from '../endpoint-options.ts'
import type { EndpointOptions } from '../endpoint-options.ts'
import { jsonText, safe } from '../output.ts'
import { addServerOptions, notice, oneOf, openClient, print } from '../session.ts'
import type { CliIo } from '../session.ts'

interface AddOptions extends EndpointOptions {
  readonly format: FormatName
}

const examples = `
Examples:
  jobwatch endpoints add hook --url https://example.com/jobwatch --tag nightly
  printf %s "$SLACK_URL" | jobwatch endpoints add ops-slack --format slack --url -
  jobwatch endpoints add mail --format email --host smtp.example.com \\
    --from jobwatch@example.com --to gis@example.com`

/** `endpoints add`. */
export function addEndpointsAdd(endpoints: Command, io: CliIo): void {
  const command = endpoints
    .command('add')
    .description('send events to a new endpoint')
    .argument('<name>', 'what to call it: a-z, 0-9 and -', requireEndpointName)
    .option<FormatName>(
      '--format <format>',
      formatNames.join(', '),
      (text) => oneOf('--format', formatNames, text),
      'webhook',
    )
    .option(
      '--secret <secret>',
      'webhook: whsec_… to sign with, or - for stdin (default: one is made)',
    )
  addEndpointOptions(command).addHelpText('after', examples)
  addServerOptions(command).action(async (name: string, given: AddOptions) => {
    const fault = faultOf(given, changesFrom(given))
    if (fault !== null) throw new UsageError('usage', fault)
    const client = openClient(given, io)
    const options = await withStdin(given, io)
    const { format, secret, json } = options
    const endpoint = await client.addEndpoint({
      ...{ name, format, ...changesFrom(options) },
      ...(secret !== undefined && { secret }),
    })
    const made = secret === undefined ? endpoint.secret : undefined
    const line = `added ${safe(endpoint.name)}: ${safe(endpoint.format)} to ${safe(endpoint.url)}\n`
    await print(io.stdout, json ? jsonText(endpoint) : line)
    if (made === undefined) return
    notice(io, 'the secret that its receiver checks signatures with is shown only now:')
    if (!json) await print(io.stdout, `${safe(made)}\n`)
  })
}

/** What about the options does not fit the format, or is lacking; null when all is well. */
function faultOf({ format, secret }: AddOptions, changes: EndpointChanges): string | null {
  const { url, settings } = changes
  if (secret !== undefined && format !== 'webhook') {
    return '--secret is for --format webhook: nothing else is signed'
  }
  if (format === 'email') {
    if (url !== undefined) return '--url is not for --format email: give --host, --from and --to'
    return settings === undefined ? '--format email needs --host, --from and --to' : null
  }
  if (settings !== undefined) return '--host and the other settings of mail need --format email'
  return url === undefined ? `--format ${format} needs --url` : null
}

/** `endpoints change`. */
export function addEndpointsChange(endpoints: Command, io: CliIo): void {
  const command = endpoints
    .command('change')
    .description('change an endpoint that was added; what is not given stays as it is')
    .argument('<name>', 'the endpoint', requireEndpointName)
  addEndpointOptions(command).addHelpText(
    'after',
    `
An option that may be repeated replaces all that was there, the headers included; an empty value
("") brings the default back. The settings of mail change together, so give them all.`,
  )
  addServerOptions(command).action(async (name: string, given: EndpointOptions) => {
    if (Object.keys(changesFrom(given)).length === 0) {
      throw new UsageError('usage', 'there is nothing to change: --help lists what can be')
    }
    const client = openClient(given, io)
    const changes = changesFrom(await withStdin(given, io))
    // The API replaces the match as a whole; a person who gives tags means the tags.
    const match = changes.match && { ...(await client.getEndpoint(name)).match, ...changes.match }
    const endpoint = await client.changeEndpoint(name, { ...changes, ...(match && { match }) })
    await print(io.stdout, given.json ? jsonText(endpoint) : `changed ${safe(endpoint.name)}\n`)
  })
}
