import { HttpProblem } from './problem.ts'

/** The places for connections that are held open, counted for each owner. */
export interface Places {
  /** Takes one until it is released; throws a 429 when the owner has none left. */
  take(owner: string): Release
}

/** Gives a place back; a second call does nothing. */
export type Release = () => void

export function createPlaces(maxPerOwner: number): Places {
  const takenByOwner = new Map<string, number>()

  function release(owner: string): void {
    const left = (takenByOwner.get(owner) ?? 1) - 1
    if (left > 0) takenByOwner.set(owner, left)
    else takenByOwner.delete(owner)
  }

  return {
    take(owner) {
      const taken = takenByOwner.get(owner) ?? 0
      if (taken >= maxPerOwner) {
        throw new HttpProblem(
          429,
          'too_many_streams',
          `There are ${taken} streams and waits open already, which is the limit (feed.maxStreams)`,
          { headers: { 'retry-after': '5' } },
        )
      }
      takenByOwner.set(owner, taken + 1)
      let isTaken = true
      return () => {
        if (isTaken) release(owner)
        isTaken = false
      }
    },
  }
}
