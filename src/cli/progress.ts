import { endingOf } from '../core/ending.ts'
import { faceOf } from '../core/face.ts'
import type { FaceColour } from '../core/face.ts'
import { estimate, passedMs, runningStage, stateWords } from '../core/progress-words.ts'
import type { JobInEvent } from '../http/schemas.ts'
import type { Row } from './live-region.ts'
import { elapsed, paint, safe } from './output.ts'
import type { Style } from './output.ts'
import { cut, steady, widthOf } from './table.ts'

/** A job, and when (epoch ms, by the clock of this machine) it was so. */
export interface Progress {
  readonly job: JobInEvent
  readonly at: number
}

export interface Frame {
  readonly now: number
  readonly style: Style
  /** Columns that a row may take. */
  readonly columns: number
  /** Rows that there may be. */
  readonly rows: number
}

const columnNames = ['title', 'bar', 'count', 'doing', 'elapsed', 'estimate'] as const
type Column = (typeof columnNames)[number]
type Cells = Readonly<Record<Column, string>>
type Widths = Record<Column, number>

const gap = '  '
const most: Readonly<Partial<Widths>> = { title: 40, doing: 32 }
const barWidth = 20

/** What gives way to a narrow terminal, in this order: down to so many columns, or as a whole. */
const savings: readonly (readonly [Column, least: number])[] = [
  ['doing', 14],
  ['title', 20],
  ['bar', 8],
  ['estimate', 0],
  ['bar', 0],
  ['doing', 0],
  ['title', 6],
  ['elapsed', 0],
  ['count', 0],
  ['title', 1],
]

/** One row per job, those still running first; what does not fit is counted. */
export function progressRows(jobs: readonly Progress[], frame: Frame): Row[] {
  const [running, over] = partition(jobs, ({ job }) => endingOf(job) === null)
  const ordered = [...running, ...over]
  if (ordered.length <= frame.rows) return rowsOf(ordered, frame)
  const shown = ordered.slice(0, Math.max(frame.rows - 1, 0))
  return [...rowsOf(shown, frame), plainRow(`and ${ordered.length - shown.length} more`, frame)]
}

/** One row per job in the given order, with the reason of what failed below it. */
export function closingRows(jobs: readonly Progress[], frame: Frame): Row[] {
  const rows = rowsOf(jobs, frame)
  return rows.flatMap((row, index) => {
    const job = jobs[index]?.job
    if (!job?.reason || endingOf(job) === 'succeeded') return [row]
    const indent = frame.style.emoji ? '   ' : '  '
    return [row, plainRow(indent + safe(job.reason), frame, 'red')]
  })
}

/** A line of words. */
export function plainRow(words: string, { columns, style }: Frame, colour?: FaceColour): Row {
  const plain = cut(steady(words), columns)
  return { plain, text: colour === undefined ? plain : paint(style, colour)(plain) }
}

function rowsOf(jobs: readonly Progress[], frame: Frame): Row[] {
  const all = jobs.map((progress) => ({ job: progress.job, cells: cellsOf(progress, frame) }))
  const widths = fit(
    all.map(({ cells }) => cells),
    frame.columns - (frame.style.emoji ? markWidth : 0),
  )
  return all.map(({ job, cells }) => rowOf(job, cells, { widths, frame }))
}

const markWidth = 3

function cellsOf({ job, at }: Progress, { now }: Frame): Cells {
  const { done, total } = job.progress
  const isOver = endingOf(job) !== null
  const passed = passedMs(job, now - at)
  return {
    title: steady(safe(job.title)),
    bar: total === 0 ? '' : bar(done / total, barWidth),
    count: total === 0 ? '' : `${done}/${total}`,
    doing: steady(safe(isOver ? stateWords(job) : (runningStage(job) ?? stateWords(job)))),
    elapsed: elapsed(passed),
    estimate: isOver ? '' : estimate(passed, job.typicalDurationMs),
  }
}

function bar(part: number, width: number): string {
  const filled = Math.min(Math.floor(part * width), width)
  return '█'.repeat(filled) + '░'.repeat(width - filled)
}

/** How wide each column is, so that all together fit. */
function fit(all: readonly Cells[], columns: number): Widths {
  const widths = Object.fromEntries(
    columnNames.map((name) => {
      const widest = Math.max(0, ...all.map((cells) => widthOf(cells[name])))
      return [name, Math.min(widest, most[name] ?? widest)]
    }),
  ) as Widths
  for (const [name, least] of savings) {
    const excess = totalOf(widths) - columns
    if (excess <= 0) break
    if (least === 0) widths[name] = 0
    else if (widths[name] > least) widths[name] = Math.max(widths[name] - excess, least)
  }
  return widths
}

function totalOf(widths: Widths): number {
  const present = columnNames.filter((name) => widths[name] > 0)
  const sum = present.reduce((total, name) => total + widths[name], 0)
  return sum + gap.length * Math.max(present.length - 1, 0)
}

function rowOf(
  job: JobInEvent,
  cells: Cells,
  { widths, frame: { style } }: { widths: Widths; frame: Frame },
): Row {
  const face = faceOf(job)
  const inColour = paint(style, face.colour)
  const { done, total } = job.progress
  const parts = columnNames
    .filter((name) => widths[name] > 0)
    .map((name) => {
      const width = widths[name]
      const whole = name === 'bar' && total > 0 ? bar(done / total, width) : cells[name]
      const plain = pad(cut(whole, width), width, name === 'elapsed' || name === 'count')
      const isPainted = name === 'bar' || name === 'doing'
      return { plain, text: isPainted ? inColour(plain) : plain }
    })
  const mark = style.emoji ? pad(steady(face.emoji), markWidth, false) : ''
  return {
    plain: (mark + parts.map(({ plain }) => plain).join(gap)).trimEnd(),
    text:
      mark +
      parts
        .map(({ text }) => text)
        .join(gap)
        .trimEnd(),
  }
}

function pad(text: string, width: number, isRight: boolean): string {
  const padding = ' '.repeat(Math.max(width - widthOf(text), 0))
  return isRight ? padding + text : text + padding
}

function partition<T>(items: readonly T[], fits: (item: T) => boolean): [T[], T[]] {
  return [items.filter(fits), items.filter((item) => !fits(item))]
}
