/** What tells a job from all others. */
export interface JobKey {
  readonly upstream: string
  readonly jobid: string
}

/** Which jobs a list shows; an empty string lets everything through. As `GET /v1/jobs` has them. */
export interface Filters {
  readonly state: string
  readonly status: string
  readonly upstream: string
  readonly tag: string
  readonly q: string
}

/** A view of the page, as the fragment of its address names it. */
export type Address =
  | { readonly view: 'jobs'; readonly filters: Filters }
  | { readonly view: 'job'; readonly key: JobKey }
  | { readonly view: 'endpoints' }
  | { readonly view: 'upstreams' }

const filterNames = ['state', 'status', 'upstream', 'tag', 'q'] as const

export const noFilters: Filters = { state: '', status: '', upstream: '', tag: '', q: '' }

/** Reads `#/jobs/prod/j1`, `#/endpoints`, `#/?state=active`; whatever it does not know is the list. */
export function parseAddress(hash: string): Address {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  const [first, ...rest] = path.split('/').filter((part) => part !== '')
  if (first === 'endpoints' || first === 'upstreams') return { view: first }
  if (first === 'jobs' && rest.length === 2) {
    const [upstream = '', jobid = ''] = rest.map(decoded)
    return { view: 'job', key: { upstream, jobid } }
  }
  return { view: 'jobs', filters: parseFilters(query) }
}

function parseFilters(query: string): Filters {
  const given = new URLSearchParams(query)
  return Object.fromEntries(
    filterNames.map((name) => [name, given.get(name) ?? '']),
  ) as unknown as Filters
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The fragment that {@link parseAddress} reads; messages link to that of a job. */
export function hashOf(address: Address): string {
  switch (address.view) {
    case 'jobs': {
      const query = filterQuery(address.filters).toString()
      return query === '' ? '#/' : `#/?${query}`
    }
    case 'job': {
      const { upstream, jobid } = address.key
      return `#/jobs/${encodeURIComponent(upstream)}/${encodeURIComponent(jobid)}`
    }
    case 'endpoints':
    case 'upstreams':
      return `#/${address.view}`
  }
}

/** The filters that are set, as a query. */
export function filterQuery(filters: Filters): URLSearchParams {
  const set = filterNames.filter((name) => filters[name] !== '')
  return new URLSearchParams(set.map((name): [string, string] => [name, filters[name]]))
}
