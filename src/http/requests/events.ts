import { z } from 'zod'
import { cursorPattern } from '../../core/cursor.ts'
import { durationUpTo, upTo1000 } from './fields.ts'

/** A parameter that may be given as often as needed. */
const several = z
  .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.string()))
  .optional()

const eventFilters = {
  type: several.describe(
    'Globs over the type, in which * stands for any characters, dots included',
  ),
  jobid: several.describe('Events of these jobs'),
  upstream: several.describe('Events of these upstreams and of their jobs'),
  tag: several.describe('Events of jobs that had one of these tags when it happened'),
}

const cursor = z
  .string()
  .meta({ pattern: `${cursorPattern.source}|^$`, examples: ['1042', '7f3a9c-1042'] })

const wait = durationUpTo(300_000, {
  example: '30s',
  hint: 'must be a duration such as 30s, at most 5m',
})

/** Query of `GET /v1/events`; `after` is read by the cursor's own rules, an empty one is none. */
export const ListEvents = z
  .strictObject({
    after: cursor.optional().describe('A seq or the id of an event: what comes after it'),
    limit: upTo1000
      .optional()
      .meta({ description: 'How many events a page has at most', default: 100 }),
    last: upTo1000
      .optional()
      .describe('So many of the newest events instead; not with after, limit or wait'),
    wait: wait
      .optional()
      .describe('How long to wait for an event, should there be none yet; at most 5m'),
    ...eventFilters,
  })
  .check(({ value: { last, after, limit, wait: waitMs }, issues }) => {
    if (last === undefined) return
    const refuse = (path: string, message: string) =>
      issues.push({ code: 'custom', input: undefined, path: [path], message })
    if (after) {
      const message =
        'counts from the end of the log, after from a place in it: give one of the two'
      refuse('last', message)
    }
    if (limit !== undefined) refuse('limit', 'is for after: last itself says how many')
    if (waitMs !== undefined) {
      refuse('wait', 'is for after: take the next of this answer, and wait after that')
    }
  })

/** Query of `GET /v1/events/stream`. */
export const StreamEvents = z.strictObject({
  after: cursor
    .optional()
    .describe(
      'A seq or the id of an event to go on from; 0 is everything kept. Without: live only',
    ),
  ...eventFilters,
})

/** Header of `GET /v1/events/stream`, which is read by the cursor's own rules. */
export const StreamHeaders = z.object({
  'Last-Event-ID': z
    .string()
    .optional()
    .describe('The id of the last frame, as an EventSource sends it; wins over after'),
})
