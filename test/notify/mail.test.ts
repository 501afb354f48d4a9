import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text as readAll } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import type { SMTPServerOptions, SMTPServerSession } from 'smtp-server'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Secret } from '../../src/core/secret.ts'
import type { MailSettings } from '../../src/core/endpoint.ts'
import { createGuard } from '../../src/notify/guard.ts'
import { sendMail } from '../../src/notify/mail.ts'
import type { Mail, MailAnswer, MailOptions } from '../../src/notify/mail.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { closed, closedOrigin, listen } from '../upstream/servers.ts'
import { certificateFor } from './certificate.ts'

const operators = createGuard({ trusted: true, allow: [] })
const strangers = createGuard({ trusted: false, allow: [] })
const host = 'mail.example.com'
const password = 'p4ss+word/é'
const at = (address: string) => () => Promise.resolve([address])

type Fields = Partial<MailSettings> & Partial<Omit<Mail, 'settings'>> & Partial<MailOptions>

/** Sends a mail to a port of loopback, which is where the name of its server leads. */
function send(port: number, fields: Fields = {}): Promise<MailAnswer> {
  const {
    subject = 'job failed',
    text = 'plain',
    html = '<p>rich</p>',
    messageId,
    ...rest
  } = fields
  const { guard = operators, clock = systemClock, timeoutMs = 10_000, lookup, ca, ...own } = rest
  return sendMail(
    {
      settings: {
        host,
        port,
        user: null,
        password: null,
        from: 'jobwatch <jobwatch@example.com>',
        to: ['ops@example.com'],
        ...own,
      },
      subject,
      text,
      html,
      ...(messageId !== undefined && { messageId }),
    },
    {
      guard,
      clock,
      timeoutMs,
      lookup: lookup ?? at('127.0.0.1'),
      ...(ca !== undefined && { ca }),
    },
  )
}

interface Received {
  readonly from: string
  readonly to: readonly string[]
  readonly head: string
  readonly body: string
  readonly secure: boolean
}

/** A mail server that keeps what it gets. */
async function aMailServer(options: SMTPServerOptions = {}) {
  const mails: Received[] = []
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    onData(stream, session, callback) {
      void readAll(stream).then((raw) => {
        mails.push(received(raw, session))
        callback()
      })
    },
    ...options,
  })
  smtp.on('error', () => undefined)
  const seen = { port: 0, connections: 0, mails }
  smtp.server.on('connection', () => (seen.connections += 1))
  seen.port = Number(new URL(await listen(smtp.server)).port)
  return seen
}

function received(raw: string, { envelope, secure }: SMTPServerSession): Received {
  const [head = '', ...body] = raw.split('\r\n\r\n')
  return {
    from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
    to: envelope.rcptTo.map(({ address }) => address),
    head,
    body: body.join('\r\n\r\n'),
    secure,
  }
}

/** A server that says the next line of a script whatever it hears, and at last does `end`. */
async function aScript(lines: string[], end: (socket: Socket) => void) {
  const sockets: Socket[] = []
  let arrived: () => void = () => undefined
  const atTheEnd = new Promise<void>((resolve) => (arrived = resolve))
  const server = createTcpServer((socket) => {
    sockets.push(socket)
    const left = [...lines]
    const next = (): void => {
      const line = left.shift()
      if (line === undefined) end(socket)
      else socket.write(`${line}\r\n`)
      if (left.length === 0) arrived()
    }
    socket.on('data', next)
    next()
  })
  return { port: Number(new URL(await listen(server)).port), sockets, atTheEnd }
}

const refusing = (responseCode: number, message: string): Error =>
  Object.assign(new Error(message), { responseCode })

describe('a mail', () => {
  test('arrives from whom and at whom the settings say, as text and as HTML', async () => {
    const server = await aMailServer()
    const answer = await send(server.port, {
      subject: '❌ Straße failed',
      text: 'plain Straße',
      html: '<p>rich Straße</p>',
      to: ['ops@example.com', 'Second <two@example.org>'],
      clock: new FakeClock(Date.parse('2026-11-23T14:00:00.000Z')),
    })
    expect(answer).toMatchObject({ status: 250, error: null, detail: 'ok' })
    expect(answer.text).toMatch(/^250 /)
    const [mail] = server.mails
    expect(mail).toMatchObject({
      from: 'jobwatch@example.com',
      to: ['ops@example.com', 'two@example.org'],
    })
    expect(mail?.head).toMatch(/^From: jobwatch <jobwatch@example\.com>$/m)
    expect(mail?.head).toMatch(/^To: ops@example\.com, Second <two@example\.org>$/m)
    expect(mail?.head).toMatch(/^Subject: =\?UTF-8\?/m)
    expect(mail?.head).toMatch(/^Date: Mon, 23 Nov 2026 14:00:00 \+0000$/m)
    expect(mail?.head).toMatch(/^Content-Type: multipart\/alternative;/m)
    expect(mail?.body).toContain('text/plain')
    expect(mail?.body).toContain('<p>rich Stra=C3=9Fe</p>')
  })

  test('says that a machine wrote it, so that no one’s holiday answers it', async () => {
    const server = await aMailServer()
    await send(server.port)
    expect(server.mails[0]?.head).toMatch(/^Auto-Submitted: auto-generated$/m)
  })

  test('has the same Message-ID when it is sent again', async () => {
    const server = await aMailServer()
    await send(server.port, { messageId: '7f3a9c-1042' })
    await send(server.port, { messageId: '7f3a9c-1042' })
    await send(server.port, { messageId: '7f3a9c-1043' })
    const ids = server.mails.map(({ head }) => /^Message-ID: (.*)$/m.exec(head)?.[1])
    expect(ids).toEqual([
      '<7f3a9c-1042@example.com>',
      '<7f3a9c-1042@example.com>',
      '<7f3a9c-1043@example.com>',
    ])
  })

  test('is as good as delivered when one of several has got it, and says who has not', async () => {
    const server = await aMailServer({
      onRcptTo({ address }, _, callback) {
        callback(address.startsWith('gone') ? refusing(550, 'gone has left') : null)
      },
    })
    const answer = await send(server.port, { to: ['ops@example.com', 'gone@example.com'] })
    expect(answer).toMatchObject({ status: 250, error: null })
    expect(answer.detail).toBe('1 of 2 recipients were refused')
    expect(answer.text).toContain('550 gone has left')
    expect(server.mails[0]?.to).toEqual(['ops@example.com'])
  })
})

describe('a header cannot be injected by way of', () => {
  const injected = 'x\r\nBcc: evil@example.com\r\nX-Evil: yes'

  test.each<[string, Fields]>([
    ['subject', { subject: injected }],
    ['id', { messageId: injected }],
    ['id with a bracket', { messageId: 'x> <evil@example.com' }],
    ['option of SMTP', { to: ['<ops@example.com> NOTIFY=SUCCESS'] }],
  ])('%s', async (_, fields) => {
    const server = await aMailServer()
    expect(await send(server.port, fields)).toMatchObject({ status: 250 })
    const [mail] = server.mails
    expect(mail?.to).toEqual(['ops@example.com'])
    expect(mail?.head).not.toMatch(/^(Bcc|X-Evil):/im)
    expect(mail?.head.match(/^Message-ID: <[^<>\s]+@[^<>\s]+>$/gm)).toHaveLength(1)
  })

  test.each<[string, Fields]>([
    ['from', { from: 'jobwatch@example.com\r\nBcc: evil@example.com' }],
    ['a name in from', { from: `"jobwatch\r\nBcc: evil@example.com" <jobwatch@example.com>` }],
    ['to', { to: ['ops@example.com\r\nBcc: evil@example.com'] }],
    ['to, NUL', { to: ['ops@example.com\0'] }],
    ['to, two in one', { to: ['ops@example.com, evil@example.com'] }],
    ['to, a group', { to: ['ops: a@example.com, evil@example.com;'] }],
    ['to, no address', { to: ['ops'] }],
    ['to, a quoted other', { to: ['"evil@example.com x"@example.org'] }],
    ['to, nothing', { to: [] }],
  ])('%s: such a mail is not sent at all', async (_, fields) => {
    const server = await aMailServer()
    const answer = await send(server.port, fields)
    expect(answer).toMatchObject({ status: null, error: 'malformed' })
    expect(answer.detail).toMatch(/mail address/)
    expect(server.connections).toBe(0)
  })
})

describe('signing in', () => {
  const credentials = { user: 'jobwatch', password: new Secret(password) }
  const onAuth: SMTPServerOptions['onAuth'] = (auth, _, callback) => {
    if (auth.username === 'jobwatch' && auth.password === password) callback(null, { user: 'j' })
    else {
      const seen = Buffer.from(`\0jobwatch\0${auth.password ?? ''}`).toString('base64')
      const plain = Buffer.from(auth.password ?? '').toString('base64')
      callback(refusing(535, `no entry with ${auth.password ?? ''}, ${plain} or ${seen}`))
    }
  }

  test.each([['PLAIN'], ['LOGIN'], ['CRAM-MD5']])('%s', async (method) => {
    const server = await aMailServer({
      authMethods: [method],
      onAuth(auth, session, callback) {
        if (method === 'CRAM-MD5') callback(null, { user: auth.validatePassword(password) && 'j' })
        else onAuth(auth, session, callback)
      },
      authOptional: false,
      allowInsecureAuth: true,
    })
    expect(await send(server.port, credentials)).toMatchObject({ status: 250, error: null })
  })

  test('with a wrong password is an answer that does not hold it', async () => {
    const server = await aMailServer({ onAuth, authOptional: false, allowInsecureAuth: true })
    const wrong = new Secret('wr0ng?word')
    const answer = await send(server.port, { user: 'jobwatch', password: wrong })
    expect(answer).toMatchObject({ status: 535, error: null })
    expect(answer.text).toBe('535 no entry with [secret], [secret] or [secret]')
    expect(answer.detail).toMatch(/^the server answered 535\b/)
  })

  const outside = Object.values(networkInterfaces())
    .flat()
    .find((item) => item?.family === 'IPv4' && !item.internal)?.address

  test.skipIf(outside === undefined)(
    'does not happen in the clear unless the server is on this machine',
    async () => {
      const commands: string[] = []
      const server = createTcpServer((socket) => {
        socket.on('error', () => undefined)
        socket.write('220 hello\r\n')
        socket.on('data', (chunk) => {
          commands.push(chunk.toString())
          const isEhlo = chunk.toString().startsWith('EHLO')
          socket.write(isEhlo ? '250-hello\r\n250 AUTH PLAIN LOGIN\r\n' : '502 what?\r\n')
        })
      }).listen(0, outside)
      await once(server, 'listening')
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo
      const answer = await send(port, { ...credentials, lookup: at(outside ?? '') })
      expect(answer).toMatchObject({ status: null, error: 'tls' })
      expect(answer.detail).toContain('encrypt')
      expect(commands.join('')).not.toMatch(/AUTH|MAIL/)
      // Without a password there is nothing to protect: the mail is tried.
      expect(await send(port, { lookup: at(outside ?? '') })).toMatchObject({ status: 502 })
    },
  )
})

describe('an answer that is no', () => {
  const cases: [string, number, SMTPServerOptions][] = [
    ['to the connection', 421, { onConnect: (_, done) => done(refusing(421, 'busy')) }],
    ['to the connection', 554, { onConnect: (_, done) => done(refusing(554, 'not you')) }],
    ['to the sender', 553, { onMailFrom: (_, __, done) => done(refusing(553, 'who?')) }],
    ['to the recipient', 450, { onRcptTo: (_, __, done) => done(refusing(450, 'later')) }],
    ['to the recipient', 550, { onRcptTo: (_, __, done) => done(refusing(550, 'unknown')) }],
    [
      'to the mail',
      451,
      { onData: (data, _, done) => drain(data, () => done(refusing(451, 'a'))) },
    ],
    [
      'to the mail',
      552,
      { onData: (data, _, done) => drain(data, () => done(refusing(552, 'b'))) },
    ],
  ]
  const drain = (stream: NodeJS.ReadableStream, then: () => void) => stream.on('end', then).resume()

  test.each(cases)('%s is its code: %i', async (_, status, options) => {
    const server = await aMailServer(options)
    const answer = await send(server.port)
    expect(answer).toMatchObject({ status, error: null })
    expect(answer.text).toMatch(new RegExp(`^${status} `))
    expect(answer.detail).toContain(`the server answered ${status}`)
  })

  test('is kept to its first 4096 characters', async () => {
    const long = await aScript([`554 ${'x'.repeat(10_000)}`], () => undefined)
    const answer = await send(long.port)
    expect(answer.status).toBe(554)
    expect(answer.text).toHaveLength(4096)
  })
})

describe('no answer', () => {
  test('because nobody listens is a matter of connecting', async () => {
    const { port } = new URL(await closedOrigin())
    expect(await send(Number(port))).toMatchObject({ status: null, error: 'connect' })
  })

  test('because the name does not resolve is a matter of dns', async () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    const answer = await send(25, { lookup: () => Promise.reject(error) })
    expect(answer).toMatchObject({ status: null, error: 'dns' })
  })

  test.each<[string, string[]]>([
    ['before the greeting', []],
    ['after the greeting', ['220 hello']],
    ['in the midst of the mail', ['220 hello', '250 hello', '250 ok', '250 ok', '354 go on']],
  ])('because the connection is cut %s is a reset', async (_, lines) => {
    for (const cut of [(it: Socket) => it.destroy(), (it: Socket) => it.resetAndDestroy()]) {
      const { port } = await aScript(lines, cut)
      expect(await send(port)).toMatchObject({ status: null, error: 'reset' })
    }
  })

  test.each<[string, string[]]>([
    ['says nothing', []],
    ['says nothing more', ['220 hello']],
    ['takes the mail without a word', ['220 hello', '250 hello', '250 ok', '250 ok', '354 go on']],
    ['stops within a line', ['220 hello', '250-hello']],
  ])('in time from a server that %s lets go of it', async (_, lines) => {
    const clock = new FakeClock()
    const { port, sockets, atTheEnd } = await aScript(lines, () => undefined)
    let isSettled = false
    const pending = send(port, { clock, timeoutMs: 10_000 }).finally(() => (isSettled = true))
    await atTheEnd
    await clock.advance(9999)
    expect(isSettled).toBe(false)
    await clock.advance(1)
    expect(await pending).toMatchObject({ status: null, error: 'timeout' })
    await closed(sockets[0])
  })

  test('in time from the resolver is a timeout as well', async () => {
    const clock = new FakeClock()
    const pending = send(25, { clock, lookup: () => new Promise(() => undefined) })
    await clock.advance(10_000)
    expect(await pending).toMatchObject({ status: null, error: 'timeout' })
  })

  test('that is SMTP is malformed', async () => {
    const odd = await aScript(['hello, I am a server'], () => undefined)
    expect(await send(odd.port)).toMatchObject({ status: null, error: 'malformed' })
    const early = await aScript(['220 hello', '250 AUTH PLAIN', '250 but why'], () => undefined)
    const answer = await send(early.port, { user: 'u', password: new Secret('p') })
    expect(answer.status).toBeNull()
  })
})

describe('the guard', () => {
  test.each([['127.0.0.1'], ['2130706433.'], ['localhost'], ['10.0.0.1'], ['[::1]']])(
    'keeps the mail of strangers from %s',
    async (inside) => {
      const server = await aMailServer()
      const lookup = at('127.0.0.1')
      const answer = await send(server.port, { host: inside, guard: strangers, lookup })
      expect(answer).toMatchObject({ status: null, error: 'refused_address' })
      expect(answer.detail).toContain('delivery.allow')
      expect(server.connections).toBe(0)
    },
  )

  test('refuses a name when one of its addresses is refused', async () => {
    const server = await aMailServer()
    const lookup = () => Promise.resolve(['8.8.8.8', '127.0.0.1'])
    const answer = await send(server.port, { guard: strangers, lookup })
    expect(answer).toMatchObject({ status: null, error: 'refused_address' })
    expect(server.connections).toBe(0)
  })

  test('refuses metadata addresses to the operator too', async () => {
    for (const inside of ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254']) {
      const answer = await send(25, { host: inside })
      expect(answer).toMatchObject({ status: null, error: 'refused_address' })
      expect(answer.detail).toContain('never allowed')
      expect(await send(25, { lookup: at(inside) })).toMatchObject({ error: 'refused_address' })
    }
  })
})

const certificate = certificateFor(host)
const { key, cert } = certificate ?? { key: '', cert: '' }

describe.skipIf(certificate === null)('encryption', () => {
  const offering = { key, cert, disabledCommands: [] }
  const credentials = { user: 'jobwatch', password: new Secret(password) }

  test('is used when it is offered, and the password goes through it', async () => {
    const signedIn: unknown[] = []
    const server = await aMailServer({
      ...offering,
      authOptional: false,
      onAuth(auth, session, callback) {
        signedIn.push(auth.password, session.secure)
        callback(null, { user: 'j' })
      },
    })
    expect(await send(server.port, { ...credentials, ca: cert })).toMatchObject({ status: 250 })
    expect(signedIn).toEqual([password, true])
    expect(server.mails[0]?.secure).toBe(true)
  })

  test.each<[string, Fields]>([
    ['has another name', { host: 'other.example.com', ca: cert }],
    ['is asked for by address', { host: '127.0.0.1', ca: cert }],
    ['nobody known has signed', {}],
  ])('is not believed with a certificate that %s', async (_, fields) => {
    const server = await aMailServer(offering)
    const answer = await send(server.port, { ...credentials, ...fields })
    expect(answer).toMatchObject({ status: null, error: 'tls' })
    expect(answer.detail).not.toContain(host)
    expect(server.mails).toEqual([])
  })

  test('that fails is no reason to go on without it', async () => {
    const broken = await aScript(
      ['220 hello', '250-hello\r\n250 STARTTLS', '454 not now'],
      () => undefined,
    )
    expect(await send(broken.port)).toMatchObject({ status: null, error: 'tls' })
  })

  test('comes first on port 465', async ({ skip }) => {
    const smtp = new SMTPServer({ secure: true, key, cert, authOptional: true })
    smtp.on('error', () => undefined)
    const isListening = await new Promise<boolean>((resolve) => {
      smtp.server.once('error', () => {
        resolve(false)
      })
      smtp.listen(465, '127.0.0.1', () => {
        resolve(true)
      })
    })
    skip(!isListening, 'port 465 is not to be had')
    onTestFinished(() => new Promise<void>((resolve) => smtp.close(resolve)))
    expect(await send(465, { ca: cert })).toMatchObject({ status: 250, error: null })
    expect(await send(465, { ca: cert, host: 'other.example.com' })).toMatchObject({ error: 'tls' })
  })
})
