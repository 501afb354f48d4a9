import { expect, test } from 'vitest'
import { readFrame } from '../../src/client/position.ts'
import type { Frame, Position } from '../../src/client/position.ts'
import { anEvent } from './answers.ts'

const at = (id: string): Position => ({ kind: 'at', id })
const asked = (after: string): Position => ({ kind: 'asked', after })
const now: Position = { kind: 'now' }

const helloFrame = (id: string): Frame => ({ id, event: 'feed.hello', data: '{}' })
const bookmarkFrame = (id: string): Frame => ({ id, event: 'feed.bookmark', data: '{}' })
function eventFrame(id: string, seq: number): Frame {
  return { id, event: 'job.executing', data: JSON.stringify({ ...anEvent(seq), id }) }
}

test.each<[string, Position, string]>([
  ['nothing was asked', now, 'a1-7'],
  ['its seq is the one that was asked', asked('7'), 'a1-7'],
  ['its id is the one that was asked', asked('a1-7'), 'a1-7'],
  ['it confirms the last frame', at('a1-7'), 'a1-7'],
])('hello moves the reader when %s', (_, position, id) => {
  expect(readFrame(position, helloFrame(id))).toEqual({ position: at(id), item: null })
})

test.each<[string, Position, string]>([
  ['the seq that was asked', asked('3'), 'a1-7'],
  ['the id that was asked', asked('b2-7'), 'a1-7'],
  ['the last frame', at('a1-3'), 'a1-7'],
  ['the last frame of another log', at('b2-7'), 'a1-7'],
])('hello that goes on from elsewhere than %s leaves the move to the gap', (_, position, id) => {
  expect(readFrame(position, helloFrame(id))).toEqual({ position, item: null })

  const data = JSON.stringify({ asked: 'x', oldest: 8, newest: 20 })
  const step = readFrame(position, { id, event: 'feed.gap', data })
  expect(step.position).toEqual(at(id))
  expect(step.item).toEqual({ kind: 'gap', asked: 'x', oldest: 8, newest: 20 })
})

test('a gap in the middle of a stream moves the reader past it and is handed on', () => {
  const data = JSON.stringify({ asked: 'a1-7', oldest: 21, newest: 30 })
  const gap = readFrame(at('a1-7'), { id: 'a1-20', event: 'feed.gap', data })
  expect(gap.position).toEqual(at('a1-20'))
  expect(gap.item).toEqual({ kind: 'gap', asked: 'a1-7', oldest: 21, newest: 30 })

  const next = readFrame(gap.position, eventFrame('a1-21', 21))
  expect(next.position).toEqual(at('a1-21'))
  expect(next.item).toMatchObject({ kind: 'event' })
  // Who is cut off right behind the gap goes on from there, and is not told of it again.
  expect(readFrame(gap.position, helloFrame('a1-20'))).toEqual({
    position: at('a1-20'),
    item: null,
  })
})

test('a gap after which nothing is kept moves the reader to the head', () => {
  const data = JSON.stringify({ asked: 'a1-7', oldest: null, newest: 30 })
  const { position, item } = readFrame(at('a1-7'), { id: 'a1-30', event: 'feed.gap', data })
  expect(position).toEqual(at('a1-30'))
  expect(item).toEqual({ kind: 'gap', asked: 'a1-7', oldest: null, newest: 30 })
})

test('an event moves the reader and is handed on with its text', () => {
  const frame = eventFrame('a1-8', 8)
  const step = readFrame(at('a1-7'), frame)
  expect(step.position).toEqual(at('a1-8'))
  const event: unknown = JSON.parse(frame.data)
  expect(step.item).toEqual({ kind: 'event', event, text: frame.data })
})

test('an event that is not ahead of the reader is left out', () => {
  expect(readFrame(at('a1-8'), eventFrame('a1-8', 8))).toEqual({ position: at('a1-8'), item: null })
  expect(readFrame(at('a1-8'), eventFrame('a1-7', 7))).toEqual({ position: at('a1-8'), item: null })
})

test('an event of a later epoch is handed on', () => {
  const step = readFrame(at('a1-8'), eventFrame('b2-9', 9))
  expect(step.position).toEqual(at('b2-9'))
  expect(step.item).not.toBeNull()
})

test('a bookmark moves the reader forward and never back', () => {
  expect(readFrame(at('a1-7'), bookmarkFrame('a1-9')).position).toEqual(at('a1-9'))
  expect(readFrame(at('a1-7'), bookmarkFrame('a1-5')).position).toEqual(at('a1-7'))
})

test('control frames that are not known yet move the reader and are nothing to it', () => {
  const step = readFrame(at('a1-7'), { id: 'a1-8', event: 'feed.weather', data: 'sunny' })
  expect(step).toEqual({ position: at('a1-8'), item: null })
})

test('a frame without a type is not of the feed', () => {
  expect(readFrame(at('a1-7'), { id: '99', data: 'ping' })).toEqual({
    position: at('a1-7'),
    item: null,
  })
})

test.each(['', 'null', '[]', '{"type":"job.executing"', '{"type":"job.executing"}'])(
  'an event that reads %j is an error',
  (data) => {
    const read = () => readFrame(at('a1-7'), { id: 'a1-8', event: 'job.executing', data })
    expect(read).toThrow(expect.objectContaining({ code: 'unexpected_answer' }))
  },
)
