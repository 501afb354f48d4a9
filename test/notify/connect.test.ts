import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createAgent } from '../../src/notify/connect.ts'
import type { AgentOptions } from '../../src/notify/connect.ts'
import { checkUrl, createGuard } from '../../src/notify/guard.ts'
import type { Guard, Lookup } from '../../src/notify/guard.ts'
import { sendRequest } from '../../src/request.ts'
import type { HttpAnswer } from '../../src/request.ts'
import { listen } from '../upstream/servers.ts'
import { certificateFor } from './certificate.ts'

const strangers = createGuard({ trusted: false, allow: [] })
const operators = createGuard({ trusted: true, allow: [] })
const neighbours = createGuard({ trusted: false, allow: ['127.0.0.1/32', '::1/128'] })

/** What each call of a lookup gives; the last one for ever. */
function lookups(...rounds: string[][]): Lookup & { readonly asked: string[] } {
  const asked: string[] = []
  return Object.assign(
    (hostname: string) => {
      asked.push(hostname)
      return Promise.resolve(rounds[Math.min(asked.length, rounds.length) - 1] ?? [])
    },
    { asked },
  )
}

function anAgent(options: Partial<AgentOptions> & { guard: Guard }) {
  const agent = createAgent({ proxy: null, connections: 4, ...options })
  onTestFinished(() => agent.destroy())
  return (url: string): Promise<HttpAnswer> =>
    sendRequest(agent, systemClock, {
      method: 'POST',
      url: new URL(url),
      headers: {},
      body: '{}',
      timeoutMs: 10_000,
      maxBytes: 1000,
    })
}

/** A server on loopback that counts who connects and answers what Host it was asked for. */
async function aServer(server: Server = createServer(answerHost)) {
  const seen = { connections: 0, port: '', names: [] as unknown[] }
  server.on('connection', () => (seen.connections += 1))
  server.on('secureConnection', (socket: TLSSocket) => seen.names.push(socket.servername))
  server.on('tlsClientError', () => undefined)
  seen.port = new URL(await listen(server)).port
  return seen
}

function answerHost(request: IncomingMessage, response: { end(text: string): unknown }): void {
  response.end(`${request.headers.host ?? ''} ${request.url ?? ''}`)
}

async function expectRefusal(answer: Promise<HttpAnswer>, words: string): Promise<void> {
  const { status, error, detail } = await answer
  expect({ status, error }).toEqual({ status: null, error: 'refused_address' })
  expect(detail).toContain(words)
  expect(detail).not.toContain('secret')
}

describe('an address in the URL', () => {
  test.each(['127.0.0.1', '2130706433', '0x7f.1', '127.0.0.1.', '[::ffff:127.0.0.1]', '0.0.0.0'])(
    'is refused without a connection: %s',
    async (host) => {
      const server = await aServer()
      const send = anAgent({ guard: strangers, lookup: lookups(['8.8.8.8']) })
      await expectRefusal(send(`http://${host}:${server.port}/secret`), 'delivery.allow')
      await expectRefusal(send(`https://${host}:${server.port}/secret`), 'delivery.allow')
      expect(server.connections).toBe(0)
    },
  )

  test.each(['169.254.169.254', '[fe80::1]', '[fd00:ec2::254]', '[64:ff9b::a9fe:a9fe]'])(
    'is refused to the operator too when it is dangerous: %s',
    async (host) => {
      await expectRefusal(anAgent({ guard: operators })(`http://${host}/secret`), 'never allowed')
    },
  )

  test('is connected to when it is allowed, with one connection for several requests', async () => {
    const server = await aServer()
    for (const guard of [operators, neighbours]) {
      const send = anAgent({ guard, connections: 1 })
      await send(`http://127.0.0.1:${server.port}/`)
      const answer = await send(`http://2130706433:${server.port}/two?x=y`)
      expect(answer).toMatchObject({ status: 200, error: null })
      expect(answer.body.toString()).toBe(`127.0.0.1:${server.port} /two?x=y`)
    }
    expect(server.connections).toBe(2)
  })
})

describe('a name', () => {
  test('is connected to at an address of it, under its own name', async () => {
    const server = await aServer()
    const lookup = lookups(['127.0.0.1'])
    const send = anAgent({ guard: neighbours, lookup })
    const answer = await send(`http://hooks.example.com:${server.port}/x`)
    expect(answer.body.toString()).toBe(`hooks.example.com:${server.port} /x`)
    expect(lookup.asked).toEqual(['hooks.example.com'])
  })

  test('that was public when it was saved is refused once it leads inside', async () => {
    const server = await aServer()
    const lookup = lookups(['93.184.216.34'], ['127.0.0.1'])
    const url = `http://rebind.example.com:${server.port}/secret`
    expect(await checkUrl(new URL(url), strangers, lookup)).toBeNull()
    const send = anAgent({ guard: strangers, lookup })
    await expectRefusal(send(url), '127.0.0.1')
    await expectRefusal(send(url.replace('http:', 'https:')), '127.0.0.1')
    expect(server.connections).toBe(0)
  })

  test.each([
    [['8.8.8.8', '127.0.0.1']],
    [['127.0.0.1', '8.8.8.8']],
    [['2606:4700::1', '::ffff:127.0.0.1']],
    [['0.0.0.0']],
    [['::']],
    [['garbage', '127.0.0.1']],
  ])('is refused when one of its addresses is: %j', async (addresses) => {
    const server = await aServer()
    const send = anAgent({ guard: strangers, lookup: lookups(addresses) })
    const answer = await send(`http://two.example.com:${server.port}/secret`)
    expect(answer).toMatchObject({ status: null, error: 'refused_address' })
    expect(server.connections).toBe(0)
  })

  test('is asked for once per connection, so no answer can slip in behind the check', async () => {
    const server = await aServer()
    const flipping = lookups(['10.0.0.1'], ['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1'])
    const guard = createGuard({ trusted: false, allow: ['10.0.0.0/8'] })
    const refused = anAgent({ guard, lookup: lookups(['127.0.0.1'], ['10.0.0.1']) })
    await expectRefusal(refused(`http://flip.example.com:${server.port}/`), '127.0.0.1')
    expect(server.connections).toBe(0)

    await flipping('asked once before')
    const send = anAgent({ guard: neighbours, lookup: flipping })
    expect(await send(`http://flip.example.com:${server.port}/`)).toMatchObject({ status: 200 })
    expect(flipping.asked).toHaveLength(2)
    expect(server.connections).toBe(1)
  })

  test('is tried at its next address when the first does not answer', async () => {
    const server = await aServer()
    const send = anAgent({ guard: neighbours, lookup: lookups(['::1', '127.0.0.1']) })
    expect(await send(`http://two.example.com:${server.port}/`)).toMatchObject({ status: 200 })
  })

  test('that does not resolve is a matter of dns', async () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND secret'), { code: 'ENOTFOUND' })
    for (const lookup of [() => Promise.reject(error), lookups([])]) {
      const answer = await anAgent({ guard: strangers, lookup })('http://none.example.com/secret')
      expect(answer).toMatchObject({ status: null, error: 'dns' })
      expect(answer.detail).not.toContain('secret')
    }
  })

  test('may be localhost as the system resolves it', async () => {
    const server = await aServer()
    const url = `http://localhost:${server.port}/`
    expect(await anAgent({ guard: operators })(url)).toMatchObject({ status: 200 })
    await expectRefusal(anAgent({ guard: strangers })(url), 'delivery.allow')
    expect(server.connections).toBe(1)
  })
})

test('the address connected to is looked at once more', async () => {
  const server = await aServer()
  let looks = 0
  const secondThoughts: Guard = {
    refusalOf: () => ((looks += 1) === 1 ? null : 'not this one after all'),
  }
  const send = anAgent({ guard: secondThoughts })
  await expectRefusal(send(`http://127.0.0.1:${server.port}/`), 'not this one after all')
  expect(looks).toBe(2)
})

test('each agent has connections of its own', async () => {
  const server = await aServer()
  const lookup = lookups(['127.0.0.1'])
  for (const send of [1, 2, 3].map(() => anAgent({ guard: neighbours, lookup }))) {
    await send(`http://same.example.com:${server.port}/`)
  }
  expect(server.connections).toBe(3)
})

const certificate = certificateFor('hooks.example.com')
const { key, cert } = certificate ?? { key: '', cert: '' }

describe.skipIf(certificate === null)('over TLS', () => {
  const aTlsServer = () => aServer(createHttpsServer({ key, cert }, answerHost))
  const lookup = lookups(['127.0.0.1'])

  test('the name is what is asked for and what the certificate has to say', async () => {
    const server = await aTlsServer()
    const send = anAgent({ guard: neighbours, lookup, ca: cert })
    const answer = await send(`https://hooks.example.com:${server.port}/x`)
    expect(answer).toMatchObject({ status: 200, error: null })
    expect(answer.body.toString()).toBe(`hooks.example.com:${server.port} /x`)
    expect(server.names).toEqual(['hooks.example.com'])
  })

  test('another name does not fit the certificate', async () => {
    const server = await aTlsServer()
    const send = anAgent({ guard: neighbours, lookup, ca: cert })
    for (const host of ['other.example.com', '127.0.0.1', 'localhost']) {
      const answer = await send(`https://${host}:${server.port}/secret`)
      expect(answer).toMatchObject({ status: null, error: 'tls' })
      expect(answer.detail).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
    }
  })

  test('a certificate that nobody known has signed is not believed', async () => {
    const server = await aTlsServer()
    const send = anAgent({ guard: neighbours, lookup })
    const answer = await send(`https://hooks.example.com:${server.port}/`)
    expect(answer).toMatchObject({ status: null, error: 'tls' })
  })

  test('the next address is tried as well', async () => {
    const server = await aTlsServer()
    const two = lookups(['::1', '127.0.0.1'])
    const send = anAgent({ guard: neighbours, lookup: two, ca: cert })
    const answer = await send(`https://hooks.example.com:${server.port}/`)
    expect(answer).toMatchObject({ status: 200, error: null })
  })
})

describe('through a proxy', () => {
  /** Opens tunnels to the server, whatever they ask for. */
  async function aProxy(to: { port: string }, status = '200 OK') {
    const asked: (string | undefined)[] = []
    const proxy = createServer((_, response) => response.writeHead(501).end())
    proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url)
      socket.on('error', () => undefined)
      if (status !== '200 OK') {
        socket.end(`HTTP/1.1 ${status}\r\n\r\n`)
        return
      }
      const onward = connectTcp(Number(to.port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      onward.on('error', () => socket.destroy())
      socket.on('close', () => onward.destroy())
    })
    return { asked, proxy: await listen(proxy) }
  }

  const lookup: Lookup = () => Promise.reject(new Error('names are for the proxy to resolve'))

  test('a name is resolved by the proxy, which is the operator’s word', async () => {
    const server = await aServer()
    const { asked, proxy } = await aProxy(server)
    const send = anAgent({ guard: strangers, proxy, lookup })
    const answer = await send('http://hooks.example.com/x')
    expect(answer).toMatchObject({ status: 200, error: null })
    expect(answer.body.toString()).toBe('hooks.example.com /x')
    expect(asked).toEqual(['hooks.example.com:80'])
  })

  test.skipIf(certificate === null)('TLS is still with the receiver itself', async () => {
    const server = await aServer(createHttpsServer({ key, cert }, answerHost))
    const { asked, proxy } = await aProxy(server)
    const send = anAgent({ guard: strangers, proxy, lookup, ca: cert })
    expect(await send('https://hooks.example.com/x')).toMatchObject({ status: 200 })
    expect(await send('https://other.example.com/x')).toMatchObject({ status: null, error: 'tls' })
    expect(asked).toEqual(['hooks.example.com:443', 'other.example.com:443'])
    expect(server.names[0]).toBe('hooks.example.com')
  })

  test('an address that the URL says is checked all the same', async () => {
    const server = await aServer()
    const { asked, proxy } = await aProxy(server)
    const send = anAgent({ guard: strangers, proxy, lookup })
    for (const host of ['127.0.0.1', '10.0.0.1', '[::1]', 'localhost', 'localhost.', '0x7f.1']) {
      await expectRefusal(send(`http://${host}/secret`), 'delivery.allow')
      await expectRefusal(send(`https://${host}/secret`), 'delivery.allow')
    }
    const trusted = anAgent({ guard: operators, proxy, lookup })
    await expectRefusal(trusted('http://169.254.169.254/secret'), 'never allowed')
    expect(asked).toEqual([])
    expect(await trusted('http://10.0.0.1/')).toMatchObject({ status: 200 })
    expect(asked).toEqual(['10.0.0.1:80'])
  })

  test('that refuses there is no connection', async () => {
    const { proxy } = await aProxy({ port: '' }, '403 Forbidden')
    const answer = await anAgent({ guard: strangers, proxy })('https://hooks.example.com/secret')
    expect(answer).toMatchObject({ status: null, error: 'connect' })
    expect(answer.detail).not.toContain('secret')
  })

  test('that is not there there is no connection', async () => {
    const proxy = 'http://user:secret@127.0.0.1:1'
    const answer = await anAgent({ guard: strangers, proxy })('https://hooks.example.com/')
    expect(answer).toMatchObject({ status: null, error: 'connect' })
    expect(answer.detail).not.toContain('secret')
  })
})
