import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

// Real servers on loopback that misbehave as a test wants; all are gone when it has finished.

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Listens on a free port; resolves with the origin. */
export async function listen(server: TcpServer, scheme = 'http'): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An HTTP server; resolves with its origin. */
export function serveHttp(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler)
  return listen(server)
}

/** A server that speaks for itself: it gets each request's socket and the number of the request. */
export function serveRaw(answer: (socket: Socket, request: number) => void): Promise<string> {
  let requests = 0
  const server = createTcpServer((socket) => {
    let head = ''
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      head = ''
      requests += 1
      answer(socket, requests)
    })
  })
  return listen(server)
}

/** The origin of a port on which nobody listens. */
export async function closedOrigin(): Promise<string> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' })
  response.end(JSON.stringify(body))
}

/** Sends a byte every few milliseconds until nobody listens. */
export function drip(response: ServerResponse, everyMs = 10): void {
  const timer = setInterval(() => response.write(' '), everyMs)
  response.once('close', () => {
    clearInterval(timer)
  })
}

/** Sends bytes as fast as they are taken, without an end. */
export function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 0x20)
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', more)
  more()
}

/** Resolves when the connection is gone, however it went. */
export async function closed(socket: Socket | undefined): Promise<void> {
  if (socket === undefined) throw new Error('there was no connection')
  if (socket.destroyed) return
  await new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve()
    })
  })
}

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A fresh certificate for 127.0.0.1 that nobody has signed; null where there is no openssl. */
export function selfSignedCertificate(): Certificate | null {
  const folder = mkdtempSync(join(tmpdir(), 'jobwatch-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    const names = 'subjectAltName=IP:127.0.0.1'
    const what = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const whose = ['-days', '2', '-subj', '/CN=gis.example.com', '-addext', names]
    execFileSync('openssl', ['req', ...what, ...whose, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    process.stderr.write('openssl made no certificate: the tests of TLS are skipped\n')
    return null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
