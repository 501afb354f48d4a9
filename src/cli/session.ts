import type { Command } from 'commander'
import { createClient } from '../client/client.ts'
import type { Client } from '../client/client.ts'
import { parseServer } from '../client/connection.ts'
import { UsageError } from '../core/errors.ts'
import { JobParams } from '../http/requests/jobs.ts'

/** What a command may touch of the process. */
export interface CliIo {
  readonly stdout: NodeJS.WritableStream & {
    isTTY?: boolean
    /** The size of the terminal. */
    readonly columns?: number
    readonly rows?: number
    readonly writableLength?: number
  }
  readonly stderr: NodeJS.WritableStream
  readonly stdin: NodeJS.ReadableStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts when the user or the system wants the command to end. */
  readonly signal: AbortSignal
  /** Calls back around the time for which Ctrl-Z stops the process; the answer ends that. */
  readonly onSuspension: (listeners: SuspensionListeners) => () => void
}

export interface SuspensionListeners {
  /** The process is about to stop. */
  readonly before: () => void
  /** It goes on; also called when it was stopped without notice. */
  readonly after: () => void
}

/** The options that every client command has. */
export interface ServerOptions {
  readonly server?: string
  readonly token?: string
}

const defaultServer = 'http://127.0.0.1:8484'

export function addServerOptions(command: Command): Command {
  return command
    .option('--server <url>', `address of the daemon (or JOBWATCH_URL; default ${defaultServer})`)
    .option('--token <token>', 'API token (better in JOBWATCH_TOKEN, where others cannot see it)')
}

/** Which daemon is meant, and the token for it. */
export function serverFrom({ server, token }: ServerOptions, { env }: CliIo) {
  const address = server ?? (env['JOBWATCH_URL']?.trim() || defaultServer)
  if (parseServer(address) === null) {
    const source = server === undefined ? 'JOBWATCH_URL' : '--server'
    throw new UsageError(
      'usage',
      `${source} must be an http or https URL without credentials and query, such as ${defaultServer}`,
    )
  }
  // A token read from a file into a variable often brings a line end along.
  const secret = (token ?? env['JOBWATCH_TOKEN'] ?? '').trim()
  if (!/^[\x21-\x7e]*$/.test(secret)) {
    throw new UsageError('usage', 'the API token holds characters that no token has')
  }
  return { server: address, ...(secret !== '' && { token: secret }) }
}

export function openClient(options: ServerOptions, io: CliIo): Client {
  return createClient({ ...serverFrom(options, io), signal: io.signal })
}

export function isJobid(text: string): boolean {
  return JobParams.safeParse({ jobid: text }).success
}

/** Refuses what is no job id. */
export function requireJobid(text: string): string {
  if (isJobid(text)) return text
  throw new UsageError(
    'usage',
    `"${text}" is no job id: it has 1 to 128 letters, digits, - or _, the first a letter or digit`,
  )
}

/** Collects an option that may be given several times. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value]
}

/** An option's value as one of a list, whatever its case. */
export function oneOf<T extends string>(option: string, values: readonly T[], text: string): T {
  const value = values.find((one) => one.toLowerCase() === text.toLowerCase())
  if (value !== undefined) return value
  throw new UsageError('usage', `${option} must be one of ${values.join(', ')}`)
}

/**
 * Writes all of `text`; false when the reader has gone, as `head` does when it has enough. The
 * stream's `error` event is for whoever owns it.
 */
export function print(stream: NodeJS.WritableStream, text: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (!error) resolve(true)
      else if (hasReaderGone(error)) resolve(false)
      else reject(error)
    })
  })
}

// Windows says EOF for a pipe that was closed, a terminal that was closed EIO.
const readerGone = new Set(['EPIPE', 'EOF', 'EIO', 'ERR_STREAM_DESTROYED'])

/** Whether a write failed because nobody reads any more. */
export function hasReaderGone({ code }: NodeJS.ErrnoException): boolean {
  return code !== undefined && readerGone.has(code)
}

/** A line for the person at the terminal, who may have closed it. */
export function notice(io: CliIo, text: string): void {
  print(io.stderr, `${text}\n`).catch(() => {
    // Nobody is left who could be told.
  })
}
