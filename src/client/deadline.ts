import { setMaxListeners } from 'node:events'

/** Ends what it guards when a caller does so, or when it takes too long. */
export interface Deadline {
  readonly signal: AbortSignal
  /** True once time was up. */
  isOver(): boolean
  /** Grants `ms` from now on. */
  restart(ms: number): void
  /** Stops the time until the next `restart`. */
  pause(): void
  /** Lets go of the timer and the callers' signals, and of what is still under way. */
  end(): void
}

/** The longest that Node's timers can wait; told to wait longer they go off at once. */
const maxTimerMs = 2 ** 31 - 1

/**
 * Starts without a limit of time; the first of the callers' signals that aborts ends it.
 * Not AbortSignal.any over AbortSignal.timeout: Node 20 may collect those before they fire.
 */
export function startDeadline(...callers: readonly (AbortSignal | undefined)[]): Deadline {
  const outer = callers.filter((caller) => caller !== undefined)
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const onAbort = () => {
    controller.abort(outer.find(({ aborted }) => aborted)?.reason)
  }
  if (outer.some(({ aborted }) => aborted)) onAbort()
  for (const signal of outer) {
    // A signal may guard any number of requests at a time; Node suspects a leak from the eleventh on.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort, { once: true })
  }

  function wait(leftMs: number, onEnd: () => void): void {
    timer = setTimeout(
      () => {
        if (leftMs > maxTimerMs) wait(leftMs - maxTimerMs, onEnd)
        else onEnd()
      },
      Math.min(leftMs, maxTimerMs),
    )
  }

  return {
    signal: controller.signal,
    isOver: () => isOver,
    restart(ms) {
      clearTimeout(timer)
      wait(ms, () => {
        isOver = true
        controller.abort(new Error(`nothing came for ${ms / 1000} s`))
      })
    },
    pause() {
      clearTimeout(timer)
    },
    end() {
      clearTimeout(timer)
      for (const signal of outer) signal.removeEventListener('abort', onAbort)
      controller.abort()
    },
  }
}
