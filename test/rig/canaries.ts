import type { Searched } from './trace.ts'

/** Secrets that must be seen nowhere, by name. */
export type Canaries = Readonly<Record<string, string>>

/** Searches a text for them, as they are and in the spellings in which they could slip through. */
export function search(where: string, text: string, canaries: Canaries): Searched {
  const found = Object.entries(canaries)
    .filter(([, secret]) => spellings(secret).some((spelling) => text.includes(spelling)))
    .map(([name]) => name)
  return { kind: 'searched', where, found }
}

function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [
    secret,
    encodeURIComponent(secret),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
  ]
}
