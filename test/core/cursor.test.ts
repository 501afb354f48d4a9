import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCursor, positionId, resolveCursor } from '../../src/core/cursor.ts'
import type { LogBounds } from '../../src/core/cursor.ts'
import { anyText } from './arbitraries.ts'

const whole: LogBounds = { epochs: [{ epoch: '7f3a9c', firstSeq: 1 }], newest: 50, oldest: 1 }
const pruned: LogBounds = { ...whole, oldest: 11 }
const allPruned: LogBounds = { ...whole, oldest: null }
const empty: LogBounds = { ...whole, newest: 0, oldest: null }
/** A backup was taken after 30 events, and 20 more came under the copy's own epoch. */
const restored: LogBounds = {
  epochs: [
    { epoch: 'a1', firstSeq: 1 },
    { epoch: 'b2', firstSeq: 31 },
  ],
  newest: 50,
  oldest: 1,
}
/** A backup that was taken after 30 events and has none of its own yet. */
const justRestored: LogBounds = { ...restored, newest: 30 }
const restoredAndPruned: LogBounds = { ...restored, oldest: 31 }

function resolve(text: string, bounds: LogBounds) {
  return resolveCursor(parseCursor(text), bounds)
}

describe('a cursor', () => {
  test('is a seq or the id of an event', () => {
    expect(parseCursor('1042')).toEqual({ kind: 'seq', seq: 1042 })
    expect(parseCursor('0')).toEqual({ kind: 'seq', seq: 0 })
    expect(parseCursor('7f3a9c-1042')).toEqual({ kind: 'id', epoch: '7f3a9c', seq: 1042 })
    expect(parseCursor('123456-7')).toEqual({ kind: 'id', epoch: '123456', seq: 7 })
    expect(parseCursor('7f3a9c-0')).toEqual({ kind: 'id', epoch: '7f3a9c', seq: 0 })
  })

  test.each([
    '',
    ' ',
    '-',
    '-1',
    '+1',
    '1-',
    '7f3a9c-',
    '7f3a9c',
    'abc',
    'abc-def',
    '1.5',
    '1e3',
    '0x10',
    ' 1042',
    '1042 ',
    '1042\n',
    '7f3a9c-1042\n',
    '7f3a9c--1',
    '7f3a9c-1042-1',
    '7F3A9C-1042',
    '7f3a9c_1042',
    'NaN',
    'Infinity',
    'null',
    '٥',
    '\0',
    '9'.repeat(30),
    `${'a'.repeat(200)}-1`,
  ])('is not %j', (text) => {
    expect(parseCursor(text)).toBeNull()
  })

  test('is read from any text without harm, and its seq is then exact', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.stringMatching(/^[0-9a-z-]{0,70}$/)), (text) => {
        const cursor = parseCursor(text)
        if (cursor !== null) expect(Number.isSafeInteger(cursor.seq)).toBe(true)
      }),
    )
  })
})

describe('a reader goes on directly after its cursor', () => {
  test.each<[string, string, LogBounds, number]>([
    ['the newest seq', '50', whole, 50],
    ['a seq in between', '30', whole, 30],
    ['seq 0 while everything is kept', '0', whole, 0],
    ['an id', '7f3a9c-30', whole, 30],
    ['the newest id', '7f3a9c-50', whole, 50],
    ['the zero of the current epoch', '7f3a9c-0', whole, 0],
    ['the last seq that was pruned, after which nothing is missing', '10', pruned, 10],
    ['the last id that was pruned', '7f3a9c-10', pruned, 10],
    ['the newest seq when all is pruned', '50', allPruned, 50],
    ['the newest id when all is pruned', '7f3a9c-50', allPruned, 50],
    ['seq 0 of an empty log', '0', empty, 0],
    ['the zero of an empty log', '7f3a9c-0', empty, 0],
    ['the last id of an earlier epoch', 'a1-30', restored, 30],
    ['the first id of the current epoch', 'b2-31', restored, 31],
    ['the newest id of the current epoch', 'b2-50', restored, 50],
    ['the zero of the current epoch after an earlier one', 'b2-0', restored, 0],
    ['a seq, whatever its epoch', '30', restored, 30],
    ['the newest id while the current epoch has none', 'a1-30', justRestored, 30],
    ['the zero of a current epoch that has no event yet', 'b2-0', justRestored, 0],
    ['the last id before a pruned epoch ended', 'a1-30', restoredAndPruned, 30],
  ])('%s', (_, text, bounds, after) => {
    expect(resolve(text, bounds)).toEqual({ after, gap: false })
  })
})

describe('a reader is told of a gap, and gets everything kept, after', () => {
  test.each<[string, string, LogBounds, number]>([
    ['a seq whose next event was pruned', '9', pruned, 10],
    ['seq 0 when something was pruned', '0', pruned, 10],
    ['an id whose next event was pruned', '7f3a9c-9', pruned, 10],
    ['the zero of the current epoch when something was pruned', '7f3a9c-0', pruned, 10],
    ['a seq when all is pruned', '49', allPruned, 50],
    ['a seq ahead of the log', '51', whole, 0],
    ['a seq far ahead of the log', '999999999999999', pruned, 10],
    ['an id ahead of the log', '7f3a9c-51', whole, 0],
    ['a seq ahead of an empty log', '1', empty, 0],
    ['an id ahead of an empty log', '7f3a9c-1', empty, 0],
    ['an id of another log', 'ffffff-30', whole, 0],
    ['the zero of another log', 'ffffff-0', empty, 0],
    ['garbage', 'garbage', whole, 0],
    ['garbage when something was pruned', '1042; drop', pruned, 10],
    ['garbage when all is pruned', 'garbage', allPruned, 50],
    ['an id that the original gave after the backup', 'a1-31', restored, 0],
    ['an id of the original that is ahead of the copy', 'a1-31', justRestored, 0],
    ['an id before the range of its epoch', 'b2-30', restored, 0],
    ['the zero of an earlier epoch', 'a1-0', restored, 0],
    ['an id of an epoch that has none yet', 'b2-31', justRestored, 0],
    ['an id of an epoch that was pruned', 'a1-29', restoredAndPruned, 30],
  ])('%s', (_, text, bounds, after) => {
    expect(resolve(text, bounds)).toEqual({ after, gap: true })
  })
})

test.each<[string, number, LogBounds, string]>([
  ['an event is named by the epoch in whose range it is', 30, restored, 'a1-30'],
  ['the first event of an epoch is named by it', 31, restored, 'b2-31'],
  ['the newest event is named by the current epoch', 50, restored, 'b2-50'],
  ['the newest event of a fresh copy is named as in the original', 30, justRestored, 'a1-30'],
  ['the position before the first event is named by the current epoch', 0, whole, '7f3a9c-0'],
  ['the position of an empty log is named by its epoch', 0, empty, '7f3a9c-0'],
  ['the same, after a restore', 0, restored, 'b2-0'],
  [
    'the position before the first event kept is that of the last one pruned',
    10,
    pruned,
    '7f3a9c-10',
  ],
])('%s', (_, seq, bounds, id) => {
  expect(positionId(seq, bounds)).toBe(id)
})

/** A log with some epochs, some of them without an event, of which the oldest events may be gone. */
const anyBounds: fc.Arbitrary<LogBounds> = fc
  .record({
    counts: fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 4 }),
    // How much is gone: 1 is everything.
    prunedPart: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ counts, prunedPart }) => {
    const newest = counts.reduce((sum, count) => sum + count, 0)
    const epochs = counts.map((_, index) => ({
      epoch: `e${index}`,
      firstSeq: 1 + counts.slice(0, index).reduce((sum, count) => sum + count, 0),
    }))
    const goneSeq = Math.floor(prunedPart * newest)
    return { epochs, newest, oldest: goneSeq === newest ? null : goneSeq + 1 }
  })

const anyCursor = fc.oneof(
  fc.nat({ max: 90 }).map(String),
  fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 90 })).map(([epoch, seq]) => `e${epoch}-${seq}`),
  fc.constant('garbage'),
)

test('a position that the feed gave is taken back without a gap, whatever cursor led there', () => {
  fc.assert(
    fc.property(anyBounds, anyCursor, (bounds, text) => {
      const { after } = resolve(text, bounds)
      const id = positionId(after, bounds)
      expect(id).toMatch(/^[0-9a-z-]{1,63}$/)
      expect(resolve(id, bounds)).toEqual({ after, gap: false })
    }),
  )
})

test('without a gap no event after the cursor is missing; with one nothing that is kept is skipped', () => {
  fc.assert(
    fc.property(anyBounds, anyCursor, (bounds, text) => {
      const { after, gap } = resolve(text, bounds)
      const firstKept = bounds.oldest ?? bounds.newest + 1
      if (gap) expect(after).toBe(firstKept - 1)
      else expect(after).toBeGreaterThanOrEqual(firstKept - 1)
      expect(after).toBeLessThanOrEqual(bounds.newest)
    }),
  )
})
