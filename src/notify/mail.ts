import { domainToASCII } from 'node:url'
import { createTransport } from 'nodemailer'
import addressparser from 'nodemailer/lib/addressparser'
import type { Clock } from '../clock.ts'
import type { MailSettings } from '../core/endpoint.ts'
import { classify } from '../request.ts'
import type { RequestError } from '../request.ts'
import { createConnector } from './connect.ts'
import type { ConnectorOptions } from './connect.ts'
import { isLoopback, literalOf } from './guard.ts'

export interface Mail {
  readonly settings: MailSettings
  readonly subject: string
  readonly text: string
  readonly html: string
  /** What stays the same when the mail is sent again, such as the event's id. */
  readonly messageId?: string
}

export interface MailOptions extends ConnectorOptions {
  readonly clock: Clock
  /** For everything: resolving, connecting, signing in, sending, the answer. */
  readonly timeoutMs: number
}

/**
 * What came of a mail. A status is the mail server's last word, yes or no, and then `error` is null;
 * without one `error` says why. Neither holds the password.
 */
export interface MailAnswer {
  /** The reply code of SMTP. */
  readonly status: number | null
  /** The reply, its first 4096 characters. */
  readonly text: string
  readonly error: RequestError | null
  /** In words, for people. */
  readonly detail: string
}

const implicitTlsPort = 465
const keptCharacters = 4096

/**
 * Sends one mail over a connection of its own. Never rejects: what the world does is a value. TLS is
 * from the start on port 465 and else as soon as the server offers it, with the certificate checked
 * against the host's name; a password goes over an unencrypted connection only within this machine.
 */
export async function sendMail(
  mail: Mail,
  { clock, timeoutMs, ...connecting }: MailOptions,
): Promise<MailAnswer> {
  const { settings } = mail
  const message = compose(mail, clock.now())
  if (typeof message === 'string') return failure('malformed', message)
  const timeUp = new AbortController()
  const cancelTimer = clock.after(timeoutMs, () => {
    timeUp.abort()
  })
  try {
    const transport = transportTo(settings, connecting)
    return answerOf(await transport.sendMail({ ...message, signal: timeUp.signal }), settings)
  } catch (error) {
    return timeUp.signal.aborted
      ? failure('timeout', `no complete answer within ${timeoutMs} ms`)
      : answerOfError(error, settings)
  } finally {
    cancelTimer()
  }
}

/** The message, or why there can be none. */
function compose({ settings, subject, text, html, messageId }: Mail, now: number) {
  const from = mailboxOf(settings.from)
  const to = settings.to.flatMap((item) => mailboxOf(item) ?? [])
  if (from === null) return 'settings.from is not one mail address'
  if (to.length === 0 || to.length < settings.to.length) {
    return 'settings.to holds something else than mail addresses, or nothing'
  }
  const domain = domainToASCII(from.address.split('@')[1] ?? '') || 'jobwatch.invalid'
  const id = messageId?.replace(/[^\w-]/g, '-')
  return {
    from,
    to,
    subject,
    text,
    html,
    date: new Date(now),
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...(id !== undefined && { messageId: `<${id}@${domain}>` }),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** `a@b` or `Name <a@b>`; null when it is anything else, a line break or a second address. */
function mailboxOf(text: string): { name: string; address: string } | null {
  const [first, ...others] = addressparser(text, { flatten: true })
  if (first === undefined || others.length > 0 || /\p{Cc}/u.test(text)) return null
  return /^[^\s"(),:;<>@[\\\]]+@[^\s"(),:;<>@[\\\]]+$/.test(first.address) ? first : null
}

function transportTo({ host, port, user, password }: MailSettings, connecting: ConnectorOptions) {
  const secure = port === implicitTlsPort
  const isSigningIn = user !== null && password !== null
  const connect = createConnector(connecting)
  // Without brackets and trailing dot, as a certificate has it.
  const hostname = literalOf(host) ?? host
  return createTransport({
    host: hostname,
    port,
    secure,
    tls: { ...(connecting.ca !== undefined && { ca: connecting.ca }) },
    ...(isSigningIn && { auth: { user, pass: password.reveal() } }),
    getSocket(_, callback) {
      // That is plain TCP; TLS is the business of nodemailer.
      connect({ hostname, protocol: 'http:', port: String(port) }, (error, connection) => {
        if (error !== null) {
          callback(error)
          return
        }
        const isLocal = isLoopback(connection.remoteAddress ?? '')
        callback(null, { connection, requireTLS: isSigningIn && !secure && !isLocal })
      })
    },
  })
}

interface Taken {
  readonly response: string
  readonly accepted: readonly unknown[]
  readonly rejectedErrors?: readonly { readonly response?: string | undefined }[] | undefined
}

function answerOf(
  { response, accepted, rejectedErrors = [] }: Taken,
  settings: MailSettings,
): MailAnswer {
  const lost = rejectedErrors.length
  const text = [response, ...rejectedErrors.map((error) => error.response ?? '')].join('\n')
  return {
    status: replyCodeOf(response) ?? 250,
    text: presentable(text, settings),
    error: null,
    detail: lost === 0 ? 'ok' : `${lost} of ${accepted.length + lost} recipients were refused`,
  }
}

function answerOfError(error: unknown, settings: MailSettings): MailAnswer {
  const { code, originalCode, response, command } = fieldsOf(error)
  const text = presentable(response ?? '', settings)
  if (code === 'ETLS') {
    return failure('tls', 'the connection could not be encrypted, so nothing was sent', text)
  }
  const status = response === undefined ? null : replyCodeOf(response)
  if (status !== null && status >= 400) {
    const step = command === undefined ? '' : ` to ${command}`
    return { status, text, error: null, detail: `the server answered ${status}${step}` }
  }
  if (response !== undefined || code === 'EPROTOCOL') {
    return failure('malformed', 'what answers does not speak SMTP as it should', text)
  }
  if (code === 'ECONNECTION') return failure('reset', 'the server ended the connection')
  if (/^E(ENVELOPE|AUTH|MESSAGE|STREAM)$/.test(code ?? '')) {
    return failure('malformed', `the mail cannot be sent like this (${code ?? ''})`)
  }
  return failure(...classify(originalCode === undefined ? error : { code: originalCode }))
}

function failure(error: RequestError, detail: string, text = ''): MailAnswer {
  return { status: null, text, error, detail }
}

type Field = 'code' | 'originalCode' | 'response' | 'command'

/** What nodemailer writes on its errors, as far as it is text. */
function fieldsOf(error: unknown): Partial<Record<Field, string>> {
  if (!(error instanceof Error)) return {}
  return Object.fromEntries(Object.entries(error).filter(([, value]) => typeof value === 'string'))
}

function replyCodeOf(response: string): number | null {
  const [code] = /^[2-5]\d\d(?=[\s-]|$)/.exec(response) ?? []
  return code === undefined ? null : Number(code)
}

/** Servers have been seen to repeat what they were told, so the password is taken out. */
function presentable(reply: string, { user, password }: MailSettings): string {
  const secret = password?.reveal() ?? ''
  if (secret === '') return reply.slice(0, keptCharacters)
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return [base64(`\0${user ?? ''}\0${secret}`), base64(secret), secret]
    .reduce((text, form) => text.replaceAll(form, '[secret]'), reply)
    .slice(0, keptCharacters)
}
