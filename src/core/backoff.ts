/** Timers beyond this fire at once in Node (2^31-1 ms, about 24 days), so every pause is clamped to it. */
export const maxTimerMs = 2_147_483_647

/** A random source: 0 ≤ x < 1. */
export type Random = () => number

/** `ms` spread evenly over ±`fraction`. */
export function jitter(ms: number, fraction: number, random: Random): number {
  return Math.round(ms * (1 + fraction * (2 * random() - 1)))
}

/** `baseMs` doubled for each failure after the first, at most `maxMs`. */
export function exponential(failures: number, baseMs: number, maxMs: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 30))
}

// The three forms of an HTTP date (RFC 9110, 5.6.7); the last one has no zone and means GMT.
const zonedDate =
  /^([A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4}|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2}) \d{2}:\d{2}:\d{2} GMT$/
const zonelessDate = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3): whole seconds or an HTTP date.
 * Anything else, negative numbers included, is null. The pause is at most `maxMs`.
 */
export function parseRetryAfter(
  header: string | undefined,
  nowMs: number,
  maxMs: number,
): number | null {
  if (header === undefined) return null
  const text = header.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, maxMs)
  // Date.parse alone is too lenient: V8 takes '5' and 'Sorry, back at 5 GMT' for dates.
  const isZoneless = zonelessDate.test(text)
  if (!isZoneless && !zonedDate.test(text)) return null
  const at = Date.parse(isZoneless ? `${text} GMT` : text)
  if (Number.isNaN(at)) return null
  return Math.min(Math.max(at - nowMs, 0), maxMs)
}
