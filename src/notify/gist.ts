import { elapsed } from '../core/duration.ts'
import { faceOf, stageFaceOf, stageWords, statusWords } from '../core/face.ts'
import type { Face } from '../core/face.ts'
import { isEnd, stateWord } from '../core/job.ts'
import type { JobView } from './format.ts'
import type { Told } from './told.ts'
import { lasting, quoted, since } from './words.ts'
import type { Words } from './words.ts'

/** What an event comes down to. */
export interface Gist {
  readonly face: Face
  /** One or a few words that can stand alone: `FAILED`, `object_store completed`, `down`. */
  readonly word: string
  /** The same as sentences; the subject is the job, the upstream or the endpoint. */
  readonly says: Words
}

type Kind = Told['data']['change']['kind']
type ChangeOf<K extends Kind> = Extract<Told['data']['change'], { readonly kind: K }>

/** Says what an event comes down to. */
export function gistOf(told: Told): Gist {
  const { change, job } = told.data
  switch (change.kind) {
    case 'status':
      return statusGist(told, change, job)
    case 'stage':
      return stageGist(change, job)
    case 'messages':
      return messagesGist(change)
    case 'stall':
      return stallGist(told, change, job)
    case 'deadline':
      return deadlineGist(change, job)
    case 'presence':
      return presenceGist(told, change, job)
    case 'registry':
      return registryGist(told, change)
    case 'upstream':
      return upstreamGist(told, change)
    case 'endpoint':
      return endpointGist(told, change)
    case 'test':
      return gist('🧪', 'cyan', 'test', [
        `This is a test of the endpoint ${told.subject} from jobwatch: it works.`,
      ])
  }
}

/** The status of a job in words that fit a line. */
export function statusOf(job: JobView): string {
  return quoted(statusWords(job), 60)
}

/** `12m30s, usually 8m00s`, or null while the start is unknown. */
export function durationWords({ durationMs, typicalDurationMs }: JobView): string | null {
  if (durationMs === null) return null
  const usual = typicalDurationMs === null ? '' : `, usually ${elapsed(typicalDurationMs)}`
  return elapsed(durationMs) + usual
}

/** A stage's name; `#2` tells the second of the same name. */
export function stageName(name: string, occurrence: number): string {
  return quoted(name, 80) + (occurrence > 1 ? ` #${occurrence}` : '')
}

function gist(emoji: string, colour: Face['colour'], word: string, says: Words): Gist {
  return { face: { emoji, colour }, word, says }
}

function statusGist(
  { type }: Told,
  { from, to, rawTo }: ChangeOf<'status'>,
  job: JobView | undefined,
): Gist {
  if (job === undefined) return gist('❔', 'yellow', to, [])
  const word = statusOf(job)
  const face = faceOf(job)
  if (type !== 'job.reopened') return { face, word, says: statusSays(job, rawTo) }
  const before = from === null ? '' : ` (${from})`
  const again = isEnd(job.status)
    ? 'and was run again; that run has ended too. '
    : 'and runs again. '
  const says = [`It had ended${before} ${again}`, ...statusSays(job, rawTo)]
  return { face, word: `reopened, ${word}`, says }
}

function statusSays(job: JobView, rawTo: string): Words {
  const took = durationWords(job)
  const after = took === null ? '' : ` after ${took}`
  switch (job.status) {
    case 'SUBMITTED':
      return ['It waits for its turn.']
    case 'EXECUTING':
      return ['It is running', ...since(job.startedAt), '.']
    case 'CANCELLING':
      return ['It is being cancelled.']
    case 'CANCELLED':
      return [`It was cancelled${after}.`]
    case 'UNAVAILABLE':
      return ['ArcGIS cannot say how the job is; it may still be running.']
    case 'FAILED': {
      const verb = stateWord(rawTo) === 'timedout' ? 'It timed out' : 'It failed'
      return [`${verb}${inStage(job)}${after}.`]
    }
    case 'COMPLETED':
      return [completedSays(job, took)]
    case 'OTHER':
    case null:
      return ['ArcGIS gives it a status that jobwatch does not know.']
  }
}

function completedSays(job: JobView, took: string | null): string {
  if (job.outcome === 'error') {
    const after = took === null ? '' : ` after ${took}`
    return `ArcGIS calls it completed${after}, but its result says that it failed${inStage(job)}.`
  }
  const how = job.outcome === 'warning' ? 'It completed with warnings' : 'It completed'
  return took === null ? `${how}.` : `${how} in ${took}.`
}

function inStage({ stages }: JobView): string {
  const failed = stages.filter(({ state }) => state === 'failed')
  const [first] = failed
  if (first === undefined) return ''
  const more = failed.length > 1 ? ` and ${failed.length - 1} more` : ''
  return ` in the stage ${stageName(first.name, first.occurrence)}${more}`
}

function stageGist(change: ChangeOf<'stage'>, job: JobView | undefined): Gist {
  const { from, to, rawTo } = change
  const name = stageName(change.stage, change.occurrence)
  const progress = job === undefined ? '' : ` ${progressWords(job)}.`
  if (to === null) {
    const says = `The stage ${name} is no longer listed.${progress}`
    return gist('➖', 'dim', `${name} gone`, [says])
  }
  const state = quoted(stageWords(to, rawTo ?? to), 60)
  const says = from === null ? `has appeared: ${state}` : `went from ${from} to ${state}`
  return {
    face: stageFaceOf(to),
    word: `${name} ${state}`,
    says: [`The stage ${name} ${says}.${progress}`],
  }
}

/** `5 of 8 stages done`. */
export function progressWords({ progress: { done, total } }: JobView): string {
  return `${done} of ${total} ${total === 1 ? 'stage' : 'stages'} done`
}

function messagesGist({ count }: ChangeOf<'messages'>): Gist {
  return gist('💬', 'cyan', count === 1 ? 'new message' : `${count} new messages`, [])
}

function stillWords(job: JobView | undefined): string {
  return job === undefined ? '' : `; it is still ${statusOf(job)}`
}

function stallGist(told: Told, change: ChangeOf<'stall'>, job: JobView | undefined): Gist {
  if (told.type === 'job.resumed') {
    const after = lasting(' after ', change.since, told.time)
    return gist('▶️', 'cyan', 'resumed', [`It moves again${after && `${after} without a change`}.`])
  }
  const says = [
    'Nothing has changed',
    ...since(change.since),
    lasting(', for ', change.since, told.time) + stillWords(job) + '.',
  ]
  return gist('🐌', 'yellow', 'stalled', says)
}

function deadlineGist({ deadline }: ChangeOf<'deadline'>, job: JobView | undefined): Gist {
  const by: Words = deadline === null ? [' by now'] : [' by ', { at: deadline }]
  return gist('⏰', 'red', 'overdue', [
    'It should have been done',
    ...by,
    `${stillWords(job)}${job === undefined || job.progress.total === 0 ? '' : `, ${progressWords(job)}`}.`,
  ])
}

function presenceGist(told: Told, change: ChangeOf<'presence'>, job: JobView | undefined): Gist {
  const status = job === undefined || job.status === null ? null : statusOf(job)
  if (told.type === 'job.found') {
    const after = lasting(' after ', change.since, told.time)
    const now = status === null ? '' : `; it is ${status}`
    return gist('🔎', 'green', 'found', [`ArcGIS knows the job again${after}${now}.`])
  }
  const says =
    status === null
      ? ['ArcGIS has not known this job', ...since(change.since), '; perhaps the id is wrong.']
      : [
          'ArcGIS has not known this job',
          ...since(change.since),
          `; it was ${status} when it was last seen.`,
        ]
  return gist('❓', 'red', 'lost', says)
}

function registryGist({ type }: Told, { by }: ChangeOf<'registry'>): Gist {
  if (type === 'job.watched') {
    const how = by === 'discovery' ? 'It was discovered and is' : 'It is'
    return gist('👀', 'cyan', 'watched', [`${how} watched from now on.`])
  }
  const why = by === 'lost' ? 'It was lost for too long and is' : 'It is'
  return gist('⏹️', 'dim', 'no longer watched', [`${why} no longer watched.`])
}

function upstreamGist({ type, time }: Told, change: ChangeOf<'upstream'>): Gist {
  switch (type) {
    case 'upstream.up': {
      const after = lasting(' after ', change.since, time)
      return gist('🟢', 'green', 'up', [`It works again${after}, and its jobs are followed again.`])
    }
    case 'upstream.denied':
      return gist('⛔', 'red', 'denied', [
        "It has refused jobwatch's credentials or privileges",
        ...since(change.since),
        '. Its jobs cannot be followed until the account or the token is mended.',
      ])
    default:
      return gist('🔴', 'red', 'down', [
        'It has been unreachable or unusable',
        ...since(change.since),
        '. Its jobs cannot be followed until it works again.',
      ])
  }
}

function endpointGist({ type, time }: Told, change: ChangeOf<'endpoint'>): Gist {
  switch (type) {
    case 'endpoint.recovered': {
      const after = lasting(' after ', change.since, time)
      return gist('🟢', 'green', 'recovered', [`Deliveries get through again${after}.`])
    }
    case 'endpoint.disabled':
      return gist('⛔', 'red', 'disabled', [
        'It is disabled: nothing is sent to it until it is enabled again.',
      ])
    default: {
      const until: Words =
        change.disablesAt === null
          ? []
          : ['; it will be disabled at ', { at: change.disablesAt }, ' unless a delivery succeeds']
      return gist('🔴', 'red', 'failing', [
        'Nothing has got through',
        ...since(change.since),
        ...until,
        '.',
      ])
    }
  }
}
