import type { ScenarioKind } from './scenarios.ts'

/** An operation that submits a job, as its path names it. */
export interface Operation {
  readonly kind: ScenarioKind
  /** What it acts on. */
  readonly target: string
  /** Makes a job without being asked for `async=true`. */
  readonly isAlwaysAsync: boolean
  /** The parameter that has to hold a JSON object, or null. */
  readonly requires: string | null
}

type Submits = Omit<Operation, 'target'> & { readonly pattern: RegExp }

const submits: readonly Submits[] = [
  {
    pattern: /^\/services\/(.+\.\w+)\/edit$/,
    kind: 'serviceEdit',
    isAlwaysAsync: false,
    requires: 'service',
  },
  {
    pattern: /^\/services\/(.+\.\w+)\/start$/,
    kind: 'noProgress',
    isAlwaysAsync: false,
    requires: null,
  },
  {
    pattern: /^\/system\/containerregistries\/([^/]+)\/edit$/,
    kind: 'registryEdit',
    isAlwaysAsync: true,
    requires: null,
  },
  {
    pattern: /^\/system\/disasterrecovery\/stores\/([^/]+)\/backups\/create$/,
    kind: 'backup',
    isAlwaysAsync: true,
    requires: null,
  },
]

/** The operation at a decoded path below `/<context>/admin`, or null. */
export function operationAt(path: string): Operation | null {
  for (const { pattern, ...operation } of submits) {
    const target = pattern.exec(path)?.[1]
    if (target !== undefined) return { ...operation, target }
  }
  return null
}
