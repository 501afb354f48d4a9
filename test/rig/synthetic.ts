import { sha } from './trace.ts'
import type { Ask, Call, Frame, Logged, Receipt, TraceRecord, Version } from './trace.ts'

/** When the run begins, epoch ms; the times below are seconds after it. */
const began = 1_760_000_000_000

export function at(seconds: number): number {
  return began + seconds * 1000
}

/** Stages and statuses of the one job of the trace, version by version. */
const versions: readonly Version[] = [
  { status: 'EXECUTING', stages: { copy: 'running', clean: 'pending' } },
  { status: 'EXECUTING', stages: { copy: 'completed', clean: 'running' } },
  { status: 'COMPLETED', stages: { copy: 'completed', clean: 'completed' } },
].map((of, version) => ({ kind: 'version', upstream: 'prod', jobid: 'j', version, ...of }))

interface Told {
  readonly type: string
  readonly version: number | null
  readonly change: object
}

const told: readonly Told[] = [
  { type: 'job.watched', version: null, change: { kind: 'registry', by: 'api' } },
  { type: 'job.executing', version: 0, change: status(null, 'EXECUTING') },
  { type: 'job.stage.changed', version: 1, change: stage('copy', 'running', 'completed') },
  { type: 'job.stage.changed', version: 1, change: stage('clean', 'pending', 'running') },
  { type: 'job.message.added', version: 1, change: message(1) },
  { type: 'job.stage.changed', version: 2, change: stage('clean', 'running', 'completed') },
  { type: 'job.message.added', version: 2, change: message(2) },
  { type: 'job.completed', version: 2, change: status('EXECUTING', 'COMPLETED') },
]

/** The seconds at which the events happen. */
const happened = [2, 2.5, 3, 3, 3, 9, 9, 9]

/** A small run in which all is as it should be: a kill, a retry, a reader that comes back. */
export function fineTrace(): TraceRecord[] {
  const log = told.map((_, index) => anEvent(index + 1))
  return [
    {
      kind: 'setup',
      at: at(0),
      seed: 1,
      upstreams: [
        {
          ...{ name: 'prod', maxIntervalMs: 400, timeoutMs: 1000 },
          ...{ rate: 20, concurrency: 2, jobs: 1, lostAfterMs: 1000 },
        },
      ],
      retryMs: [200, 400, 800],
      overtakeMs: 2000,
      inFlight: 2,
    },
    ...versions,
    daemon(0, 'spawned'),
    daemon(1, 'ready'),
    { kind: 'endpoint', at: at(0), to: at(1), name: 'all', events: ['*'] },
    { kind: 'call', at: at(1.9), to: at(2.05), verb: 'register', about: 'j', status: 201 },
    { ...aPatch('mine'), at: at(3), to: at(3.1) },
    { kind: 'token-ask', at: at(2.1), upstream: 'prod', isGiven: true },
    ...[2.5, 3, 3.5, 4, 4.5].map((s, n) => anAsk(s - 0.01, n === 0 ? 0 : 1)),
    daemon(5, 'killed'),
    { ...daemon(5.01, 'gone'), code: null, signal: 'SIGKILL' },
    daemon(5.5, 'spawned'),
    daemon(6, 'ready'),
    { kind: 'token-ask', at: at(6.1), upstream: 'prod', isGiven: true },
    ...[6.5, 7, 7.5, 8, 8.5].map((s) => anAsk(s - 0.01, 1)),
    { kind: 'phase', at: at(8.6), phase: 'heal' },
    ...[9, 9.5, 10].map((s) => anAsk(s - 0.01, 2)),
    ...log.map((_, index) => aReceipt(index + 1, (happened[index] ?? 0) + 0.3 + index * 0.002)),
    { ...aReceipt(1, 2.02), answer: 500 },
    { kind: 'segment', at: at(1.5), reader: 'r', number: 1, cursor: null, type: '*' },
    { ...aFrame(0, 1), event: 'feed.hello', at: at(1.5) },
    ...[1, 2, 3].map((seq) => aFrame(seq, 1)),
    { kind: 'segment', at: at(6), reader: 'r', number: 2, cursor: 'e-3', type: '*' },
    { ...aFrame(3, 2), event: 'feed.hello', at: at(6) },
    ...[4, 5, 6, 7, 8].map((seq) => aFrame(seq, 2)),
    { kind: 'paged', at: at(4), id: 'e-1', sha: sha(anEvent(1)) },
    { kind: 'phase', at: at(20), phase: 'drained' },
    {
      ...{ kind: 'job', upstream: 'prod', jobid: 'j', state: 'ended' },
      ...{ status: 'COMPLETED', problem: null, label: 'mine' },
    },
    ...log.map((_, index) => aDelivery(index + 1)),
    { kind: 'final-endpoint', name: 'all', state: 'active' },
    { kind: 'ready', at: at(20), status: 200 },
    { kind: 'rival', at: at(10), code: 1, said: 'The database is in use' },
    { kind: 'searched', where: 'what it printed', found: [] },
    ...[false, true].map((isAtRest): TraceRecord => ({
      ...{ kind: 'sample', at: at(19), isAtRest },
      ...{ rssBytes: 100e6, openFiles: 40, walBytes: 4e6 },
    })),
    ...log.flatMap((text, index): Logged[] => {
      const id = `e-${index + 1}`
      return [
        { kind: 'logged', via: 'api', id, text },
        { kind: 'logged', via: 'database', id, text },
      ]
    }),
    daemon(21, 'told to stop'),
    { ...daemon(21.1, 'gone'), code: 0, signal: null },
  ]
}

/** The text of an event of the log. */
export function anEvent(seq: number, changes: object = {}): string {
  const one = told[seq - 1]
  if (one === undefined) throw new Error(`there is no event ${seq}`)
  const messages = one.version === null ? [] : [{ text: `v=${one.version}` }]
  return JSON.stringify({
    id: `e-${seq}`,
    source: '/upstreams/prod/jobs/j',
    type: one.type,
    subject: 'j',
    time: new Date(at(happened[seq - 1] ?? 0)).toISOString(),
    data: {
      seq,
      previousSeq: seq === 1 ? null : seq - 1,
      change: one.change,
      job: { jobid: 'j', messages },
      ...changes,
    },
  })
}

export function anAsk(seconds: number, version: number | null, fields: Partial<Ask> = {}): Ask {
  return {
    ...{ kind: 'ask', at: at(seconds), to: at(seconds + 0.005) },
    ...{ upstream: 'prod', jobid: 'j', version },
    ...{ fault: null, retryAfterMs: null, connection: 'c1' },
    ...fields,
  }
}

export function aReceipt(seq: number, seconds: number, fields: Partial<Receipt> = {}): Receipt {
  return {
    ...{ kind: 'receipt', at: at(seconds), endpoint: 'all', id: `e-${seq}` },
    ...{ sha: sha(anEvent(seq)), isSigned: true, sentAt: Math.floor(at(seconds) / 1000) * 1000 },
    ...{ answer: 204, retryAfterMs: null, answeredAt: at(seconds + 0.001), connection: 'c2' },
    ...fields,
  }
}

export function aFrame(seq: number, number: number): Frame {
  const type = told[seq - 1]?.type ?? 'feed.hello'
  const text = seq === 0 ? '' : anEvent(seq)
  const when = happened[seq - 1] ?? 0
  return {
    ...{ kind: 'frame', at: at(Math.max(when + 0.1, number === 2 ? 6.1 : 0)) },
    ...{ reader: 'r', number, id: `e-${seq}`, event: type, sha: sha(text) },
  }
}

export function aPatch(label: string, status: number | null = 200): Call {
  return { kind: 'call', at: at(4), to: at(4.1), verb: 'patch', about: 'j', status, label }
}

function aDelivery(seq: number): TraceRecord {
  return { kind: 'delivery', endpoint: 'all', seq, state: 'delivered', attemptCount: 1 }
}

export function daemon(
  seconds: number,
  what: 'spawned' | 'ready' | 'killed' | 'told to stop' | 'paused' | 'resumed' | 'gone',
) {
  return { kind: 'daemon', at: at(seconds), what } as const
}

function status(from: string | null, to: string) {
  return { kind: 'status', from, to, rawTo: to }
}

function stage(name: string, from: string, to: string) {
  return { kind: 'stage', stage: name, occurrence: 1, from, to, rawTo: to }
}

function message(version: number) {
  return { kind: 'messages', added: [{ text: `v=${version}`, level: null, at: null }], count: 1 }
}
