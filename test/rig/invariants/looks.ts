import { grouped } from '../history.ts'
import type { History, LogEntry } from '../history.ts'
import type { Tally } from '../tally.ts'
import type { Ask, Version } from '../trace.ts'
import { asksByJob } from './polling.ts'

const ended: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED'])
/** Changes that a look shows; the others come of registering and of time. */
const shownKinds: ReadonlySet<string> = new Set(['stage', 'messages', 'status'])

/** What the events tell of each job, held against what the upstream has shown of it. */
export function checkLooks(history: History, tally: Tally): void {
  const events = history.log.filter(({ event }) => event.data.job !== undefined)
  const bySource = grouped(events, ({ event }) => event.source.replace('/upstreams/', ''))
  const asks = asksByJob(history)
  for (const name of ['2 soundness', '3 completeness', '4 exactly once', '5 order']) tally.for(name)
  for (const key of new Set([...asks.keys(), ...sourcesOf(bySource)])) {
    const entries = bySource.get(key.replace('/', '/jobs/')) ?? []
    checkChain(tally, entries)
    walk(history, tally, asks.get(key) ?? [], entries)
  }
}

function sourcesOf(bySource: ReadonlyMap<string, unknown>): string[] {
  return [...bySource.keys()].map((source) => source.replace('/jobs/', '/'))
}

const statusSubject = 'status'

/** Each change begins where the one before it ended, and changes something. */
function checkChain(tally: Tally, entries: readonly LogEntry[]): void {
  const book = tally.for('4 exactly once')
  const last = new Map<string, LogEntry>()
  for (const entry of entries) {
    const { change } = entry.event.data
    const isOver = ended.has(String(last.get(statusSubject)?.event.data.change['to']))
    if (entry.event.type === 'job.watched' && isOver) last.clear()
    if (change.kind !== 'stage' && change.kind !== 'status') continue
    const subject =
      change.kind === 'status'
        ? statusSubject
        : JSON.stringify([change['stage'], change['occurrence']])
    const before = last.get(subject)
    last.set(subject, entry)
    const known = before === undefined ? null : before.event.data.change['to']
    if (change['from'] === change['to']) {
      book.duplicated(`${entry.record.id} changes nothing`, entry.record)
    } else if (change['from'] === known || (change.kind === 'stage' && before === undefined)) {
      // The first sight tells of no stage, so the first change of one may begin anywhere.
      book.ok()
    } else {
      const witness = before === undefined ? [] : [before.record]
      book.unexpected(
        `${entry.record.id} begins at ${String(change['from'])}, not at ${String(known)}`,
        ...witness,
        entry.record,
      )
    }
  }
}

/** The events of one look: those in a row that carry the same version of the job. */
interface Look {
  readonly version: number
  /** The first one after the watching began. */
  readonly isFirst: boolean
  readonly entries: LogEntry[]
}

function looksIn(entries: readonly LogEntry[]): Look[] {
  const looks: Look[] = []
  let isFirst = true
  for (const entry of entries) {
    if (entry.event.type === 'job.watched') isFirst = true
    if (!shownKinds.has(entry.event.data.change.kind)) continue
    const version = versionIn(entry)
    const current = looks.at(-1)
    if (current?.version === version && !isFirst) current.entries.push(entry)
    else looks.push({ version, isFirst, entries: [entry] })
    isFirst = false
  }
  return looks
}

/** Every version of a job shows its number in its only message. */
export function versionIn({ event }: LogEntry): number {
  return Number(/^v=(\d+)$/.exec(event.data.job?.messages.at(-1)?.text ?? '')?.[1] ?? NaN)
}

/** Walks through what was shown and what was told at once; both go by the same versions. */
function walk(
  history: History,
  tally: Tally,
  asks: readonly Ask[],
  entries: readonly LogEntry[],
): void {
  const soundness = tally.for('2 soundness')
  const order = tally.for('5 order')
  let place = 0
  let state: Version | null = null
  for (const look of looksIn(entries)) {
    const [first] = look.entries
    if (first === undefined) continue
    const found = asks.findIndex((ask, index) => index >= place && ask.version === look.version)
    if (found === -1) {
      const isOld = asks.some(({ version }) => version === look.version)
      const text = `${first.record.id} tells of version ${look.version}`
      if (isOld) order.unexpected(`${text} after a later one`, first.record)
      else soundness.unexpected(`${text}, which was never shown`, first.record)
      continue
    }
    order.ok()
    checkLeftOut(history, tally, asks, { from: place, to: found, state })
    checkSeenAfter(tally, asks[found], first)
    const { upstream, jobid } = asks[found] ?? { upstream: '', jobid: '' }
    const next = history.version({ upstream, jobid, version: look.version })
    if (next !== null) checkDiff(tally, knownTo(look, state), next, look)
    state = next
    place = found + 1
  }
  checkLeftOut(history, tally, asks, { from: place, to: asks.length, state })
}

/** What the job was known as: one that had ended is watched anew as if it had never been seen. */
function knownTo({ isFirst }: Look, state: Version | null): Version | null {
  return isFirst && state !== null && ended.has(state.status) ? null : state
}

/** Nothing is told before it was shown. */
function checkSeenAfter(tally: Tally, ask: Ask | undefined, { record, event }: LogEntry): void {
  const book = tally.for('2 soundness')
  if (ask === undefined) return
  // The daemon's own clock is the same machine's; its times are cut to milliseconds.
  if (Date.parse(event.time) >= Math.floor(ask.at) - 5) book.ok()
  else book.unexpected(`${record.id} is told before it was shown`, ask, record)
}

/** Requests that led to no events: their versions must not have been news. */
function checkLeftOut(
  history: History,
  tally: Tally,
  asks: readonly Ask[],
  { from, to, state }: { from: number; to: number; state: Version | null },
): void {
  const book = tally.for('3 completeness')
  for (let index = from; index < to; index += 1) {
    const ask = asks[index]
    if (ask === undefined || ask.version === null) continue
    if (state?.version === ask.version) book.ok()
    else if (!history.isSettled(ask, asks[index + 1]) || isStopped(history, ask, asks[index + 1])) {
      book.uncertain()
    } else {
      book.lost(`${ask.jobid} has shown version ${ask.version}, and no event tells of it`, ask)
    }
  }
}

/** Whether somebody stopped the watching of the job while an answer may have been under way. */
function isStopped(history: History, ask: Ask, next: Ask | undefined): boolean {
  const until = Math.max(ask.to + 2000, next?.at ?? Infinity)
  return history.stopsOf(ask.jobid).some(({ at, to }) => to >= ask.at && at <= until)
}

/** The events of a look are those of its difference to what was known, in order. */
function checkDiff(tally: Tally, before: Version | null, after: Version, look: Look): void {
  const book = tally.for('4 exactly once')
  const told = look.entries.map(({ event }) => lineOf(event.type, event.data.change))
  const expected = linesOf(before, after)
  const records = look.entries.map(({ record }) => record)
  const missing = expected.filter((line) => !told.includes(line))
  const extra = told.filter((line) => !expected.includes(line))
  const what = `version ${after.version} of ${after.jobid}`
  if (missing.length > 0) {
    tally.for('3 completeness').lost(`${what} lacks ${missing.join(', ')}`, after, ...records)
  } else if (extra.length > 0) {
    book.unexpected(`${what} also tells ${extra.join(', ')}`, after, ...records)
  } else if (told.length > expected.length) {
    book.duplicated(`${what} tells something twice: ${told.join(', ')}`, after, ...records)
  } else if (told.join() !== expected.join()) {
    tally.for('5 order').unexpected(`${what} is told in another order`, after, ...records)
  } else book.ok()
}

/** What is to be told when a job has become another, by contract.md, section 4. */
function linesOf(before: Version | null, after: Version): string[] {
  const status = `${typeOf(before, after)} ${before?.status ?? 'null'}>${after.status}`
  if (before === null) return [status]
  const stages = Object.entries(after.stages).flatMap(([name, state]) => {
    const known = before.stages[name] ?? null
    return known === state ? [] : [`stage ${name} ${known ?? 'null'}>${state}`]
  })
  const gone = Object.entries(before.stages).flatMap(([name, state]) =>
    name in after.stages ? [] : [`stage ${name} ${state}>null`],
  )
  const messages = before.version === after.version ? [] : [`messages v=${after.version}`]
  return [...stages, ...gone, ...messages, ...(before.status === after.status ? [] : [status])]
}

function typeOf(before: Version | null, after: Version): string {
  if (before !== null && ended.has(before.status) && !ended.has(after.status)) return 'job.reopened'
  return `job.${after.status.toLowerCase()}`
}

function lineOf(type: string, change: LogEntry['event']['data']['change']): string {
  const text = (key: string): string => String(change[key])
  if (change.kind === 'stage') return `stage ${text('stage')} ${text('from')}>${text('to')}`
  if (change.kind === 'messages') {
    const added = change['added'] as readonly { readonly text: string }[]
    return `messages ${added.map((message) => message.text).join()}`
  }
  return `${type} ${text('from')}>${text('to')}`
}
