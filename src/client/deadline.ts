/** Ends what it guards when the caller does so, or when it takes too long. */
export interface Deadline {
  readonly signal: AbortSignal
  /** True once time was up. */
  isOver(): boolean
  /** Grants `ms` from now on. */
  restart(ms: number): void
  /** Stops the time until the next `restart`. */
  pause(): void
  /** Lets go of the timer and the caller's signal, and of what is still under way. */
  end(): void
}

// Not AbortSignal.any over AbortSignal.timeout: Node 20 may collect those before they fire.
export function startDeadline(outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const follow = () => {
    controller.abort(outer?.reason)
  }
  if (outer?.aborted) follow()
  else outer?.addEventListener('abort', follow, { once: true })

  return {
    signal: controller.signal,
    isOver: () => isOver,
    restart(ms) {
      clearTimeout(timer)
      timer = setTimeout(() => {
        isOver = true
        controller.abort(new Error(`nothing came for ${ms / 1000} s`))
      }, ms)
    },
    pause() {
      clearTimeout(timer)
    },
    end() {
      clearTimeout(timer)
      outer?.removeEventListener('abort', follow)
      controller.abort()
    },
  }
}
