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

/** An answer, its headers sent, as the feed writes to it. */
export function streamSink(answer: ServerResponse, socket: Socket): FeedSink {
  let waiting: Buffer = Buffer.alloc(0)
  let isFull = false
  let isEnding = false
  let onDrain = (): void => undefined

  /** False while the socket wants a pause. */
  function handOver(): boolean {
    while (!isFull && waiting.length > 0) {
      const piece = waiting.subarray(0, pieceBytes)
      waiting = waiting.subarray(piece.length)
      isFull = !answer.write(piece)
    }
    if (isEnding && waiting.length === 0) answer.end()
    return !isFull
  }

  answer.on('drain', () => {
    isFull = false
    if (handOver()) onDrain()
  })
  answer.on('error', () => {
    socket.destroy()
  })

  return {
    write(chunk) {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
      return handOver()
    },
    onDrain(listener) {
      onDrain = listener
    },
    end() {
      isEnding = true
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
