import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

/** A mail as people see it. */
export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  /** The text of every part, transfer encodings taken off. */
  readonly text: string
}

/** A mail server on 127.0.0.1 that takes everything, without TLS and without a sign-in. */
export async function startMailServer() {
  const mails: Mail[] = []
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        const raw = Buffer.concat(chunks).toString('latin1')
        const from = mailFrom === false ? '' : mailFrom.address
        mails.push({ from, to: rcptTo.map(({ address }) => address), ...readMail(raw) })
        done()
      })
    },
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
      }),
  }
}

function readMail(raw: string): Pick<Mail, 'subject' | 'text'> {
  const subject = /^subject: (.*(?:\r\n[ \t].*)*)/im.exec(raw)?.[1] ?? ''
  const boundaries = [...raw.matchAll(/boundary="?([^"\r\n;]+)/gi)].map(
    ([, mark]) => `--${mark ?? ''}`,
  )
  let parts = [raw]
  for (const mark of boundaries) parts = parts.flatMap((part) => part.split(mark))
  return { subject: wordsOf(subject), text: parts.map(textOf).join('\n') }
}

function textOf(part: string): string {
  const [head = '', ...rest] = part.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  const encoding = /^content-transfer-encoding: *(\S+)/im.exec(head)?.[1]?.toLowerCase()
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString()
  const bytes = encoding === 'quoted-printable' ? unquoted(body.replaceAll('=\r\n', '')) : body
  return Buffer.from(bytes, 'latin1').toString()
}

/** RFC 2047: words of a header that are no plain text. */
function wordsOf(header: string): string {
  return header
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .replaceAll(/\?= =\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, how: string, word: string) => {
      if (how.toLowerCase() === 'b') return Buffer.from(word, 'base64').toString()
      return Buffer.from(unquoted(word.replaceAll('_', ' ')), 'latin1').toString()
    })
}

function unquoted(text: string): string {
  return text.replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
