import type { JobState, Outcome } from './job.ts'

/**
 * How a job came out: `succeeded` with or without warnings; `lost` when the upstream no longer knows
 * it, and `unwatched` when somebody stopped the watching: its end will not be told.
 */
export type Ending = 'succeeded' | 'failed' | 'cancelled' | 'lost' | 'unwatched'

/** How a job came out; null while it runs. */
export function endingOf({
  state,
  outcome,
}: {
  readonly state: JobState
  readonly outcome: Outcome | null
}): Ending | null {
  switch (outcome) {
    case 'success':
    case 'warning':
      return 'succeeded'
    case 'error':
      return 'failed'
    case 'cancelled':
      return 'cancelled'
    case null:
      return endingWithoutOutcome(state)
  }
}

function endingWithoutOutcome(state: JobState): Ending | null {
  if (state === 'lost') return 'lost'
  return state === 'stopped' ? 'unwatched' : null
}
