import {
  backup,
  configEdit,
  failingBackup,
  refreshServices,
  registryEdit,
  serviceEdit,
  serviceStart,
  unicodeEdit,
} from './built-in-runs.ts'
import { play } from './run.ts'
import type { PlayOptions, Run } from './run.ts'
import type { Trace } from './trace.ts'

/** The built-in jobs; each is a made-up run in the shape of Esri's documentation. */
export const scenarioKinds = [
  'serviceEdit',
  'registryEdit',
  'backup',
  'failing',
  'cancelled',
  'slow',
  'noProgress',
  'unicode',
] as const
export type ScenarioKind = (typeof scenarioKinds)[number]

export interface ScenarioOptions extends PlayOptions {
  /** What is acted on (a service, a registry's id, a backup store), decoded; each kind has its own. */
  readonly target?: string
}

/** All answers of a job of that kind. Pure: the same options give the same trace. */
export function scenario(kind: ScenarioKind, options: ScenarioOptions): Trace {
  return play(runOf(kind, options.target), options)
}

function runOf(kind: ScenarioKind, target: string | undefined): Run {
  switch (kind) {
    case 'serviceEdit':
      return serviceEdit(target ?? 'Hydrants.MapServer')
    case 'registryEdit':
      return registryEdit(target ?? 'qk2v81lmw0z7c3hd9t5np')
    case 'backup':
      return backup(target ?? 'main')
    case 'failing':
      return failingBackup(target ?? 'main')
    case 'cancelled':
      return configEdit(target ?? '7c1f2d9e-55c0-4a0e-8a39-2f6f0b1d3e44')
    case 'slow':
      return refreshServices()
    case 'noProgress':
      return serviceStart(target ?? 'Parks.MapServer')
    case 'unicode':
      return unicodeEdit(target ?? 'Straßen – מפה 地図.MapServer')
  }
}
