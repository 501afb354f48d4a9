import { createParser } from 'eventsource-parser'
import type { EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jobEventEncoder } from '../../src/core/event.ts'
import { controlFrame, eventFrame, retryFrame } from '../../src/core/frame.ts'
import { aJob, aStage, noon } from '../helpers/builders.ts'
import { anyJson, anyText } from './arbitraries.ts'

/** What a reader that keeps to the standard makes of some bytes of a stream. */
function read(stream: string): {
  events: EventSourceMessage[]
  retries: number[]
  errors: Error[]
} {
  const seen = {
    events: [] as EventSourceMessage[],
    retries: [] as number[],
    errors: [] as Error[],
  }
  const parser = createParser({
    onEvent: (event) => seen.events.push(event),
    onRetry: (ms) => seen.retries.push(ms),
    onError: (error) => seen.errors.push(error),
  })
  parser.feed(Buffer.from(stream, 'utf8').toString('utf8'))
  return seen
}

function anEvent(text: string) {
  return {
    seq: 1042,
    id: '7f3a9c-1042',
    type: 'job.stage.changed',
    upstream: 'prod',
    jobid: 'j-1',
    tags: [],
    text,
  }
}

test('a frame is an id, a type, and the event as one line', () => {
  expect(eventFrame(anEvent('{"a":1}'))).toBe(
    'id: 7f3a9c-1042\nevent: job.stage.changed\ndata: {"a":1}\n\n',
  )
})

test('a frame of the feed itself has the same form', () => {
  expect(controlFrame('feed.bookmark', '7f3a9c-1042', { seq: 1042 })).toBe(
    'id: 7f3a9c-1042\nevent: feed.bookmark\ndata: {"seq":1042}\n\n',
  )
})

test('the retry frame sets the pause and is no event', () => {
  expect(read(retryFrame(2500))).toEqual({ events: [], retries: [2500], errors: [] })
})

test('whatever the names and texts of a job, its frame is read as exactly one event', () => {
  const job = fc.record({
    name: anyText,
    resource: anyText,
    operation: anyText,
    username: anyText,
    label: anyText,
    tags: fc.array(anyText, { maxLength: 3 }),
    result: anyJson,
    stages: fc.array(anyText.map((name) => aStage(name, 'unknown', { rawState: name }))),
    messages: fc.array(anyText.map((text) => ({ text, level: text, at: null }))),
  })
  fc.assert(
    fc.property(job, anyText, (fields, stage) => {
      const encode = jobEventEncoder({ job: aJob({ ...fields, status: 'EXECUTING' }), at: noon })
      const text = encode(
        {
          type: 'job.stage.changed',
          change: { kind: 'stage', stage, occurrence: 1, from: null, to: 'unknown', rawTo: stage },
        },
        { epoch: '7f3a9c', seq: 1042, previousSeq: null },
      )
      const frame = eventFrame(anEvent(text))
      expect(read(`${retryFrame(1000)}${frame}${frame}`)).toEqual({
        events: [
          { id: '7f3a9c-1042', event: 'job.stage.changed', data: text },
          { id: '7f3a9c-1042', event: 'job.stage.changed', data: text },
        ],
        retries: [1000],
        errors: [],
      })
    }),
  )
})

test('what a reader asked for is told back to it without becoming a field of its own', () => {
  fc.assert(
    fc.property(anyText, (asked) => {
      const frame = controlFrame('feed.gap', '7f3a9c-10', { asked, oldest: 11, newest: 50 })
      const { events, retries, errors } = read(frame)
      expect({ count: events.length, retries, errors }).toEqual({
        count: 1,
        retries: [],
        errors: [],
      })
      expect(events[0]).toMatchObject({ id: '7f3a9c-10', event: 'feed.gap' })
      expect(JSON.parse(events[0]?.data ?? '')).toEqual({ asked, oldest: 11, newest: 50 })
    }),
  )
})
