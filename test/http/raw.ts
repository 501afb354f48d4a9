import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

/** A bare connection, for what no HTTP client would send. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return socket
}

/**
 * Sends the text and resolves with everything that came back until the server closed, or until it
 * is enough.
 */
export async function exchange(
  url: string,
  text: string,
  isEnough: (answer: string) => boolean = () => false,
): Promise<string> {
  const socket = await openSocket(url)
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk
    if (isEnough(answer)) socket.destroy()
  })
  // A server that refuses early may reset what it has not read.
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, 'close')
  return answer
}

/** A request whose connection ends with its answer. */
export function rawRequest(
  start: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const lines = Object.entries({ connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return `${start}\r\n${lines.join('')}\r\n${body}`
}

/** The status of an answer as it came over the wire. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1] ?? 0)
}
