import { elapsed } from '../core/duration.ts'
import { faceOf } from '../core/face.ts'
import type { Face } from '../core/face.ts'
import type { LoggedEvent } from '../core/event.ts'
import { isEnd } from '../core/job.ts'
import type { JobView, Late, Surroundings } from './format.ts'
import { durationWords, gistOf, progressWords, statusOf } from './gist.ts'
import { stageListOf } from './stage-list.ts'
import type { StageList } from './stage-list.ts'
import { toldBy } from './told.ts'
import type { Told } from './told.ts'
import { plainWords, quoted } from './words.ts'
import type { Words } from './words.ts'

/** What a message says, before a format has dressed it. All text in it is safe and in one line. */
export interface Message {
  readonly face: Face
  readonly word: string
  /** Who it is about: the job's title, `upstream prod`, `endpoint ops`. */
  readonly title: string
  /** The upstream of the job. */
  readonly place: string | null
  readonly says: Words
  /** In the words of somebody else: why it failed, or what is new. */
  readonly quote: string | null
  readonly late: LateNote | null
  /** Of the job as it is when the message is sent. */
  readonly facts: readonly Fact[]
  readonly stages: StageList | null
  readonly messages: Lines | null
  readonly links: readonly Link[]
  /** Where it is from: ids, for whoever looks further. */
  readonly source: Words
}

export interface Fact {
  readonly label: string
  readonly value: Words
}

export interface Link {
  readonly label: string
  readonly url: string
}

/** The newest of some lines, oldest first, and how many came before them. */
export interface Lines {
  readonly label: string
  readonly lines: readonly Words[]
  readonly before: number
}

/** What a message that comes late adds. */
export interface LateNote {
  readonly says: Words
  /** How the job is by now; null where there is none to tell of. */
  readonly now: string | null
  readonly meanwhile: Lines | null
}

const maxQuote = 600
const maxLine = 300
const maxLeftOut = 5
const maxMessages = 4

/** Reads an event as a message to people. */
export function messageOf(event: LoggedEvent, surroundings: Surroundings): Message {
  const told = toldBy(event)
  const { late } = surroundings
  const job = late?.job ?? told.data.job ?? null
  const quote = quoteOf(told)
  return {
    ...gistOf(told),
    title: titleOf(told),
    place: told.data.job?.upstream ?? null,
    quote,
    late: late && lateNote(told, late),
    facts: [
      ...(late?.job ? [{ label: 'Now', value: [nowOf(late.job)] }] : []),
      ...(job === null ? [] : factsOf(job, late === null && told.data.change.kind === 'status')),
    ],
    stages: job === null ? null : stageListOf(job, late === null ? told.time : isoOf(late.now)),
    messages: messagesOf(told, quote),
    links: linksOf(told, surroundings),
    source: [{ at: told.time }, `, event ${told.id}${jobOf(told)}`],
  }
}

/** Emoji, word and title, in the order in which a short screen should show them. */
export function headlineOf({ face, word, title, place }: Message): string {
  return `${face.emoji} ${word}: ${title}${place === null ? '' : ` (${place})`}`
}

/** All that matters as one line of text. */
export function lineOf(message: Message): string {
  const { quote, says, late } = message
  const why = quote === null ? '' : ` – ${quote}`
  const sentences = [says, ...(late === null ? [] : [late.says, [late.now ?? '']])]
  const rest = sentences.map(plainWords).filter((sentence) => sentence !== '')
  return [headlineOf(message) + why, ...rest].join('. ').replaceAll('.. ', '. ')
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}

function titleOf({ type, subject, data: { job } }: Told): string {
  if (job !== undefined) return quoted(job.title, 200) || job.jobid
  return `${type.startsWith('upstream.') ? 'upstream' : 'endpoint'} ${quoted(subject, 100)}`
}

function jobOf({ data: { job } }: Told): string {
  return job === undefined ? '' : `, job ${job.jobid} at ${job.upstream}`
}

function quoteOf({ type, data: { change, job } }: Told): string | null {
  // That it works says enough.
  if (type === 'upstream.up' || type === 'endpoint.recovered') return null
  const text = rawQuoteOf(change, job)
  const quote = text === null ? '' : quoted(text, maxQuote)
  return quote === '' ? null : quote
}

function rawQuoteOf(change: Told['data']['change'], job: JobView | undefined): string | null {
  switch (change.kind) {
    case 'messages':
      return change.added.at(-1)?.text ?? null
    case 'upstream':
    case 'endpoint':
      return change.reason
    case 'status':
    case 'deadline':
    case 'presence':
    case 'registry':
    case 'stall':
    case 'stage':
    case 'test':
      return job?.reason ?? null
  }
}

/** That a job ended is told with how long it took, which is then no fact for itself. */
function factsOf(job: JobView, isStatusTold: boolean): Fact[] {
  const hasEnded = isEnd(job.status)
  const took = hasEnded && isStatusTold ? null : durationWords(job)
  const facts: (readonly [string, Words | null])[] = [
    [hasEnded ? 'Took' : 'Running for', asWords(took)],
    ['Operation', job.label === null ? null : asWords(job.name ?? job.operation)],
    ['Started by', asWords(job.username)],
    ['Started', asMoment(job.startedAt)],
    ['Expected', asMoment(job.eta)],
    ['Deadline', asMoment(job.deadline)],
  ]
  return facts.flatMap(([label, value]) => (value === null ? [] : [{ label, value }]))
}

function asWords(text: string | null): Words | null {
  const words = text === null ? '' : quoted(text, 100)
  return words === '' ? null : [words]
}

function asMoment(at: string | null): Words | null {
  return at === null ? null : [{ at }]
}

/** Types whose reader wants to know what the job said last. */
const needsMessages: ReadonlySet<string> = new Set([
  'job.failed',
  'job.cancelled',
  'job.stalled',
  'job.overdue',
  'job.lost',
])

function messagesOf({ type, data: { change, job } }: Told, quote: string | null): Lines | null {
  if (change.kind === 'messages') {
    return linesOf('Before that', change.added.slice(0, -1), change.count - 1)
  }
  if (job === undefined) return null
  if (!needsMessages.has(type) && job.outcome !== 'warning') return null
  const others = job.messages.filter(({ text }) => quoted(text, maxQuote) !== quote)
  return linesOf('Last messages', others, others.length)
}

function linesOf(label: string, messages: JobView['messages'], count: number): Lines | null {
  const lines = messages
    .map(({ text }) => [quoted(text, maxLine)])
    .filter(([line]) => line !== '')
    .slice(-maxMessages)
  return lines.length === 0 ? null : { label, lines, before: Math.max(0, count - lines.length) }
}

function linksOf({ data: { job } }: Told, surroundings: Surroundings): Link[] {
  const { publicUrl } = surroundings
  if (job === undefined) return linkTo('Open jobwatch', publicUrl, '/')
  const { upstream, jobid } = job
  return [
    ...linkTo('Job in ArcGIS', surroundings.rootOf(upstream), `/jobs/${jobid}`),
    ...linkTo('Job in jobwatch', publicUrl, `/#/jobs/${upstream}/${jobid}`),
  ]
}

function linkTo(label: string, base: string | null, path: string): Link[] {
  const url = `${(base ?? '').replace(/\/+$/, '')}${path}`
  return /^https?:/i.test(url) && URL.canParse(url) ? [{ label, url: new URL(url).href }] : []
}

function lateNote(told: Told, late: Late): LateNote {
  const lateMs = Math.max(0, late.now - Date.parse(told.time))
  const by = lateMs < 1000 ? '' : `${elapsed(lateMs)} `
  return {
    says: [`This message is ${by}late: it is about `, { at: told.time }, '.'],
    now: told.data.job === undefined ? null : nowWords(told.data.job, late.job),
    meanwhile: meanwhileOf(late),
  }
}

function nowWords(before: JobView, now: JobView | null): string {
  if (now === null) return 'The job is no longer kept.'
  const isSame = statusOf(now) === statusOf(before) && now.state === before.state
  const progress = now.progress.total === 0 ? '' : `, ${progressWords(now)}`
  return `${isSame ? 'Still' : 'Now'}: ${nowOf(now)}${progress}.`
}

/** The status, and what else is to be known of it: a job that is lost may say EXECUTING for ever. */
function nowOf(job: JobView): string {
  const status = `${faceOf(job).emoji} ${statusOf(job)}`
  if (job.state === 'lost') return `${status}, lost`
  return job.state === 'stopped' ? `${status}, no longer watched` : status
}

function meanwhileOf({ leftOut, leftOutCount }: Late): Lines | null {
  if (leftOut.length === 0) return null
  const lines = leftOut.slice(-maxLeftOut).map((event): Words => {
    const told = toldBy(event)
    const { face, word } = gistOf(told)
    return [{ at: told.time }, ` ${face.emoji} ${word}`]
  })
  const before = Math.max(0, leftOutCount - lines.length)
  return { label: 'Not told until now', lines, before }
}
