// Yardstick: pages of the daemon's database, framed and written as fast as the socket takes them.
//   node replay-loop.mjs <database>
import Database from 'better-sqlite3'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { answerCalls } from '../gauge.mjs'

const [file] = process.argv.slice(2)
const db = new Database(file, { readonly: true })
const select = db.prepare('SELECT seq, type, text FROM events WHERE seq > ? ORDER BY seq LIMIT 256')

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', () => {
    socket.resume()
    void replay(socket)
  })
})
await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve))
answerCalls({ port: () => server.address().port })

async function replay(socket) {
  socket.write(
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  for (let after = 0; ;) {
    const rows = select.all(after)
    if (rows.length === 0) return
    const frames = rows.map(
      ({ seq, type, text }) => `id: bench-${seq}\nevent: ${type}\ndata: ${text}\n\n`,
    )
    const bytes = Buffer.from(frames.join(''))
    const head = Buffer.from(`${bytes.length.toString(16)}\r\n`)
    const isFull = !socket.write(Buffer.concat([head, bytes, Buffer.from('\r\n')]))
    if (isFull) await once(socket, 'drain')
    after = rows.at(-1).seq
  }
}
