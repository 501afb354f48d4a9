const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof unitMs

/** Parses `500ms`, `5s`, `2m`, `1h` or `7d` into milliseconds; null when the text is no positive duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text)
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
