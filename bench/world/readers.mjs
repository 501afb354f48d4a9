// Readers of event streams in a process of their own: they count events, and see to it that the numbers
// in their ids rise by one.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerCalls } from '../gauge.mjs'

const headersEnd = Buffer.from('\r\n\r\n')
const frameEnd = Buffer.from('\n\n')
/** Within so much of a frame's beginning are its id and its type. */
const headLength = 100
const patienceMs = 30_000

const readers = []
let awaited = null

class Reader {
  events = 0
  bytes = 0
  isBroken = false
  #seq = null
  #end = headersEnd
  #pending = Buffer.alloc(0)

  constructor(url) {
    const { host, hostname, port, pathname, search } = new URL(url)
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('data', (bytes) => {
        if (bytes.latin1Slice(0, 12) === 'HTTP/1.1 200') resolve()
        else reject(new Error(`a stream was refused: ${bytes}`))
      })
      this.socket.on('error', reject)
      this.socket.on('close', () => reject(new Error('the stream has ended')))
    })
    this.socket.on('data', (bytes) => this.#take(bytes))
    this.socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\n\r\n`,
    )
  }

  /** Chunks end where frames do, so that no end of a frame is cut in two by a chunk's own lines. */
  #take(bytes) {
    this.bytes += bytes.length
    const pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    let from = 0
    for (;;) {
      const end = pending.indexOf(this.#end, from)
      if (end === -1) break
      this.#note(pending.latin1Slice(from, Math.min(end, from + headLength)))
      from = end + this.#end.length
      this.#end = frameEnd
    }
    this.#pending = pending.subarray(from)
    awaited?.()
  }

  #note(head) {
    if (!/event: ?job\./.test(head)) return
    const seq = Number(/id: ?\w+-(\d+)/.exec(head)?.[1])
    this.isBroken ||= this.#seq !== null && seq !== this.#seq + 1
    this.#seq = seq
    this.events += 1
  }
}

// Between streams there is nothing else that keeps it.
process.channel.ref()
answerCalls({
  /** Opens so many streams; they are open once their answer has begun. */
  async open({ url, count }) {
    const opened = Array.from({ length: count }, () => new Reader(url))
    readers.push(...opened)
    await Promise.all(opened.map((reader) => reader.opened))
  },
  /** Opens one that reads nothing beyond the beginning of its answer. */
  async openStalled(url) {
    const { socket, opened } = new Reader(url)
    await opened
    socket.pause()
  },
  /** Waits until each has got so many events; answers with what they have got. */
  async reached(events) {
    const isThere = () => readers.every((reader) => reader.events >= events)
    if (!isThere()) {
      const there = new Promise((resolve) => {
        awaited = () => isThere() && resolve()
      })
      await Promise.race([there, sleep(patienceMs, null, { ref: false })])
      awaited = null
    }
    return counts()
  },
  counts,
  close() {
    for (const { socket } of readers.splice(0)) socket.destroy()
  },
})

function counts() {
  return {
    least: Math.min(...readers.map(({ events }) => events)),
    most: Math.max(...readers.map(({ events }) => events)),
    bytes: readers.reduce((sum, { bytes }) => sum + bytes, 0),
    broken: readers.filter(({ isBroken }) => isBroken).length,
  }
}
