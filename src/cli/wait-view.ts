import type { FollowState } from '../client/follow.ts'
import { jobKey } from '../client/wait.ts'
import type { Ending, JobNews } from '../client/wait.ts'
import { statusWords } from '../core/face.ts'
import type { JobInEvent } from '../http/schemas.ts'
import { connectionNotices, lostWords } from './connection-notices.ts'
import { eventLine } from './event-view.ts'
import { LiveRegion } from './live-region.ts'
import { elapsed, jsonText, safe, styleFor } from './output.ts'
import { closingRows, plainRow, progressRows } from './progress.ts'
import type { Frame, Progress } from './progress.ts'
import { notice, print } from './session.ts'
import type { CliIo } from './session.ts'

/** What whoever waits gets to see. */
export interface WaitView {
  /** How a job is found, or an event of it. */
  news(news: JobNews): Promise<void>
  connection(state: FollowState): void
  /** The waiting is over, or as long as it was to be: these are the jobs. */
  result(jobs: readonly JobInEvent[]): Promise<void>
  /** Lets go of the terminal. */
  close(): void
}

/** One JSON document at the end. */
export function jsonView(io: CliIo): WaitView {
  return {
    news: () => Promise.resolve(),
    connection: connectionNotices((words) => notice(io, words)),
    async result(items) {
      await print(io.stdout, jsonText({ items }))
    },
    close: () => undefined,
  }
}

/** Each event as a line; what is no event is for whoever reads along. */
export function linesView(io: CliIo): WaitView {
  const style = styleFor(io)
  /** How far each job was when that was last said. */
  const told = new Map<string, Ending | 'running'>()

  return {
    async news({ job, ending, event }) {
      // When the reader has gone, the exit code still tells.
      if (event !== null) await print(io.stdout, eventLine(event, style))
      const now = ending ?? 'running'
      if (told.get(jobKey(job)) === now) return
      told.set(jobKey(job), now)
      notice(io, ending === null ? `waiting for ${nameOf(job)}` : endWords(job, ending))
    },
    connection: connectionNotices((words) => notice(io, words)),
    result: () => Promise.resolve(),
    close: () => undefined,
  }
}

function nameOf({ title, jobid }: JobInEvent): string {
  return title === jobid ? safe(jobid) : `${safe(title)} (${safe(jobid)})`
}

function endWords(job: JobInEvent, ending: Ending): string {
  switch (ending) {
    case 'lost':
      return `${nameOf(job)} is lost: the upstream no longer knows it`
    case 'unwatched':
      return `${nameOf(job)} is no longer watched`
    case 'succeeded':
    case 'failed':
    case 'cancelled': {
      const took = job.durationMs === null ? '' : ` after ${elapsed(job.durationMs)}`
      const why = job.reason === null ? '' : `: ${safe(job.reason)}`
      return `${nameOf(job)}: ${safe(statusWords(job))}${took}${why}`
    }
  }
}

const repaintMs = 1000

/** A row for each job that is drawn over again and again. */
export function barsView(io: CliIo, now: () => number): WaitView {
  const style = styleFor(io)
  const region = new LiveRegion(io.stdout)
  const jobs = new Map<string, Progress>()
  let trouble: string | null = null
  let next: NodeJS.Immediate | null = null
  // Time passes, also when nothing else happens.
  const timer = setInterval(paintSoon, repaintMs)
  io.stdout.on('resize', paintSoon)
  let isSuspended = false
  // Below what the shell and its user write meanwhile the rows begin anew.
  const endSuspensions = io.onSuspension({
    before() {
      isSuspended = true
      region.forget()
    },
    after() {
      isSuspended = false
      region.forget()
      paintSoon()
    },
  })

  function frame(): Frame {
    return { now: now(), style, columns: region.columns, rows: region.rows }
  }

  /** What comes at once is drawn at once. */
  function paintSoon(): void {
    next ??= setImmediate(() => {
      next = null
      if (!isSuspended) paint()
    })
  }

  function paint(): void {
    const all = frame()
    const below = trouble === null ? [] : [plainRow(trouble, all, 'yellow')]
    const rows = all.rows - below.length
    region.draw([...progressRows([...jobs.values()], { ...all, rows }), ...below])
  }

  function close(): void {
    clearInterval(timer)
    if (next !== null) clearImmediate(next)
    io.stdout.removeListener('resize', paintSoon)
    endSuspensions()
  }

  return {
    news({ job }) {
      jobs.set(jobKey(job), { job, at: now() })
      paintSoon()
      return Promise.resolve()
    },
    connection(state) {
      trouble = state.state === 'open' ? null : lostWords(state)
      paintSoon()
    },
    result() {
      region.finish(closingRows([...jobs.values()], frame()))
      return Promise.resolve()
    },
    close,
  }
}
