// Yardstick (a): the chunk of an event is made once, and written to every socket as it is.
//   node bare.mjs <type> <text of an event>
import { createServer } from 'node:net'
import { answerCalls } from '../../gauge.mjs'

const [type, text] = process.argv.slice(2)
const sockets = new Set()
let seq = 0

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('close', () => sockets.delete(socket))
  socket.once('data', () => {
    socket.resume()
    sockets.add(socket)
    socket.write(
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
    )
  })
})
await new Promise((resolve) =>
  server.listen({ port: 0, host: '127.0.0.1', backlog: 2000 }, resolve),
)

function send() {
  seq += 1
  const frame = Buffer.from(`id: bench-${seq}\nevent: ${type}\ndata: ${text}\n\n`)
  const head = Buffer.from(`${frame.length.toString(16)}\r\n`)
  const chunk = Buffer.concat([head, frame, Buffer.from('\r\n')])
  for (const socket of sockets) socket.write(chunk)
}

answerCalls({
  port: () => server.address().port,
  /** Sends an event every so many ms from now on. */
  begin: (ms) => void setInterval(send, ms),
})
