import { STATUS_CODES } from 'node:http'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { encode, send } from './answer.ts'
import type { Answer } from './answer.ts'
import { isObject } from './check.ts'
import type { CutPoint, Fault, Garbling } from './fault.ts'

type Of<Kind extends Fault['kind']> = Extract<Fault, { readonly kind: Kind }>

/** A reset that overtakes what was sent before it looks like a plain end to many clients. */
const settleMs = 20

const json = { 'content-type': 'application/json; charset=UTF-8' }

/** Lets the fault happen to the response that would have been `answer`. */
export async function perform(
  fault: Fault,
  answer: Answer,
  response: ServerResponse,
): Promise<void> {
  switch (fault.kind) {
    case 'answer':
      send(response, { ...answer, ...fault })
      return
    case 'edit':
      send(response, edited(answer, fault))
      return
    case 'garble':
      send(response, { ...answer, body: garbled(answer, fault.how) })
      return
    case 'delay':
      sendLater(response, answer, fault.ms)
      return
    case 'cut':
      cut(response, answer, fault)
      return
    case 'drip':
      drip(response, fault.everyMs)
      return
    case 'flood':
      await flood(response, fault)
      return
    case 'raw':
      response.socket?.end(Buffer.from(fault.text, 'latin1'))
  }
}

function edited(answer: Answer, { set = {}, remove = [] }: Of<'edit'>): Answer {
  if (!isObject(answer.body)) return answer
  const fields = Object.entries({ ...answer.body, ...set })
  return { ...answer, body: Object.fromEntries(fields.filter(([name]) => !remove.includes(name))) }
}

function garbled(answer: Answer, how: Garbling): Buffer {
  const { body } = encode(answer)
  switch (how) {
    case 'byteOrderMark':
      return inserted(body, 0, Buffer.from('\ufeff'))
    case 'cutOff':
      return body.subarray(0, body.length / 2)
    case 'invalidUtf8':
      // Within the last text, where a lenient reader would take it for a character.
      return inserted(body, Math.max(0, body.lastIndexOf('"')), Buffer.from([0xff]))
    case 'notANumber':
      return inserted(body, 1, Buffer.from('"endtime":NaN,'))
    case 'duplicateKeys':
      return inserted(body, 1, Buffer.from('"status":"FAILED",'))
    case 'numbersAsText': {
      const asText = (_: string, value: unknown) =>
        typeof value === 'number' ? String(value) : value
      return Buffer.from(JSON.stringify(answer.body, asText))
    }
  }
}

function inserted(bytes: Buffer, at: number, more: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])
}

function sendLater(response: ServerResponse, answer: Answer, ms: number): void {
  const timer = setTimeout(() => {
    send(response, answer)
  }, ms)
  response.once('close', () => {
    clearTimeout(timer)
  })
}

function cut(response: ServerResponse, answer: Answer, { after, then }: Of<'cut'>): void {
  const { socket } = response
  const { httpStatus, headers, body } = encode(answer)
  // One byte more is promised than there is, so that even with the whole body the end is missing.
  const lines = Object.entries({ ...headers, 'content-length': body.length + 1 })
    .map(([name, value]) => `${name}: ${String(value)}\r\n`)
    .join('')
  const start = `HTTP/1.1 ${String(httpStatus)} ${STATUS_CODES[httpStatus] ?? ''}\r\n`
  const head = Buffer.from(`${start}${lines}\r\n`, 'latin1')
  const lengths: Readonly<Record<CutPoint, number>> = {
    nothing: 0,
    halfHeaders: head.length / 2,
    headers: head.length,
    halfBody: head.length + body.length / 2,
    body: head.length + body.length,
  }
  socket?.write(Buffer.concat([head, body]).subarray(0, lengths[after]), () => {
    if (then === 'end') socket.end()
    if (then === 'reset') setTimeout(() => setImmediate(() => socket.resetAndDestroy()), settleMs)
  })
}

function drip(response: ServerResponse, everyMs: number): void {
  response.writeHead(200, json)
  const timer = setInterval(() => response.write(' '), everyMs)
  response.once('close', () => {
    clearInterval(timer)
  })
}

async function flood(response: ServerResponse, { part, bytes }: Of<'flood'>): Promise<void> {
  const size = bytes ?? Infinity
  switch (part) {
    case 'header':
      await pour(response.socket, [
        ['HTTP/1.1 200 OK\r\nx-flood: '],
        repeated(Buffer.alloc(65_536, 'x'), size),
        ['\r\ncontent-length: 2\r\n\r\n{}'],
      ])
      return
    case 'body':
      response.writeHead(200, { ...json, ...(bytes !== null && { 'content-length': bytes }) })
      await pour(response, [repeated(Buffer.alloc(65_536, ' '), size)])
      return
    case 'gzip': {
      // Packed parts one after another are one packed whole.
      const packed = gzipSync(Buffer.alloc(1_048_576, ' '))
      response.writeHead(200, { ...json, 'content-encoding': 'gzip' })
      await pour(response, [repeated(packed, Math.ceil(size / 1_048_576) * packed.length)])
    }
  }
}

function* repeated(chunk: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
}

/** Writes all of it, as fast as it is taken. */
async function pour(
  writable: Writable | null,
  parts: readonly Iterable<Buffer | string>[],
): Promise<void> {
  function* all(): Generator<Buffer | string> {
    for (const part of parts) yield* part
  }
  if (writable === null) return
  await pipeline(Readable.from(all()), writable).catch(() => {
    // The client had enough, as it should.
  })
}
