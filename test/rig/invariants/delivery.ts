import { fits, grouped } from '../history.ts'
import type { History, LogEntry, Of } from '../history.ts'
import type { Tally } from '../tally.ts'
import type { EndpointRecord, Receipt } from '../trace.ts'

/** Events that end or alarm: they wait for an earlier one of their job only so long. */
const urgent: ReadonlySet<string> = new Set([
  ...['job.completed', 'job.failed', 'job.cancelled'],
  ...['job.lost', 'job.overdue', 'job.stalled'],
])
/** How far a retry may stray from its schedule. */
const jitter = 0.2
/** What is in flight or about to be when a request for silence arrives, in ms. */
const reactionMs = 400
/** After so long what was answered is recorded, in ms. */
const settleMs = 2000
/** How far an event's time, cut to milliseconds, may be from the rig's clock. */
const clockMs = 50
/** How long after its time an event may be committed. */
const commitMs = 1000

/** What receivers got, held against the log. */
export function checkDelivery(history: History, tally: Tally): void {
  const names = ['9 at least once', '10 nothing extra', '11 retries', '12 order per job']
  for (const name of names) tally.for(name)
  const receipts = [...history.all('receipt')].sort((a, b) => a.at - b.at)
  const byEndpoint = grouped(receipts, ({ endpoint }) => endpoint)
  const deliveries = grouped(history.all('delivery'), ({ endpoint }) => endpoint)
  for (const endpoint of history.all('endpoint')) {
    const got = byEndpoint.get(endpoint.name) ?? []
    const byId = grouped(got, ({ id }) => id)
    checkTaken(history, tally, endpoint, byId, deliveries.get(endpoint.name) ?? [])
    for (const one of got) checkBelongs(history, tally, endpoint, one)
    for (const attempts of byId.values()) checkRetries(history, tally, attempts)
    checkRepeats(history, tally, [...byId.values()])
    checkSilence(history, tally, got)
    checkDisabled(history, tally, endpoint, got)
    checkOrder(history, tally, endpoint, byId)
  }
  for (const [name, [first]] of byEndpoint) {
    const isKnown = history.all('endpoint').some((endpoint) => endpoint.name === name)
    if (!isKnown && first !== undefined) {
      tally.for('10 nothing extra').unexpected(`${name} gets something, and is none`, first)
    }
  }
}

function isTaken({ answer }: Receipt): boolean {
  return typeof answer === 'number' && answer >= 200 && answer < 300
}

/** Whether an event is owed to an endpoint: `perhaps` for one that came while that was changing. */
function owes(
  history: History,
  { events, name, at, to }: EndpointRecord,
  { event }: LogEntry,
): 'yes' | 'no' | 'perhaps' {
  if (!fits(event.type, events) || event.source === `/endpoints/${name}`) return 'no'
  const time = Date.parse(event.time)
  if (time < at - clockMs) return 'no'
  const changes = [{ at, to, isOn: true }, ...switchesOf(history, name)]
  if (changes.some((one) => time >= one.at - commitMs && time <= one.to + clockMs)) return 'perhaps'
  return changes.findLast((one) => one.to < time)?.isOn === false ? 'no' : 'yes'
}

function switchesOf(history: History, name: string): readonly Of<'switch'>[] {
  return history.all('switch').filter((one) => one.name === name)
}

/** What is pending when an endpoint is disabled is cancelled. */
function isCalledOff(history: History, { name }: EndpointRecord, { event }: LogEntry): boolean {
  const time = Date.parse(event.time)
  return switchesOf(history, name).some(({ isOn, to }) => !isOn && to >= time)
}

/** One that is disabled gets nothing but what was on its way. */
function checkDisabled(
  history: History,
  tally: Tally,
  { name }: EndpointRecord,
  got: readonly Receipt[],
): void {
  const book = tally.for('10 nothing extra')
  const switches = switchesOf(history, name)
  switches.forEach(({ isOn, to }, index) => {
    if (isOn) return
    const until = switches[index + 1]?.at ?? Infinity
    const early = got.find(({ at }) => at > to + reactionMs && at < until)
    if (early === undefined) book.ok()
    else book.unexpected(`${name} gets something although it is disabled`, early)
  })
}

/** At least once: taken, or given up after every attempt. */
function checkTaken(
  history: History,
  tally: Tally,
  endpoint: EndpointRecord,
  byId: ReadonlyMap<string, readonly Receipt[]>,
  deliveries: readonly Of<'delivery'>[],
): void {
  const book = tally.for('9 at least once')
  const bySeq = new Map(deliveries.map((one) => [one.seq, one]))
  const maxAttempts = history.setup.retryMs.length + 1
  for (const entry of history.log) {
    if (owes(history, endpoint, entry) !== 'yes') continue
    const { record, seq } = entry
    const receipts = byId.get(record.id) ?? []
    const delivery = bySeq.get(seq)
    const state = delivery?.state ?? 'not owed'
    const hasFailed = state === 'failed' && delivery?.attemptCount === maxAttempts
    if (state === 'delivered' && receipts.some(isTaken)) book.ok()
    else if (state === 'cancelled' && isCalledOff(history, endpoint, entry)) book.uncertain()
    else if (hasFailed && !receipts.some((one) => isTaken(one) && isRead(history, one))) book.ok()
    else {
      const seen = receipts.length === 0 ? 'never seen' : `seen ${receipts.length} times`
      book.lost(
        `${record.id} is ${state} at ${endpoint.name}, which has ${seen}`,
        ...(delivery === undefined ? [] : [delivery]),
        ...receipts,
        record,
      )
    }
  }
}

/** Whether the daemon could surely read the answer. */
function isRead(history: History, { connection, at, answeredAt }: Receipt): boolean {
  if (answeredAt === null) return false
  return !history.isHurt(connection, at, answeredAt) && !history.isPaused(at, answeredAt)
}

/** Of the log, owed to this endpoint, well signed, now. Bytes are looked at with those of all ids. */
function checkBelongs(
  history: History,
  tally: Tally,
  endpoint: EndpointRecord,
  receipt: Receipt,
): void {
  const book = tally.for('10 nothing extra')
  const { id, at, sentAt, isSigned } = receipt
  const entry = history.entryById.get(id)
  const ageMs = at - sentAt
  if (entry === undefined) {
    book.unexpected(`${id}, which is not in the log, is sent to ${endpoint.name}`, receipt)
  } else if (owes(history, endpoint, entry) === 'no') {
    book.unexpected(`${id} is not for ${endpoint.name}`, receipt, entry.record)
  } else if (!isSigned) book.unexpected(`${id} is signed badly`, receipt)
  else if ((ageMs < -1000 || ageMs > 4000) && !history.isPaused(sentAt - 1000, at)) {
    book.unexpected(`${id} has the timestamp of another attempt`, receipt)
  } else book.ok()
}

/** After a failure no sooner than the step less jitter; after a success only if it may be unknown. */
function checkRetries(history: History, tally: Tally, attempts: readonly Receipt[]): void {
  const book = tally.for('11 retries')
  const { retryMs } = history.setup
  attempts.slice(1).forEach((next, index) => {
    const one = attempts[index]
    if (one === undefined) return
    const to = one.answeredAt ?? one.at
    const isUnrecorded =
      history.isInterrupted(one.at, to) || (isTaken(one) && !isRead(history, one))
    const gapMs = next.at - one.at
    // Of those that a kill came upon nothing may be known; those that did not arrive are not seen,
    // so it may have come further on the schedule.
    const known = attempts
      .slice(0, index + 1)
      .filter(({ at, answeredAt }) => !history.isInterrupted(at, answeredAt ?? at)).length
    const step = retryMs[Math.min(Math.max(known, 1), retryMs.length) - 1] ?? 0
    const floor = Math.max(step * (1 - jitter), one.retryAfterMs ?? 0) - 5
    if (isUnrecorded) book.uncertain()
    else if (isTaken(one)) book.duplicated(`${one.id} is sent again though taken`, one, next)
    else if (gapMs < floor && !history.isHurt(one.connection, one.at, to)) {
      book.unexpected(`${one.id} is repeated after ${Math.round(gapMs)} ms`, one, next)
    } else book.ok()
  })
}

/** A kill leaves no more in doubt than was in flight. */
function checkRepeats(history: History, tally: Tally, all: readonly (readonly Receipt[])[]): void {
  const book = tally.for('11 retries')
  const repeats = all.flatMap((attempts) =>
    attempts.slice(0, -1).filter((one) => isTaken(one) && isRead(history, one)),
  )
  for (const { from, endedAt, goneAt } of history.lives) {
    // What an earlier kill left in doubt was sent before this life.
    const since = Math.max(endedAt - settleMs, from)
    const ofLife = repeats.filter(({ at }) => at <= goneAt + 500 && at >= since)
    if (ofLife.length <= history.setup.inFlight) book.ok()
    else {
      const name = ofLife[0]?.endpoint ?? ''
      book.duplicated(`${name} gets ${ofLife.length} events again after one kill`, ...ofLife)
    }
  }
}

/** `Retry-After` on 429 and 503 silences the whole endpoint. */
function checkSilence(history: History, tally: Tally, got: readonly Receipt[]): void {
  const book = tally.for('11 retries')
  for (const told of got) {
    const { retryAfterMs, answeredAt, answer } = told
    if (retryAfterMs === null || answeredAt === null || (answer !== 429 && answer !== 503)) continue
    const [from, to] = [answeredAt + reactionMs, answeredAt + retryAfterMs - 50]
    // Whoever enables it again does not want to wait.
    const isEnabled = switchesOf(history, told.endpoint).some(
      (one) => one.isOn && one.to >= told.at && one.at <= to,
    )
    const early = isEnabled ? undefined : got.find(({ at }) => at > from && at < to)
    if (early === undefined) book.ok()
    else if (!isRead(history, told) || history.isInterrupted(told.at, answeredAt)) book.uncertain()
    else book.unexpected(`${told.endpoint} gets something although it wants silence`, told, early)
  }
}

/** Per source in order of seq; what ends or alarms may overtake after its time. */
function checkOrder(
  history: History,
  tally: Tally,
  endpoint: EndpointRecord,
  byId: ReadonlyMap<string, readonly Receipt[]>,
): void {
  const book = tally.for('12 order per job')
  const owed = history.log.filter((entry) => owes(history, endpoint, entry) === 'yes')
  for (const entries of grouped(owed, ({ event }) => event.source).values()) {
    let earlier: { entry: LogEntry; takenAt: number; receipt: Receipt } | null = null
    for (const entry of entries) {
      const receipts = byId.get(entry.record.id) ?? []
      const [first] = receipts
      const taken = receipts.find(isTaken)
      if (first === undefined) continue
      const overtakesAt = Date.parse(entry.event.time) + history.setup.overtakeMs
      const mayOvertake = urgent.has(entry.event.type) && first.at >= overtakesAt - clockMs
      if (earlier === null || first.at >= earlier.takenAt || mayOvertake) book.ok()
      else {
        book.unexpected(
          `${entry.record.id} comes to ${endpoint.name} before ${earlier.entry.record.id} is taken`,
          first,
          earlier.receipt,
        )
      }
      // One that was never taken was given up; when that was, nobody outside can know.
      if (taken !== undefined && taken.at >= (earlier?.takenAt ?? 0)) {
        earlier = { entry, takenAt: taken.at, receipt: taken }
      }
    }
  }
}
