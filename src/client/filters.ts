import type { Query } from './connection.ts'

/** Which events are wanted; an empty or absent list lets everything through. */
export interface EventFilters {
  /** Globs over the type. */
  readonly types?: readonly string[] | undefined
  readonly jobids?: readonly string[] | undefined
  readonly upstreams?: readonly string[] | undefined
  readonly tags?: readonly string[] | undefined
}

/** Event filters as the API names them. */
export function filterQuery({ types, jobids, upstreams, tags }: EventFilters): Query {
  return { type: types, jobid: jobids, upstream: upstreams, tag: tags }
}
