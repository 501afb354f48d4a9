import { useEffect, useState } from 'preact/hooks'

/** A value that changes, and who wants to know. */
export interface Readable<T> {
  readonly get: () => T
  /** Returns what ends the subscription. */
  readonly subscribe: (listener: () => void) => () => void
}

export interface Writable<T> extends Readable<T> {
  readonly set: (next: T) => void
}

export function writable<T>(initial: T): Writable<T> {
  let value = initial
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of [...listeners]) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The value in a component, which is drawn again when it changes. */
export function useReadable<T>(readable: Readable<T>): T {
  const [value, setValue] = useState(readable.get)
  useEffect(() => {
    const update = () => setValue(readable.get)
    // It may have changed between the drawing and this.
    update()
    return readable.subscribe(update)
  }, [readable])
  return value
}
