import type { TraceRecord } from './trace.ts'

/** How a promise can be broken. */
export type Fault = 'lost' | 'duplicated' | 'unexpected'

export interface Counts extends Record<Fault, number> {
  ok: number
  /** What may be so or otherwise, since a kill or a fault came in between. */
  uncertain: number
}

/** A broken promise, with the records that show it. */
export interface Finding {
  readonly invariant: string
  readonly fault: Fault
  readonly text: string
  readonly witness: readonly TraceRecord[]
}

/** Enough to understand a fault; the rest is counted. */
const maxFindings = 20
const maxWitnesses = 8

/** Counts what was found, invariant by invariant, and keeps the first findings of each. */
export class Tally {
  readonly counts = new Map<string, Counts>()
  readonly findings: Finding[] = []

  /** The book of one invariant; it is listed from now on, whether or not anything is counted. */
  for(invariant: string): Book {
    const counts = this.counts.get(invariant) ?? { ok: 0, ...noFaults, uncertain: 0 }
    this.counts.set(invariant, counts)
    const fail = (fault: Fault, text: string, witness: readonly TraceRecord[]): void => {
      counts[fault] += 1
      const kept = this.findings.filter((one) => one.invariant === invariant).length
      if (kept >= maxFindings) return
      this.findings.push({ invariant, fault, text, witness: witness.slice(0, maxWitnesses) })
    }
    return {
      ok: () => void (counts.ok += 1),
      uncertain: () => void (counts.uncertain += 1),
      lost: (text, ...witness) => fail('lost', text, witness),
      duplicated: (text, ...witness) => fail('duplicated', text, witness),
      unexpected: (text, ...witness) => fail('unexpected', text, witness),
    }
  }
}

const noFaults = { lost: 0, duplicated: 0, unexpected: 0 }

/** Where the findings of one invariant are written. */
export interface Book extends Record<Fault, (text: string, ...witness: TraceRecord[]) => void> {
  ok(): void
  uncertain(): void
}
