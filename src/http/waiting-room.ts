import type { Cancel, Clock } from '../clock.ts'

/** One request that waits for new events. */
export interface Wait {
  /**
   * Resolves with true when there may be events that were not there at the last call, and with
   * false once the wait is over: its time is up, it was ended, or the daemon stops.
   */
  next(): Promise<boolean>
  /** Ends it; nothing of it is left. A second call does nothing. */
  end(): void
}

/** Where requests wait for new events. */
export interface WaitingRoom {
  /** Begins a wait of at most so many ms; whoever begins one ends it. */
  enter(ms: number): Wait
  /** Says that there are new events. */
  wake(): void
  /** Ends all waits, those that are still to come included. */
  close(): void
}

/** A wake-up may have been lost: so often everybody looks without one. */
const fallbackMs = 15_000

export function createWaitingRoom({ clock }: { readonly clock: Clock }): WaitingRoom {
  const waits = new Set<{ wake(): void; end(): void }>()
  let isClosed = false

  return {
    enter(ms) {
      let isOver = isClosed
      let isWoken = false
      let answer: ((goesOn: boolean) => void) | null = null
      let cancelFallback: Cancel | null = null

      /** Answers the call of `next` that is waiting, if one is. */
      function settle(): void {
        if (answer === null) return
        cancelFallback?.()
        answer(!isOver)
        answer = null
        isWoken = false
      }
      function wake(): void {
        isWoken = true
        settle()
      }
      function end(): void {
        isOver = true
        cancelTimeUp?.()
        waits.delete(wait)
        settle()
      }

      const wait = { wake, end }
      const cancelTimeUp = isOver ? null : clock.after(ms, end)
      if (!isOver) waits.add(wait)
      return {
        next() {
          return new Promise((resolve) => {
            answer = resolve
            if (isOver || isWoken) settle()
            else cancelFallback = clock.after(fallbackMs, wake)
          })
        },
        end,
      }
    },
    wake() {
      for (const wait of waits) wait.wake()
    },
    close() {
      isClosed = true
      for (const wait of waits) wait.end()
    },
  }
}
