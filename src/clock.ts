import { maxTimerMs } from './core/backoff.ts'

/** Takes a timer back; calling it twice, or after it fired, does nothing. */
export type Cancel = () => void

/** Time as an argument, so that tests can be the ones who let it pass. */
export interface Clock {
  /** Epoch ms. */
  now(): number
  /** Calls `fire` once after `ms`, which is clamped to what Node's timers can hold. */
  after(ms: number, fire: () => void): Cancel
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, Math.min(Math.max(ms, 0), maxTimerMs))
    return () => {
      clearTimeout(timer)
    }
  },
}

/** Work of which there may be much goes on for so long before others have the event loop. */
export const sliceMs = 8

/** Those who wait for their turn, the first one first. */
const waiting: (() => void)[] = []

/**
 * Lets others have the event loop before the work goes on. One at a time gets a turn of it: when many
 * wait, all of them in one turn would hold up what comes from outside as if none had waited.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(giveTurn)
  })
}

function giveTurn(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(giveTurn)
}
