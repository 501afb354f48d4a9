// Yardstick (c): @fastify/sse, which has no channels: each event is sent to each reply.
//   node fastify-sse.mjs <type> <text of an event>
import fastifySse from '@fastify/sse'
import fastify from 'fastify'
import { answerCalls } from '../../gauge.mjs'

const [type, text] = process.argv.slice(2)
const data = JSON.parse(text)
const streams = new Set()
let seq = 0

const app = fastify()
await app.register(fastifySse)
app.get('/', { sse: 'only' }, (_, { sse }) => {
  sse.keepAlive()
  sse.sendHeaders()
  sse.reply.raw.flushHeaders()
  streams.add(sse)
  sse.onClose(() => streams.delete(sse))
})
await app.listen({ port: 0, host: '127.0.0.1', backlog: 2000 })

function send() {
  seq += 1
  const event = { id: `bench-${seq}`, event: type, data }
  for (const stream of streams) void stream.send(event)
}

answerCalls({
  port: () => app.server.address().port,
  /** Sends an event every so many ms from now on. */
  begin: (ms) => void setInterval(send, ms),
})
