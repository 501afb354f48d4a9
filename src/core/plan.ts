import type { EventHead } from './event.ts'

/** Which events somebody wants. An empty or absent list lets everything through. */
export interface EventFilter {
  /** Globs over the type; `*` stands for any characters, dots included. */
  readonly types?: readonly string[] | undefined
  readonly upstreams?: readonly string[] | undefined
  readonly tags?: readonly string[] | undefined
  readonly jobids?: readonly string[] | undefined
}

export type EventMatcher = (head: EventHead) => boolean

const matchesAll: EventMatcher = () => true

/**
 * Compiles a filter once, so that matching an event costs no parsing. Filters that let everything
 * through share one matcher.
 */
export function compileFilter(filter: EventFilter): EventMatcher {
  const tests: EventMatcher[] = []
  const { types, upstreams, tags, jobids } = filter
  if (types?.length) {
    const patterns = types.map(globPattern)
    tests.push(({ type }) => patterns.some((pattern) => pattern.test(type)))
  }
  if (upstreams?.length) {
    const names = new Set(upstreams)
    tests.push(({ upstream }) => upstream !== null && names.has(upstream))
  }
  if (jobids?.length) {
    const ids = new Set(jobids)
    tests.push(({ jobid }) => jobid !== null && ids.has(jobid))
  }
  if (tags?.length) {
    const wanted = new Set(tags)
    tests.push((head) => head.tags.some((tag) => wanted.has(tag)))
  }
  if (tests.length === 0) return matchesAll
  return (head) => tests.every((test) => test(head))
}

/** A glob over event types as an anchored pattern. */
export function globPattern(glob: string): RegExp {
  const parts = glob.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}

/** An endpoint as far as planning needs it. */
export interface PlannedEndpoint {
  readonly id: number
  readonly name: string
  readonly matches: EventMatcher
}

/** Which endpoints an event is owed to: those that want it, but never the one that it is about. */
export function plan<T extends PlannedEndpoint>(event: EventHead, endpoints: readonly T[]): T[] {
  return endpoints.filter(({ name, matches }) => name !== event.endpoint && matches(event))
}
