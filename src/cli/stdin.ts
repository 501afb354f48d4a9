import { on } from 'node:events'
import { UsageError } from '../core/errors.ts'
import type { CliIo } from './session.ts'

const maxBytes = 1_048_576

/** Reads all of stdin as text, up to 1 MiB; `what` says what it ought to hold. */
export async function readStdin(
  { stdin, signal }: Pick<CliIo, 'stdin' | 'signal'>,
  what: string,
): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const [chunk] of on(stdin, 'data', { signal, close: ['end'] })) {
      const buffer = Buffer.from(chunk as Buffer | string)
      bytes += buffer.byteLength
      if (bytes > maxBytes) {
        throw new UsageError('usage', `stdin has more than 1 MiB: that is no ${what}`)
      }
      chunks.push(buffer)
    }
  } finally {
    // An open stdin would keep the process alive.
    stdin.pause()
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A secret that is the one line on stdin. */
export async function readSecret(io: CliIo, what: string): Promise<string> {
  // PowerShell puts a byte order mark before what it pipes.
  const text = (await readStdin(io, what)).replace(/^\ufeff|\r?\n$/g, '')
  if (text === '') throw new UsageError('usage', `stdin is empty: pipe the ${what} into it`)
  if (!/[\r\n]/.test(text)) return text
  throw new UsageError('usage', `stdin has several lines: pipe the ${what} alone into it`)
}
