import type { Inputs } from 'preact/hooks'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { Refusal, errorWords } from './api.ts'

/** What a view reads from the daemon for itself. */
export interface Loaded<T> {
  /** Null until the first answer; stays while it is read anew. */
  readonly value: T | null
  /** Why the last read failed. */
  readonly error: string | null
  /** Reads anew, soon: several calls at once are one. */
  readonly reload: () => void
}

const soonMs = 250
const retryMs = 3000

/**
 * Reads when the view appears and when an input changes; an answer that came too late is dropped,
 * and what got none is read again.
 */
export function useLoaded<T>(read: () => Promise<T>, inputs: Inputs): Loaded<T> {
  const [value, setValue] = useState<T | null>(null)
  const [error, setError] = useState<string | null>(null)
  const latest = useRef(read)
  latest.current = read
  const round = useRef(0)
  const timer = useRef<number | undefined>(undefined)

  const load = useCallback(() => {
    const own = ++round.current
    latest.current().then(
      (next) => {
        if (own !== round.current) return
        setValue(next)
        setError(null)
      },
      (failure: unknown) => {
        if (own !== round.current) return
        setError(errorWords(failure))
        // What the daemon itself refuses it would refuse again.
        if (failure instanceof Refusal && failure.status < 500) return
        clearTimeout(timer.current)
        timer.current = window.setTimeout(load, retryMs)
      },
    )
  }, [])
  const reload = useCallback(() => {
    clearTimeout(timer.current)
    timer.current = window.setTimeout(load, soonMs)
  }, [load])
  useEffect(() => {
    load()
    return () => {
      round.current++
      clearTimeout(timer.current)
    }
  }, inputs)
  return { value, error, reload }
}

/** Runs something every so often while somebody looks. */
export function useEvery(ms: number, run: () => void, isWanted = true): void {
  const latest = useRef(run)
  latest.current = run
  useEffect(() => {
    if (!isWanted) return
    const timer = setInterval(() => {
      if (!document.hidden) latest.current()
    }, ms)
    return () => clearInterval(timer)
  }, [ms, isWanted])
}
