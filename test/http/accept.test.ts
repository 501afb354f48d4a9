import { expect, test } from 'vitest'
import { accepts } from '../../src/http/accept.ts'

const stream = 'text/event-stream'

test.each([
  undefined,
  '',
  ' , ',
  '*/*',
  'text/*',
  'text/event-stream',
  'Text/Event-Stream',
  'text/event-stream;charset=utf-8',
  'text/event-stream; q=0.001',
  'application/json, */*;q=0.1',
  'application/json;q=0.9 , text/event-stream;q=0.1',
  'text/event-stream, text/*;q=0, */*;q=0',
  'text/*, */*;q=0',
])('Accept: %s takes an event stream', (header) => {
  expect(accepts(header, stream)).toBe(true)
})

test.each([
  'application/json',
  'text/html, application/json',
  'text/event-stream;q=0',
  'text/event-stream; q=0.000',
  'text/event-stream;charset=utf-8;Q=0',
  'text/event-stream;q=0, */*',
  'text/*;q=0, */*',
  '*/*;q=0',
  'text/event-streams',
  'text',
])('Accept: %s does not', (header) => {
  expect(accepts(header, stream)).toBe(false)
})
