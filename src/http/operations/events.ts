import { z } from 'zod'
import * as examples from '../examples.ts'
import type { Operation } from '../operation.ts'
import { ListEvents, StreamEvents, StreamHeaders } from '../requests/events.ts'
import { EventList } from '../schemas.ts'

/** The calls on the log of events. */
export const eventOperations = {
  list: {
    id: 'listEvents',
    method: 'GET',
    path: '/v1/events',
    scope: 'read',
    summary: 'Read the log of events',
    description:
      'In order of seq, from after on: pass next as after to go on. A page is empty only at the ' +
      'head of the log, and then wait holds the answer back until something comes. With last it ' +
      'is the newest events instead, from which next goes on in the same way. An answer has some ' +
      '8 MiB at most, so that it may hold fewer events than were asked for when they are large.',
    query: ListEvents,
    answers: {
      200: {
        description: 'A page of events',
        content: {
          schema: EventList,
          example: { items: [examples.event], next: 1042, newest: 1042, oldest: 1, gap: false },
        },
      },
    },
    problems: ['too_many_streams'],
  },
  stream: {
    id: 'streamEvents',
    method: 'GET',
    path: '/v1/events/stream',
    scope: 'read',
    summary: 'Follow the events as they come',
    description:
      'Server-Sent Events, as an EventSource reads them. Each event is a frame with its id as ' +
      '`id`, its type as `event` and its text, the same as in the log, as `data`. First comes ' +
      '`feed.hello`, then `feed.gap` if what was asked for is no longer kept, then the events from ' +
      'the position that was asked for on, without a gap or a repetition; `feed.bookmark` every 15 ' +
      'seconds says how far the reader has come, `feed.bye` that the daemon stops. Whoever is cut ' +
      'off goes on from the last id with Last-Event-ID.',
    query: StreamEvents,
    headers: StreamHeaders,
    answers: {
      200: {
        description: 'The feed, which does not end by itself for hours',
        content: { type: 'text/event-stream', schema: z.string(), example: examples.stream },
      },
    },
    problems: ['not_acceptable', 'too_many_streams'],
  },
} as const satisfies Readonly<Record<string, Operation>>
