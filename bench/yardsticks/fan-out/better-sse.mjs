// Yardstick (b): a channel of better-sse.
//   node better-sse.mjs <type> <text of an event>
import { createServer } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import { answerCalls } from '../../gauge.mjs'

const [type, text] = process.argv.slice(2)
const event = JSON.parse(text)
const channel = createChannel()
let seq = 0

const server = createServer(async (request, answer) => {
  channel.register(await createSession(request, answer))
})
await new Promise((resolve) =>
  server.listen({ port: 0, host: '127.0.0.1', backlog: 2000 }, resolve),
)

function send() {
  seq += 1
  channel.broadcast(event, type, { eventId: `bench-${seq}` })
}

answerCalls({
  port: () => server.address().port,
  /** Sends an event every so many ms from now on. */
  begin: (ms) => void setInterval(send, ms),
})
