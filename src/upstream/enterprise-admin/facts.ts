import type { SeenStage, Snapshot } from '../../core/observation.ts'
import { documentJobid, isObject } from './document.ts'
import type { Reply, Situation } from './trouble.ts'

/*
 * What answers show of a deployment where Esri's documentation is silent. Each fact is a line for a
 * report; `quote` makes texts of the upstream fit to stand in it.
 */

type Quote = (text: string) => string
type Facts = readonly string[]

export function tokenFacts(json: unknown, expirationMs: number, now: number): Facts {
  const expires = isObject(json) ? json['expires'] : undefined
  if (expires === undefined) return ['tokens: no `expires` in the answer']
  const minutes = (ms: number) => `${Math.round(ms / 60_000)} min`
  const life = Number(expires) - now
  const lived = Number.isFinite(life) ? `the token lives ${minutes(life)}, ` : ''
  return [
    `tokens: \`expires\` is a ${kindOf(expires)}; ${lived}${minutes(expirationMs)} were asked for`,
  ]
}

export function listFacts(json: unknown, quote: Quote): Facts {
  if (!isObject(json) || !Array.isArray(json['jobs'])) return []
  const jobs: readonly unknown[] = json['jobs']
  const more = Object.keys(json).filter((key) => key !== 'jobs')
  const [first] = jobs
  const form = isObject(first) ? `objects with ${namesOf(first, quote)}` : `${kindOf(first)}s`
  const shapes = new Map<string, number>()
  for (const job of jobs) {
    const shape = idShape(isObject(job) ? documentJobid(job) : job)
    shapes.set(shape, (shapes.get(shape) ?? 0) + 1)
  }
  const ids = [...shapes].map(([shape, count]) => `${shape} (${count})`).join(', ')
  return [
    jobs.length === 0
      ? 'the list: empty at present'
      : `the list: \`/jobs\` lists ${jobs.length}, as ${form}; ids are ${ids}`,
    ...(more.length > 0
      ? [`the list: beside \`jobs\` the answer has ${more.map(quote).join(', ')}`]
      : []),
  ]
}

const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const uuidForm = new RegExp(`^([a-z]?)${uuid}$`, 'i')

function idShape(jobid: unknown): string {
  if (typeof jobid !== 'string') return 'no text'
  const prefix = uuidForm.exec(jobid)?.[1]
  if (prefix !== undefined) return prefix === '' ? 'UUID' : `${prefix} + UUID`
  return /^j[a-z0-9]{32}$/i.test(jobid) ? 'j + 32 letters or digits' : 'another form'
}

const endStatuses: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED']

export function jobFacts(
  json: unknown,
  snapshot: Snapshot,
  { username: ownUsername, quote }: Pick<Situation, 'username' | 'quote'>,
): Facts {
  if (!isObject(json)) return []
  const { rawStatus, status, username, endedAt, stages } = snapshot
  const isEnd = endStatuses.includes(status)
  const isUnfinished = endedAt === null || (stages ?? []).some(({ state }) => state === 'running')
  const listed = isEnd
    ? 'so finished jobs are listed'
    : 'which does not show whether jobs stay listed after their end'
  return [
    `the job: its status is ${quote(rawStatus)}, ${listed}`,
    ...starterFact(username, ownUsername),
    `the job: its fields are ${namesOf(json, quote)}`,
    stageFact(stages, isObject(json['progress']) ? 'progress' : 'result', quote),
    messageFact(json['messages'], quote),
    `times: ${['starttime', 'endtime', 'updatedtime'].map((key) => timeWords(key, json[key])).join(', ')}`,
    ...(status === 'COMPLETED' && isUnfinished
      ? ['the job: COMPLETED without an end or with a stage that runs, so perhaps said too early']
      : []),
  ]
}

function starterFact(username: string | null, ownUsername: string | null): Facts {
  if (username === null || ownUsername === null) return []
  const isOwn = username.toLowerCase() === ownUsername.toLowerCase()
  return [`the job: started by ${isOwn ? 'this account' : 'another account'}`]
}

function stageFact(stages: readonly SeenStage[] | null, holder: string, quote: Quote): string {
  if (stages === null) return 'stages: this job has no stages'
  const words = new Map(stages.map(({ rawState, state }) => [rawState, state]))
  const states = [...words.keys()].slice(0, 12).map(quote).join(', ')
  const strange = [...words].filter(([, state]) => state === 'unknown').map(([word]) => quote(word))
  const ending =
    strange.length > 0 ? `; jobwatch does not know ${strange.slice(0, 12).join(', ')}` : ''
  return `stages: ${stages.length} stages in \`${holder}\`, their states spelt ${states}${ending}`
}

function messageFact(messages: unknown, quote: Quote): string {
  if (messages === undefined) return 'messages: no `messages` in the job'
  return `messages: \`messages\` is ${messagesForm(messages, quote)}`
}

function messagesForm(messages: unknown, quote: Quote): string {
  if (messages === '') return 'an empty text'
  if (!Array.isArray(messages)) return isObject(messages) ? 'an object' : `a ${kindOf(messages)}`
  const [first] = messages as unknown[]
  if (first === undefined) return 'an empty list'
  const count = `${messages.length} `
  const ending = messages.length === 1 ? '' : 's'
  if (!isObject(first)) return `a list of ${count}${kindOf(first)}${ending}`
  return `a list of ${count}object${ending} with ${namesOf(first, quote)}`
}

function timeWords(key: string, value: unknown): string {
  if (value === undefined) return `no \`${key}\``
  if (value === 0) return `\`${key}\` is 0`
  const digits = textOf(value)
  const form = /^\d+$/.test(digits) ? ` of ${digits.length} digits` : ''
  return `\`${key}\` is a ${kindOf(value)}${form}`
}

export function unknownJobFacts({ answer, json }: Reply, quote: Quote): Facts {
  if (answer.status === null) return []
  const begin = `an unknown job: HTTP ${answer.status}`
  if (json === undefined) return [`${begin}, no JSON`]
  if (!isObject(json)) return [`${begin}, a JSON ${kindOf(json)}`]
  if (Object.keys(json).length === 0) return [`${begin}, an empty object`]
  const inner = isObject(json['error']) ? json['error'] : json
  const form = inner === json ? '' : `\`error\` with `
  const { code, message, messages } = inner
  const text = [message, ...(Array.isArray(messages) ? (messages as unknown[]) : [])].find(
    (one) => typeof one === 'string',
  )
  return [
    [
      `${begin}, ${form}${namesOf(inner, quote)}`,
      ...(code === undefined ? [] : [`code ${quote(textOf(code))}`]),
      ...(typeof text === 'string' ? [quote(text)] : []),
    ].join(', '),
  ]
}

function namesOf(object: Readonly<Record<string, unknown>>, quote: Quote): string {
  const names = Object.keys(object)
  const more = names.length > 30 ? ` and ${names.length - 30} more` : ''
  return names.slice(0, 30).map(quote).join(', ') + more
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : kindOf(value)
}

/** What a JSON value is called in a sentence. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'string' ? 'text' : typeof value
}
