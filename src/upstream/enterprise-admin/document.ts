import type { JobStatus, Message, StageState } from '../../core/job.ts'
import { maxKeptStages, maxTextBytes, progressOf, stateWord } from '../../core/job.ts'
import type { SeenStage, Snapshot } from '../../core/observation.ts'

/*
 * The job document of the ArcGIS Enterprise Administrator API
 * (developers.arcgis.com/rest/enterprise-administration/enterprise/job). Only the id and the status
 * can be relied on; everything else is read if it is there and has a usable form.
 */

type Json = Readonly<Record<string, unknown>>

/** True for a JSON object; null, arrays and plain values are none. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The job id a document carries, under either spelling; null when it carries none. */
export function documentJobid(document: Json): string | null {
  return textOf(document['jobid']) ?? textOf(document['jobId'])
}

/** Normalises a job document; `now` bounds what can be a time. Null when it has no status. */
export function toSnapshot(document: Json, now: number): Snapshot | null {
  const rawStatus = document['status']
  if (typeof rawStatus !== 'string') return null
  const resource = document['resource']
  const startedAt = timeOf(document['starttime'], null, now)
  return {
    status: statusOf(rawStatus),
    rawStatus: cutToBytes(rawStatus, maxTextBytes),
    name: filledTextOf(document['name']),
    operation: filledTextOf(document['operationURI']),
    resource: filledTextOf(isObject(resource) ? resource['name'] : resource),
    username: filledTextOf(document['username']),
    requestId: filledTextOf(document['requestID']),
    startedAt,
    endedAt: timeOf(document['endtime'], startedAt, now),
    updatedAt: timeOf(document['updatedtime'], startedAt, now),
    ...stagesOf(document),
    messages: messagesOf(document['messages'], now),
    result: document['result'],
  }
}

const documentedStatuses: ReadonlySet<string> = new Set([
  'SUBMITTED',
  'EXECUTING',
  'CANCELLING',
  'CANCELLED',
  'FAILED',
  'COMPLETED',
  'UNAVAILABLE',
])

function statusOf(raw: string): JobStatus {
  const word = raw.trim().toUpperCase()
  if (documentedStatuses.has(word)) return word as JobStatus
  // Esri's own command line knows `TIMED OUT` as an end; no page lists it.
  return /^TIMED[\s_-]*OUT$/.test(word) ? 'FAILED' : 'OTHER'
}

/** The words of stage states as seen in this product family, without case and separators. */
const stateWords: Readonly<Record<Exclude<StageState, 'unknown'>, readonly string[]>> = {
  pending: ['notstarted', 'pending', 'waiting', 'submitted', 'queued', 'scheduled', 'new'],
  running: ['inprogress', 'executing', 'running', 'started', 'processing', 'active'],
  completed: ['completed', 'complete', 'success', 'succeeded', 'successful', 'done', 'finished'],
  warning: [
    'successwithwarnings',
    'successwithwarning',
    'succeededwithwarnings',
    'completedwithwarnings',
    'completedwithwarning',
    'warning',
  ],
  failed: ['failed', 'failure', 'error', 'lastattemptfailed', 'timedout'],
  cancelled: ['cancelled', 'canceled', 'aborted'],
  rolling_back: ['rollingback', 'cancelling', 'canceling'],
  rolled_back: ['rolledback'],
  skipped: ['skipped', 'notapplicable'],
}
const stateByWord = new Map(
  Object.entries(stateWords).flatMap(([state, words]) =>
    words.map((word): [string, StageState] => [word, state as StageState]),
  ),
)

/** `In Progress`, `IN_PROGRESS` and `in-progress` are one state; unlisted words are `unknown`. */
export function stageStateOf(raw: string): StageState {
  return stateByWord.get(stateWord(raw)) ?? 'unknown'
}

/** Stages of `progress`, else of `result`; null when the document says nothing about stages. */
function stagesOf(document: Json): Pick<Snapshot, 'stages' | 'stagesOf' | 'furtherStages'> {
  for (const holder of ['progress', 'result'] as const) {
    const { stages: list } = asObject(document[holder])
    if (!Array.isArray(list)) continue
    const stages = namedStages(list as unknown[])
    return {
      stages: stages.slice(0, maxKeptStages),
      stagesOf: holder,
      furtherStages: progressOf(stages.slice(maxKeptStages)),
    }
  }
  return { stages: null, stagesOf: 'progress', furtherStages: { done: 0, total: 0 } }
}

function asObject(value: unknown): Json {
  return isObject(value) ? value : {}
}

function namedStages(entries: readonly unknown[]): readonly SeenStage[] {
  const occurrences = new Map<string, number>()
  const stages: SeenStage[] = []
  for (const entry of entries) {
    if (!isObject(entry)) continue
    const name = filledTextOf(entry['name'])
    if (name === null) continue
    const occurrence = (occurrences.get(name) ?? 0) + 1
    occurrences.set(name, occurrence)
    const rawState = filledTextOf(entry['state']) ?? ''
    stages.push({ name, occurrence, state: stageStateOf(rawState), rawState })
  }
  return stages
}

/** A list of texts or of `{ code, message, when }`; an upgrade's answer has `""` for none. */
function messagesOf(value: unknown, now: number): readonly Message[] | null {
  if (typeof value === 'string') return value === '' ? [] : [toMessage(value, null, null)]
  if (!Array.isArray(value)) return null
  return (value as unknown[]).flatMap((entry): Message[] => {
    if (typeof entry === 'string') return [toMessage(entry, null, null)]
    if (!isObject(entry)) return []
    const text = textOf(entry['message']) ?? textOf(entry['description']) ?? jsonText(entry)
    const level = textOf(entry['type']) ?? textOf(entry['level']) ?? textOf(entry['severity'])
    return [toMessage(text, level, timeOf(entry['when'] ?? entry['time'], null, now))]
  })
}

/** The value as JSON; empty for one nested so deeply that it cannot be written. */
function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return ''
  }
}

function toMessage(text: string, level: string | null, at: number | null): Message {
  return { text: cutToBytes(text, maxTextBytes), level, at }
}

/** Cuts to so many bytes of UTF-8 without splitting a character. */
function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= maxBytes) return text
  let end = maxBytes
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end)
}

/** Nothing before ArcGIS Enterprise existed is a time of one of its jobs (2000-01-01). */
const earliestMs = 946_684_800_000
/** How far the upstream's clock may be ahead of ours. */
const clockSkewMs = 86_400_000
/** What a number may have to be multiplied by to be milliseconds: ms, seconds, a slip, µs. */
const factors = [1, 1000, 0.1, 0.001]

/**
 * A time in milliseconds from what the upstream gives: a number or a text of digits, in seconds,
 * milliseconds, microseconds or with one digit too many (Esri's own page shows 17589149904641).
 * Zero, and what is plausible in no unit, is null.
 */
export function timeOf(value: unknown, startedAt: number | null, now: number): number | null {
  const number = typeof value === 'string' && /^\d{1,20}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) return null
  const latest = now + clockSkewMs
  const earliest = startedAt === null ? earliestMs : startedAt - clockSkewMs
  for (const factor of factors) {
    const ms = Math.round(number * factor)
    if (ms >= earliest && ms <= latest) return ms
  }
  return null
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : null
}

/** An empty text says nothing; one that is too long is cut. */
function filledTextOf(value: unknown): string | null {
  const text = textOf(value)
  return text === null || text === '' ? null : cutToBytes(text, maxTextBytes)
}
