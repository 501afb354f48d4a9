import fc from 'fast-check'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { closingRows, progressRows } from '../../src/cli/progress.ts'
import type { Frame, Progress } from '../../src/cli/progress.ts'
import { widthOf } from '../../src/cli/table.ts'
import type { JobInEvent } from '../../src/http/schemas.ts'
import { aJob } from '../client/answers.ts'

const now = Date.parse('2026-11-23T14:10:00.000Z')
const frame: Frame = { now, style: { emoji: true, colour: false }, columns: 100, rows: 20 }

function progress(fields: Partial<JobInEvent> = {}, at = now): Progress {
  return { job: aJob(fields), at }
}

function rows(jobs: readonly Progress[], more: Partial<Frame> = {}): string[] {
  return progressRows(jobs, { ...frame, ...more }).map(({ plain }) => plain)
}

function closing(jobs: readonly Progress[], more: Partial<Frame> = {}): string[] {
  return closingRows(jobs, { ...frame, ...more }).map(({ plain }) => plain)
}

const copying: Partial<JobInEvent> & Pick<JobInEvent, 'stages'> = {
  title: 'nightly backup',
  progress: { done: 3, total: 8 },
  stages: ['preparing', 'copying', 'cleaning'].map((name, index) => ({
    name,
    occurrence: 1,
    state: (['completed', 'running', 'pending'] as const)[index] ?? 'unknown',
    rawState: '',
    startedAt: null,
    endedAt: null,
  })),
  durationMs: 64_000,
}
const ended = { state: 'ended', status: 'COMPLETED', outcome: 'success' } as const

describe('a job that runs', () => {
  test('shows its title, how many stages are done, which one runs, and for how long', () => {
    expect(rows([progress(copying)])).toEqual([
      '▶  nightly backup  ███████░░░░░░░░░░░░░  3/8  copying  1m04s',
    ])
  })

  test('goes on counting between two looks', () => {
    expect(rows([progress(copying, now - 5000)])[0]).toMatch(/copying {2}1m09s$/)
  })

  test.each([
    [120_000, 'about 1m left'],
    [104_000, 'about 40s left'],
    [65_000, 'about 10s left'],
    [660_000, 'about 10m left'],
    [7_264_000, 'about 2h00m left'],
    [10_000, 'usually 10s'],
  ])('that usually takes %d ms says what to expect', (typicalDurationMs, words) => {
    const [row = ''] = rows([progress({ ...copying, typicalDurationMs })])
    expect(row.endsWith(`  1m04s  ${words}`)).toBe(true)
  })

  test('in several stages at once names the first and counts the others', () => {
    const stages = copying.stages.map((stage) => ({ ...stage, state: 'running' as const }))
    expect(rows([progress({ ...copying, stages })])[0]).toContain('  preparing and 2 more  ')
  })

  test('without stages shows its status', () => {
    const job = progress({ title: 'start', durationMs: 900 })
    expect(rows([job])).toEqual(['▶  start  EXECUTING  0s'])
  })

  test('that was not seen yet says so', () => {
    const job = { title: 'j1', status: null, rawStatus: null, durationMs: null }
    expect(rows([progress(job)])).toEqual(['🔍 j1  not seen yet  -'])
  })
})

describe('several jobs', () => {
  const three = [
    progress({ ...ended, title: 'first', durationMs: 1000 }),
    progress({ ...copying, title: 'the second' }),
    progress({ title: 'third', durationMs: 600_000 }),
  ]

  test('stand in columns, those that run first', () => {
    expect(rows(three)).toEqual([
      '▶  the second  ███████░░░░░░░░░░░░░  3/8  copying     1m04s',
      '▶  third                                  EXECUTING  10m00s',
      '✅ first                                  COMPLETED      1s',
    ])
  })

  test('that do not fit are counted', () => {
    expect(rows(three, { rows: 2 })).toEqual([
      '▶  the second  ███████░░░░░░░░░░░░░  3/8  copying  1m04s',
      'and 2 more',
    ])
    expect(rows(three, { rows: 1 })).toEqual(['and 3 more'])
  })

  test('stand in the order in which they were named when it is over', () => {
    expect(closing(three).map((row) => /^(\S+) +(.+?) {2}/u.exec(row)?.slice(1))).toEqual([
      ['✅', 'first'],
      ['▶', 'the second'],
      ['▶', 'third'],
    ])
  })
})

describe('a job that is over', () => {
  test('that failed says why, on a row of its own', () => {
    const failed = { ...copying, state: 'ended', status: 'FAILED', outcome: 'error' } as const
    const reason = 'The object store denies writing.'
    expect(closing([progress({ ...failed, reason })])).toEqual([
      '❌ nightly backup  ███████░░░░░░░░░░░░░  3/8  FAILED  1m04s',
      '   The object store denies writing.',
    ])
  })

  test('stops counting', () => {
    const job = progress({ ...ended, title: 'x', durationMs: 1000 }, now - 60_000)
    expect(rows([job])).toEqual(['✅ x  COMPLETED  1s'])
  })

  test.each([
    [{ state: 'lost' }, 'lost: the upstream no longer knows it'],
    [{ state: 'stopped' }, 'no longer watched'],
    [{ ...ended, outcome: 'warning' }, 'COMPLETED with warnings'],
    [{ ...ended, outcome: 'error' }, 'COMPLETED with error'],
  ] as const)('says what became of it: %o', (fields, words) => {
    expect(closing([progress(fields)], { columns: 200 })[0]).toContain(`  ${words.slice(0, 31)}`)
  })
})

describe('a narrow terminal', () => {
  const job = progress({ ...copying, title: 'a long title of a job', typicalDurationMs: 100_000 })

  test.each([
    [83, '▶  a long title of a job  ███████░░░░░░░░░░░░░  3/8  copying  1m04s  about 40s left'],
    [72, '▶  a long title of a j…  ███░░░░░░░  3/8  copying  1m04s  about 40s left'],
    [50, '▶  a long title of a j…  3/8  copying  1m04s'],
    [30, '▶  a long title o…  3/8  1m04s'],
    [14, '▶  a lon…  3/8'],
  ])('of %d columns loses what matters least first', (columns, row) => {
    expect(widthOf(row)).toBeLessThanOrEqual(columns)
    expect(rows([job], { columns })[0]).toBe(row)
  })
})

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\x1b[2J', '\x1b]0;x\x07', '地図の更新', 'x\r\ny', '\u202efdp', '👩‍👩‍👧‍👦', ''),
)
const anyJob = fc.record({
  title: anyText,
  name: anyText,
  rawStatus: anyText,
  reason: fc.option(anyText),
  done: fc.nat(12),
  total: fc.nat(12),
  outcome: fc.constantFrom(null, 'success', 'error', 'warning', 'cancelled'),
  status: fc.constantFrom(null, 'EXECUTING', 'OTHER', 'FAILED'),
  durationMs: fc.option(fc.nat()),
  typicalDurationMs: fc.option(fc.nat()),
})

test('no row is wider than the terminal, nor can any text of it steer the terminal', () => {
  const shape = fc.tuple(
    fc.array(anyJob, { maxLength: 5 }),
    fc.integer({ min: 4, max: 140 }),
    fc.integer({ min: 1, max: 8 }),
    fc.boolean(),
  )
  fc.assert(
    fc.property(shape, ([jobs, columns, height, colour]) => {
      const all = jobs.map(({ name, done, total, ...fields }) =>
        progress({
          ...fields,
          progress: { done, total },
          stages: [{ ...copying.stages[1], name, state: 'running' } as JobInEvent['stages'][0]],
        }),
      )
      const style = { emoji: columns % 2 === 0, colour }
      const shown = progressRows(all, { now, style, columns, rows: height })
      expect(shown.length).toBeLessThanOrEqual(height)
      for (const { plain, text } of [
        ...shown,
        ...closingRows(all, { now, style, columns, rows: height }),
      ]) {
        expect(widthOf(plain)).toBeLessThanOrEqual(columns)
        // eslint-disable-next-line no-control-regex -- colours are all that there may be
        expect(text.replace(/\x1b\[\d+m/g, '').trimEnd()).toBe(plain.trimEnd())
        expect(plain).toBe(stripVTControlCharacters(plain))
        // eslint-disable-next-line no-control-regex -- controls are what is looked for
        expect(plain).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/)
      }
    }),
    { numRuns: 300 },
  )
})
