import { createServer, request } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

/** A reverse proxy before a daemon, with the ways in which one fails. */
export type Gateway = Awaited<ReturnType<typeof openGateway>>

export async function openGateway(to: string) {
  const open = new Set<ServerResponse>()
  const mute = new WeakSet<ServerResponse>()
  let refusal: number | null = null

  const server = createServer((asked, answer) => {
    if (refusal !== null) {
      answer.writeHead(refusal, { 'content-type': 'text/html' }).end('<h1>Not now</h1>')
      return
    }
    const { method, headers, url = '/' } = asked
    const passed = request(new URL(url, to), { method, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers)
      answer.flushHeaders()
      given.on('data', (chunk: Buffer) => {
        if (!mute.has(answer)) answer.write(chunk)
      })
      given.on('error', () => answer.destroy())
      given.on('close', () => {
        if (!mute.has(answer)) answer.end()
      })
    })
    open.add(answer)
    passed.on('error', () => answer.destroy())
    answer.on('close', () => {
      open.delete(answer)
      passed.destroy()
    })
    asked.pipe(passed)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Breaks what is open, and answers everything by itself from now on. */
    refuse(status: number) {
      refusal = status
      for (const answer of open) answer.destroy()
    },
    /** Passes on again. */
    mend() {
      refusal = null
    },
    /** What is open stays so, but nothing comes through it any more. */
    silence() {
      for (const answer of open) mute.add(answer)
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
