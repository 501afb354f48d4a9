import { safe } from '../core/safe.ts'
import type { Cell } from './table.ts'

/** A name and what is so, not yet safe; null where there is nothing to say. */
export type Fact = readonly [name: string, value: string | null]

/** Facts line by line below a title, without those that say nothing. */
export function factLines(facts: readonly Fact[]): string {
  return facts.map(([name, value]) => (value === null ? '' : line(name, safe(value)))).join('')
}

/** A fact that has a look of its own. */
export function cellLine(name: string, { text, paint }: Cell): string {
  return line(name, paint?.(text) ?? text)
}

function line(name: string, text: string): string {
  return `  ${name.padEnd(12)}${text}\n`
}
