import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { Secret } from '../core/secret.ts'

/** The process environment, or what stands for it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A string, `{ env: NAME }` or `{ file: PATH }`; one line end after a file's content is cut off. */
export function secretCodec(env: Environment) {
  const form = z.union([
    z.string().min(1),
    z.strictObject({ env: z.string().min(1) }),
    z.strictObject({ file: z.string().min(1) }),
  ])
  return z.codec(form, z.instanceof(Secret), {
    decode: (source, ctx) => {
      try {
        return new Secret(secretText(source, env))
      } catch (error) {
        const message = (error as Error).message
        ctx.issues.push({ code: 'custom', input: undefined, message })
        return z.NEVER
      }
    },
    encode: String,
  })
}

function secretText(source: string | { env: string } | { file: string }, env: Environment): string {
  if (typeof source === 'string') return source
  if ('env' in source) {
    const value = env[source.env]
    if (value === undefined || value === '') {
      throw new Error(`the environment variable ${source.env} is not set`)
    }
    return value
  }
  const text = readFileSync(source.file, 'utf8').replace(/\r?\n$/, '')
  if (text === '') throw new Error(`the file ${source.file} is empty`)
  return text
}

interface Check<T> {
  readonly value: T
  readonly issues: z.core.$ZodRawIssue[]
}

export function isTokenSecret({ value, issues }: Check<Secret>): void {
  if (/^[\x21-\x7e]+$/.test(value.reveal())) return
  issues.push({
    code: 'custom',
    input: undefined,
    message: 'must be of printable ASCII without blanks, or no request can carry it',
  })
}
