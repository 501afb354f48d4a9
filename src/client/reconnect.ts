/** Beyond this neither the server's wishes nor failures delay a reader. */
const maxAskedMs = 3_600_000
const maxBackoffMs = 30_000

export interface Reconnect {
  /** Endings in a row without a frame in between, this one included. */
  readonly failures: number
  /** The server's `retry:`, or the reader's own first pause. */
  readonly baseMs: number
  /** What the server's `Retry-After` asks for. */
  readonly retryAfterMs: number | null
  readonly random: () => number
}

/**
 * The pause before the next connection: doubled with each failure, up to half of it added by
 * chance, so that readers do not come back together; never less than the server asked for.
 */
export function reconnectDelayMs({ failures, baseMs, retryAfterMs, random }: Reconnect): number {
  const backoffMs = Math.min(baseMs * 2 ** Math.min(failures - 1, 20), maxBackoffMs)
  const askedMs = Math.min(Math.max(baseMs, retryAfterMs ?? 0), maxAskedMs)
  return Math.round(Math.max(backoffMs, askedMs) * (1 + random() / 2))
}

/** Reads a `Retry-After` header: whole seconds or an HTTP date; null for anything else. */
export function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null
  if (/^\d+$/.test(header)) return Number(header) * 1000
  // Date.parse alone takes "5" for a date.
  const at = header.endsWith(' GMT') ? Date.parse(header) : NaN
  return Number.isNaN(at) ? null : Math.max(at - nowMs, 0)
}
