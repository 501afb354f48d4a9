import { describe, expect, test } from 'vitest'
import { eventLine } from '../../src/cli/event-view.ts'
import { jobDetail, jobTable } from '../../src/cli/job-view.ts'
import { elapsed, jsonText, safe, statusCell, styleFor } from '../../src/cli/output.ts'
import type { Style } from '../../src/cli/output.ts'
import { cut, renderTable, steady, widthOf } from '../../src/cli/table.ts'
import { aJob, anEvent, anUpstreamEvent } from '../client/answers.ts'
import { openTerminal } from './terminal.ts'

const plain: Style = { emoji: false, colour: false }
const terminal: Style = { emoji: true, colour: true }
const hostile = 'a\x1b[2Jb\u009b31mc\u202Ed\u2066e\0f\x07g\u2028h\u{e0041}i'

describe('text from elsewhere', () => {
  test('cannot hold controls, escapes and bidi overrides', () => {
    const text = safe(hostile)
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/)
    expect(text).toContain('a\\u001b[2Jb\\u009b31mc\\u202ed')
  })

  test('is one line', () => {
    expect(safe('one\r\ntwo\tthree\n')).toBe('one two three ')
  })

  test('keeps letters and emoji of any script', () => {
    const text = 'Größe 東京 عربي 👩‍🚒 ▶️ é'
    expect(safe(text)).toBe(text)
  })

  test('is made safe wherever a job or an event is shown', () => {
    const job = aJob({
      jobid: hostile,
      upstream: hostile,
      title: hostile,
      username: hostile,
      operation: hostile,
      resource: hostile,
      status: 'OTHER',
      rawStatus: hostile,
      reason: hostile,
      startedAt: hostile,
      tags: [hostile],
      stages: [
        {
          name: hostile,
          occurrence: 1,
          state: 'unknown',
          rawState: hostile,
          startedAt: hostile,
          endedAt: hostile,
        },
      ],
      progress: { done: 0, total: 1 },
      messages: [{ text: hostile, level: hostile, at: hostile }],
      messageCount: 1,
      problem: { kind: 'transient', detail: hostile, since: hostile, attempts: 1 },
    })
    const change = { kind: 'stage', stage: hostile, from: hostile, to: hostile }
    const event = anEvent(1, { type: hostile, change, job: { title: hostile } })
    const shown = jobTable([job, aJob()], plain) + jobDetail(job, plain) + eventLine(event, plain)
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(shown).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/)
  })

  test('is the same value in JSON, without anything that a terminal would act upon', () => {
    const json = jsonText({ title: hostile })
    expect(JSON.parse(json)).toEqual({ title: hostile })
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(json).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/)
  })
})

describe('emoji and colours', () => {
  test.each<[string, boolean, Record<string, string>, Style]>([
    ['both on a terminal', true, {}, { emoji: true, colour: true }],
    ['emoji alone where NO_COLOR is set', true, { NO_COLOR: '1' }, { emoji: true, colour: false }],
    ['both where NO_COLOR is empty', true, { NO_COLOR: '' }, { emoji: true, colour: true }],
    ['neither in a pipe', false, {}, { emoji: false, colour: false }],
  ])('are shown: %s', (_, isTTY, env, style) => {
    expect(styleFor(openTerminal({ isTTY, env }))).toEqual(style)
  })

  test.each([
    ['SUBMITTED', '⏳ SUBMITTED'],
    ['EXECUTING', '▶️ EXECUTING'],
    ['CANCELLING', '↩️ CANCELLING'],
    ['CANCELLED', '🚫 CANCELLED'],
    ['FAILED', '❌ FAILED'],
    ['COMPLETED', '✅ COMPLETED'],
    ['UNAVAILABLE', '❔ UNAVAILABLE'],
  ] as const)('%s is shown as %s', (status, shown) => {
    expect(statusCell(aJob({ status }), terminal).text).toBe(shown)
    expect(statusCell(aJob({ status }), plain).text).toBe(status)
  })

  test.each([
    [{ status: null }, '🔍 not seen yet'],
    [{ status: null, state: 'lost' }, '🔍 never seen'],
    [{ status: 'OTHER', rawStatus: 'Paused' }, '❔ OTHER: Paused'],
    [{ status: 'COMPLETED', outcome: 'warning' }, '⚠️ COMPLETED with warnings'],
    [{ status: 'COMPLETED', outcome: 'error' }, '❌ COMPLETED with error'],
  ] as const)('a job that is %j is shown as %s', (fields, shown) => {
    expect(statusCell(aJob(fields), terminal).text).toBe(shown)
  })

  test('are in the table on a terminal', () => {
    expect(jobTable([aJob({ status: 'FAILED' })], terminal)).toContain('\x1b[31m❌ FAILED\x1b[0m')
  })
})

describe('a table', () => {
  test('lines up texts that are wider than their length', () => {
    const rows = [
      ['東京', 'x'],
      ['❌ é', 'y'],
      ['abcdef', 'z'],
    ].map((row) => row.map((text) => ({ text })))
    expect(renderTable(['A', 'B'], rows)).toBe(
      ['A       B', '東京    x', '❌ é    y', 'abcdef  z', ''].join('\n'),
    )
  })

  test.each([
    ['combining marks', 'e\u0301\u0323', 1],
    ['marks that take room', 'की', 2],
    ['East Asian scripts', '漢ㄅ㈱한', 8],
    ['an emoji', '🚀', 2],
    ['a flag, two halves that are narrow', '🇪🇺', 2],
    ['a symbol that may become an emoji', '▶️', 2],
    ['emoji that some terminals join to one', '👩‍🚒', 4],
    ['an emoji and its colour', '👍🏽', 4],
  ])('is laid out for the most that terminals make of %s', (_, text, columns) => {
    expect(widthOf(text)).toBe(columns)
  })

  test('can be laid out with text whose width terminals agree on', () => {
    expect(steady('▶️ 👩‍🚒 👍🏽 की e\u0301')).toBe('▶ 👩🚒 👍 की e\u0301')
  })

  test('shows where a text was cut, and never half a character', () => {
    expect(cut('abcdef', 6)).toBe('abcdef')
    expect(cut('abcdefg', 6)).toBe('abcde…')
    expect(cut('東京都庁', 6)).toBe('東京…')
    expect(widthOf(cut('👩‍🚒👩‍🚒👩‍🚒', 4))).toBeLessThanOrEqual(4)
  })

  test('has a column for the upstream where jobs are of several', () => {
    expect(jobTable([aJob()], plain)).not.toContain('UPSTREAM')
    const table = jobTable([aJob(), aJob({ upstream: 'test' })], plain)
    expect(table.split('\n').map((line) => line.split(/ {2,}/).at(-1))).toEqual([
      'UPSTREAM',
      'prod',
      'test',
      '',
    ])
  })

  test.each([
    [null, '-'],
    [0, '0s'],
    [5003, '5s'],
    [65_000, '1m05s'],
    [3_723_000, '1h02m'],
    [93_600_000, '1d02h'],
  ])('says %j ms as %s', (ms, words) => {
    expect(elapsed(ms)).toBe(words)
  })
})

describe('the line of an event', () => {
  const words = (change: Parameters<typeof anUpstreamEvent>[1], job = {}) =>
    eventLine(anEvent(7, { change, job }), plain).trimEnd().split('  ').at(-1)

  test('holds time, seq, type, title and what changed', () => {
    expect(eventLine(anEvent(1042), plain)).toBe(
      '2026-11-23 14:00:05Z  #1042  job.stage.changed  editContainerRegistry default  object_store: running → completed\n',
    )
  })

  test('has the emoji of the status on a terminal', () => {
    const change = { kind: 'status', from: 'EXECUTING', to: 'COMPLETED', rawTo: 'COMPLETED' }
    const job = { status: 'COMPLETED', outcome: 'success' } as const
    const line = eventLine(anEvent(7, { type: 'job.completed', change, job }), terminal)
    expect(line).toContain('✅ \x1b[32mEXECUTING → COMPLETED\x1b[0m')
  })

  test.each([
    [{ kind: 'status', from: null, to: 'EXECUTING' }, 'EXECUTING'],
    [{ kind: 'stage', stage: 's', occurrence: 2, from: null, to: 'running' }, 's #2: running'],
    [{ kind: 'stage', stage: 's', occurrence: 1, from: 'running', to: null }, 's: gone'],
    [
      { kind: 'stage', stage: 's', occurrence: 1, from: 'running', to: 'unknown', rawTo: 'Held' },
      's: running → unknown (Held)',
    ],
    [{ kind: 'messages', added: [{ text: 'one' }], count: 1 }, 'one'],
    [
      { kind: 'messages', added: [{ text: 'one' }, { text: 'two' }], count: 2 },
      'two (and 1 before)',
    ],
    [{ kind: 'stall', since: '2026-11-23T12:00:00.000Z' }, 'no change since 2026-11-23 12:00:00Z'],
    [{ kind: 'deadline', deadline: '2026-11-23T12:00:00.000Z' }, 'deadline 2026-11-23 12:00:00Z'],
    [
      { kind: 'presence', since: '2026-11-23T12:00:00.000Z' },
      'not listed since 2026-11-23 12:00:00Z',
    ],
    [{ kind: 'registry', by: 'api' }, 'by api'],
  ])('says %j as "%s"', (change, said) => {
    expect(words(change)).toBe(said)
  })

  test('says why a job failed', () => {
    const change = { kind: 'status', from: 'EXECUTING', to: 'COMPLETED', rawTo: 'COMPLETED' }
    const job = { status: 'COMPLETED', outcome: 'error', reason: 'Disk full.' }
    expect(words(change, job)).toBe('EXECUTING → COMPLETED with error: Disk full.')
  })

  test('of an upstream or endpoint has its name as the title', () => {
    const since = '2026-11-23T12:00:00.000Z'
    const down = anUpstreamEvent(7, { kind: 'upstream', reason: 'timeout', since })
    expect(eventLine(down, plain)).toBe(
      '2026-11-23 14:00:05Z  #7  upstream.down  prod  timeout since 2026-11-23 12:00:00Z\n',
    )
    const disablesAt = '2026-11-28T12:00:00.000Z'
    expect(words({ kind: 'endpoint', reason: 'status 500', since, disablesAt })).toBe(
      'status 500 since 2026-11-23 12:00:00Z, disabled at 2026-11-28 12:00:00Z',
    )
  })

  test.each([{ kind: 'weather' }, { kind: 'messages' }, { kind: 'messages', added: [null] }])(
    'is complete without words for %j',
    (change) => {
      expect(words(change)).toBe('editContainerRegistry default')
    },
  )
})
