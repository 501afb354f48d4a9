import { stageFaceOf, stageWords } from '../core/face.ts'
import type { JobAnswer } from '../http/schemas.ts'
import { cellLine, factLines } from './facts.ts'
import type { Fact } from './facts.ts'
import { elapsed, paint, safe, shortTime, statusCell } from './output.ts'
import type { Style } from './output.ts'
import { cut, renderTable } from './table.ts'
import type { Cell } from './table.ts'

/** Jobs as a table; the upstream is a column only where there are several. */
export function jobTable(jobs: readonly JobAnswer[], style: Style): string {
  const header = ['JOBID', 'STATE', 'STATUS', 'TITLE', 'STAGES', 'STARTED', 'ELAPSED', 'WHO']
  const hasSeveralUpstreams = new Set(jobs.map(({ upstream }) => upstream)).size > 1
  if (hasSeveralUpstreams) header.push('UPSTREAM')
  const rows = jobs.map((job): Cell[] => [
    { text: safe(job.jobid) },
    { text: safe(job.state) },
    statusCell(job, style),
    { text: cut(safe(job.title), 48) },
    { text: job.progress.total === 0 ? '-' : `${job.progress.done}/${job.progress.total}` },
    { text: shortTime(job.startedAt) },
    { text: elapsed(job.durationMs) },
    { text: cut(safe(job.username ?? '-'), 24) },
    ...(hasSeveralUpstreams ? [{ text: safe(job.upstream) }] : []),
  ])
  return renderTable(header, rows)
}

/** Everything about one job that a person wants to read. */
export function jobDetail(job: JobAnswer, style: Style): string {
  const bold = paint(style, 'bold')
  const status = statusCell(job, style)
  const facts: Fact[] = [
    ['job', `${job.jobid} at ${job.upstream}`],
    ['state', job.state],
    ['operation', job.operation],
    ['resource', job.resource],
    ['who', job.username],
    ['tags', job.tags.length === 0 ? null : job.tags.join(', ')],
    ['started', orNull(job.startedAt)],
    ['ended', orNull(job.endedAt)],
    ['elapsed', job.durationMs === null ? null : elapsedWords(job)],
    ['expected', orNull(job.eta)],
    ['deadline', orNull(job.deadline)],
    ['stall after', job.stallAfter],
    ['changed', orNull(job.changedAt)],
    ['looked at', orNull(job.polledAt)],
    ['last look', problemWords(job)],
    ['reason', job.reason],
  ]
  return [
    `${bold(safe(job.title))}\n`,
    cellLine('status', status),
    factLines(facts),
    ...stageLines(job, style),
    ...messageLines(job),
  ].join('')
}

function orNull(time: string | null): string | null {
  return time === null ? null : shortTime(time)
}

function elapsedWords({ durationMs, typicalDurationMs }: JobAnswer): string {
  const usual = typicalDurationMs === null ? '' : ` (usually ${elapsed(typicalDurationMs)})`
  return elapsed(durationMs) + usual
}

function problemWords({ problem }: JobAnswer): string | null {
  if (problem === null) return null
  const { kind, detail, attempts, since } = problem
  const times = attempts === 1 ? 'once' : `${attempts} times`
  return `${kind}: ${detail} (${times} since ${shortTime(since)})`
}

function stageLines({ stages, progress }: JobAnswer, style: Style): string[] {
  if (progress.total === 0) return []
  const rows = stages.map(({ name, occurrence, state, rawState, startedAt, endedAt }): Cell[] => {
    return [
      { text: `    ${safe(occurrence > 1 ? `${name} #${occurrence}` : name)}` },
      {
        text: safe(stageWords(state, rawState)),
        ...(state !== 'unknown' && { paint: paint(style, stageFaceOf(state).colour) }),
      },
      { text: startedAt === null ? '' : shortTime(startedAt) },
      { text: endedAt === null ? '' : `- ${shortTime(endedAt)}` },
    ]
  })
  const left = progress.total - stages.length
  return [
    `\n  stages ${progress.done}/${progress.total}\n`,
    renderTable(null, rows),
    ...(left > 0 ? [`    and ${left} more\n`] : []),
  ]
}

function messageLines({ messages, messageCount }: JobAnswer): string[] {
  if (messages.length === 0) return []
  const isCut = messageCount > messages.length
  const count = isCut ? `, the last ${messages.length} of ${messageCount}` : ''
  const lines = messages.map(({ text, level, at }) => {
    const prefix = [orNull(at), level].filter((part) => part !== null).join(' ')
    return `    ${safe(prefix === '' ? text : `${prefix} ${text}`)}\n`
  })
  return [`\n  messages${count}\n`, ...lines]
}
