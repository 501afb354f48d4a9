import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { follow } from '../../src/client/follow.ts'
import { feedHeaders, frame, hello } from './frames.ts'

// What only a real connection can show.

async function daemon(answer: RequestListener): Promise<string> {
  const http = createServer(answer).listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

test('a reader that leaves the feed closes its connection', async () => {
  const streams = new EventEmitter()
  const closed = once(streams, 'closed')
  const server = await daemon((request, response) => {
    response.writeHead(200, feedHeaders).write(hello(4) + frame(5))
    request.on('close', () => streams.emit('closed'))
  })
  for await (const item of follow({ server })) {
    expect(item.kind).toBe('event')
    break
  }
  await closed
})

test.each(['the reader', 'the client'] as const)(
  'a signal of %s ends the reading, whichever aborts first, and closes the connection',
  async (whose) => {
    const streams = new EventEmitter()
    const closed = once(streams, 'closed')
    const server = await daemon((request, response) => {
      response.writeHead(200, feedHeaders).write(hello(4) + frame(5))
      request.on('close', () => streams.emit('closed'))
    })
    const stops = { 'the reader': new AbortController(), 'the client': new AbortController() }
    const client = createClient({ server, signal: stops['the client'].signal })
    for await (const item of client.follow({ signal: stops['the reader'].signal })) {
      expect(item.kind).toBe('event')
      stops[whose].abort()
    }
    await closed
  },
)

test.each([
  ['an answer', () => undefined],
  ['a frame', (response) => response.writeHead(200, feedHeaders).flushHeaders()],
] as const satisfies [string, (response: ServerResponse) => void][])(
  'a daemon that takes the request and sends no more than that is given up: it lacks %s',
  async (_, answer) => {
    const server = await daemon((_request, response) => {
      answer(response)
    })
    const items = follow({ server, giveUpAfterMs: 20 })
    await expect(items.next()).rejects.toMatchObject({ name: 'DaemonUnreachable', server })
  },
)

test('any number of requests may have one signal', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => {
    process.off('warning', note)
  })
  const arrivals = new EventEmitter()
  let requests = 0
  const all = once(arrivals, 'all')
  const server = await daemon((_, response) => {
    requests += 1
    if (requests === 30) arrivals.emit('all')
    response.writeHead(200, feedHeaders).write(hello(4))
  })
  const stop = new AbortController()
  const client = createClient({ server, signal: stop.signal })
  const readers = Array.from({ length: 30 }, () => client.follow().next())
  await all
  stop.abort()
  await Promise.all(readers)
  expect(warnings).toEqual([])
})

test('a reader that is stopped amid a flood of frames closes its connection', async () => {
  const streams = new EventEmitter()
  const closed = once(streams, 'closed')
  const server = await daemon((request, response) => {
    response.writeHead(200, feedHeaders).write(hello(0))
    for (let seq = 1; seq <= 5000; seq += 1) response.write(frame(seq))
    request.on('close', () => streams.emit('closed'))
  })
  const stop = new AbortController()
  let last = 0
  for await (const item of follow({ server, signal: stop.signal })) {
    if (item.kind === 'event') last = item.event.data.seq
    if (last === 10) stop.abort()
  }
  expect(last).toBe(10)
  await closed
})

test('a connection that breaks off is resumed after the last event', async () => {
  const requests: IncomingMessage[] = []
  const server = await daemon((request, response) => {
    requests.push(request)
    response.writeHead(200, feedHeaders)
    if (requests.length > 1) response.write(hello(5) + frame(6))
    else response.write(hello(4) + frame(5), () => response.socket?.destroy())
  })
  const seqs: number[] = []
  for await (const item of follow({ server, reconnectMs: 0, after: 4 })) {
    if (item.kind === 'event') seqs.push(item.event.data.seq)
    if (seqs.length === 2) break
  }
  expect(seqs).toEqual([5, 6])
  expect(requests.map(({ url }) => url)).toEqual(['/v1/events/stream?after=4', '/v1/events/stream'])
  expect(requests[1]?.headers['last-event-id']).toBe('7f3a9c-5')
})

test('an answer that stops in its middle is an unreachable daemon', async () => {
  const server = await daemon((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"items":', () => response.socket?.destroy())
  })
  await expect(createClient({ server }).listJobs()).rejects.toMatchObject({
    name: 'DaemonUnreachable',
    server,
  })
})
