import type { Command } from 'commander'
import type { DeliveryQuery } from '../../client/deliveries.ts'
import { deliveryStates } from '../../core/delivery.ts'
import { deliveryDetail, deliveryTable } from '../delivery-view.ts'
import { addListCommand } from '../group.ts'
import { jsonText, safe, styleFor } from '../output.ts'
import { collectPages, parseLimit, parseWhole } from '../pages.ts'
import { addServerOptions, notice, oneOf, openClient, print, requireJobid } from '../session.ts'
import type { CliIo, ServerOptions } from '../session.ts'

interface Options extends ServerOptions {
  readonly json?: boolean
}

interface ListOptions extends Options {
  readonly endpoint?: string
  readonly state?: DeliveryQuery['state']
  readonly seq?: number
  readonly jobid?: string
  readonly limit: number
}

/** `deliveries` and all its commands. */
export function addDeliveriesCommand(program: Command, io: CliIo): void {
  const deliveries = program
    .command('deliveries')
    .description('list, show and retry what endpoints are owed')
  addList(deliveries, io)
  addShow(deliveries, io)
  addRetry(deliveries, io)
}

function addList(deliveries: Command, io: CliIo): void {
  const command = addListCommand(deliveries)
    .description('list the deliveries, newest first; meant when no command is named')
    .option('--endpoint <name>', 'deliveries to this endpoint')
    .option('--state <state>', deliveryStates.join(', '), (text) =>
      oneOf('--state', deliveryStates, text),
    )
    .option('--seq <seq>', 'deliveries of this event', (text) => parseWhole('--seq', text, 0))
    .option('--jobid <jobid>', 'deliveries about this job', requireJobid)
    .option('--limit <number>', 'at most so many', parseLimit, 100)
    .option('--json', 'print one JSON document')
  addServerOptions(command).action(async (options: ListOptions) => {
    const { endpoint, state, seq, jobid, limit } = options
    const client = openClient(options, io)
    const { items, hasMore } = await collectPages(limit, (page) =>
      client.listDeliveries({ endpoint, state, seq, jobid, ...page }),
    )
    if (options.json) {
      await print(io.stdout, jsonText({ items }))
      return
    }
    if (items.length === 0) notice(io, 'no such deliveries')
    else await print(io.stdout, deliveryTable(items, styleFor(io)))
    if (hasMore) notice(io, `these are the newest ${items.length}: --limit shows more`)
  })
}

function addShow(deliveries: Command, io: CliIo): void {
  const command = identified(deliveries, 'show', 'show a delivery with its attempts')
  command.action(async (id: number, options: Options) => {
    const delivery = await openClient(options, io).getDelivery(id)
    const text = options.json ? jsonText(delivery) : deliveryDetail(delivery, styleFor(io))
    await print(io.stdout, text)
  })
}

function addRetry(deliveries: Command, io: CliIo): void {
  const command = identified(deliveries, 'retry', 'try a delivery again now')
  command.action(async (id: number, options: Options) => {
    const delivery = await openClient(options, io).retryDelivery(id)
    const line =
      `trying delivery ${delivery.id} to ${safe(delivery.endpoint)} again: ` +
      `"jobwatch deliveries show ${delivery.id}" says what came of it\n`
    await print(io.stdout, options.json ? jsonText(delivery) : line)
  })
}

function identified(deliveries: Command, verb: string, description: string): Command {
  const command = deliveries
    .command(verb)
    .description(description)
    .argument('<id>', 'its number in the list', (text) => parseWhole('the id', text, 1))
    .option('--json', 'print the delivery as JSON')
  return addServerOptions(command)
}
