import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FeedSink } from '../feed-reader.ts'

/**
 * What the socket is given at a time. Node says only of a whole write that it was taken, so this is
 * how closely one can see a slow reader get on.
 */
const pieceBytes = 16_384
/** How long the rest of a stream that has ended may wait to be taken. */
const restMs = 30_000

const nothing = Buffer.alloc(0)
const lastChunk = Buffer.from('0\r\n\r\n')
const lineEnd = Buffer.from('\r\n')

/** An answer, its headers sent, as the feed writes to it. */
export function streamSink(answer: ServerResponse, socket: Socket): FeedSink {
  // Node would make a chunk's head, body and end three writes, and that for each reader anew: the
  // chunks are made here, and go straight to the socket. A client of HTTP/1.0 gets none.
  const isChunked = answer.chunkedEncoding
  answer.chunkedEncoding = false
  // An answer behind another one on its connection has no socket yet, and waits for its turn.
  const way = answer.socket ?? answer
  let waiting: Buffer = nothing
  let isFull = false
  let isEnding = false
  let onDrain = (): void => undefined

  /** False while the socket wants a pause. */
  function handOver(): boolean {
    while (!isFull && waiting.length > 0) {
      const piece = waiting.length > pieceBytes ? waiting.subarray(0, pieceBytes) : waiting
      waiting = piece === waiting ? nothing : waiting.subarray(pieceBytes)
      isFull = !way.write(piece)
    }
    if (isEnding && waiting.length === 0) answer.end()
    return !isFull
  }

  function queue(bytes: Buffer): void {
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes])
  }

  way.on('drain', () => {
    isFull = false
    if (handOver()) onDrain()
  })
  answer.on('error', () => {
    socket.destroy()
  })

  return {
    write(bytes) {
      queue(isChunked ? chunkOf(bytes) : bytes)
      return handOver()
    },
    onDrain(listener) {
      onDrain = listener
    },
    end() {
      isEnding = true
      if (isChunked) queue(lastChunk)
      socket.setTimeout(restMs, () => {
        socket.destroy()
      })
      handOver()
    },
    destroy() {
      socket.destroy()
    },
    get queuedBytes() {
      return answer.writableLength + waiting.length
    },
    get takenBytes() {
      return socket.bytesWritten - socket.writableLength
    },
  }
}

const chunks = new WeakMap<Buffer, Buffer>()

/** The chunk of these bytes (RFC 9112, 7.1), made once however many readers are given them. */
function chunkOf(bytes: Buffer): Buffer {
  const known = chunks.get(bytes)
  if (known !== undefined) return known
  const head = Buffer.from(`${bytes.length.toString(16)}\r\n`)
  const chunk = Buffer.concat([head, bytes, lineEnd])
  chunks.set(bytes, chunk)
  return chunk
}
