import type { Database } from 'better-sqlite3'
import { positionId } from '../../core/cursor.ts'
import type { Epoch, LogBounds } from '../../core/cursor.ts'
import {
  endpointEventEncoder,
  eventId,
  jobEventEncoder,
  upstreamEventEncoder,
} from '../../core/event.ts'
import type { EncodeEvent, EventDraft, EventHead, LoggedEvent } from '../../core/event.ts'
import type { Job } from '../../core/job.ts'
import { compileFilter } from '../../core/plan.ts'
import type { EventFilter } from '../../core/plan.ts'
import { newEpoch } from '../../ids.ts'
import type { EventPage, EventQuery, EventTail, TailQuery } from '../store.ts'
import { toEvent } from './rows.ts'
import type { EventRow } from './rows.ts'
import { RecentEvents } from './recent-events.ts'

/** A page examines no more events than this, so that a sparse filter blocks nobody. */
const maxExamined = 1000
const defaultPageBytes = 1_048_576

/** The log of events in the database. What writes must run in a unit of the writer. */
export class EventLog {
  readonly #epochs: readonly Epoch[]
  readonly #recent = new RecentEvents()
  readonly #selectNewest
  readonly #selectOldest
  readonly #selectLastOfJob
  readonly #insert
  readonly #selectTypesAfter
  readonly #selectOne
  readonly #selectAfter
  readonly #selectAfterOfJob
  readonly #selectUpTo
  readonly #selectUpToOfJob
  readonly #selectSlice
  readonly #selectTime
  readonly #readPage
  readonly #readTail

  constructor(db: Database, now: number) {
    this.#selectNewest = db
      .prepare<[], number>(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`)
      .pluck()
    this.#selectOldest = db.prepare<[], number | null>('SELECT min(seq) FROM events').pluck()
    this.#selectLastOfJob = db
      .prepare<[string, string], number>(
        'SELECT seq FROM events WHERE jobid = ? AND upstream = ? ORDER BY seq DESC LIMIT 1',
      )
      .pluck()
    type Text = string | null
    this.#insert = db.prepare<[number, string, Text, Text, string, Text, string]>(
      `INSERT INTO events (seq, type, upstream, jobid, tags, endpoint, text)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#selectTypesAfter = db
      .prepare<[number], string>('SELECT type FROM events WHERE seq > ? ORDER BY seq')
      .pluck()
    const columns = 'seq, type, upstream, jobid, tags, endpoint, text'
    this.#selectOne = db.prepare<[number], EventRow>(`SELECT ${columns} FROM events WHERE seq = ?`)
    this.#selectAfter = db.prepare<[number, number], EventRow>(
      `SELECT ${columns} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`,
    )
    this.#selectAfterOfJob = db.prepare<[string, number, number], EventRow>(
      `SELECT ${columns} FROM events WHERE jobid = ? AND seq > ? ORDER BY seq LIMIT ?`,
    )
    this.#selectUpTo = db.prepare<[number, number], EventRow>(
      `SELECT ${columns} FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT ?`,
    )
    this.#selectUpToOfJob = db.prepare<[string, number, number], EventRow>(
      `SELECT ${columns} FROM events WHERE jobid = ? AND seq <= ? ORDER BY seq DESC LIMIT ?`,
    )
    this.#selectSlice = db.prepare<[number, number, number], EventRow>(
      `SELECT ${columns} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    )
    this.#selectTime = db.prepare<[number], { seq: number; time: string }>(
      `SELECT seq, json_extract(text, '$.time') AS time FROM events
        WHERE seq >= ? ORDER BY seq LIMIT 1`,
    )
    // A transaction sees one state of the log, whoever else writes or prunes meanwhile.
    this.#readPage = db.transaction((query: EventQuery) => this.#page(query))
    this.#readTail = db.transaction((query: TailQuery) => this.#tail(query))
    this.#epochs = readEpochs(db, now)
  }

  bounds(): LogBounds {
    return {
      epochs: this.#epochs,
      newest: this.newest(),
      oldest: this.oldest(),
    }
  }

  /** The highest seq ever given. */
  newest(): number {
    const newest = this.#selectNewest.get() ?? 0
    // Whoever else wrote to the log: what is in memory is no longer the end of it.
    if (newest !== this.#recent.newest) this.#recent.clear()
    return newest
  }

  /** The lowest seq still kept, null while nothing is. */
  oldest(): number | null {
    return this.#selectOldest.get() ?? null
  }

  /** The types of all events after a seq. */
  typesAfter(seq: number): readonly string[] {
    const recent = this.#recent.after(seq)
    return recent === null ? this.#selectTypesAfter.all(seq) : recent.map(({ type }) => type)
  }

  /** The seq of the job's last event that is kept, for a job that is registered anew. */
  lastOfJob(jobid: string, upstream: string): number | null {
    return this.#selectLastOfJob.get(jobid, upstream) ?? null
  }

  /** To be called when written events are gone: rolled back, or pruned. */
  forgetRecent(): void {
    this.#recent.clear()
  }

  /** An event by its seq, which must be one that is kept. */
  get(seq: number): LoggedEvent {
    const recent = this.#recent.find(seq)
    if (recent !== undefined) return recent
    const row = this.#selectOne.get(seq)
    if (row === undefined) throw new Error(`event ${seq} is no longer kept`)
    return this.event(row)
  }

  /** Numbers, encodes and writes the events of one look, in order. */
  append(job: Job, drafts: readonly EventDraft[], at: number): readonly LoggedEvent[] {
    const { upstream, jobid, tags, lastSeq } = job
    const encode = jobEventEncoder({ job, at })
    return this.#append({ upstream, jobid, tags, lastSeq }, drafts, encode)
  }

  /** Likewise the events of an upstream itself. */
  appendOfUpstream(
    upstream: string,
    lastSeq: number | null,
    drafts: readonly EventDraft[],
    at: number,
  ): readonly LoggedEvent[] {
    const encode = upstreamEventEncoder(upstream, at)
    return this.#append({ upstream, jobid: null, tags: [], lastSeq }, drafts, encode)
  }

  /** Likewise the events of an endpoint itself. */
  appendOfEndpoint(
    endpoint: string,
    lastSeq: number | null,
    drafts: readonly EventDraft[],
    at: number,
  ): readonly LoggedEvent[] {
    const encode = endpointEventEncoder(endpoint, at)
    return this.#append(
      { upstream: null, jobid: null, tags: [], endpoint, lastSeq },
      drafts,
      encode,
    )
  }

  #append(
    {
      lastSeq,
      ...about
    }: Pick<EventHead, 'upstream' | 'jobid' | 'tags' | 'endpoint'> & { lastSeq: number | null },
    drafts: readonly EventDraft[],
    encode: EncodeEvent,
  ): readonly LoggedEvent[] {
    const epoch = this.#epochs.at(-1)?.epoch
    if (epoch === undefined) throw new Error('a log has at least one epoch')
    const { upstream, jobid, endpoint = null } = about
    const tags = JSON.stringify(about.tags)
    let previousSeq = lastSeq
    let seq = this.newest()
    return drafts.map((draft) => {
      seq += 1
      const { type } = draft
      const text = encode(draft, { epoch, seq, previousSeq })
      this.#insert.run(seq, type, upstream, jobid, tags, endpoint, text)
      previousSeq = seq
      const event = { seq, id: eventId(epoch, seq), type, ...about, text }
      this.#recent.push(event)
      return event
    })
  }

  /** A page of the log, and its ends, as they are at one moment. */
  read(query: EventQuery): EventPage {
    return this.#readPage(query)
  }

  /** Likewise a page that is read backwards. */
  readTail(query: TailQuery): EventTail {
    return this.#readTail(query)
  }

  #page({ after, ...query }: EventQuery): EventPage {
    const newest = this.newest()
    const oldest = this.oldest()
    // What was pruned by somebody else is not here any more either.
    const from = Math.max(after, (oldest ?? Infinity) - 1)
    const { events, last } = this.#take(this.#after(from, query.filter), query)
    return { events, through: last ?? Math.max(newest, after), newest, oldest }
  }

  /** The events after a seq, as few as there are to be examined. */
  #after(seq: number, filter: EventFilter): Iterable<LoggedEvent> {
    const recent = this.#recent.after(seq)
    if (recent !== null) return recent
    const jobid = onlyJobid(filter)
    return this.#read(
      jobid === null
        ? this.#selectAfter.iterate(seq, maxExamined)
        : this.#selectAfterOfJob.iterate(jobid, seq, maxExamined),
    )
  }

  *#read(rows: Iterable<EventRow>): Iterable<LoggedEvent> {
    for (const row of rows) yield this.event(row)
  }

  #tail({ through, ...query }: TailQuery): EventTail {
    const newest = this.newest()
    const oldest = this.oldest()
    const jobid = onlyJobid(query.filter)
    const end = through ?? newest
    const rows =
      jobid === null
        ? this.#selectUpTo.iterate(end, maxExamined)
        : this.#selectUpToOfJob.iterate(jobid, end, maxExamined)
    const { events, last } = this.#take(this.#read(rows), query)
    return { events: events.reverse(), after: (last ?? 1) - 1, newest, oldest }
  }

  /** Those that match, until it is enough; `last` is null when there are no more. */
  #take(
    candidates: Iterable<LoggedEvent>,
    { limit, maxBytes = defaultPageBytes, filter }: Omit<EventQuery, 'after'>,
  ): { events: LoggedEvent[]; last: number | null } {
    const matches = compileFilter(filter)
    const events: LoggedEvent[] = []
    let examined = 0
    let bytes = 0
    for (const event of candidates) {
      examined += 1
      if (matches(event)) {
        events.push(event)
        bytes += Buffer.byteLength(event.text)
      }
      const isFull = events.length === limit || bytes >= maxBytes
      if (isFull || examined === maxExamined) return { events, last: event.seq }
    }
    return { events, last: null }
  }

  /** The events that come next after a seq, up to another one. */
  slice(after: number, through: number, limit: number): readonly LoggedEvent[] {
    return this.#selectSlice.all(after, through, limit).map((row) => this.event(row))
  }

  /**
   * The seq of the first event from a moment on, or the one to come. Found by halving: the log is in
   * order of time, as far as the clock was.
   */
  firstSince(at: number): number {
    const newest = this.newest()
    let low = this.oldest() ?? newest + 1
    let high = newest + 1
    while (low < high) {
      const middle = (low + high) >> 1
      const found = this.#selectTime.get(middle)
      if (found === undefined || Date.parse(found.time) >= at) high = middle
      else low = found.seq + 1
    }
    return low
  }

  event(row: EventRow): LoggedEvent {
    return toEvent(row, (seq) => positionId(seq, { epochs: this.#epochs }))
  }
}

/** The one job that a filter lets through, whose events an index has; null for any other filter. */
function onlyJobid({ jobids = [] }: EventFilter): string | null {
  const [jobid, ...others] = jobids
  return jobid !== undefined && others.length === 0 ? jobid : null
}

/** The database's epochs; a new database gets its first one. */
function readEpochs(db: Database, now: number): readonly Epoch[] {
  const select = db.prepare<[], Epoch>(
    'SELECT epoch, first_seq AS firstSeq FROM epochs ORDER BY first_seq',
  )
  if (select.all().length === 0) {
    db.prepare('INSERT INTO epochs (first_seq, epoch, begun_at) VALUES (1, ?, ?)').run(
      newEpoch(),
      now,
    )
  }
  return select.all()
}
