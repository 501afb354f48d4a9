import { attemptWords, isTaken } from '../core/attempt-words.ts'
import { deliveryFaces } from '../core/face.ts'
import type { AttemptAnswer, DeliveryAnswer, DeliveryDetail } from '../http/schemas.ts'
import { cellLine, factLines } from './facts.ts'
import { paint, safe, shortTime, stateCell } from './output.ts'
import type { Style } from './output.ts'
import { cut, renderTable } from './table.ts'
import type { Cell } from './table.ts'

/** Deliveries as a table. */
export function deliveryTable(deliveries: readonly DeliveryAnswer[], style: Style): string {
  const header = ['ID', 'ENDPOINT', 'SEQ', 'TYPE', 'JOB', 'STATE', 'ATTEMPTS', 'WHEN']
  const rows = deliveries.map((delivery): Cell[] => [
    { text: String(delivery.id) },
    { text: safe(delivery.endpoint) },
    { text: String(delivery.seq) },
    { text: safe(delivery.type) },
    { text: safe(delivery.jobid ?? '-') },
    stateCell(deliveryFaces, delivery.state, style),
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
    cellLine('state', stateCell(deliveryFaces, delivery.state, style)),
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

const maxAnswerLines = 5

/** What came of an attempt, and below it the first lines of the answer. */
export function attemptLines(attempt: AttemptAnswer, style: Style): string {
  const { emoji, colour } = isTaken(attempt) ? deliveryFaces.delivered : deliveryFaces.failed
  const words = paint(style, colour)(safe(attemptWords(attempt)))
  const lines = (attempt.answer ?? '').split(/[\r\n]+/).filter((line) => line.trim() !== '')
  const shown = lines.slice(0, maxAnswerLines).map((line) => `      ${cut(safe(line), 120)}\n`)
  const more = lines.length > maxAnswerLines ? '      …\n' : ''
  const mark = style.emoji ? `${emoji} ` : ''
  return `${mark}${words}\n${shown.join('')}${more}`
}
