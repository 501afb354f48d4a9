import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const maxBodyBytes = 8 * 1024 * 1024

export interface LoopbackServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly origin: string
  /** Ends every connection, those kept alive or left hanging included; may be called twice. */
  close(): Promise<void>
}

/** Answers one request, or leaves it open on purpose. A rejection is answered with 500. */
export type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** A plain HTTP server on 127.0.0.1; port 0 takes a free one. */
export async function listenOnLoopback(handle: Handle, port: number): Promise<LoopbackServer> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      fail(response, error)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  let closed: Promise<void> | null = null
  return {
    origin: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      })
      return closed
    },
  }
}

/** The whole body; rejects when the client goes away or sends more than 8 MiB. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) throw new Error(`The body is larger than ${String(maxBodyBytes)} B`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
  response.end(error instanceof Error ? error.message : 'The request could not be answered')
}
