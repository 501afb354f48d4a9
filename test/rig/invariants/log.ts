import { grouped, seqOf } from '../history.ts'
import type { History } from '../history.ts'
import type { Book, Tally } from '../tally.ts'
import { sha } from '../trace.ts'
import type { TraceRecord } from '../trace.ts'

/** The log itself: its numbers, its bytes, and that everyone was shown the same. */
export function checkLog(history: History, tally: Tally): void {
  checkNumbers(history, tally.for('6 ids'))
  checkPredecessors(history, tally.for('6 ids'))
  checkBytes(history, tally.for('7 immutability'))
  checkReadings(history, tally.for('7 immutability'))
}

/** The seqs are 1, 2, 3 … of one epoch: nothing is ever pruned in a run of the rig. */
function checkNumbers({ log }: History, book: Book): void {
  log.forEach(({ seq, record, event }, index) => {
    const before = log[index - 1]
    const expected = (before?.seq ?? 0) + 1
    if (seq === before?.seq) book.duplicated(`seq ${seq} is there twice`, before.record, record)
    else if (seq !== expected) book.lost(`there is a hole before ${record.id}`, record)
    else if (event.id !== record.id || event.data.seq !== seq) {
      book.unexpected(`${record.id} calls itself ${event.id}`, record)
    } else book.ok()
  })
  const epochs = new Set(log.map(({ record }) => record.id.replace(/-\d+$/, '')))
  const [, another] = epochs
  if (another !== undefined) {
    const witness = log.find(({ record }) => record.id.startsWith(another))
    book.unexpected('there is a second epoch', ...(witness ? [witness.record] : []))
  }
}

/** Each event knows the one before it of the same source. */
function checkPredecessors({ log }: History, book: Book): void {
  const last = new Map<string, number>()
  for (const { seq, record, event } of log) {
    const expected = last.get(event.source) ?? null
    last.set(event.source, seq)
    if (event.data.previousSeq === expected) book.ok()
    else {
      const told = String(event.data.previousSeq)
      book.unexpected(`${record.id} follows ${told}, not ${String(expected)}`, record)
    }
  }
}

/** One id stands for the same bytes wherever it was seen, and for an event of the log. */
function checkBytes(history: History, book: Book): void {
  const seen: { id: string; sha: string; record: TraceRecord }[] = [
    ...history.all('receipt').map((record) => ({ id: record.id, sha: record.sha, record })),
    ...history.all('paged').map((record) => ({ id: record.id, sha: record.sha, record })),
    ...history.all('frame').flatMap((record) => {
      const isOfLog = record.id !== null && !record.event.startsWith('feed.')
      return isOfLog ? [{ id: record.id, sha: record.sha, record }] : []
    }),
  ]
  for (const one of seen) {
    const entry = history.entryById.get(one.id)
    if (entry === undefined)
      book.unexpected(`${one.id} was seen, and is not in the log`, one.record)
    else if (entry.sha !== one.sha) {
      book.unexpected(`${one.id} had other bytes than the log has`, one.record, entry.record)
    } else book.ok()
  }
  // Not even two outsiders may have been shown different things, whatever the log has now.
  for (const [id, of] of grouped(seen, (one) => one.id)) {
    const [first] = of
    const other = of.find((one) => one.sha !== first?.sha)
    if (first === undefined || other === undefined) continue
    book.unexpected(`${id} stands for two different events`, first.record, other.record)
  }
}

/** The API and the database show the same log. */
function checkReadings(history: History, book: Book): void {
  const byApi = new Map(
    history
      .all('logged')
      .filter(({ via }) => via === 'api')
      .map((record) => [record.id, record]),
  )
  const last = seqOf([...byApi.keys()].at(-1) ?? '-0')
  for (const { record, seq, sha: inDatabase } of history.log) {
    const shown = byApi.get(record.id)
    // The stopping itself may still write something.
    const isLater = seq > last
    if (shown === undefined && isLater) book.uncertain()
    else if (shown === undefined) book.lost(`the API does not show ${record.id}`, record)
    else if (sha(shown.text) !== inDatabase) {
      book.unexpected(`the API shows ${record.id} otherwise`, shown, record)
    } else book.ok()
  }
  for (const [id, record] of byApi) {
    if (!history.entryById.has(id)) book.lost(`${id} is gone from the database`, record)
  }
}
