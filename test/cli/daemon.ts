import { addDeliveriesCommand } from '../../src/cli/commands/deliveries.ts'
import { addEndpointsCommand } from '../../src/cli/commands/endpoints.ts'
import { startReceiver } from '../../src/simulator/receiver.ts'
import type { ReceiverOptions } from '../../src/simulator/receiver.ts'
import { startApp } from '../helpers/app.ts'
import { openTerminal, run } from './terminal.ts'
import type { TerminalOptions } from './terminal.ts'

export const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

/** What a command wrote, and what it threw if it did. */
export interface Ran {
  readonly out: string
  readonly err: string
  readonly error: unknown
}

export interface DaemonOptions extends Pick<ReceiverOptions, 'answer'> {
  /** Endpoints of the configuration, from the receiver's URL. */
  readonly endpoints?: (url: string) => readonly object[]
}

/** A daemon, a webhook receiver on loopback that endpoints may go to, and the commands for both. */
export async function startDaemon({ answer, endpoints }: DaemonOptions = {}) {
  const receiver = await startReceiver({ secret, ...(answer && { answer }) })
  const app = await startApp({
    config: () => ({
      endpoints: endpoints?.(receiver.url) ?? [],
      delivery: { allow: ['127.0.0.0/8'], retry: ['5ms'] },
    }),
  })
  return {
    receiver,
    /** Watches a job that runs, which makes two events. */
    async watch(jobid: string) {
      const body = { jobid, status: 'EXECUTING', starttime: 1_763_900_000_000, endtime: 0 }
      app.simulator.addScript([{ httpStatus: 200, body }], { jobid })
      await app.post('/v1/jobs', { jobid })
    },
    jobwatch: (line: string, options: TerminalOptions = {}) =>
      runLine(line, { ...options, env: { JOBWATCH_URL: app.url, ...options.env } }),
    async [Symbol.asyncDispose]() {
      // First, so that nothing in flight has to be waited for.
      await receiver.close()
      await app[Symbol.asyncDispose]()
    },
  }
}

/** Runs a command line, split at its spaces; `""` is an empty argument. */
export async function runLine(line: string, options: TerminalOptions): Promise<Ran> {
  const io = openTerminal(options)
  const words = line.split(' ').map((word) => (word === '""' ? '' : word))
  const error = await run(addCommands, io, ...words).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return { out: io.out(), err: io.err(), error }
}

const addCommands: Parameters<typeof run>[0] = (program, io) => {
  addEndpointsCommand(program, io)
  addDeliveriesCommand(program, io)
}
