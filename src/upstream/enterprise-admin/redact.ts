import { isUtf8 } from 'node:buffer'
import type { HttpAnswer } from '../../request.ts'
import { anySpelling, escaped } from '../spelling.ts'
import { parseJson } from './answer.ts'

/** What must not be shown, as far as it is known; what is not is told by its name or its look. */
export interface Known {
  readonly username: string | null
  readonly password: string | null
  readonly token: string | null
  readonly root: string
  /** Further URLs whose hosts are nobody's business. */
  readonly otherUrls: readonly string[]
}

/** Makes what an upstream says fit to be shown to strangers. */
export interface Redaction {
  /** One text, all of it. */
  readonly text: (text: string) => string
  /** An answer's body, JSON laid out, about 2 KB at most. */
  readonly body: (answer: HttpAnswer) => string
}

const maxBodyLength = 2048
const maxTextLength = 500
/** Nothing behind this is looked at, nor shown; so much of its end may be a secret cut in two. */
const maxScannedLength = 16_384
const maxSecretLength = 4096
const maxEntries = 20
const maxKeys = 60
const maxDepth = 8

const secretKey = /token|passw|secret|credential|authorization|cookie|session|api[_-]?key/i
const userKey = /^(user(_?name)?|owner|e?mail|full_?name|creator|created_?by|submitted_?by|login)$/i
const hostKey = /^(host(_?name)?|machine(_?name)?|ip(_?address)?|server(_?name)?|domain)$/i
/** Secrets by name where names are no keys: in URLs, pages, and JSON that broke off or is in a text. */
const namedRules: readonly Rule[] = [
  [
    new RegExp(
      `((?:${secretKey.source})\\w{0,30}` +
        `(?:\\\\?["']\\s{0,9}:\\s{0,9}(?:\\\\?["'])?|\\s{0,9}=\\s{0,9}["']?|\\s{0,9}:\\s{0,9}["']))` +
        `(?!\\[password\\])[^"'&\\s<>,;]+`,
      'gi',
    ),
    '$1[hidden]',
  ],
  [/(\bvalue\s{0,9}=\s{0,9})("[^"]*"|'[^']*')/gi, '$1"[hidden]"'],
]

type Rule = readonly [find: RegExp, sign: string]

/** Hides by value whatever its spelling, by the names of fields, and by look. */
export function createRedaction({ username, password, token, root, otherUrls }: Known): Redaction {
  const host = hostOf(root)
  const hosts = [host, ...otherUrls.map(hostOf)]
  const rules: readonly Rule[] = [
    ...valueRules(password, '[password]'),
    ...valueRules(token, '[token]'),
    ...namedRules,
    ...hosts.flatMap((one) => hostRules(one, one === host ? '[host]' : '[other-host]')),
    ...hosts.flatMap(domainRules),
    [
      /(https?(?:%3A%2F%2F|:\\?\/\\?\/))(?!\[host\]|\[other-host\])[^\s/"'<>?#%\\]+/gi,
      '$1[other-host]',
    ],
    [/[\w.+-]{1,100}@[\w-]{1,100}\.[\w.-]{1,100}/g, '[email]'],
    [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '[address]'],
  ]
  const rootPath = URL.canParse(root) ? new URL(root).pathname : ''
  const user = username ? anySpelling(username) : '(?!)'
  const userOrRoot = new RegExp(`(${escaped(rootPath)}(?![\\w-]))|${user}`, 'gi')

  function text(from: string): string {
    const isLong = from.length > maxScannedLength
    const scanned = isLong ? from.slice(0, maxScannedLength) : from
    const shown = rules
      .reduce((said, [rule, sign]) => said.replace(rule, sign), scanned)
      // The root is known to whoever reads the request: a user "admin" need not be hidden in it.
      .replace(userOrRoot, (_, path?: string) => path ?? '[username]')
      .replace(/[\w.~+-]{40,}/g, (run) => (/\d/.test(run) ? '[hidden]' : run))
    return isLong ? `${shown.slice(0, -maxSecretLength)}…` : shown
  }

  function hide(key: string, value: unknown): unknown {
    const isScalar = typeof value === 'string' || typeof value === 'number'
    if (isScalar && secretKey.test(key)) return '[hidden]'
    if (typeof value !== 'string') return value
    const isOwn = username !== null && value.toLowerCase() === username.toLowerCase()
    if (userKey.test(key)) return isOwn ? '[username]' : '[other-user]'
    if (hostKey.test(key)) return text(value) === '[host]' ? '[host]' : '[other-host]'
    return shortened(text(value))
  }

  /** The same value, everything in it hidden and cut; what is below a secret name is secret too. */
  function show(value: unknown, key: string, depth: number): unknown {
    if (typeof value !== 'object' || value === null) return hide(key, value)
    if (depth > maxDepth) return '…'
    if (Array.isArray(value)) {
      const entries = value
        .slice(0, maxEntries)
        .map((entry: unknown) => show(entry, key, depth + 1))
      const more = value.length - maxEntries
      return more > 0 ? [...entries, `… ${more} more`] : entries
    }
    const fields = Object.entries(value)
    const shown = fields.slice(0, maxKeys).map(([name, field]): [string, unknown] => {
      return [shortened(text(name)), show(field, secretKey.test(key) ? key : name, depth + 1)]
    })
    const more = fields.length - maxKeys
    return Object.fromEntries(more > 0 ? [...shown, ['…', `${more} more`]] : shown)
  }

  function page(from: string): string {
    const lines = text(from).split('\n')
    return lines
      .map((line) => line.trim())
      .filter(Boolean)
      .join('\n')
  }

  return {
    text,
    body({ body }) {
      if (!isUtf8(body)) return `(${body.length} bytes that are no text)`
      const said = body.toString('utf8')
      const json = parseJson(said.replace(/^\ufeff/, ''))
      const shown = json === undefined ? page(said) : JSON.stringify(show(json, '', 0), null, 2)
      return cut(shown, maxBodyLength, '\n')
    },
  }
}

function shortened(text: string): string {
  return cut(text, maxTextLength, '')
}

function cut(text: string, length: number, before: string): string {
  return text.length <= length ? text : `${text.slice(0, length)}${before}… (cut here)`
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
}

function valueRules(value: string | null, sign: string): Rule[] {
  return value ? [[new RegExp(anySpelling(value), 'gi'), sign]] : []
}

const port = '(?::\\d{1,5})?'

function hostRules(host: string, sign: string): Rule[] {
  if (host === '') return []
  const spelling = anySpelling(host)
  const bracketed = host.includes(':') ? `\\[?${spelling}\\]?` : spelling
  return [[new RegExp(bracketed + port, 'gi'), sign]]
}

/** Names of the same domain: of `gis.example.com`, those that end in `example.com`. */
function domainRules(host: string): Rule[] {
  const labels = host.split('.')
  if (labels.length < 3 || /^\d+$/.test(labels.at(-1) ?? '')) return []
  const domain = escaped(labels.slice(1).join('.'))
  return [[new RegExp(`[a-z0-9.-]{0,200}${domain}${port}`, 'gi'), '[other-host]']]
}
