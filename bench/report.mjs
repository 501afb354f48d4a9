// Lines of a report: what was measured, once a round, and what was to be reached.

/**
 * @param {string} what
 * @param {number[]} values one a round
 * @param {{ atLeast?: number, atMost?: number, unit?: string }} [how] a target; without one it is shown only
 */
export function line(what, values, { atLeast, atMost, unit = '' } = {}) {
  return { what, unit, values, target: { atLeast, atMost } }
}

/** One reading of each round. */
export function each(readings, key, scale = 1) {
  return readings.map((reading) => reading[key] * scale)
}

/** Ratios of two readings that were made in the same rounds. */
export function ratios(readings, other, key) {
  return readings.map((reading, round) => reading[key] / other[round][key])
}

export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1) }
}

/** Whether the median is within the target; null without one. */
export function isMet({ values, target: { atLeast, atMost } }) {
  const { median } = summary(values)
  if (atLeast !== undefined) return median >= atLeast
  if (atMost !== undefined) return median <= atMost
  return null
}

/** The lines as a table in Markdown. */
export function table(lines) {
  const rows = lines.map((one) => {
    const { min, median, max } = summary(one.values)
    const { atLeast, atMost } = one.target
    const target =
      atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : ''
    const met = { true: 'yes', false: 'no', null: '' }[String(isMet(one))]
    const what = one.unit === '' ? one.what : `${one.what} (${one.unit})`
    return [what, rounded(min), rounded(median), rounded(max), target, met]
  })
  const all = [['', 'min', 'median', 'max', 'target', 'met'], ...rows]
  const widths = all[0].map((_, column) => Math.max(3, ...all.map((row) => row[column].length)))
  const drawn = all.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))),
  )
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  drawn.splice(1, 0, rule)
  return drawn.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Three digits that say something. */
function rounded(value) {
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
