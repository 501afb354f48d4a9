import { History, grouped } from './history.ts'
import { checkDelivery } from './invariants/delivery.ts'
import { checkFeed } from './invariants/feed.ts'
import { checkLog } from './invariants/log.ts'
import { checkLooks, versionIn } from './invariants/looks.ts'
import { checkPolling } from './invariants/polling.ts'
import { checkPresence } from './invariants/presence.ts'
import { checkPromises } from './invariants/promises.ts'
import { Tally } from './tally.ts'
import type { Counts, Finding } from './tally.ts'
import type { TraceRecord } from './trace.ts'

export interface Report {
  readonly counts: ReadonlyMap<string, Counts>
  readonly findings: readonly Finding[]
  /** From the first answer that showed a version to its first frame, in ms; null without any. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null
}

/** Holds a whole trace against what jobwatch promises. Traces in, findings out. */
export function verify(records: readonly TraceRecord[]): Report {
  const history = new History(records)
  const tally = new Tally()
  checkPolling(history, tally)
  checkLooks(history, tally)
  checkPresence(history, tally)
  checkLog(history, tally)
  checkDelivery(history, tally)
  checkFeed(history, tally)
  checkPromises(history, tally)
  return { counts: tally.counts, findings: tally.findings, latencyMs: latencyOf(history) }
}

function latencyOf(history: History): Report['latencyMs'] {
  const shown = grouped(history.all('ask'), (ask) => `${ask.jobid} ${String(ask.version)}`)
  const framed = new Set<string>()
  const latencies: number[] = []
  for (const { id, at } of history.all('frame')) {
    const entry = id === null ? undefined : history.entryById.get(id)
    if (entry === undefined || framed.has(entry.record.id)) continue
    framed.add(entry.record.id)
    const [first] = shown.get(`${entry.event.subject} ${versionIn(entry)}`) ?? []
    if (first !== undefined) latencies.push(at - first.to)
  }
  latencies.sort((a, b) => a - b)
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? 0
  return latencies.length === 0 ? null : { p50: at(0.5), p99: at(0.99) }
}

/** A report for people: the counts of each invariant, then the first witnesses. */
export function describe({ counts, findings, latencyMs }: Report): string {
  const columns = ['ok', 'lost', 'duplicated', 'unexpected', 'uncertain'] as const
  const rows = [...counts].sort(([a], [b]) => parseInt(a, 10) - parseInt(b, 10))
  const table = [
    ['invariant'.padEnd(28), ...columns.map((name) => name.padStart(11))].join(''),
    ...rows.map(([name, count]) =>
      [name.padEnd(28), ...columns.map((column) => String(count[column]).padStart(11))].join(''),
    ),
  ]
  const latency =
    latencyMs === null ? [] : [`latency p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}`]
  const told = findings.map(({ invariant, fault, text, witness }) =>
    [
      `${invariant}: ${fault}: ${text}`,
      ...witness.map((record) => `    ${JSON.stringify(record).slice(0, 600)}`),
    ].join('\n'),
  )
  return [...table, ...latency, ...told].join('\n')
}

function ms(value: number): string {
  return `${Math.round(value)} ms`
}
