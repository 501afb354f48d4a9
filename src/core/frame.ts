import type { LoggedEvent } from './event.ts'

/*
 * Frames of an event stream (WHATWG HTML, 9.2.5). A lone CR ends a line there, so everything put
 * into a frame is one line: ids and types come from fixed alphabets, data is JSON, in which CR and
 * LF are escaped.
 */

/** The frame of a logged event. */
export function eventFrame({ id, type, text }: Pick<LoggedEvent, 'id' | 'type' | 'text'>): string {
  return `id: ${id}\nevent: ${type}\ndata: ${text}\n\n`
}

/** A frame of the feed itself (`feed.hello`, `feed.gap`, `feed.bookmark`, `feed.bye`). */
export function controlFrame(type: string, id: string, data: object): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Tells the reader how long to wait before it comes back, in ms. */
export function retryFrame(ms: number): string {
  return `retry: ${ms}\n\n`
}
