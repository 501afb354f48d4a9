import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addedMessages, diffStages, firstStages } from '../../src/core/diff.ts'
import type { Message, Stage, StageState } from '../../src/core/job.ts'
import type { SeenStage } from '../../src/core/observation.ts'
import { aSeenStage, aStage, noon } from '../helpers/builders.ts'
import { anyText } from './arbitraries.ts'

/** The changes as `name: from → to`, with the occurrence when it is not the first. */
function changesOf(before: readonly Stage[], seen: readonly SeenStage[]): string[] {
  return diffStages(before, seen, noon).changes.map(({ stage, occurrence, from, to }) => {
    const name = occurrence === 1 ? stage : `${stage} #${occurrence}`
    return `${name}: ${from ?? 'absent'} → ${to ?? 'absent'}`
  })
}

function anUnknown(name: string, rawState: string): Stage {
  return aStage(name, 'unknown', { rawState })
}

describe('stages that changed', () => {
  test('are told one by one, with the word of the upstream', () => {
    const before = [aStage('validating', 'running'), aStage('store', 'pending')]
    const seen = [
      { ...aSeenStage('validating', 'completed'), rawState: 'Done' },
      { ...aSeenStage('store', 'running'), rawState: 'In Progress' },
    ]
    expect(diffStages(before, seen, noon).changes).toEqual([
      {
        kind: 'stage',
        stage: 'validating',
        occurrence: 1,
        from: 'running',
        to: 'completed',
        rawTo: 'Done',
      },
      {
        kind: 'stage',
        stage: 'store',
        occurrence: 1,
        from: 'pending',
        to: 'running',
        rawTo: 'In Progress',
      },
    ])
  })

  test('are told in their listed order', () => {
    const before = [aStage('a', 'pending'), aStage('b', 'pending'), aStage('c', 'pending')]
    const seen = [
      aSeenStage('c', 'running'),
      aSeenStage('a', 'completed'),
      aSeenStage('b', 'failed'),
    ]
    expect(changesOf(before, seen)).toEqual([
      'c: pending → running',
      'a: pending → completed',
      'b: pending → failed',
    ])
  })

  test('are told when they appear, at the place where they are listed', () => {
    const before = [aStage('a', 'running'), aStage('b', 'pending')]
    const seen = [
      aSeenStage('a', 'completed'),
      aSeenStage('new', 'running'),
      aSeenStage('b', 'running'),
    ]
    expect(changesOf(before, seen)).toEqual([
      'a: running → completed',
      'new: absent → running',
      'b: pending → running',
    ])
  })

  test('are told last when they went away, without a word of the upstream', () => {
    const before = [aStage('gone', 'running'), aStage('stays', 'pending')]
    const seen = [aSeenStage('stays', 'running'), aSeenStage('new', 'pending')]
    expect(changesOf(before, seen)).toEqual([
      'stays: pending → running',
      'new: absent → pending',
      'gone: running → absent',
    ])
    expect(diffStages(before, seen, noon).changes.at(-1)).toEqual({
      kind: 'stage',
      stage: 'gone',
      occurrence: 1,
      from: 'running',
      to: null,
      rawTo: null,
    })
  })

  test('all go away when the list is empty', () => {
    const before = [aStage('a', 'completed'), aStage('b', 'running')]
    expect(changesOf(before, [])).toEqual(['a: completed → absent', 'b: running → absent'])
    expect(diffStages(before, [], noon).stages).toEqual([])
  })

  test('may go back', () => {
    expect(changesOf([aStage('a', 'completed')], [aSeenStage('a', 'running')])).toEqual([
      'a: completed → running',
    ])
  })

  test('are another stage under another name', () => {
    expect(changesOf([aStage('a', 'running')], [aSeenStage('A', 'running')])).toEqual([
      'A: absent → running',
      'a: running → absent',
    ])
  })
})

describe('stages that did not change', () => {
  test('may be listed in another order', () => {
    const before = [aStage('a', 'completed'), aStage('b', 'running'), aStage('c', 'pending')]
    const seen = [
      aSeenStage('c', 'pending'),
      aSeenStage('a', 'completed'),
      aSeenStage('b', 'running'),
    ]
    const { stages, changes } = diffStages(before, seen, noon)
    expect(changes).toEqual([])
    expect(stages.map(({ name }) => name)).toEqual(['c', 'a', 'b'])
  })

  test('may be spelled or worded otherwise, and then show the new word', () => {
    const before = [aStage('a', 'running', { rawState: 'In Progress', startedAt: noon - 9000 })]
    for (const rawState of ['IN_PROGRESS', 'in progress', 'executing']) {
      const seen = [{ ...aSeenStage('a', 'running'), rawState }]
      expect(diffStages(before, seen, noon)).toEqual({
        stages: [{ ...before[0], rawState }],
        changes: [],
      })
    }
  })
})

describe('a state that is none of the known ones', () => {
  test('changes when another word of its kind takes its place', () => {
    const seen = [{ ...aSeenStage('a', 'unknown'), rawState: 'thawing' }]
    expect(diffStages([anUnknown('a', 'freezing')], seen, noon).changes).toEqual([
      {
        kind: 'stage',
        stage: 'a',
        occurrence: 1,
        from: 'unknown',
        to: 'unknown',
        rawTo: 'thawing',
      },
    ])
  })

  test.each(['Half Done', 'half_done', 'HALF-DONE', 'HalfDone'])(
    'does not change when Half done is only respelled: %s',
    (rawState) => {
      const seen = [{ ...aSeenStage('a', 'unknown'), rawState }]
      expect(changesOf([anUnknown('a', 'Half done')], seen)).toEqual([])
    },
  )
})

describe('stages of the same name', () => {
  test('are told apart by their occurrence', () => {
    const before = [aStage('copy', 'completed'), aStage('copy', 'running', { occurrence: 2 })]
    const seen = [
      aSeenStage('copy', 'completed'),
      aSeenStage('copy', 'completed', 2),
      aSeenStage('copy', 'running', 3),
    ]
    expect(changesOf(before, seen)).toEqual([
      'copy #2: running → completed',
      'copy #3: absent → running',
    ])
  })

  test('lose the last occurrence when there is one less', () => {
    const before = [aStage('copy', 'completed'), aStage('copy', 'pending', { occurrence: 2 })]
    expect(changesOf(before, [aSeenStage('copy', 'completed')])).toEqual([
      'copy #2: pending → absent',
    ])
  })

  test('are not mixed up with stages whose names end in a number', () => {
    const before = [aStage('copy', 'running', { occurrence: 12 })]
    const seen = [aSeenStage('copy1', 'running', 2)]
    expect(changesOf(before, seen)).toEqual([
      'copy1 #2: absent → running',
      'copy #12: running → absent',
    ])
  })
})

describe('the times of a stage', () => {
  const later = noon + 30_000

  test('are when jobwatch saw it begin and end', () => {
    const pending = diffStages([], [aSeenStage('a', 'pending')], noon - 60_000).stages
    expect(pending[0]).toMatchObject({ startedAt: null, endedAt: null })
    const running = diffStages(pending, [aSeenStage('a', 'running')], noon).stages
    expect(running[0]).toMatchObject({ startedAt: noon, endedAt: null })
    const still = diffStages(running, [aSeenStage('a', 'running')], later).stages
    expect(still[0]).toMatchObject({ startedAt: noon, endedAt: null })
    const done = diffStages(still, [aSeenStage('a', 'completed')], later).stages
    expect(done[0]).toMatchObject({ startedAt: noon, endedAt: later })
    const same = diffStages(done, [aSeenStage('a', 'completed')], later + 9000).stages
    expect(same[0]).toMatchObject({ startedAt: noon, endedAt: later })
  })

  test('have no end again when it goes back', () => {
    const done = [aStage('a', 'completed', { startedAt: noon - 9000, endedAt: noon - 1000 })]
    const [again] = diffStages(done, [aSeenStage('a', 'running')], noon).stages
    expect(again?.endedAt).toBeNull()
    const [waiting] = diffStages(done, [aSeenStage('a', 'pending')], noon).stages
    expect(waiting).toMatchObject({ startedAt: null, endedAt: null })
  })

  test('of one that rolls back keep their begin, and its end is when that is over', () => {
    const running = [aStage('a', 'running', { startedAt: noon - 9000 })]
    const back = diffStages(running, [aSeenStage('a', 'rolling_back')], noon).stages
    expect(back[0]).toMatchObject({ startedAt: noon - 9000, endedAt: null })
    const over = diffStages(back, [aSeenStage('a', 'rolled_back')], later).stages
    expect(over[0]).toMatchObject({ startedAt: noon - 9000, endedAt: later })
  })

  test('at the first sight of a job are known only of what is under way', () => {
    const seen = [
      aSeenStage('a', 'completed'),
      aSeenStage('b', 'running'),
      aSeenStage('c', 'pending'),
    ]
    expect(firstStages(seen, noon)).toEqual([
      aStage('a', 'completed'),
      aStage('b', 'running', { startedAt: noon }),
      aStage('c', 'pending'),
    ])
  })
})

// Properties

const states: readonly StageState[] = [
  'pending',
  'running',
  'completed',
  'warning',
  'failed',
  'cancelled',
  'rolling_back',
  'rolled_back',
  'skipped',
  'unknown',
]
const anEntry = fc.record({
  name: fc.oneof(fc.constantFrom('a', 'b', 'c', 'd'), anyText),
  state: fc.constantFrom(...states),
  word: fc.constantFrom('One', 'two'),
})
const aList: fc.Arbitrary<readonly SeenStage[]> = fc
  .array(anEntry, { maxLength: 12 })
  .map((entries) => {
    const counts = new Map<string, number>()
    return entries.map(({ name, state, word }) => {
      const occurrence = (counts.get(name) ?? 0) + 1
      counts.set(name, occurrence)
      return { name, occurrence, state, rawState: state === 'unknown' ? word : state }
    })
  })

function bare(stages: readonly SeenStage[]): readonly SeenStage[] {
  return stages.map(({ name, occurrence, state, rawState }) => ({
    name,
    occurrence,
    state,
    rawState,
  }))
}

test('what was seen is what is then known, stage by stage and in its order', () => {
  fc.assert(
    fc.property(aList, aList, (first, second) => {
      const known = diffStages(firstStages(first, noon), second, noon).stages
      expect(bare(known)).toEqual(second)
    }),
  )
})

test('seeing the same stages again changes nothing', () => {
  fc.assert(
    fc.property(aList, aList, (first, second) => {
      const known = diffStages(firstStages(first, noon), second, noon).stages
      expect(diffStages(known, second, noon + 5000)).toEqual({ stages: known, changes: [] })
    }),
  )
})

test('a reader who applies the changes to what it knew knows what was seen', () => {
  fc.assert(
    fc.property(aList, aList, (first, second) => {
      const before = firstStages(first, noon)
      const states = new Map(
        before.map((stage) => [keyOf(stage.name, stage.occurrence), stage.state]),
      )
      for (const { stage, occurrence, from, to } of diffStages(before, second, noon).changes) {
        const key = keyOf(stage, occurrence)
        expect(from).toBe(states.get(key) ?? null)
        if (to === null) states.delete(key)
        else states.set(key, to)
      }
      const seen = new Map(
        second.map((stage) => [keyOf(stage.name, stage.occurrence), stage.state]),
      )
      expect(states).toEqual(seen)
    }),
  )
})

test('each stage changes once at most: those listed in their order, then those that are gone', () => {
  fc.assert(
    fc.property(aList, aList, (first, second) => {
      const { changes } = diffStages(firstStages(first, noon), second, noon)
      const places = changes.map(({ stage, occurrence, to }) => {
        const list = to === null ? first : second
        const place = list.findIndex(
          (seen) => seen.name === stage && seen.occurrence === occurrence,
        )
        expect(place).toBeGreaterThanOrEqual(0)
        return to === null ? second.length + place : place
      })
      expect(places).toEqual([...new Set(places)].sort((a, b) => a - b))
    }),
  )
})

function keyOf(name: string, occurrence: number): string {
  return JSON.stringify([name, occurrence])
}

// Messages

function texts(...words: string[]): readonly Message[] {
  return words.map((text) => ({ text, level: null, at: null }))
}

test.each<[string, string[], string[], string[]]>([
  ['one more at the end', ['a'], ['a', 'b'], ['b']],
  ['the first ones', [], ['a', 'b'], ['a', 'b']],
  ['one in between', ['a', 'c'], ['a', 'b', 'c'], ['b']],
  ['one that is there already', ['a'], ['a', 'a'], ['a']],
  ['one of three that were two', ['a', 'a'], ['a', 'a', 'a'], ['a']],
  ['the last of a list that moves on', ['a', 'b', 'c'], ['b', 'c', 'd'], ['d']],
  ['the other one when one takes its place', ['a'], ['b'], ['b']],
  ['nothing when they are the same', ['a', 'b'], ['a', 'b'], []],
  ['nothing in another order', ['a', 'b'], ['b', 'a'], []],
  ['nothing in a shorter list', ['a', 'b', 'b'], ['b'], []],
  ['nothing in an empty list', ['a'], [], []],
])('added to the messages is %s', (_, before, after, added) => {
  expect(addedMessages(texts(...before), texts(...after))).toEqual(texts(...added))
})

test('messages of the same text are different when level or time are', () => {
  const [plain] = texts('a') as [Message]
  const warning: Message = { ...plain, level: 'WARNING' }
  const dated: Message = { ...plain, at: noon }
  expect(addedMessages([plain], [plain, warning, dated])).toEqual([warning, dated])
})

test('added is what is there more often than before, and nothing is added twice', () => {
  const list = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 10 })
  fc.assert(
    fc.property(list, list, (before, after) => {
      const added = addedMessages(texts(...before), texts(...after)).map(({ text }) => text)
      for (const word of ['a', 'b', 'c']) {
        const grown = count(after, word) - count(before, word)
        expect(count(added, word)).toBe(Math.max(0, grown))
      }
      expect(addedMessages(texts(...after), texts(...after))).toEqual([])
    }),
  )
})

function count(words: readonly string[], wanted: string): number {
  return words.filter((word) => word === wanted).length
}
