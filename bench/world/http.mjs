// HTTP/1.1 with as little work as there can be, so that what is measured is not this side of it.
import { createServer } from 'node:net'

const headEnd = Buffer.from('\r\n\r\n')

/**
 * Serves keep-alive connections; `answer(path, body)` gives the body of a 200, or null for none.
 * @returns the port
 */
export async function serveFast(answer) {
  const server = createServer({ noDelay: true }, (socket) => {
    let pending = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      for (;;) {
        const end = pending.indexOf(headEnd)
        if (end === -1) return
        const head = pending.latin1Slice(0, end)
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
        const bodyAt = end + headEnd.length
        if (pending.length < bodyAt + length) return
        const body = pending.subarray(bodyAt, bodyAt + length)
        pending = pending.subarray(bodyAt + length)
        const path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP'))
        const text = answer(path, body) ?? ''
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
        )
      }
    })
  })
  await new Promise((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 2000 }, resolve),
  )
  return server.address().port
}
