/** What changed, as an event tells it; later versions may have other kinds. */
export interface AnyChange {
  readonly kind: string
  readonly [key: string]: unknown
}

export interface ChangeContext {
  /** The status of the event's job in words, where it has a job. */
  readonly status: string | undefined
  /** Why that failed. */
  readonly reason: string | null | undefined
  /** Writes a moment (RFC 3339, or null where it is not known) for people. */
  readonly timeOf: (time: string | null) => string
}

/** What changed, in words that are not yet safe; kinds that a newer daemon may have say nothing. */
export function changeWords(change: AnyChange, context: ChangeContext): string {
  const timeOf = (value: unknown) => context.timeOf(typeof value === 'string' ? value : null)
  const since = (words: string) => {
    const { since: time } = change
    return typeof time === 'string' ? `${words} since ${timeOf(time)}`.trimStart() : words
  }
  switch (change.kind) {
    case 'status':
      return statusChange(change, context)
    case 'stage':
      return stageChange(change)
    case 'messages':
      return messageChange(change)
    case 'stall':
      return since('no change')
    case 'deadline':
      return `deadline ${timeOf(change['deadline'])}`
    case 'presence':
      return since('not listed')
    case 'registry':
      return `by ${textOf(change['by'])}`
    case 'upstream':
    case 'endpoint': {
      const { reason, disablesAt } = change
      const until = typeof disablesAt === 'string' ? `, disabled at ${timeOf(disablesAt)}` : ''
      return since(typeof reason === 'string' ? reason : '') + until
    }
    default:
      return ''
  }
}

function statusChange({ from, to }: AnyChange, { status, reason }: ChangeContext): string {
  const after = status ?? textOf(to)
  const words = from === null || from === undefined ? after : `${textOf(from)} → ${after}`
  return reason ? `${words}: ${reason}` : words
}

function stageChange({ stage, occurrence, from, to, rawTo }: AnyChange): string {
  const number = typeof occurrence === 'number' && occurrence > 1 ? ` #${occurrence}` : ''
  const name = `${textOf(stage)}${number}:`
  if (to === null) return `${name} gone`
  const after = to === 'unknown' ? `unknown (${textOf(rawTo)})` : textOf(to)
  return from === null ? `${name} ${after}` : `${name} ${textOf(from)} → ${after}`
}

function messageChange({ added }: AnyChange): string {
  const messages: readonly unknown[] = Array.isArray(added) ? added : []
  const last = messages.at(-1)
  if (typeof last !== 'object' || last === null || !('text' in last)) return ''
  const more = messages.length > 1 ? ` (and ${messages.length - 1} before)` : ''
  return textOf(last.text) + more
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}
