import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JobAnswer } from '../../src/http/schemas.ts'
import { begin, finished, ground, isoAt, lineOf, running, stateOf } from './ground.ts'
import type { Ground } from './ground.ts'

/*
 * Answers that are no errors and odd all the same: documents of a job that say strange things, and
 * jobs that come and go.
 */

const hour = 3_600_000
const day = 24 * hour

/** Stages as a document lists them: `copying running` and so on. */
function stages(...lines: readonly string[]): object {
  const list = lines.map((line) => {
    const [name, ...words] = line.split(' ')
    return { name, state: words.join(' ') }
  })
  return { progress: { stages: list } }
}

/** A job that runs and then has ended, by a clock that is so far off. */
function ending(offMs: number): readonly object[] {
  const run = { starttime: begin + offMs, ...stages('copying Completed') }
  return [run, { ...run, status: 'COMPLETED', endtime: begin + offMs + 5 }]
}

type Row = readonly [
  number: string,
  says: string,
  /** What each document has in place of, or beside, what a running job has; the first one is known. */
  documents: readonly object[],
  /** What is told of each of the others. */
  told: readonly (readonly string[])[],
]

const rows: readonly Row[] = [
  // What has another type than it should says nothing: everything but id and status is optional.
  ['F15', 'stages that are no list', [{}, { progress: { stages: { copying: 'failed' } } }], [[]]],
  ['F15', 'progress that is a text', [{}, { progress: 'failed' }], [[]]],
  [
    'F15',
    'stages without names',
    [{}, stages('copying In Progress', 'cleaning Not Started', ' failed')],
    [[]],
  ],
  ['F15', 'messages that are a number', [{}, { messages: 4 }], [[]]],
  ['F15', 'times that are lists', [{}, { starttime: [], endtime: {}, updatedtime: true }], [[]]],

  // Statuses
  [
    'F16',
    'a status nobody knows, another one, and one that is known again',
    [{}, { status: 'PAUSED' }, { status: 'ON HOLD' }, { status: 'executing' }],
    [
      ['job.status.other: EXECUTING → OTHER (PAUSED)'],
      ['job.status.other: OTHER → OTHER (ON HOLD)'],
      ['job.executing: OTHER → EXECUTING (executing)'],
    ],
  ],
  [
    'F16',
    'an end that is in no table',
    [{}, { status: 'TIMED OUT', endtime: begin }],
    [['job.failed: EXECUTING → FAILED (TIMED OUT)']],
  ],
  ['F16', 'another case', [{}, { status: 'Executing' }], [[]]],

  // Clocks. Nothing is put in order by the upstream's.
  ['F23', 'an update that goes back', [{}, { updatedtime: begin - day }], [[]]],
  ['F23', 'an update without a zone', [{}, { updatedtime: '2025-10-09T08:53:20' }], [[]]],
  ['F23', 'an update in the year 2527', [{}, { updatedtime: 17_589_149_904_641_000 }], [[]]],
  ['F23', 'the start in seconds', [{}, { starttime: begin / 1000 }], [[]]],
  [
    'F23',
    'a clock that is 23 hours ahead',
    ending(23 * hour),
    [['job.completed: EXECUTING → COMPLETED']],
  ],
  ['F23', 'a clock that is a day behind', ending(-day), [['job.completed: EXECUTING → COMPLETED']]],
  [
    'F23',
    'a start that is too far ahead to be one',
    [{ starttime: begin + 9 * day }, { starttime: begin + 10 * day }],
    [[]],
  ],

  // The same id, another run
  [
    'F27',
    'a new start and a new owner',
    [{}, { starttime: begin + hour, username: 'publisher', ...stages('waiting Not Started') }],
    [['job.reopened: EXECUTING → EXECUTING']],
  ],
  [
    'F27',
    'a new start after the end',
    [{ status: 'FAILED', endtime: begin + 5 }, { starttime: begin + hour }],
    [['job.reopened: FAILED → EXECUTING']],
  ],

  // Backwards, and to and fro
  [
    'F28',
    'a status that goes back',
    [{}, { status: 'SUBMITTED' }, {}],
    [['job.submitted: EXECUTING → SUBMITTED'], ['job.executing: SUBMITTED → EXECUTING']],
  ],
  [
    'F28',
    'a job that runs after its end',
    [
      { status: 'COMPLETED', endtime: begin + 5, ...stages('copying Completed') },
      stages('copying In Progress'),
    ],
    [['stage copying: completed → running', 'job.reopened: COMPLETED → EXECUTING']],
  ],
  [
    'F28',
    'a stage that goes back',
    [stages('copying Completed'), stages('copying In Progress'), stages('copying Completed')],
    [['stage copying: completed → running'], ['stage copying: running → completed']],
  ],
  [
    'F29',
    'old and new in turn: each look is told as it is',
    [{}, { status: 'CANCELLING' }, {}, { status: 'CANCELLING' }],
    [
      ['job.cancelling: EXECUTING → CANCELLING'],
      ['job.executing: CANCELLING → EXECUTING'],
      ['job.cancelling: EXECUTING → CANCELLING'],
    ],
  ],
  [
    'F29',
    'messages that are shorter for once',
    [{ messages: ['a', 'b'] }, { messages: ['a'] }],
    [[]],
  ],

  // Stages
  [
    'F30',
    'a name twice: the second of them moves',
    [stages('copy Completed', 'copy Not Started'), stages('copy Completed', 'copy In Progress')],
    [['stage copy#2: pending → running']],
  ],
  [
    'F30',
    'a name twice, then once, then three times',
    [
      stages('copy Completed', 'copy Completed'),
      stages('copy Completed'),
      stages('copy Completed', 'copy Completed', 'copy New'),
    ],
    [
      ['stage copy#2: completed → absent'],
      ['stage copy#2: absent → completed', 'stage copy#3: absent → pending'],
    ],
  ],
  [
    'F31',
    'another order',
    [stages('a Completed', 'b Running', 'c New'), stages('c New', 'a Completed', 'b Running')],
    [[]],
  ],
  [
    'F31',
    'another spelling',
    [stages('a In Progress', 'b Not Started'), stages('a IN_PROGRESS', 'b not-started')],
    [[]],
  ],
  [
    'F32',
    'a stage between the others',
    [stages('a Completed', 'c New'), stages('a Completed', 'b Running', 'c New')],
    [['stage b: absent → running']],
  ],
  [
    'F32',
    'a stage less',
    [stages('a Completed', 'b New'), stages('a Completed')],
    [['stage b: pending → absent']],
  ],
  [
    'F32',
    'a new name: one more, then one less',
    [stages('a Completed', 'b Running'), stages('first Completed', 'b Completed')],
    [
      [
        'stage first: absent → completed',
        'stage b: running → completed',
        'stage a: completed → absent',
      ],
    ],
  ],
  [
    'F34',
    'an empty list: the stages are gone',
    [{}, { progress: { stages: [] } }],
    [['stage copying: running → absent', 'stage cleaning: pending → absent']],
  ],
  [
    'F34',
    'no progress: nothing is said of the stages',
    [{}, { progress: undefined }, {}],
    [[], []],
  ],
  [
    'F34',
    'no stages while the job is UNAVAILABLE',
    [{}, { status: 'UNAVAILABLE', progress: { stages: [] }, messages: [] }, {}],
    [['job.unavailable: EXECUTING → UNAVAILABLE'], ['job.executing: UNAVAILABLE → EXECUTING']],
  ],
]

describe('of a job whose document has', () => {
  let at: Ground
  beforeAll(async () => {
    at = await ground()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  test.each(rows.map((row, index) => [...row, `job-${index}`] as const))(
    '%s %s',
    async (_, __, fields, told, jobid) => {
      const script = await at.watch(
        jobid,
        fields.map((some) => running(jobid, some)),
      )
      await at.events()
      for (const lines of told) {
        const before = at.clock.now()
        script.next()
        expect((await at.look(jobid)).problem).toBeNull()
        const events = await at.events()
        expect(events.map(lineOf)).toEqual(lines)
        // Our own time, whatever the upstream's is.
        for (const { time } of events) expect(time).toBe(isoAt(before))
        await at.look(jobid)
        expect(await at.told()).toEqual([])
      }
      expect(await at.upstream()).toMatchObject({ state: 'up', lastError: null })
    },
  )

  test('F33 thousands of stages: each change is told once, and those beyond five thousand are counted', async () => {
    const total = 6000
    const many = (changed: Readonly<Record<number, string>>) =>
      running('many', {
        progress: {
          stages: Array.from({ length: total }, (_, index) => ({
            name: `s${index}`,
            state: changed[index] ?? 'Not Started',
          })),
        },
      })
    const script = await at.watch('many', [
      many({}),
      many({ 0: 'Completed', 4999: 'In Progress' }),
      many({ 0: 'Completed', 4999: 'In Progress', 5999: 'Completed' }),
    ])
    expect(await at.told()).toEqual(['job.watched', 'job.executing: nothing → EXECUTING'])
    script.next()
    const job = await at.look('many')
    expect(job.stages).toHaveLength(200)
    expect(job.progress).toEqual({ done: 1, total })
    expect(await at.told()).toEqual([
      'stage s0: pending → completed',
      'stage s4999: pending → running',
    ])
    script.next()
    expect((await at.look('many')).progress).toEqual({ done: 2, total })
    expect(await at.told()).toEqual([])
  })

  test('F33 a thousand stages that change at once are a thousand events, in their order', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `s${index}`)
    const all = (state: string) =>
      running('wave', stages(...names.map((name) => `${name} ${state}`)))
    const script = await at.watch('wave', [all('New'), all('Completed')])
    await at.events()
    script.next()
    await at.look('wave')
    expect(await at.told()).toEqual(names.map((name) => `stage ${name}: pending → completed`))
  })
})

describe('a job that the upstream does not know', () => {
  const missing = [
    ['code 404', 'notFound'],
    ['HTTP 404', 'http404'],
    ['an empty object', 'emptyObject'],
  ] as const

  /** Looks at these moments after now, in seconds. */
  async function looksAt(
    at: Ground,
    jobid: string,
    seconds: readonly number[],
  ): Promise<JobAnswer> {
    const from = at.clock.now()
    let job = await at.job(jobid)
    for (const second of seconds) {
      await at.clock.advance(from + second * 1000 - at.clock.now())
      job = await at.look(jobid)
    }
    return job
  }

  test('F24 from the first look on is lost without ever having had a status, once', async () => {
    await using at = await ground()
    await at.register('j1')
    expect(await at.job('j1')).toMatchObject({ state: 'active', problem: { kind: 'missing' } })
    await looksAt(at, 'j1', [30, 59])
    expect(await at.told()).toEqual(['job.watched'])
    expect(await looksAt(at, 'j1', [1])).toMatchObject({ state: 'lost', status: null })
    expect(await at.told()).toEqual(['job.lost'])
    await looksAt(at, 'j1', [60, 120, 86_400])
    expect(await at.told()).toEqual([])
    expect(await at.upstream()).toMatchObject({ state: 'up' })

    at.simulator.addScript([running('j1')], { jobid: 'j1' })
    expect(await at.look('j1')).toMatchObject({ state: 'active', status: 'EXECUTING' })
    expect(await at.told()).toEqual(['job.found', 'job.executing: nothing → EXECUTING'])
  })

  test.each(missing)(
    'F25 any more (%s) is lost after a minute and three looks',
    async (_, fault) => {
      await using at = await ground()
      const script = await at.watch('j1', [running('j1'), finished('j1')])
      const before = await at.job('j1')
      await at.events()
      script.next()
      at.simulator.inject(fault)
      const waiting = await looksAt(at, 'j1', [10, 20, 69])
      expect(stateOf(waiting)).toEqual(stateOf(before))
      expect(waiting.problem).toMatchObject({ kind: 'missing', since: isoAt(begin + 10_000) })
      expect(await at.told()).toEqual([])
      expect(await looksAt(at, 'j1', [1])).toMatchObject({ state: 'lost', status: 'EXECUTING' })
      const [lost, ...more] = await at.events()
      expect(lost).toMatchObject({
        type: 'job.lost',
        data: { change: { kind: 'presence', since: isoAt(begin + 10_000) } },
      })
      expect(more).toEqual([])
      await looksAt(at, 'j1', [20, 40])
      expect(await at.told()).toEqual([])
      expect(await at.upstream()).toMatchObject({ state: 'up' })

      at.simulator.clearFaults()
      await at.look('j1')
      const [found, ...rest] = await at.told()
      expect(found).toBe('job.found')
      expect(rest.at(-1)).toBe('job.completed: EXECUTING → COMPLETED')
    },
  )

  test('F25 for a moment only is not lost, however long ago that was', async () => {
    await using at = await ground()
    await at.watch('j1', [running('j1')])
    await at.events()
    for (let times = 0; times < 3; times += 1) {
      at.simulator.inject('notFound', { times: 2 })
      await looksAt(at, 'j1', [30, 60, 90])
    }
    expect(await at.told()).toEqual([])
    expect(await at.job('j1')).toMatchObject({ state: 'active', problem: null })
  })

  test('F25 after its end was told is not lost', async () => {
    await using at = await ground()
    await at.watch('j1', [finished('j1')])
    await at.events()
    at.simulator.removeJob('j1')
    await looksAt(at, 'j1', [30, 60, 120, 240])
    expect(await at.told()).toEqual([])
    expect(await at.job('j1')).toMatchObject({ state: 'ended', problem: null })
  })

  test('F26 like most of the others is not lost: the upstream is down, and all go on with it', async () => {
    await using at = await ground()
    const jobids = ['j1', 'j2', 'j3', 'j4', 'j5']
    const scripts = []
    for (const jobid of jobids) {
      scripts.push(
        await at.watch(jobid, [running(jobid), running(jobid, { status: 'CANCELLING' })]),
      )
    }
    const before = await Promise.all(jobids.map(at.job))
    await at.events()
    const lookAtAll = async () => {
      await at.clock.advance(20_000)
      for (const jobid of jobids) await at.look(jobid)
    }
    at.simulator.inject('notFound')
    for (let round = 1; round <= 12; round += 1) await lookAtAll()
    expect(await at.told()).toEqual(['upstream.down'])
    expect(await at.upstream()).toMatchObject({
      state: 'down',
      lastError: expect.stringMatching(/5 of 5 .*jobs/) as string,
    })
    const during = await Promise.all(jobids.map(at.job))
    expect(during.map(stateOf)).toEqual(before.map(stateOf))

    at.simulator.clearFaults()
    for (const script of scripts) script.next()
    await lookAtAll()
    expect(await at.told()).toEqual([
      'upstream.up',
      ...jobids.map(() => 'job.cancelling: EXECUTING → CANCELLING'),
    ])
  })

  test('F26 while most of the others are there is lost alone', async () => {
    await using at = await ground()
    for (const jobid of ['j1', 'j2', 'j3', 'j4']) await at.watch(jobid, [running(jobid)])
    await at.events()
    at.simulator.removeJob('j1')
    for (let round = 1; round <= 5; round += 1) {
      await at.clock.advance(20_000)
      for (const jobid of ['j1', 'j2', 'j3', 'j4']) await at.look(jobid)
    }
    expect(await at.told()).toEqual(['job.lost'])
    expect(await at.upstream()).toMatchObject({ state: 'up' })
  })
})
