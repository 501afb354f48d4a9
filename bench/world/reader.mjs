// A reader of an event stream in a process of its own: notes how old what comes is.
import { connect } from 'node:net'
import { answerCalls } from '../gauge.mjs'
import { Moments } from './moments.mjs'

const moments = new Moments()
let socket = null
answerCalls({
  open(url) {
    const { hostname, port, host, pathname, search } = new URL(url)
    socket?.destroy()
    moments.take()
    return new Promise((resolve, reject) => {
      socket = connect({ host: hostname, port: Number(port), noDelay: true })
      socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      socket.once('data', (bytes) => {
        if (bytes.toString().startsWith('HTTP/1.1 200 ')) resolve()
        else reject(new Error(`the stream was answered: ${bytes}`))
      })
      socket.on('data', (bytes) => moments.note(bytes))
      socket.on('error', reject)
    })
  },
  close: () => socket?.destroy(),
  take: () => moments.take(),
})
