import type { App } from '../app.ts'
import type { CliIo } from './session.ts'

/** What a command that runs the daemon may touch of the process. */
export interface DaemonIo extends CliIo {
  /** Aborts when the user asks a second time: no more waiting for what is in flight. */
  readonly hurry: AbortSignal
}

/** Starts the daemon, calls `onStarted`, and stops it when the signal says so. */
export async function runUntilStopped(
  app: App,
  { signal, hurry }: DaemonIo,
  onStarted: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  hurry.addEventListener('abort', () => app.hurry())
  try {
    await app.start()
    await onStarted()
    await Promise.race([aborted(signal), app.failed])
  } finally {
    await app.stop()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
