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

const nothing: Buffer = Buffer.alloc(0)
const lastChunk = Buffer.from('0\r\n\r\n')
const lineEnd = Buffer.from('\r\n')

/**
 * An answer, its headers sent, as the feed writes to it. A class, since to V8 each object with getters
 * of its own is a table in which names are looked up: that cost a tenth of a delivery.
 */
export class StreamSink implements FeedSink {
  readonly #answer: ServerResponse
  readonly #socket: Socket
  readonly #way: ServerResponse | Socket
  readonly #isChunked: boolean
  #waiting = nothing
  #isFull = false
  #isEnding = false
  #onDrain = (): void => undefined

  constructor(answer: ServerResponse, socket: Socket) {
    this.#answer = answer
    this.#socket = socket
    // Node would make a chunk's head, body and end three writes, and that for each reader anew: the
    // chunks are made here, and go straight to the socket. A client of HTTP/1.0 gets none.
    this.#isChunked = answer.chunkedEncoding
    answer.chunkedEncoding = false
    // An answer behind another one on its connection has no socket yet, and waits for its turn.
    this.#way = answer.socket ?? answer
    this.#way.on('drain', () => {
      this.#isFull = false
      if (this.#handOver()) this.#onDrain()
    })
    answer.on('error', () => {
      socket.destroy()
    })
  }

  write(bytes: Buffer): boolean {
    this.#queue(this.#isChunked ? chunkOf(bytes) : bytes)
    return this.#handOver()
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  end(): void {
    this.#isEnding = true
    if (this.#isChunked) this.#queue(lastChunk)
    this.#socket.setTimeout(restMs, () => {
      this.#socket.destroy()
    })
    this.#handOver()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  get queuedBytes(): number {
    return this.#answer.writableLength + this.#waiting.length
  }

  get takenBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength
  }

  #queue(bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes])
  }

  /** False while the socket wants a pause. */
  #handOver(): boolean {
    while (!this.#isFull && this.#waiting.length > 0) {
      const waiting = this.#waiting
      const piece = waiting.length > pieceBytes ? waiting.subarray(0, pieceBytes) : waiting
      this.#waiting = piece === waiting ? nothing : waiting.subarray(pieceBytes)
      this.#isFull = !this.#way.write(piece)
    }
    if (this.#isEnding && this.#waiting.length === 0) this.#answer.end()
    return !this.#isFull
  }
}

const chunks = new WeakMap<Buffer, Buffer>()

/**
 * The chunk of these bytes (RFC 9112, 7.1), made once however many readers are given them, and kept
 * for as long as they are.
 */
function chunkOf(bytes: Buffer): Buffer {
  const known = chunks.get(bytes)
  if (known !== undefined) return known
  const head = Buffer.from(`${bytes.length.toString(16)}\r\n`)
  const chunk = Buffer.concat([head, bytes, lineEnd])
  chunks.set(bytes, chunk)
  return chunk
}
