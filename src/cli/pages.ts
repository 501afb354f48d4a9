import { UsageError } from '../core/errors.ts'

interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** What to ask one page for. */
interface PageRequest {
  readonly limit: number
  readonly cursor: string | undefined
}

const maxPageSize = 1000

/** Follows the pages until the limit is reached or there are no more. */
export async function collectPages<T>(
  limit: number,
  read: (page: PageRequest) => Promise<Page<T>>,
): Promise<{ items: T[]; hasMore: boolean }> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: Page<T> = await read({
      limit: Math.min(limit - items.length, maxPageSize),
      cursor: cursor ?? undefined,
    })
    items.push(...page.items)
    cursor = page.items.length === 0 ? null : page.next
  } while (cursor !== null && items.length < limit)
  return { items: items.slice(0, limit), hasMore: cursor !== null }
}

export function parseLimit(text: string): number {
  return parseWhole('--limit', text, 1)
}

/** A whole number in decimal digits, `least` or more. */
export function parseWhole(what: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError('usage', `${what} must be a whole number from ${least}`)
}
