/**
 * Whether a client takes a media type, by its `Accept` (RFC 9110, 12.5.1): the most specific range
 * that fits says so, and a client that says nothing takes anything. `type` is in lower case.
 */
export function accepts(header: string | undefined, type: string): boolean {
  const ranges = (header ?? '').split(',').map(readRange)
  const named = ranges.filter(({ range }) => range !== '')
  if (named.length === 0) return true
  for (const range of [type, type.replace(/\/.*/, '/*'), '*/*']) {
    const found = named.filter((one) => one.range === range)
    if (found.length > 0) return found.some(({ isWanted }) => isWanted)
  }
  return false
}

function readRange(text: string): { range: string; isWanted: boolean } {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const isRefused = parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter))
  return { range, isWanted: !isRefused }
}
