import { stageFaceOf, stageWords } from '../core/face.ts'
import type { Face } from '../core/face.ts'
import type { StageState } from '../core/job.ts'
import type { JobView } from './format.ts'
import { progressWords, stageName } from './gist.ts'
import { lasting, quoted } from './words.ts'

/** The stages of a job as lines; those that there is no room for are counted. */
export interface StageList {
  /** `5 of 8 stages done`. */
  readonly progress: string
  readonly stages: readonly StageLine[]
  readonly more: number
}

export interface StageLine {
  readonly face: Face
  readonly name: string
  /** The state, and how long it lasts or lasted where that was seen: `running, 5m10s`. */
  readonly state: string
}

const maxStages = 10

/** What matters more comes first where not all can be shown. */
const weights: Readonly<Record<StageState, number>> = {
  failed: 0,
  rolling_back: 1,
  running: 2,
  rolled_back: 3,
  cancelled: 4,
  warning: 5,
  unknown: 6,
  pending: 7,
  completed: 8,
  skipped: 9,
}

/**
 * The stages of a job at a moment, in listed order; where they are too many, those that matter most
 * first. Null for a job without stages.
 */
export function stageListOf(job: JobView, now: string): StageList | null {
  const { stages, progress } = job
  if (progress.total === 0) return null
  const chosen =
    stages.length <= maxStages
      ? stages
      : stages.toSorted((a, b) => weights[a.state] - weights[b.state]).slice(0, maxStages)
  return {
    progress: progressWords(job),
    stages: chosen.map(({ name, occurrence, state, rawState, startedAt, endedAt }) => ({
      face: stageFaceOf(state),
      name: stageName(name, occurrence),
      state: quoted(stageWords(state, rawState), 60) + lasting(', ', startedAt, endedAt ?? now),
    })),
    more: Math.max(0, progress.total - chosen.length),
  }
}
