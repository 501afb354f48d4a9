// A reader of an event stream in a process of its own: notes how old what comes is.
import { connect } from 'node:net'
import { answerCalls } from '../gauge.mjs'
import { Moments } from './moments.mjs'

const moments = new Moments()
let socket = null
answerCalls({
  open(url) {
    const { hostname, port, pathname, search } = new URL(url)
    socket?.destroy()
    moments.take()
    return new Promise((resolve, reject) => {
      socket = connect({ host: hostname, port: Number(port), noDelay: true })
      socket.on('connect', () => {
        socket.write(
          `GET ${pathname}${search} HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n`,
        )
      })
      socket.once('data', resolve)
      socket.on('data', (bytes) => moments.note(bytes))
      socket.on('error', reject)
    })
  },
  close: () => socket?.destroy(),
  take: () => moments.take(),
})
