import pino from 'pino'
import type { Logger } from 'pino'

export type { Logger } from 'pino'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** What is kept for a reader that may be back; lines beyond that are dropped. */
const maxPendingBytes = 1_048_576

/**
 * JSON lines on the given file descriptor. A reader that goes away, or a terminal that is closed,
 * must not take the daemon with it.
 */
export function createLogger(level: LogLevel, fd: 1 | 2 = 1): Logger {
  const destination = pino.destination({ dest: fd, sync: true, maxLength: maxPendingBytes })
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(
    options,
    gathering((lines) => destination.write(lines)),
  )
}

/**
 * Hands on the lines of one turn of the event loop together, since each call costs as much as many
 * lines. A process that ends, or that an error ends, writes what it has; only a kill can lose a turn.
 */
function gathering(write: (lines: string) => void): { write(line: string): void } {
  let lines = ''
  let hasBegun = false

  function handOn(): void {
    if (lines === '') return
    const taken = lines
    lines = ''
    write(taken)
  }

  return {
    write(line) {
      if (!hasBegun) process.on('exit', handOn)
      hasBegun = true
      if (lines === '') setImmediate(handOn)
      lines += line
    },
  }
}
