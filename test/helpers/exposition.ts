/** A sample, its name as written: a histogram's samples have longer names than their metric. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric with all its samples. */
export interface Family {
  readonly help: string
  readonly type: string
  readonly samples: readonly Sample[]
}

const namePattern = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const helpLine = new RegExp(`^# HELP (${namePattern}) (\\S.*)$`)
const typeLine = new RegExp(`^# TYPE (${namePattern}) (counter|gauge|histogram|summary|untyped)$`)
const sampleLine = new RegExp(`^(${namePattern})(?:\\{(.*)\\})? (\\S+)$`)
/** One label, with what may follow it. */
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=.)|$)/y

/**
 * Reads the text format of Prometheus, written down from its description (version 0.0.4). Whatever
 * that does not allow is an error, and so is a metric without HELP and TYPE, each given once, or a
 * series that comes twice.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family & { samples: Sample[] }>()
  const series = new Set<string>()
  let help: { name: string; text: string } | null = null
  let current: { name: string; family: Family & { samples: Sample[] } } | null = null

  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue
    const [, helpName, helpText = ''] = helpLine.exec(line) ?? []
    if (helpName !== undefined) {
      if (families.has(helpName)) throw new Error(`${helpName} has two HELP lines`)
      help = { name: helpName, text: helpText }
      current = null
      continue
    }
    const [, typeName, type = ''] = typeLine.exec(line) ?? []
    if (typeName !== undefined) {
      if (help?.name !== typeName) throw new Error(`no HELP before: ${line}`)
      current = { name: typeName, family: { help: help.text, type, samples: [] } }
      families.set(typeName, current.family)
      help = null
      continue
    }
    const sample = parseSample(line)
    const suffixes = current?.family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    const isOfCurrent = suffixes.some((suffix) => sample.name === `${current?.name ?? ''}${suffix}`)
    if (current === null || !isOfCurrent) throw new Error(`not below its TYPE: ${line}`)
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()])
    if (series.has(key)) throw new Error(`a series that comes twice: ${line}`)
    series.add(key)
    current.family.samples.push(sample)
  }
  return families
}

function parseSample(line: string): Sample {
  const [, name, labelText = '', valueText = ''] = sampleLine.exec(line) ?? []
  // As Go's ParseFloat reads it.
  const isNumber = /^([+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf|nan)$/i.test(valueText)
  if (name === undefined || !isNumber) throw new Error(`no sample: ${line}`)
  return { name, labels: parseLabels(labelText, line), value: toNumber(valueText) }
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  let end = 0
  while (end < text.length) {
    const [, name, value = ''] = label.exec(text) ?? []
    if (name === undefined || name in labels) throw new Error(`no labels: ${line}`)
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped,
    )
    end = label.lastIndex
  }
  return labels
}

function toNumber(text: string): number {
  if (/nan/i.test(text)) return NaN
  if (/inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  return Number(text)
}

/** The value of one series; undefined when there is none. */
export function valueOf(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const wanted = JSON.stringify(Object.entries(labels).sort())
  return [...parseExposition(text).values()]
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted,
    )?.value
}
