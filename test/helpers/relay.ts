import { createServer, connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { once } from 'node:events'

/** A stretch of network between a daemon and its clients that can be cut. */
export interface Relay {
  readonly url: string
  /** Resets every connection, and refuses new ones until `mend`. */
  cut(): Promise<void>
  /** Cuts as soon as so many bytes more have gone to the clients, most likely amid a frame. */
  cutAfter(bytes: number): Promise<void>
  mend(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens one on 127.0.0.1 that leads to this server, or to whatever later listens in its place. */
export async function openRelay(to: string): Promise<Relay> {
  const { hostname, port } = new URL(to)
  const sockets = new Set<Socket>()
  let owed: { bytes: number; readonly cut: () => void } | null = null

  function pass(chunk: Buffer, client: Socket): void {
    const length = owed === null ? chunk.length : Math.min(owed.bytes, chunk.length)
    client.write(chunk.subarray(0, length))
    if (owed === null) return
    owed.bytes -= length
    if (owed.bytes > 0) return
    const { cut } = owed
    owed = null
    // The client is to have those bytes before it learns that there are no more.
    client.end(cut)
  }

  function relay(client: Socket): void {
    const daemon = connect(Number(port), hostname)
    for (const [socket, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      sockets.add(socket)
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      // A connection that breaks is closed, which is told above.
      socket.on('error', () => socket.destroy())
    }
    client.on('data', (chunk: Buffer) => daemon.write(chunk))
    daemon.on('data', (chunk: Buffer) => pass(chunk, client))
    daemon.on('end', () => client.end())
    client.on('end', () => daemon.end())
  }

  const server = createServer({ allowHalfOpen: true }, relay).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as AddressInfo

  async function cut(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
    await closed
  }

  return {
    url: `http://127.0.0.1:${String(own)}`,
    cut,
    cutAfter: (bytes) =>
      new Promise((resolve) => {
        owed = { bytes, cut: () => void cut().then(resolve) }
      }),
    async mend() {
      server.listen(own, '127.0.0.1')
      await once(server, 'listening')
    },
    [Symbol.asyncDispose]: cut,
  }
}
