import { Readable } from 'node:stream'
import { anEvent } from './answers.ts'

// Frames as the contract's section 7 has them; the epoch is 7f3a9c where a test names no other.

export const feedHeaders = { 'content-type': 'text/event-stream; charset=utf-8' }

export function control(type: string, id: string, data: object): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The first frame of a stream that goes on after this seq. */
export function hello(seq: number, epoch = '7f3a9c'): string {
  return control('feed.hello', `${epoch}-${seq}`, { epoch, newest: seq, oldest: 1 })
}

export function bookmark(seq: number): string {
  return control('feed.bookmark', `7f3a9c-${seq}`, { seq })
}

export function gap(asked: string, oldest: number, newest: number, epoch = '7f3a9c'): string {
  return control('feed.gap', `${epoch}-${oldest - 1}`, { asked, oldest, newest })
}

export function frame(seq: number, epoch = '7f3a9c'): string {
  const id = `${epoch}-${seq}`
  const event = { ...anEvent(seq), id }
  return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

/** A stream that stays open after these frames. */
export function openStream(...frames: readonly string[]): Readable {
  const stream = new Readable({ read: () => undefined })
  if (frames.length > 0) stream.push(frames.join(''))
  return stream
}

/** A stream that ends after these frames, as a daemon's does when it stops. */
export function endedStream(...frames: readonly string[]): Readable {
  const stream = openStream(...frames)
  stream.push(null)
  return stream
}
