import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JobStatus, StageState } from '../../src/core/job.ts'
import type { Snapshot } from '../../src/core/observation.ts'
import {
  documentJobid,
  isObject,
  stageStateOf,
  timeOf,
  toSnapshot,
} from '../../src/upstream/enterprise-admin/document.ts'
import { anyJson, anyText } from '../core/arbitraries.ts'
import { noon } from '../helpers/builders.ts'

const jobid = 'sc28aabe5-a5a5-4a3f-8fee-ccd4e3e8be4c'

function snapshotOf(fields: Record<string, unknown>): Snapshot {
  const snapshot = toSnapshot({ jobid, status: 'EXECUTING', ...fields }, noon)
  if (snapshot === null) throw new Error('no job document')
  return snapshot
}

test('a job document becomes a snapshot', () => {
  const result = { credentialUpdateOnly: true }
  const document = {
    progress: {
      stages: [
        { name: 'validating', state: 'completed' },
        { name: 'object_store', state: 'In Progress' },
      ],
    },
    stagesOf: 'progress',
    furtherStages: { done: 0, total: 0 },
    messages: ['Started.'],
    resource: { name: 'default (id: qk2v81)' },
    name: 'editContainerRegistry',
    updatedtime: noon - 1000,
    jobid,
    requestID: '2c63888f-28f0-4481-be6d-dce7a7ace732',
    endtime: 0,
    starttime: noon - 60_000,
    operationURI: '/gis/admin/system/containerregistries/qk2v81/edit',
    result,
    status: 'EXECUTING',
    username: 'siteadmin',
  }
  expect(toSnapshot(document, noon)).toEqual({
    status: 'EXECUTING',
    rawStatus: 'EXECUTING',
    name: 'editContainerRegistry',
    operation: '/gis/admin/system/containerregistries/qk2v81/edit',
    resource: 'default (id: qk2v81)',
    username: 'siteadmin',
    requestId: '2c63888f-28f0-4481-be6d-dce7a7ace732',
    startedAt: noon - 60_000,
    endedAt: null,
    updatedAt: noon - 1000,
    stages: [
      { name: 'validating', occurrence: 1, state: 'completed', rawState: 'completed' },
      { name: 'object_store', occurrence: 1, state: 'running', rawState: 'In Progress' },
    ],
    stagesOf: 'progress',
    furtherStages: { done: 0, total: 0 },
    messages: [{ text: 'Started.', level: null, at: null }],
    result,
  })
})

test('id and status are enough of a document', () => {
  expect(toSnapshot({ jobid, status: 'UNAVAILABLE' }, noon)).toEqual({
    status: 'UNAVAILABLE',
    rawStatus: 'UNAVAILABLE',
    name: null,
    operation: null,
    resource: null,
    username: null,
    requestId: null,
    startedAt: null,
    endedAt: null,
    updatedAt: null,
    stages: null,
    stagesOf: 'progress',
    furtherStages: { done: 0, total: 0 },
    messages: null,
    result: undefined,
  })
})

test.each<[unknown]>([[undefined], [null], [3], [true], [{}], [['EXECUTING']]])(
  'a document whose status is %j is none',
  (status) => {
    expect(toSnapshot({ jobid, status }, noon)).toBeNull()
  },
)

test('the id stands under jobid, or under jobId as notebooks have it', () => {
  expect(documentJobid({ jobid: 'j-1' })).toBe('j-1')
  expect(documentJobid({ jobId: 'j-2' })).toBe('j-2')
  expect(documentJobid({ status: 'EXECUTING' })).toBeNull()
  expect(documentJobid({ jobid: null, jobId: 'j-3' })).toBe('j-3')
  expect(documentJobid({ jobid: {} })).toBeNull()
})

describe('the status', () => {
  test.each<[string, JobStatus]>([
    ['SUBMITTED', 'SUBMITTED'],
    ['EXECUTING', 'EXECUTING'],
    ['CANCELLING', 'CANCELLING'],
    ['CANCELLED', 'CANCELLED'],
    ['FAILED', 'FAILED'],
    ['COMPLETED', 'COMPLETED'],
    ['UNAVAILABLE', 'UNAVAILABLE'],
    ['executing', 'EXECUTING'],
    ['Completed', 'COMPLETED'],
    ['TIMED OUT', 'FAILED'],
    ['TIMEDOUT', 'FAILED'],
    ['TIMED_OUT', 'FAILED'],
    ['timed-out', 'FAILED'],
    ['Timed Out', 'FAILED'],
    ['TimedOut', 'FAILED'],
    ['PAUSED', 'OTHER'],
    ['SUCCEEDED', 'OTHER'],
    ['esriJobSucceeded', 'OTHER'],
    ['OTHER', 'OTHER'],
    ['', 'OTHER'],
    ['constructor', 'OTHER'],
  ])('%j is %s, and the word itself is kept', (rawStatus, status) => {
    expect(snapshotOf({ status: rawStatus })).toMatchObject({ status, rawStatus })
  })
})

// The vocabulary that is binding: upstream words per state, without case and separators.
const vocabulary: Record<Exclude<StageState, 'unknown'>, string> = {
  pending: 'notstarted, pending, waiting, submitted, queued, scheduled, new',
  running: 'inprogress, executing, running, started, processing, active',
  completed: 'completed, complete, success, succeeded, successful, done, finished',
  warning:
    'successwithwarnings, successwithwarning, succeededwithwarnings, completedwithwarnings, ' +
    'completedwithwarning, warning',
  failed: 'failed, failure, error, lastattemptfailed, timedout',
  cancelled: 'cancelled, canceled, aborted',
  rolling_back: 'rollingback, cancelling, canceling',
  rolled_back: 'rolledback',
  skipped: 'skipped, notapplicable',
}
const words = Object.entries(vocabulary).flatMap(([state, list]) =>
  list.split(', ').map((word): [string, StageState] => [word, state as StageState]),
)

describe('the state of a stage', () => {
  test.each(words)('%s is %s', (word, state) => {
    expect(stageStateOf(word)).toBe(state)
  })

  test.each<[string, StageState]>([
    ['In Progress', 'running'],
    ['in progress', 'running'],
    ['IN_PROGRESS', 'running'],
    ['in-progress', 'running'],
    ['Not Started', 'pending'],
    ['success with warnings', 'warning'],
    ['completed_with_warnings', 'warning'],
    ['LAST_ATTEMPT_FAILED', 'failed'],
    ['TIMED OUT', 'failed'],
    ['rolling back', 'rolling_back'],
    ['Rolled Back', 'rolled_back'],
    [' completed ', 'completed'],
  ])('%j is %s', (word, state) => {
    expect(stageStateOf(word)).toBe(state)
  })

  test.each([
    '',
    ' ',
    'no_op',
    'paused',
    'incomplete',
    'not completed',
    'constructor',
    '__proto__',
  ])('%j is unknown', (word) => {
    expect(stageStateOf(word)).toBe('unknown')
  })

  test('is the same however a word is spelled', () => {
    const spelling = fc.record({
      isUpper: fc.boolean(),
      gap: fc.constantFrom('', '', '', ' ', '_', '-', '  '),
    })
    const spellings = fc.array(spelling, { minLength: 30, maxLength: 30 })
    fc.assert(
      fc.property(fc.constantFrom(...words), spellings, ([word, state], spelled) => {
        const letters = spelled.slice(0, word.length).map(({ isUpper, gap }, i) => {
          const letter = word.charAt(i)
          return (isUpper ? letter.toUpperCase() : letter) + gap
        })
        expect(stageStateOf(letters.join(''))).toBe(state)
      }),
    )
  })

  test('is one of the ten whatever the word, and naming a state by its own name keeps it', () => {
    const states = new Set<StageState>([...words.map(([, state]) => state), 'unknown'])
    fc.assert(
      fc.property(anyText, (word) => {
        const state = stageStateOf(word)
        expect(states).toContain(state)
        expect(stageStateOf(state)).toBe(state)
      }),
    )
  })
})

describe('stages', () => {
  test.each<[string, Record<string, unknown>]>([
    ['there is no progress', {}],
    ['progress is null', { progress: null }],
    ['progress is a text', { progress: '50 %' }],
    ['progress is a list', { progress: [] }],
    ['progress has no stages', { progress: { percent: 50 } }],
    ['stages are no list', { progress: { stages: { name: 'a', state: 'b' } } }],
    ['stages are null', { progress: { stages: null } }],
    ['only the result is there, without stages', { result: { status: 'success' } }],
  ])('are not spoken of when %s', (_, fields) => {
    expect(snapshotOf(fields).stages).toBeNull()
  })

  test('are gone when their list is empty', () => {
    expect(snapshotOf({ progress: { stages: [] } }).stages).toEqual([])
  })

  test('without a name are skipped', () => {
    const stages = [
      { state: 'completed' },
      { name: '', state: 'completed' },
      { name: null, state: 'completed' },
      { name: {}, state: 'completed' },
      null,
      'validating',
      7,
      ['validating', 'completed'],
      { name: 'validating', state: 'completed' },
    ]
    expect(snapshotOf({ progress: { stages } }).stages).toEqual([
      { name: 'validating', occurrence: 1, state: 'completed', rawState: 'completed' },
    ])
  })

  test.each<[unknown]>([[undefined], [null], [{}], [[]], ['']])(
    'whose state is %j are unknown',
    (state) => {
      expect(snapshotOf({ progress: { stages: [{ name: 'a', state }] } }).stages).toEqual([
        { name: 'a', occurrence: 1, state: 'unknown', rawState: '' },
      ])
    },
  )

  test('of the same name are counted, those without a name not', () => {
    const stages = ['copy', 'check', '', 'copy', 'copy'].map((name) => ({ name, state: 'done' }))
    const seen = snapshotOf({ progress: { stages } }).stages
    expect(seen?.map(({ name, occurrence }) => `${name} ${occurrence}`)).toEqual([
      'copy 1',
      'check 1',
      'copy 2',
      'copy 3',
    ])
  })

  test('beyond five thousand are only counted', () => {
    const stages = Array.from({ length: 6000 }, (_, n) => ({
      name: `stage ${n}`,
      state: n % 2 === 0 ? 'completed' : 'pending',
    }))
    const snapshot = toSnapshot({ jobid: 'j-1', status: 'EXECUTING', progress: { stages } }, noon)
    expect(snapshot?.stages).toHaveLength(5000)
    expect(snapshot?.furtherStages).toEqual({ done: 500, total: 1000 })
  })

  test('have names and states of 4 KiB at most', () => {
    const stages = [{ name: '日'.repeat(5000), state: 'x'.repeat(5000) }]
    const snapshot = toSnapshot({ jobid: 'j-1', status: 'EXECUTING', progress: { stages } }, noon)
    const [stage] = snapshot?.stages ?? []
    expect(stage?.name).toBe('日'.repeat(1365))
    expect(stage?.rawState).toBe('x'.repeat(4096))
  })

  test('may stand in the result alone, as those of a backup do', () => {
    const stages = [{ name: 'Validation', state: 'completed', duration: '2950 millis' }]
    const seen = [{ name: 'Validation', occurrence: 1, state: 'completed', rawState: 'completed' }]
    expect(snapshotOf({ result: { stages } }).stages).toEqual(seen)
  })

  test('of progress are taken before those of the result', () => {
    const progress = { stages: [{ name: 'a', state: 'running' }] }
    const result = { stages: [{ name: 'b', state: 'completed' }] }
    expect(snapshotOf({ progress, result }).stages?.map(({ name }) => name)).toEqual(['a'])
  })
})

describe('messages', () => {
  test.each<[string, Record<string, unknown>]>([
    ['are missing', {}],
    ['are null', { messages: null }],
    ['are a number', { messages: 3 }],
    ['are an object', { messages: { text: 'a' } }],
  ])('are not spoken of when they %s', (_, fields) => {
    expect(snapshotOf(fields).messages).toBeNull()
  })

  test.each<[string, unknown, string[]]>([
    ['an empty list', [], []],
    ['an empty text, as an upgrade has it', '', []],
    ['one text', 'Waiting.', ['Waiting.']],
    ['texts', ['a', 'b', 'a'], ['a', 'b', 'a']],
    ['objects', [{ code: 1, message: 'a', when: 0 }], ['a']],
    ['objects of a geoprocessing job', [{ type: 'x', description: 'a' }], ['a']],
    ['a mixture', ['a', { message: 'b' }, null, 7, [], 'c'], ['a', 'b', 'c']],
  ])('may be %s', (_, messages, expected) => {
    expect(snapshotOf({ messages }).messages?.map(({ text }) => text)).toEqual(expected)
  })

  test('that are objects tell their level and time', () => {
    const messages = [{ type: 'WARNING', message: 'Disk is nearly full.', when: noon - 5000 }]
    expect(snapshotOf({ messages }).messages).toEqual([
      { text: 'Disk is nearly full.', level: 'WARNING', at: noon - 5000 },
    ])
  })

  test('of another form show what they hold', () => {
    const messages = [{ info: 'Disk is nearly full.' }]
    expect(snapshotOf({ messages }).messages?.[0]?.text).toContain('Disk is nearly full.')
  })

  test.each([
    ['letters', 'x'.repeat(5000), 4096],
    ['letters of two bytes', `x${'é'.repeat(3000)}`, 4095],
    ['letters of three bytes', '漢'.repeat(2000), 4095],
    ['letters of four bytes', `xx${'🗺'.repeat(2000)}`, 4094],
    ['as many bytes as there may be', 'x'.repeat(4096), 4096],
  ])('are cut at 4 KiB without cutting a character: %s', (_, text, bytes) => {
    const cut = snapshotOf({ messages: [text] }).messages?.[0]?.text ?? ''
    expect(Buffer.byteLength(cut)).toBe(bytes)
    expect(text.startsWith(cut)).toBe(true)
  })

  test('are never longer than 4 KiB, whatever characters are in them', () => {
    fc.assert(
      fc.property(anyText, fc.nat({ max: 4100 }), (text, before) => {
        const long = 'x'.repeat(before) + text.repeat(50)
        const cut = snapshotOf({ messages: [long] }).messages?.[0]?.text ?? ''
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(4096)
      }),
    )
  })
})

describe('name, resource, operation, username and request id', () => {
  test('are null when they are of another type', () => {
    const odd = { name: {}, resource: [], operationURI: null, username: false, requestID: [1] }
    expect(snapshotOf(odd)).toMatchObject({
      name: null,
      resource: null,
      operation: null,
      username: null,
      requestId: null,
    })
  })

  test('are null when they are empty', () => {
    const odd = { name: '', resource: { name: '' }, operationURI: '', username: '', requestID: '' }
    expect(snapshotOf(odd)).toMatchObject({
      name: null,
      resource: null,
      operation: null,
      username: null,
      requestId: null,
    })
  })

  test('may be given as a plain resource', () => {
    expect(snapshotOf({ resource: 'Parks.MapServer' }).resource).toBe('Parks.MapServer')
    expect(snapshotOf({ resource: { id: 7 } }).resource).toBeNull()
  })
})

describe('a time', () => {
  const startedAt = noon - 60_000
  const at = noon - 30_000

  test.each<[string, unknown]>([
    ['milliseconds', at],
    ['seconds', at / 1000],
    ['microseconds', at * 1000 + 123],
    ['one digit too many, as on the page of the API', at * 10 + 1],
    ['a text of milliseconds', String(at)],
    ['a text of seconds', String(at / 1000)],
  ])('may be given in %s', (_, value) => {
    expect(timeOf(value, startedAt, noon)).toBe(at)
    expect(timeOf(value, null, noon)).toBe(at)
  })

  test('of 14 digits is the one that lies in its job', () => {
    // The numbers of the sample job on the page of the API.
    const start = 1_758_914_989_457
    expect(timeOf(17_589_149_904_641, start, start + 60_000)).toBe(1_758_914_990_464)
  })

  test.each<[unknown]>([
    [0],
    ['0'],
    [-1],
    [-noon],
    [''],
    [' '],
    ['yesterday'],
    ['2026-01-05T12:00:00Z'],
    [null],
    [undefined],
    [true],
    [{}],
    [[noon]],
    [NaN],
    [Infinity],
    [1],
    [4_000_000_000_000],
    [noon + 400 * 86_400_000],
    ['9'.repeat(20)],
    ['9'.repeat(400)],
  ])('is not %j', (value) => {
    expect(timeOf(value, startedAt, noon)).toBeNull()
  })

  test('may be a little before the start of its job or ahead of our clock', () => {
    expect(timeOf(startedAt - 6, startedAt, noon)).toBe(startedAt - 6)
    expect(timeOf(noon + 120_000, startedAt, noon)).toBe(noon + 120_000)
  })

  test('is never far from the life of its job, whatever is given', () => {
    const value = fc.oneof(
      fc.double(),
      fc.maxSafeInteger(),
      fc.maxSafeInteger().map(String),
      anyJson,
    )
    const day = 86_400_000
    fc.assert(
      fc.property(value, (given) => {
        const ms = timeOf(given, startedAt, noon)
        if (ms === null) return
        expect(Number.isInteger(ms)).toBe(true)
        expect(ms).toBeGreaterThanOrEqual(startedAt - day)
        expect(ms).toBeLessThanOrEqual(noon + day)
      }),
    )
  })

  test('that was read once is read as the same again', () => {
    const given = fc.oneof(fc.double(), fc.nat(), fc.integer({ min: 0, max: 4e15 }))
    fc.assert(
      fc.property(given, (value) => {
        const once = timeOf(value, null, noon)
        expect(timeOf(once, null, noon)).toBe(once)
      }),
    )
  })

  test('of a document is read of its start, its end and its last change', () => {
    const document = { starttime: startedAt / 1000, endtime: String(at), updatedtime: at * 10 + 4 }
    expect(snapshotOf(document)).toMatchObject({ startedAt, endedAt: at, updatedAt: at })
    expect(snapshotOf({ starttime: startedAt, endtime: 0 })).toMatchObject({ endedAt: null })
  })
})

test('no JSON value is too odd for a document', () => {
  const keys = ['jobid', 'jobId', 'status', 'name', 'resource', 'messages', 'progress', 'result']
  const times = ['starttime', 'endtime', 'updatedtime']
  const oddDocument = fc.dictionary(fc.constantFrom(...keys, ...times, '__proto__'), anyJson)
  const oddProgress = fc.record({
    status: anyText,
    progress: fc.record({ stages: fc.oneof(anyJson, fc.array(fc.dictionary(anyText, anyJson))) }),
    messages: fc.array(fc.oneof(anyJson, fc.record({ message: anyJson, when: anyJson }))),
  })
  fc.assert(
    fc.property(fc.oneof(anyJson, oddDocument, oddProgress), (value) => {
      const parsed: unknown = JSON.parse(JSON.stringify(value))
      if (!isObject(parsed)) return
      const snapshot = toSnapshot(parsed, noon)
      expect(snapshot === null).toBe(typeof parsed['status'] !== 'string')
      documentJobid(parsed)
    }),
  )
})

test('only a JSON object can be a document', () => {
  expect(isObject({})).toBe(true)
  for (const value of [null, undefined, [], 'text', 7, true]) expect(isObject(value)).toBe(false)
})
