const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof unitMs

/** The form of a duration; one of nothing, such as `0s`, has it too and is none. */
export const durationPattern = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/

/** Parses `500ms`, `5s`, `2m`, `1h` or `7d` into milliseconds; null when the text is no positive duration. */
export function parseDuration(text: string): number | null {
  const match = durationPattern.exec(text)
  if (!match) return null
  const ms = Math.round(Number(match[1]) * unitMs[match[2] as Unit])
  return ms > 0 && Number.isSafeInteger(ms) ? ms : null
}

/** The shortest exact form: 5400000 → `90m`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`
  }
  return `${ms}ms`
}

/** A duration as people say it, in its two largest units. */
export function elapsed(ms: number | null): string {
  if (ms === null) return '-'
  const seconds = Math.floor(ms / 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`
  return `${Math.floor(seconds / 86_400)}d${two(Math.floor(seconds / 3600) % 24)}h`
}
