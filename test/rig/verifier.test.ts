import { describe, expect, test } from 'vitest'
import type { Fault } from './tally.ts'
import { aFrame, aPatch, aReceipt, anAsk, anEvent, at, daemon, fineTrace } from './synthetic.ts'
import { fromLines, sha, toLines } from './trace.ts'
import type { TraceRecord } from './trace.ts'
import { describe as describeReport, verify } from './verifier.ts'

type Change = (records: readonly TraceRecord[]) => TraceRecord[]

test('a trace in which all is as it should be gives no finding, and every invariant is counted', () => {
  const { findings, counts } = verify(fineTrace())
  expect(findings).toEqual([])
  const uncounted = [...counts].filter(([, { ok }]) => ok === 0).map(([name]) => name)
  expect(uncounted).toEqual([])
  expect(counts.size).toBe(19)
})

test('a trace is the same after it was written down and read again', () => {
  const records = fineTrace()
  expect(fromLines(toLines(records))).toEqual(records)
})

test('what a kill left in doubt is not counted against the next one, however soon that comes', () => {
  const { findings } = verify(
    inOrder([
      ...fineTrace().filter((one) => one.kind !== 'receipt'),
      daemon(6.3, 'killed'),
      { ...daemon(6.31, 'gone'), code: null, signal: 'SIGKILL' },
      daemon(6.4, 'spawned'),
      daemon(6.5, 'ready'),
      ...[3, 4].flatMap((seq) => [aReceipt(seq, 4.5), aReceipt(seq, 6.1)]),
      ...[5, 6].flatMap((seq) => [aReceipt(seq, 6.2), aReceipt(seq, 6.6)]),
    ]),
  )
  expect(findings.filter(({ text }) => text.includes('after one kill'))).toEqual([])
})

function inOrder(records: readonly TraceRecord[]): TraceRecord[] {
  const timeOf = (one: TraceRecord) => ('at' in one ? one.at : Infinity)
  return records.toSorted((a, b) => timeOf(a) - timeOf(b))
}

describe('a planted violation is found, named, and shown with a witness:', () => {
  const cases: readonly [what: string, invariant: string, fault: Fault, change: Change][] = [
    [
      'a job asked for twice at once',
      '1 no overlap',
      'unexpected',
      with_(anAsk(7.0, 1, { to: at(7.3) }), anAsk(7.1, 1)),
    ],
    ['an event of a version never shown', '2 soundness', 'unexpected', without(isAskOf(2))],
    [
      'an event before its version was shown',
      '2 soundness',
      'unexpected',
      replace(isAskOf(2), (ask) => ({ ...ask, at: at(15), to: at(15.1) })),
    ],
    [
      'a version that was shown and not told',
      '3 completeness',
      'lost',
      with_(version(3), anAsk(11, 3), anAsk(11.5, 3)),
    ],
    [
      'a version of which one change is not told',
      '3 completeness',
      'lost',
      withoutEvents(({ seq }) => seq === 4),
    ],
    [
      'a job lost after too few misses',
      '2 soundness',
      'unexpected',
      (records) => withPresence('job.lost', [10.5, 11.8])(records),
    ],
    [
      'a job lost after too short a time',
      '2 soundness',
      'unexpected',
      (records) => withPresence('job.lost', [11.5, 11.7, 11.9])(records),
    ],
    [
      'a job found that was never lost',
      '4 exactly once',
      'duplicated',
      (records) => withPresence('job.found', [])(records),
    ],
    [
      'a change told twice',
      '4 exactly once',
      'duplicated',
      withEvent(3, { change: stageChange('running', 'running') }),
    ],
    [
      'a change that does not begin where the last one ended',
      '4 exactly once',
      'unexpected',
      withEvent(6, { change: stageChange('pending', 'completed', 'clean') }),
    ],
    ['versions told in another order', '5 order', 'unexpected', swapVersions],
    ['a hole in the log', '6 ids', 'lost', withoutEvents(({ seq }) => seq === 5)],
    ['a wrong predecessor', '6 ids', 'unexpected', withEvent(5, { previousSeq: 2 })],
    [
      'an id that was seen and is not in the log',
      '7 immutability',
      'unexpected',
      with_({ ...aFrame(8, 2), id: 'e-9', at: at(19) }),
    ],
    [
      'an id with other bytes than the log has',
      '7 immutability',
      'unexpected',
      with_(aReceipt(8, 9.5, { sha: sha('something else') })),
    ],
    [
      'the API and the database not agreeing',
      '7 immutability',
      'lost',
      without((one) => one.kind === 'logged' && one.via === 'database' && one.id === 'e-8'),
    ],
    [
      'a job that is not looked at',
      '8 promptness',
      'lost',
      without((one) => one.kind === 'ask' && one.at > at(6.6)),
    ],
    [
      'an event that was never sent',
      '9 at least once',
      'lost',
      without((one) => one.kind === 'receipt' && one.id === 'e-5'),
    ],
    [
      'a delivery that counts as made and was refused',
      '9 at least once',
      'lost',
      replace(isReceiptOf('e-8'), (one) => ({ ...one, answer: 500 })),
    ],
    [
      'an event sent that is not in the log',
      '10 nothing extra',
      'unexpected',
      with_(aReceipt(8, 9.5, { id: 'e-99' })),
    ],
    [
      'an event sent to one who does not want it',
      '10 nothing extra',
      'unexpected',
      replace(
        (one) => one.kind === 'endpoint',
        (one) => ({ ...one, events: ['job.completed'] }),
      ),
    ],
    [
      'something sent to an endpoint that is disabled',
      '10 nothing extra',
      'unexpected',
      with_(turned(8, false), turned(12, true)),
    ],
    [
      'a delivery that was cancelled without a reason',
      '9 at least once',
      'lost',
      replace(
        (one) => one.kind === 'delivery' && one.seq === 8,
        (one) => ({ ...one, state: 'cancelled' }),
      ),
    ],
    [
      'a bad signature',
      '10 nothing extra',
      'unexpected',
      replace(isReceiptOf('e-8'), (one) => ({ ...one, isSigned: false })),
    ],
    [
      'the timestamp of an older attempt',
      '10 nothing extra',
      'unexpected',
      replace(isReceiptOf('e-8'), (one) => ({ ...one, sentAt: at(1) })),
    ],
    ['a retry that comes too soon', '11 retries', 'unexpected', with_(refused(2.6), refused(2.7))],
    ['an event sent again though taken', '11 retries', 'duplicated', with_(aReceipt(8, 12))],
    [
      'more events sent again after a kill than can have been in flight',
      '11 retries',
      'duplicated',
      (records) => [
        ...records.filter((one) => one.kind !== 'receipt'),
        ...[3, 4, 5].flatMap((seq) => [aReceipt(seq, 4.5), aReceipt(seq, 6.1)]),
      ],
    ],
    [
      'a receiver that wants silence and gets none',
      '11 retries',
      'unexpected',
      with_(aReceipt(2, 8.4, { answer: 429, retryAfterMs: 2000, answeredAt: at(8.401) })),
    ],
    [
      'an event sent before an earlier one of its job is taken',
      '12 order per job',
      'unexpected',
      with_(aReceipt(7, 9.1, { answer: 500 })),
    ],
    ['a frame that comes again', '13 feed', 'duplicated', with_({ ...aFrame(8, 2), at: at(10) })],
    ['a frame that is left out', '13 feed', 'lost', without(isFrameOf('e-5'))],
    ['a frame that never comes', '13 feed', 'lost', without(isFrameOf('e-8'))],
    [
      'a stream that is silent for too long',
      '13 feed',
      'lost',
      with_({ ...aFrame(8, 2), event: 'feed.bookmark', at: at(30) }),
    ],
    [
      'a gap in a log that is whole',
      '13 feed',
      'lost',
      with_({ ...aFrame(8, 2), event: 'feed.gap' }),
    ],
    [
      'a registration that was acknowledged and is gone',
      '14 durable acknowledgements',
      'lost',
      with_({ ...aRegistration, about: 'other' }),
    ],
    [
      'a label that was acknowledged and is gone',
      '14 durable acknowledgements',
      'lost',
      with_(aPatch('other')),
    ],
    [
      'two registrations that both began the watching',
      '14 durable acknowledgements',
      'duplicated',
      with_(aRegistration),
    ],
    [
      'an endpoint that was acknowledged and is gone',
      '14 durable acknowledgements',
      'lost',
      without((one) => one.kind === 'final-endpoint'),
    ],
    [
      'a job that is not what the upstream says',
      '15 convergence',
      'lost',
      replace(
        (one) => one.kind === 'job',
        (one) => ({ ...one, status: 'EXECUTING' }),
      ),
    ],
    [
      'a delivery that is still owed',
      '15 convergence',
      'lost',
      replace(
        (one) => one.kind === 'delivery' && one.seq === 8,
        (one) => ({ ...one, state: 'pending' }),
      ),
    ],
    [
      'a daemon that is not ready in the end',
      '15 convergence',
      'unexpected',
      replace(
        (one) => one.kind === 'ready',
        (one) => ({ ...one, status: 503 }),
      ),
    ],
    [
      'more requests than the rate allows',
      '16 politeness',
      'unexpected',
      with_(...Array.from({ length: 40 }, (_, n) => anAsk(7 + n / 100, 1, { jobid: `k-${n}` }))),
    ],
    [
      'a request although silence was asked for',
      '16 politeness',
      'unexpected',
      with_(anAsk(6.9, null, { fault: '503', retryAfterMs: 1000 })),
    ],
    [
      'a token asked for without need',
      '16 politeness',
      'unexpected',
      with_({ kind: 'token-ask', at: at(3), upstream: 'prod', isGiven: true }),
    ],
    [
      'memory that grows without end',
      '17 bounds',
      'unexpected',
      with_({ kind: 'sample', at: 1, isAtRest: false, rssBytes: 2e9, openFiles: 50, walBytes: 0 }),
    ],
    [
      'files that stay open',
      '17 bounds',
      'unexpected',
      with_({ kind: 'sample', at: 1, isAtRest: true, rssBytes: 1e8, openFiles: 350, walBytes: 0 }),
    ],
    [
      'a secret in what was printed',
      '18 secrecy',
      'unexpected',
      with_({ kind: 'searched', where: 'what it printed', found: ['the password'] }),
    ],
    [
      'an exit with another code',
      '19 exits',
      'unexpected',
      replace(
        (one) => one.kind === 'daemon' && one.code === 0,
        (one) => ({ ...one, code: 1 }),
      ),
    ],
    [
      'an exit that nobody asked for',
      '19 exits',
      'unexpected',
      without((one) => one.kind === 'daemon' && one.what === 'told to stop'),
    ],
    [
      'a second daemon on the same database',
      '19 exits',
      'unexpected',
      with_({ kind: 'rival', at: at(11), code: null, said: '' }),
    ],
    [
      'a complaint of its own',
      '19 exits',
      'unexpected',
      with_({ kind: 'complaint', at: at(3), line: 'unhandled rejection' }),
    ],
  ]

  test.each(cases)('%s', (_, invariant, fault, change) => {
    const report = verify(change(fineTrace()))
    const found = report.findings.find((one) => one.invariant === invariant && one.fault === fault)
    const names = report.findings.map((one) => `${one.invariant} ${one.fault}: ${one.text}`)
    expect(found, `found instead: ${names.join('; ')}`).toBeDefined()
    expect(found?.witness.length).toBeGreaterThan(0)
    expect(report.counts.get(invariant)?.[fault]).toBeGreaterThan(0)
    expect(describeReport(report)).toContain(`${invariant}: ${fault}: `)
  })
})

test('a job lost after enough misses, for long enough, is in order', () => {
  const lost = withPresence('job.lost', [10.5, 11, 11.5, 11.99])
  const names = verify(lost(fineTrace())).findings.map(({ invariant }) => invariant)
  // The rest of the trace knows nothing of that event.
  expect(names).not.toContain('2 soundness')
  expect(names).not.toContain('4 exactly once')
})

describe('what a kill leaves open is uncertain and no finding:', () => {
  const cases: readonly [what: string, invariant: string, change: Change][] = [
    [
      'a version shown just before the kill and never again',
      '3 completeness',
      with_(version(3), anAsk(4.9, 3)),
    ],
    [
      'an event that was taken just before the kill and is sent again',
      '11 retries',
      (records) => [
        ...replace(isReceiptOf('e-5'), (one) => ({ ...one, at: at(4.9), answeredAt: at(4.95) }))(
          records,
        ),
        aReceipt(5, 6.1),
      ],
    ],
    [
      'an event that was taken over a connection that broke',
      '11 retries',
      with_(aReceipt(8, 12), { kind: 'hurt', at: at(9.35), connection: 'c2' }),
    ],
    [
      'a delivery that was cancelled when its endpoint was disabled',
      '9 at least once',
      (records) => [
        ...records
          .filter((one) => !isReceiptOf('e-8')(one))
          .map((one) =>
            one.kind === 'delivery' && one.seq === 8 ? { ...one, state: 'cancelled' } : one,
          ),
        turned(11, false),
      ],
    ],
    [
      'an event that was taken when a paused daemon had already given up on it',
      '11 retries',
      with_(daemon(8, 'paused'), daemon(9.2, 'resumed'), aReceipt(8, 12)),
    ],
    [
      'a request that arrived when its sender was dead',
      '3 completeness',
      with_(version(3), anAsk(5.6, 3)),
    ],
    [
      'an event that had just passed when its connection broke',
      '11 retries',
      with_(aReceipt(8, 12), { kind: 'hurt', at: at(9.31), connection: 'c2' }),
    ],
    [
      'a request that was on its way while the daemon was stopped',
      '3 completeness',
      with_(version(3), anAsk(11, 3), daemon(11.01, 'paused'), daemon(12, 'resumed')),
    ],
  ]

  test.each(cases)('%s', (_, invariant, change) => {
    const before = verify(fineTrace()).counts.get(invariant)?.uncertain ?? 0
    const { counts, findings } = verify(change(fineTrace()))
    expect(findings.filter((one) => one.invariant === invariant)).toEqual([])
    expect(counts.get(invariant)?.uncertain).toBeGreaterThan(before)
  })
})

const aRegistration = {
  ...({ kind: 'call', verb: 'register', about: 'j' } as const),
  ...{ at: at(2), to: at(2.1), status: 201 },
} as const

function with_(...more: readonly TraceRecord[]): Change {
  return (records) => [...records, ...more]
}

function without(isOut: (one: TraceRecord) => boolean): Change {
  return (records) => records.filter((one) => !isOut(one))
}

function replace(isIt: (one: TraceRecord) => boolean, by: (one: TraceRecord) => object): Change {
  return (records) => records.map((one) => (isIt(one) ? (by(one) as TraceRecord) : one))
}

function isAskOf(number: number) {
  return (one: TraceRecord): boolean => one.kind === 'ask' && one.version === number
}

function isReceiptOf(id: string) {
  return (one: TraceRecord): boolean => one.kind === 'receipt' && one.id === id
}

function isFrameOf(id: string) {
  return (one: TraceRecord): boolean => one.kind === 'frame' && one.id === id
}

function refused(seconds: number): TraceRecord {
  return aReceipt(8, seconds + 6.5, { answer: 500 })
}

function version(number: number): TraceRecord {
  const stages = { copy: 'completed', clean: 'completed' }
  const of = { upstream: 'prod', jobid: 'j', status: 'COMPLETED', stages }
  return { kind: 'version', version: number, ...of }
}

function stageChange(from: string, to: string, stage = 'copy'): object {
  return { kind: 'stage', stage, occurrence: 1, from, to, rawTo: to }
}

/** Gives an event other data, wherever it is seen. */
function withEvent(seq: number, data: object): Change {
  return replace(
    (one) => one.kind === 'logged' && one.id === `e-${seq}`,
    (one) => ({ ...one, text: anEvent(seq, data) }),
  )
}

function turned(seconds: number, isOn: boolean): TraceRecord {
  return { kind: 'switch', at: at(seconds), to: at(seconds + 0.1), name: 'all', isOn }
}

/** Adds an event at the 12th second, and misses before it. */
function withPresence(type: string, misses: readonly number[]): Change {
  const since = new Date(at(10)).toISOString()
  const change = { kind: 'presence', since }
  const event = JSON.parse(anEvent(8, { seq: 9, previousSeq: 8, change })) as object
  const text = JSON.stringify({ ...event, id: 'e-9', type, time: new Date(at(12)).toISOString() })
  return with_(
    { kind: 'logged', via: 'database', id: 'e-9', text },
    ...misses.map((seconds) => anAsk(seconds, null, { fault: 'missing' })),
  )
}

function withoutEvents(isOut: (event: { readonly seq: number }) => boolean): Change {
  return without((one) => one.kind === 'logged' && isOut({ seq: Number(one.id.slice(2)) }))
}

/** The last two looks change places in what the log tells. */
function swapVersions(records: readonly TraceRecord[]): TraceRecord[] {
  return records.map((one) => {
    if (one.kind !== 'logged') return one
    const seq = Number(one.id.slice(2))
    const [from, to] = seq >= 6 ? ['"v=2"', '"v=1"'] : ['"v=1"', '"v=2"']
    return { ...one, text: one.text.replaceAll(from, to) }
  })
}
