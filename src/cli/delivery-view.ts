import type { AttemptError } from '../core/delivery.ts'
import type { Face } from '../core/face.ts'
import type { AttemptAnswer, DeliveryAnswer, DeliveryDetail } from '../http/schemas.ts'
import { cellLine, factLines } from './facts.ts'
import { elapsed, paint, safe, shortTime, stateCell } from './output.ts'
import type { Style } from './output.ts'
import { cut, renderTable } from './table.ts'
import type { Cell } from './table.ts'

const faces: Readonly<Record<DeliveryAnswer['state'], Face>> = {
  pending: { emoji: '⏳', colour: 'cyan' },
  delivered: { emoji: '✅', colour: 'green' },
  failed: { emoji: '❌', colour: 'red' },
  superseded: { emoji: '➖', colour: 'dim' },
  cancelled: { emoji: '🚫', colour: 'yellow' },
}

/** Deliveries as a table. */
export function deliveryTable(deliveries: readonly DeliveryAnswer[], style: Style): string {
  const header = ['ID', 'ENDPOINT', 'SEQ', 'TYPE', 'JOB', 'STATE', 'ATTEMPTS', 'WHEN']
  const rows = deliveries.map((delivery): Cell[] => [
    { text: String(delivery.id) },
    { text: safe(delivery.endpoint) },
    { text: String(delivery.seq) },
    { text: safe(delivery.type) },
    { text: safe(delivery.jobid ?? '-') },
    stateCell(faces, delivery.state, style),
    { text: String(delivery.attemptCount) },
    { text: whenWords(delivery) },
  ])
  return renderTable(header, rows)
}

function whenWords({ state, nextAttemptAt, deliveredAt }: DeliveryAnswer): string {
  if (state !== 'pending') return shortTime(deliveredAt)
  return nextAttemptAt === null ? waiting : `next ${shortTime(nextAttemptAt)}`
}

const waiting = 'waits for an earlier one'

/** One delivery with its attempts. */
export function deliveryDetail(delivery: DeliveryDetail, style: Style): string {
  const { id, state, nextAttemptAt, deliveredAt, attempts } = delivery
  return [
    `${paint(style, 'bold')(`delivery ${id}`)}\n`,
    cellLine('state', stateCell(faces, delivery.state, style)),
    factLines([
      ['endpoint', delivery.endpoint],
      ['event', `#${delivery.seq} ${delivery.type}`],
      ['job', delivery.jobid],
      ['created', shortTime(delivery.createdAt)],
      ['delivered', deliveredAt === null ? null : shortTime(deliveredAt)],
      ['next', state === 'pending' ? nextWords(nextAttemptAt) : null],
    ]),
    `\n  attempts ${delivery.attemptCount}\n`,
    ...attempts.map((attempt) => `    ${shortTime(attempt.at)}  ${attemptLines(attempt, style)}`),
  ].join('')
}

function nextWords(nextAttemptAt: string | null): string {
  return nextAttemptAt === null ? waiting : shortTime(nextAttemptAt)
}

/** Whether the receiver took what was sent. */
export function isTaken({ status, error }: Pick<AttemptAnswer, 'status' | 'error'>): boolean {
  return status !== null && error === null
}

const maxAnswerLines = 5

/** What came of an attempt, and below it the first lines of the answer. */
export function attemptLines(attempt: AttemptAnswer, style: Style): string {
  const { emoji, colour } = isTaken(attempt) ? faces.delivered : faces.failed
  const words = paint(style, colour)(attemptWords(attempt))
  const lines = (attempt.answer ?? '').split(/[\r\n]+/).filter((line) => line.trim() !== '')
  const shown = lines.slice(0, maxAnswerLines).map((line) => `      ${cut(safe(line), 120)}\n`)
  const more = lines.length > maxAnswerLines ? '      …\n' : ''
  const mark = style.emoji ? `${emoji} ` : ''
  return `${mark}${words} after ${took(attempt)}\n${shown.join('')}${more}`
}

function took({ durationMs }: AttemptAnswer): string {
  return durationMs < 1000 ? `${durationMs} ms` : elapsed(durationMs)
}

function attemptWords({ status, error }: AttemptAnswer): string {
  const answered = `answered ${status}`
  if (error === 'status') return `not taken: ${answered}`
  if (error === 'redirect') return `not taken: ${answered}, and redirects are not followed`
  if (error !== null) return (troubles as Partial<Record<string, string>>)[error] ?? safe(error)
  return status === null ? 'not sent: it could not be put into words' : `taken: ${answered}`
}

const troubles: Readonly<Record<Exclude<AttemptError, 'status' | 'redirect'>, string>> = {
  timeout: 'no answer in time',
  dns: 'its name does not resolve',
  connect: 'nobody takes connections there',
  tls: 'no secure connection: its certificate or protocol is not accepted',
  reset: 'the connection broke off before the answer was whole',
  refused_address: 'its address is not allowed: see delivery.allow in the configuration',
}
