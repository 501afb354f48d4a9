import type { ScenarioKind } from './scenarios.ts'

/** An operation that submits a job, as its path names it. */
export interface Operation {
  readonly kind: ScenarioKind
  /** What it acts on. */
  readonly target: string
  /** Makes a job without being asked for `async=true`. */
  readonly isAlwaysAsync: boolean
}

interface Submits {
  readonly pattern: RegExp
  readonly kind: ScenarioKind
  readonly isAlwaysAsync: boolean
}

const submits: readonly Submits[] = [
  { pattern: /^\/services\/(.+\.\w+)\/edit$/, kind: 'serviceEdit', isAlwaysAsync: false },
  { pattern: /^\/services\/(.+\.\w+)\/start$/, kind: 'noProgress', isAlwaysAsync: false },
  {
    pattern: /^\/system\/containerregistries\/([^/]+)\/edit$/,
    kind: 'registryEdit',
    isAlwaysAsync: true,
  },
  {
    pattern: /^\/system\/disasterrecovery\/stores\/([^/]+)\/backups\/create$/,
    kind: 'backup',
    isAlwaysAsync: true,
  },
]

/** The operation at a decoded path below `/<context>/admin`, or null. */
export function operationAt(path: string): Operation | null {
  for (const { pattern, kind, isAlwaysAsync } of submits) {
    const target = pattern.exec(path)?.[1]
    if (target !== undefined) return { kind, target, isAlwaysAsync }
  }
  return null
}
