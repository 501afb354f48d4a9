import { invalid } from './check.ts'
import type { Fault } from './fault.ts'
import { presetOf } from './presets.ts'
import type { PresetName } from './presets.ts'

/** Which requests a fault is for: looks at a job, at the list, requests for a token, or every one. */
export const targets = ['job', 'jobs', 'token', 'all'] as const
export type Target = (typeof targets)[number]

/** What a fault is for. */
export interface FaultOptions {
  /** Unless given: what the preset is meant for, otherwise looks at a job. */
  readonly target?: Target
  /** Looks at this job alone. */
  readonly jobid?: string
  /** So many requests; unless given, all until it is removed. */
  readonly times?: number
}

/** A fault that waits for requests or is being applied to them. */
export interface FaultInForce {
  readonly id: number
  readonly target: Target
  /** Null: any job. */
  readonly jobid: string | null
  /** How many more requests it is for; null: until it is removed. */
  readonly timesLeft: number | null
  readonly fault: Fault
}

/** What a request is for. */
export interface Resource {
  readonly target: Exclude<Target, 'all'> | 'other'
  readonly jobid: string | null
}

interface Asked extends Resource {
  /** The connection has served a request before. */
  readonly isReused: boolean
}

/** The faults in force; of several that fit a request, the oldest is applied to it. */
export interface Faults {
  /** Any fault, or a preset by its name. */
  add(fault: Fault | PresetName, options?: FaultOptions): FaultInForce
  /** The fault to apply to a request now, or null. */
  take(asked: Asked): Fault | null
  /** Oldest first. */
  list(): readonly FaultInForce[]
  /** False when there is none with this id. */
  remove(id: number): boolean
  clear(): void
}

export function createFaults(): Faults {
  let inForce: readonly FaultInForce[] = []
  let lastId = 0

  return {
    add(given, options = {}) {
      const preset =
        typeof given === 'string' ? presetOf(given) : { fault: given, target: 'job' as const }
      const { target = preset.target, jobid = null, times = null } = options
      if (jobid !== null && target !== 'job') {
        throw invalid('jobid', `goes with the target job alone, not with ${target}`)
      }
      lastId += 1
      const added = { id: lastId, target, jobid, timesLeft: times, fault: preset.fault }
      inForce = [...inForce, added]
      return added
    },
    take(asked) {
      const found = inForce.find((one) => fits(one, asked))
      if (found === undefined) return null
      inForce = inForce.flatMap((one) => (one === found ? afterUse(one) : [one]))
      return found.fault
    },
    list: () => inForce,
    remove(id) {
      const left = inForce.filter((one) => one.id !== id)
      const isKnown = left.length < inForce.length
      inForce = left
      return isKnown
    },
    clear() {
      inForce = []
    },
  }
}

function fits({ target, jobid, fault }: FaultInForce, asked: Asked): boolean {
  if (target !== 'all' && target !== asked.target) return false
  if (jobid !== null && jobid !== asked.jobid) return false
  return !(fault.kind === 'cut' && fault.onReuse === true) || asked.isReused
}

function afterUse(used: FaultInForce): readonly FaultInForce[] {
  if (used.timesLeft === null) return [used]
  return used.timesLeft > 1 ? [{ ...used, timesLeft: used.timesLeft - 1 }] : []
}
