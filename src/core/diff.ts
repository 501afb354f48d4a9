import type { Change } from './event.ts'
import { stateWord } from './job.ts'
import type { Message, Stage } from './job.ts'
import type { SeenStage } from './observation.ts'

type StageChange = Extract<Change, { kind: 'stage' }>

/** The stages after a look, and what changed, in listed order with removed ones last. */
export interface StageDiff {
  readonly stages: readonly Stage[]
  readonly changes: readonly StageChange[]
}

const endedStates: ReadonlySet<string> = new Set([
  'completed',
  'warning',
  'failed',
  'cancelled',
  'rolled_back',
  'skipped',
])

/**
 * Compares the stages of a look with those before it. Stages are the same when name and occurrence
 * are; their order means nothing. A respelled state is no change unless both are unknown words.
 */
export function diffStages(
  before: readonly Stage[],
  seen: readonly SeenStage[],
  now: number,
): StageDiff {
  // Mostly the same stages are listed again: then none has to be looked for.
  const isSameList = hasSameKeys(before, seen)
  const unmatched = new Map(isSameList ? [] : before.map((stage) => [stageKey(stage), stage]))
  const changes: StageChange[] = []
  const stages = seen.map((stage, index) => {
    const previous = (isSameList ? before[index] : taken(unmatched, stageKey(stage))) ?? null
    if (previous !== null && isSameState(previous, stage)) {
      const { rawState } = stage
      return previous.rawState === rawState ? previous : { ...previous, rawState }
    }
    changes.push({
      kind: 'stage',
      stage: stage.name,
      occurrence: stage.occurrence,
      from: previous?.state ?? null,
      to: stage.state,
      rawTo: stage.rawState,
    })
    return timed(stage, previous, now)
  })
  for (const gone of unmatched.values()) {
    changes.push({
      kind: 'stage',
      stage: gone.name,
      occurrence: gone.occurrence,
      from: gone.state,
      to: null,
      rawTo: null,
    })
  }
  return { stages, changes }
}

/** The stages of a job seen for the first time: only what is running now has a known moment. */
export function firstStages(seen: readonly SeenStage[], now: number): readonly Stage[] {
  return seen.map((stage) => ({
    ...stage,
    startedAt: isBegun(stage.state) && !endedStates.has(stage.state) ? now : null,
    endedAt: null,
  }))
}

/** The messages of a look that were not there before, counted with repeats; order is kept. */
export function addedMessages(
  before: readonly Message[],
  after: readonly Message[],
): readonly Message[] {
  // Mostly those that were listed are listed again, in front of what is new: they need no keys.
  const same = sameFirst(before, after)
  const known = new Map<string, number>()
  for (const message of before.slice(same)) {
    const key = messageKey(message)
    known.set(key, (known.get(key) ?? 0) + 1)
  }
  return after.slice(same).filter((message) => {
    const key = messageKey(message)
    const left = known.get(key) ?? 0
    if (left > 0) known.set(key, left - 1)
    return left === 0
  })
}

/** Whether two lists of messages are the same. */
export function hasSameMessages(before: readonly Message[], after: readonly Message[]): boolean {
  return before.length === after.length && sameFirst(before, after) === after.length
}

/** How many messages at the beginning of two lists are the same. */
function sameFirst(before: readonly Message[], after: readonly Message[]): number {
  const isOther = ({ text, level, at }: Message, index: number) => {
    const message = after[index]
    return message?.text !== text || message.level !== level || message.at !== at
  }
  const first = before.findIndex(isOther)
  return first === -1 ? before.length : first
}

function hasSameKeys(before: readonly Stage[], seen: readonly SeenStage[]): boolean {
  return (
    before.length === seen.length &&
    before.every(({ name, occurrence }, index) => {
      const stage = seen[index]
      return stage?.name === name && stage.occurrence === occurrence
    })
  )
}

/** Takes an entry out of a map. */
function taken<T>(map: Map<string, T>, key: string): T | undefined {
  const value = map.get(key)
  map.delete(key)
  return value
}

function timed(stage: SeenStage, previous: Stage | null, now: number): Stage {
  const ended = endedStates.has(stage.state)
  const startedAt = previous?.startedAt ?? null
  return {
    ...stage,
    startedAt: isBegun(stage.state) ? (startedAt ?? now) : null,
    endedAt: ended ? now : null,
  }
}

function isBegun(state: Stage['state']): boolean {
  return state !== 'pending' && state !== 'unknown' && state !== 'skipped'
}

function isSameState(before: Stage, after: SeenStage): boolean {
  if (before.state !== after.state) return false
  return after.state !== 'unknown' || stateWord(before.rawState) === stateWord(after.rawState)
}

// JSON keeps the parts apart: no name can be written so that it runs into the next part.
function stageKey(stage: SeenStage): string {
  return JSON.stringify([stage.name, stage.occurrence])
}

function messageKey(message: Message): string {
  return JSON.stringify([message.text, message.level, message.at])
}
