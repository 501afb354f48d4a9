import { createHash } from 'node:crypto'

/** Up to this many characters a document is its own fingerprint: comparing it costs least. */
const maxKeptLength = 4096

/** What tells a document from another one: the text itself, or its hash when it is long. */
export function fingerprintOf(document: string): string {
  if (document.length <= maxKeptLength) return document
  return `sha256:${document.length}:${createHash('sha256').update(document).digest('base64')}`
}
