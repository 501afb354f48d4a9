import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { FeedSink } from '../../src/feed-reader.ts'
import { StreamSink } from '../../src/http/stream-sink.ts'
import { exchange, openSocket, rawRequest } from '../http/raw.ts'
import { openFeed } from './reader.ts'

/** One answer as the route begins it, and what is written to its socket from then on. */
interface Opened {
  readonly sink: FeedSink
  readonly answer: ServerResponse
  readonly written: Buffer[]
}

/** A server whose every answer is a stream. */
async function ground() {
  const opened: Opened[] = []
  const waiting: ((one: Opened) => void)[] = []
  const server = createServer((request, answer) => {
    answer.writeHead(200, { connection: 'close' })
    answer.flushHeaders()
    const one = {
      sink: new StreamSink(answer, request.socket),
      answer,
      written: watchWrites(request.socket),
    }
    opened.push(one)
    waiting.shift()?.(one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    opened,
    next: () => new Promise<Opened>((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function watchWrites(socket: Socket): Buffer[] {
  const written: Buffer[] = []
  const write = socket.write.bind(socket) as (bytes: unknown) => boolean
  socket.write = (bytes: unknown) => {
    written.push(bytes as Buffer)
    return write(bytes)
  }
  return written
}

const frame = (n: number, text = 'x'): Buffer => Buffer.from(`id: ${n}\ndata: ${text}\n\n`)

test('what many readers are given is one chunk that is made once, and one write for each', async () => {
  await using at = await ground()
  const feeds = await Promise.all([1, 2, 3].map(() => openFeed(at.url)))
  const bytes = frame(1)
  for (const { sink } of at.opened) sink.write(bytes)
  expect(at.opened.map(({ written }) => written.length)).toEqual([1, 1, 1])
  expect(new Set(at.opened.flatMap(({ written }) => written)).size).toBe(1)
  for (const feed of feeds) {
    expect(await feed.frame()).toMatchObject({ id: '1', data: 'x' })
    feed.close()
  }
})

test('the answer ends with the last chunk, after everything that was written', async () => {
  await using at = await ground()
  const opening = at.next()
  const answered = exchange(at.url, rawRequest('GET / HTTP/1.1', { host: 'x' }))
  const { sink } = await opening
  sink.write(Buffer.from('a\n\n'))
  sink.write(Buffer.from('bc\n\n'))
  sink.end()
  const [, body] = (await answered).split(/\r\n\r\n([^]*)/)
  expect(body).toBe('3\r\na\n\n\r\n4\r\nbc\n\n\r\n0\r\n\r\n')
})

test('a client of HTTP/1.0 gets the bytes alone', async () => {
  await using at = await ground()
  const opening = at.next()
  const answered = exchange(at.url, rawRequest('GET / HTTP/1.0', { host: 'x' }))
  const { sink } = await opening
  sink.write(Buffer.from('a\n\n'))
  sink.end()
  expect(await answered).toMatch(/\r\n\r\na\n\n$/)
})

test('what is more than the socket takes comes whole, piece by piece', async () => {
  await using at = await ground()
  const opening = at.next()
  using feed = await openFeed(at.url)
  const { sink, written } = await opening
  const text = 'long '.repeat(4_000_000)
  expect(sink.write(frame(1, text))).toBe(false)
  sink.write(frame(2))
  expect(sink.queuedBytes).toBeGreaterThan(0)
  const drained = new Promise<void>((resolve) => {
    sink.onDrain(resolve)
  })
  expect(await feed.frame()).toMatchObject({ id: '1', data: text })
  expect(await feed.frame()).toMatchObject({ id: '2' })
  await drained
  expect(sink.queuedBytes).toBe(0)
  expect(Math.max(...written.map(({ length }) => length))).toBeLessThanOrEqual(16_384)
  sink.end()
  expect(await feed.next()).toBeNull()
})

test('an answer behind another one on its connection waits for its turn', async () => {
  await using at = await ground()
  const socket = await openSocket(at.url)
  const request = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'
  const bothOpen = Promise.all([at.next(), at.next()])
  socket.write(request + request)
  const [first, second] = await bothOpen
  // Only the stream's own answer closes the connection; this one is to leave it open.
  first.answer.shouldKeepAlive = true
  second.sink.write(frame(2))
  first.sink.write(frame(1))
  await once(socket, 'data')
  socket.destroy()
  expect(Buffer.concat(first.written).toString()).not.toContain('id: 2')
})
