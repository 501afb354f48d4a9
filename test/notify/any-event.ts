import fc from 'fast-check'
import { eventTypes, jobEventEncoder, upstreamEventEncoder } from '../../src/core/event.ts'
import type { Change, LoggedEvent } from '../../src/core/event.ts'
import { jobStates, jobStatuses } from '../../src/core/job.ts'
import type { Job, StageState } from '../../src/core/job.ts'
import type { Surroundings } from '../../src/notify/format.ts'
import { anyText } from '../core/arbitraries.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'
import { viewOf } from './occasions.ts'

/** What breaks the markup of chats and mail. */
const markup = [
  ...[
    '<!channel>',
    '<@U1>',
    '<http://evil|x>',
    '&lt;',
    '&amp',
    '> ',
    '\n> quote',
    '\n- item',
    '\n# h',
  ],
  ...['*', '_', '~', '`', '```', '*bold* ', ' _it_', '](http://evil)', '[x](http://evil)', '![i]('],
  ...['{{DATE(2026-01-01T00:00:00Z, SHORT)}}', '{{', '}}', '${x}', ':x:', 'http://evil.example'],
  ...[
    '<img src=x onerror=alert(1)>',
    '</td>',
    '"',
    "' onload='",
    '<!--',
    '\r\nBcc: x@evil.example',
  ],
  ...['👩‍🚒', '\ud83d', '東京'],
]

/** Text that somebody may have written to do harm, of any length up to what an event holds. */
export const hostileText = fc
  .tuple(fc.array(fc.oneof(fc.constantFrom(...markup), anyText), { maxLength: 8 }), fc.nat(300))
  .map(([parts, times]) =>
    parts
      .join('')
      .repeat(times > 280 ? times : 1)
      .slice(0, 4096),
  )

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 3 })
const moment = orNull(fc.integer({ min: 0, max: noon * 2 }))
const stageState = fc.constantFrom<StageState>(
  ...(['pending', 'running', 'completed', 'warning', 'failed', 'cancelled'] as const),
  ...(['rolling_back', 'rolled_back', 'skipped', 'unknown'] as const),
)

const stages = fc
  .tuple(
    fc.array(fc.record({ name: hostileText, state: stageState, rawState: hostileText, moment }), {
      maxLength: 5,
    }),
    fc.constantFrom(1, 1, 3, 1000),
  )
  .map(([some, times]) =>
    Array.from({ length: times }, () => some)
      .flat()
      .map(({ name, state, rawState, moment: at }, index) =>
        aStage(name, state, { occurrence: index + 1, rawState, startedAt: at, endedAt: at }),
      ),
  )

const anyJob = fc
  .record({
    state: fc.constantFrom(...jobStates),
    status: orNull(fc.constantFrom(...jobStatuses)),
    outcome: orNull(fc.constantFrom('success', 'warning', 'error', 'cancelled')),
    rawStatus: orNull(hostileText),
    reason: orNull(hostileText),
    name: orNull(hostileText),
    operation: orNull(hostileText),
    resource: orNull(hostileText),
    username: orNull(hostileText),
    label: orNull(hostileText),
    startedAt: moment,
    endedAt: moment,
    typicalDurationMs: orNull(fc.nat()),
    deadline: orNull(fc.record({ atMs: fc.integer({ min: 0, max: noon * 2 }) })),
    stages,
    messages: fc.array(fc.record({ text: hostileText, level: fc.constant(null), at: moment }), {
      maxLength: 5,
    }),
  })
  .map((fields): Job => aJob(fields))

const time = moment.map((at) => (at === null ? null : new Date(at).toISOString()))
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant('status' as const),
    from: orNull(fc.constantFrom(...jobStatuses)),
    to: fc.constantFrom(...jobStatuses),
    rawTo: hostileText,
  }),
  fc.record({
    kind: fc.constant('stage' as const),
    stage: hostileText,
    occurrence: fc.integer({ min: 1, max: 5000 }),
    from: orNull(stageState),
    to: orNull(stageState),
    rawTo: orNull(hostileText),
  }),
  fc
    .array(fc.record({ text: hostileText, level: fc.constant(null), at: time }), { maxLength: 20 })
    .map((added) => ({ kind: 'messages' as const, added, count: added.length * 2 })),
  fc.record({ kind: fc.constant('stall' as const), since: time }),
  fc.record({ kind: fc.constant('deadline' as const), deadline: time }),
  fc.record({ kind: fc.constant('presence' as const), since: time }),
  fc.record({
    kind: fc.constant('registry' as const),
    by: fc.constantFrom('api', 'discovery', 'lost'),
  }),
  fc.record({ kind: fc.constant('upstream' as const), reason: hostileText, since: time }),
  fc.record({
    kind: fc.constant('endpoint' as const),
    reason: hostileText,
    since: time,
    disablesAt: time,
  }),
)

const anyEvent = fc
  .tuple(anyJob, anyChange, fc.constantFrom(...eventTypes))
  .map(([job, change, type]): LoggedEvent => {
    const isOfJob = change.kind !== 'upstream' && change.kind !== 'endpoint'
    const encode = isOfJob ? jobEventEncoder({ job, at: noon }) : upstreamEventEncoder('prod', noon)
    const text = encode({ type, change }, { epoch: 'abc', seq: 7, previousSeq: null })
    const jobid = isOfJob ? job.jobid : null
    return { seq: 7, id: 'abc-7', type, upstream: 'prod', jobid, tags: [], text }
  })

/** Any event, whole with what it is written from. */
export const anyOccasion: fc.Arbitrary<readonly [LoggedEvent, Surroundings]> = fc
  .tuple(
    anyEvent,
    orNull(fc.tuple(fc.array(anyEvent, { maxLength: 8 }), orNull(anyJob), fc.nat(), fc.nat(500))),
    orNull(fc.constantFrom('https://jobwatch.example.com/', 'http://127.0.0.1:8484')),
    orNull(fc.constantFrom('https://gis.example.com/arcgis/admin', 'http://a.example/a&b|<c>')),
  )
  .map(([event, late, publicUrl, root]) => [
    event,
    {
      late: late && {
        now: noon + late[2],
        job: late[1] && viewOf(late[1], noon + late[2]),
        leftOut: late[0],
        leftOutCount: late[0].length + late[3],
      },
      publicUrl,
      rootOf: () => root,
    },
  ])
