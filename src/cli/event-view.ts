import { faceOf } from '../core/face.ts'
import type { EventAnswer, JobInEvent } from '../http/schemas.ts'
import { paint, safe, shortStatus, shortTime } from './output.ts'
import type { Style } from './output.ts'

type Change = EventAnswer['data']['change']

/** One event as one line: time, seq, type, title, what changed. */
export function eventLine(event: EventAnswer, style: Style): string {
  const { time, type, subject, data } = event
  const words = safe(changeWords(data.change, data.job))
  const face = data.change.kind === 'status' && data.job ? faceOf(data.job) : null
  const emoji = style.emoji && face ? `${face.emoji} ` : ''
  const title = safe(data.job?.title ?? subject)
  const what = emoji + (face ? paint(style, face.colour)(words) : words)
  return `${shortTime(time)}  #${data.seq}  ${safe(type)}  ${title}  ${what}`.trimEnd() + '\n'
}

/** What changed, in words that are not yet safe; kinds that a newer daemon may have say nothing. */
function changeWords(change: Change, job: JobInEvent | undefined): string {
  switch (change.kind) {
    case 'status':
      return statusChange(change, job)
    case 'stage':
      return stageChange(change)
    case 'messages':
      return messageChange(change)
    case 'stall':
      return since('no change', change)
    case 'deadline':
      return `deadline ${timeOf(change['deadline'])}`
    case 'presence':
      return since('not listed', change)
    case 'registry':
      return `by ${textOf(change['by'])}`
    case 'upstream':
    case 'endpoint':
      return healthChange(change)
    default:
      return ''
  }
}

function statusChange({ from, to }: Change, job: JobInEvent | undefined): string {
  const after = job ? shortStatus(job) : textOf(to)
  const words = from === null || from === undefined ? after : `${textOf(from)} → ${after}`
  return job?.reason ? `${words}: ${job.reason}` : words
}

function stageChange({ stage, occurrence, from, to, rawTo }: Change): string {
  const number = typeof occurrence === 'number' && occurrence > 1 ? ` #${occurrence}` : ''
  const name = `${textOf(stage)}${number}:`
  if (to === null) return `${name} gone`
  const after = to === 'unknown' ? `unknown (${textOf(rawTo)})` : textOf(to)
  return from === null ? `${name} ${after}` : `${name} ${textOf(from)} → ${after}`
}

function messageChange({ added }: Change): string {
  const messages: readonly unknown[] = Array.isArray(added) ? added : []
  const last = messages.at(-1)
  if (typeof last !== 'object' || last === null || !('text' in last)) return ''
  const more = messages.length > 1 ? ` (and ${messages.length - 1} before)` : ''
  return textOf(last.text) + more
}

function healthChange(change: Change): string {
  const { reason, disablesAt } = change
  const until = typeof disablesAt === 'string' ? `, disabled at ${timeOf(disablesAt)}` : ''
  return since(typeof reason === 'string' ? reason : '', change) + until
}

function since(words: string, { since: time }: Change): string {
  return typeof time === 'string' ? `${words} since ${timeOf(time)}`.trimStart() : words
}

function timeOf(value: unknown): string {
  return shortTime(typeof value === 'string' ? value : null)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}
