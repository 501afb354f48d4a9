import { get } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'

/** A block of an event stream, as the standard (WHATWG HTML, 9.2.6) reads it. */
export interface Frame {
  readonly id: string | null
  readonly event: string | null
  readonly data: string | null
  readonly retry: string | null
}

/** An event as far as these tests look into it. */
export interface FeedEvent {
  readonly id: string
  readonly type: string
  readonly subject: string
  readonly data: {
    readonly seq: number
    readonly job: {
      readonly jobid: string
      readonly label: string | null
      readonly tags: readonly string[]
    }
  }
}

export interface OpenOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** The address to come from. */
  readonly localAddress?: string
  /** False for a stream that would fill the memory. */
  readonly keepsText?: boolean
}

/** One connection to the feed, written down from the standard: it shares no code with jobwatch. */
export class FeedReader {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Everything that was read so far, if it is kept. */
  text = ''
  readonly #keepsText: boolean
  readonly #message: IncomingMessage
  readonly #chunks: AsyncIterator<Buffer>
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  constructor(message: IncomingMessage, { keepsText = true }: OpenOptions = {}) {
    this.#message = message
    this.#keepsText = keepsText
    this.status = message.statusCode ?? 0
    this.headers = message.headers
    this.#chunks = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** The next block, or null when the stream has ended as it should. Reads no more than it needs. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const end = /\r\n\r\n|\n\n|\r\r/.exec(this.#rest)
      if (end !== null) {
        const block = this.#rest.slice(0, end.index)
        this.#rest = this.#rest.slice(end.index + end[0].length)
        return parseBlock(block)
      }
      const chunk = await this.#chunks.next()
      if (chunk.done) {
        if (this.#rest !== '') throw new Error(`The stream ended within a frame: ${this.#rest}`)
        return null
      }
      const text = this.#decoder.write(chunk.value)
      if (this.#keepsText) this.text += text
      this.#rest += text
    }
  }

  /** The next block; a stream that ends instead is a mistake. */
  async frame(): Promise<Frame> {
    const frame = await this.next()
    if (frame === null) throw new Error(`The stream has ended after: ${this.text.slice(-500)}`)
    return frame
  }

  /** Reads on until a block of this event type comes. */
  async until(event: string): Promise<Frame> {
    for (;;) {
      const frame = await this.frame()
      if (frame.event === event) return frame
    }
  }

  /** Reads the `retry:` and the hello that every stream begins with. */
  async hello() {
    const { retry } = await this.frame()
    const hello = await this.frame()
    return { retry, hello }
  }

  /** The frame of the next event of the log; other frames are passed over. */
  async eventFrame(): Promise<Frame> {
    for (;;) {
      const frame = await this.frame()
      if (frame.event !== null && !frame.event.startsWith('feed.')) return frame
    }
  }

  /** The next so many events of the log. */
  async events(count: number): Promise<FeedEvent[]> {
    const events: FeedEvent[] = []
    while (events.length < count) {
      const { data } = await this.eventFrame()
      events.push(JSON.parse(data ?? '') as FeedEvent)
    }
    return events
  }

  async seqs(count: number): Promise<number[]> {
    return (await this.events(count)).map(({ data }) => data.seq)
  }

  /** Everything up to the end of the stream. */
  async rest(): Promise<Frame[]> {
    const frames: Frame[] = []
    for (;;) {
      const frame = await this.next()
      if (frame === null) return frames
      frames.push(frame)
    }
  }

  close(): void {
    this.#message.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Opens a connection of its own; resolves as soon as the headers of the answer are there. */
export function openFeed(url: string, options: OpenOptions = {}): Promise<FeedReader> {
  const { headers = {}, localAddress } = options
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, localAddress, agent: false }, (message) => {
      // A server that is killed cuts the connection: whoever reads on is told then.
      message.on('error', () => undefined)
      resolve(new FeedReader(message, options))
    })
    request.on('error', reject)
  })
}

/** Whether a connection ended in the middle, or could not be made: what the network does to readers. */
export function isCut(error: unknown): boolean {
  const { code = '' } = error as { code?: string }
  return ['ECONNRESET', 'ECONNREFUSED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code)
}

function parseBlock(block: string): Frame {
  const fields = new Map<string, string>()
  for (const line of block.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    const known = fields.get(name)
    fields.set(name, name === 'data' && known !== undefined ? `${known}\n${value}` : value)
  }
  return {
    id: fields.get('id') ?? null,
    event: fields.get('event') ?? null,
    data: fields.get('data') ?? null,
    retry: fields.get('retry') ?? null,
  }
}
