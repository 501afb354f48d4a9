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
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}
