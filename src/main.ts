#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { CommanderError } from 'commander'
import { createProgram } from './cli/program.ts'
import { Exit } from './cli/exit.ts'
import { safe } from './cli/output.ts'
import { hasReaderGone } from './cli/session.ts'
import { ClientError, DaemonUnreachable } from './client/errors.ts'
import { AppError, UsageError } from './core/errors.ts'

// Database, lock and backups are for the owner alone.
process.umask(0o077)
// Left to itself, V8 lets the heap grow to three or four times what is in use before it clears it of
// what is not. Twice takes little more of the processor, and nearly half as much memory.
setFlagsFromString('--heap-growing-percent=100')

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
process.stdout.on('error', ignoreGoneReader)
process.stderr.on('error', ignoreGoneReader)

const { stdin, stdout, stderr, env } = process
const program = createProgram({
  stdin,
  stdout,
  stderr,
  env,
  signal: stop.signal,
  hurry: hurry.signal,
  onSuspension: ({ before, after }) => {
    // The process is stopped here, at a moment that whoever draws knows of.
    const suspend = () => {
      before()
      process.kill(process.pid, 'SIGSTOP')
    }
    process.on('SIGTSTP', suspend).on('SIGCONT', after)
    return () => process.off('SIGTSTP', suspend).off('SIGCONT', after)
  },
})
try {
  await program.parseAsync(process.argv)
} catch (error) {
  process.exitCode = exitCodeOf(error)
  const text = describe(error)
  if (text !== null) stderr.write(`jobwatch: ${text}\n`)
}

/** 2: usage or configuration; 5: the daemon cannot be reached; 130: interrupted; 1: anything else but what a command says itself; 70: the database can no longer be relied on. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof UsageError) return 2
  if (error instanceof Exit) return error.exitCode
  if (error instanceof DaemonUnreachable) return 5
  if (error instanceof AppError && error.code === 'database_lost') return 70
  return stop.signal.aborted ? 130 : 1
}

/** What to tell the user; null when that has been done, or when it is the user who ended it. */
function describe(error: unknown): string | null {
  if (error instanceof CommanderError || error instanceof Exit) return null
  if (error instanceof DaemonUnreachable) {
    const advice = 'start one with "jobwatch serve", or name it with --server or JOBWATCH_URL'
    return `${safe(error.message)}: ${advice}`
  }
  const isOurs = error instanceof AppError || error instanceof ClientError
  // Parts of a message may come from outside: line by line nothing in it can steer the terminal.
  if (isOurs) return error.message.split('\n').map(safe).join('\n')
  if (stop.signal.aborted) return null
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (!hasReaderGone(error)) throw error
}
