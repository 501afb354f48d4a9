import { readFileSync } from 'node:fs'

/** The code blocks of one language in a document, in order. */
export function listings(document: string, language: string): readonly string[] {
  const blocks = readFileSync(document, 'utf8').matchAll(/^```(\w+)\n([^]*?)^```$/gm)
  return [...blocks].flatMap(([, its, code]) =>
    its === language && code !== undefined ? [code] : [],
  )
}

/** The only code block of a language. */
export function listing(document: string, language: string): string {
  const [only, ...others] = listings(document, language)
  if (only === undefined || others.length > 0) {
    throw new Error(`${document} has not one listing in ${language}`)
  }
  return only
}

/** The cells of the first table whose head holds a column of this name, the head left out. */
export function tableWith(document: string, column: string): readonly (readonly string[])[] {
  const tables = readFileSync(document, 'utf8').match(/(?:^\|.*\|\n)+/gm) ?? []
  const rows = tables
    .map((table) => table.trim().split('\n').map(cellsOf))
    .find(([head]) => head?.includes(column))
  if (rows === undefined) throw new Error(`${document} has no table with a column ${column}`)
  return rows.slice(2)
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}
