#!/usr/bin/env node
import { CommanderError } from 'commander'
import { createProgram } from './cli/program.ts'
import { DaemonUnreachable } from './client/errors.ts'
import { AppError, UsageError } from './core/errors.ts'

// Database, lock and backups are for the owner alone.
process.umask(0o077)

const stop = new AbortController()
const hurry = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (stop.signal.aborted) hurry.abort()
    else stop.abort()
  })
}
// A terminal that closes ends the commands in it, but not a daemon started from it.
process.on('SIGHUP', () => {
  if (process.argv[2] !== 'serve') stop.abort()
})
// A reader that goes away (`jobwatch follow | head`) is no failure.
process.stdout.on('error', ignoreBrokenPipe)
process.stderr.on('error', ignoreBrokenPipe)

const { stdin, stdout, stderr, env } = process
const program = createProgram({
  stdin,
  stdout,
  stderr,
  env,
  signal: stop.signal,
  hurry: hurry.signal,
})
try {
  await program.parseAsync(process.argv)
} catch (error) {
  process.exitCode = exitCodeOf(error)
  // Commander has already said what is wrong with the words of the call.
  if (!(error instanceof CommanderError)) stderr.write(`jobwatch: ${describe(error)}\n`)
}

/** 2: usage or configuration; 5: the daemon cannot be reached; 1: anything else. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof UsageError) return 2
  return error instanceof DaemonUnreachable ? 5 : 1
}

function describe(error: unknown): string {
  if (error instanceof AppError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
