import { grouped } from '../history.ts'
import type { History, LogEntry } from '../history.ts'
import type { Book, Tally } from '../tally.ts'
import type { Ask } from '../trace.ts'
import { asksByJob } from './polling.ts'

const minMisses = 3
/** How far an event's time, cut to milliseconds, may be from the rig's clock. */
const clockMs = 50

/** A job is lost after nothing but misses for long enough, and found only when it was lost. */
export function checkPresence(history: History, tally: Tally): void {
  const soundness = tally.for('2 soundness')
  const chain = tally.for('4 exactly once')
  const asks = asksByJob(history)
  const told = history.log.filter(({ event }) =>
    ['job.lost', 'job.found', 'job.watched'].includes(event.type),
  )
  for (const [source, entries] of grouped(told, ({ event }) => event.source)) {
    checkTurns(chain, entries)
    const ofJob = asks.get(source.replace('/upstreams/', '').replace('/jobs/', '/')) ?? []
    for (const entry of entries) {
      if (entry.event.type === 'job.lost') checkMisses(history, soundness, entry, ofJob)
    }
  }
}

/** Lost and found take turns; watching anew begins with a job that is there. */
function checkTurns(book: Book, entries: readonly LogEntry[]): void {
  let isLost = false
  for (const { event, record } of entries) {
    const isRight = event.type === 'job.watched' || isLost === (event.type === 'job.found')
    if (isRight) book.ok()
    else book.duplicated(`${record.id} is a ${event.type} too many`, record)
    isLost = event.type === 'job.lost'
  }
}

function checkMisses(history: History, book: Book, entry: LogEntry, asks: readonly Ask[]): void {
  const toldAt = Date.parse(entry.event.time)
  const before = asks.filter(({ at }) => at <= toldAt + clockMs)
  const lastOther = before.findLastIndex(({ fault }) => fault !== 'missing')
  const misses = before.slice(lastOther + 1)
  const [first] = misses
  const upstream = history.setup.upstreams.find(({ name }) => name === first?.upstream)
  const forMs = toldAt - (first?.at ?? toldAt)
  const isEnough =
    misses.length >= minMisses && forMs >= (upstream?.lostAfterMs ?? Infinity) - clockMs
  if (isEnough) book.ok()
  else {
    const after = `${misses.length} misses in ${Math.round(forMs)} ms`
    book.unexpected(`${entry.record.id}: a job is lost after ${after}`, entry.record, ...misses)
  }
}
