import type { z } from 'zod'

/** One line per thing that is wrong: the path of the setting, and what would be right. */
export function describeIssues(error: z.ZodError, schema: z.ZodType): string[] {
  return error.issues.flatMap((issue) => describe(issue, schema))
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      // Through a union the key itself may be known, but to another branch than this one.
      const known = keysAt(schema, issue.path).filter((candidate) => candidate !== key)
      const path = pathText([...issue.path, key])
      const near = nearest(key, known)
      return near === null
        ? `${path}: unknown setting (known here: ${known.join(', ')})`
        : `${path}: unknown setting; did you mean ${near}?`
    })
  }
  // A union says of each branch why it did not fit; the branch whose keys fit best is the one meant.
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const isForm = issue.errors.length === 3
    if (isForm) return [`${pathText(issue.path)}: give a string, { env: NAME } or { file: PATH }`]
  }
  if (issue.code === 'invalid_union' && 'options' in issue) {
    const options = (issue.options as unknown[]).filter((option) => typeof option === 'string')
    return [`${pathText(issue.path)}: must be one of ${options.join(', ')}`]
  }
  // The issue itself does not carry what was given, its message does.
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return [`${pathText(issue.path)}: ${isMissing ? 'must be given' : issue.message}`]
}

function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? String(part) : `.${String(part)}`
  }
  return text === '' ? '(top level)' : text
}

/** The keys that the schema knows at a path; through unions, those of all branches. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { def } = (schema as z.ZodType)._zod as { def: SchemaDef }
  const inner = def.innerType ?? def.in
  if (inner) return keysAt(inner, path)
  if (def.options) return [...new Set(def.options.flatMap((option) => keysAt(option, path)))]
  const [head, ...rest] = path
  if (head === undefined) return Object.keys(def.shape ?? {})
  const next = def.shape?.[String(head)] ?? def.element
  return next === undefined ? [] : keysAt(next, rest)
}

interface SchemaDef {
  readonly innerType?: z.core.$ZodType
  readonly in?: z.core.$ZodType
  readonly options?: readonly z.core.$ZodType[]
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
  readonly element?: z.core.$ZodType
}

/** The known key that differs least, if it differs by a third of its length at most. */
function nearest(key: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Infinity
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best !== null && bestDistance <= Math.max(1, Math.floor(best.length / 3)) ? best : null
}

/** Levenshtein's distance: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
