import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Filters } from './address.ts'
import { errorWords, Refusal } from './api.ts'
import { Attention } from './attention.tsx'
import { FilterBar } from './filter-bar.tsx'
import { JobRow } from './job-row.tsx'
import { countRunning, keyOf, listed } from './job-list.ts'
import { usePage } from './page.ts'
import { RegisterForm } from './register-form.tsx'
import { useReadable } from './store.ts'

/** Rows that are drawn at once; further ones as they come into sight. */
const stepRows = 200
const pageRows = 500
const retryMs = 3000
/** So near to the end of the list more is asked for. */
const nearPx = 600

/** Where the list was when it was left, for the way back to it. */
interface Left {
  readonly query: string
  readonly room: number
  readonly scrollY: number
}
let left: Left | null = null

/** All jobs, those that run first: what runs, how far it is, what went wrong. */
export function JobsView({ filters }: { readonly filters: Filters }) {
  const { live, mayWrite } = usePage()
  const isWhole = useReadable(live.isWhole)
  const heardOf = useReadable(live.jobs)
  const known = isWhole ? heardOf : null
  const { hasMore, isLoading, error, next, loadMore } = useFurtherJobs(filters, known !== null)
  const query = JSON.stringify(filters)
  const [room, setRoom] = useState(left?.query === query ? left.room : stepRows)
  const isFirst = useRef(true)
  useEffect(() => {
    if (!isFirst.current) setRoom(stepRows)
    isFirst.current = false
  }, [query])
  useWayBack(query, room)

  const jobs = useMemo(() => (known === null ? null : listed(known, filters)), [known, query])
  const surroundings = useReadable(live.surroundings)
  const hasSeveralUpstreams = (surroundings?.upstreams.length ?? 0) > 1

  function more(): void {
    if (jobs !== null && room < jobs.length) setRoom(room + stepRows)
    else if (hasMore) loadMore()
  }

  return (
    <>
      <div class="title-line">
        <h1 tabIndex={-1}>Jobs</h1>
        <p class="hint">{known === null ? '' : summaryWords(countRunning(known))}</p>
      </div>
      {known !== null && <Attention known={known} />}
      {known !== null && mayWrite && <RegisterForm />}
      {known !== null && <FilterBar filters={filters} />}
      {jobs !== null && jobs.length > 0 && (
        <>
          <div class="job-head" aria-hidden="true">
            <span>Status</span>
            <span>Job</span>
            <span>Stages</span>
            <span>Who</span>
            <span>Started</span>
            <span>Elapsed</span>
          </div>
          <ul class="jobs" aria-label="Jobs">
            {jobs.slice(0, room).map((one) => (
              <JobRow
                key={keyOf(one.job)}
                job={one.job}
                at={one.at}
                showsUpstream={hasSeveralUpstreams}
              />
            ))}
          </ul>
        </>
      )}
      <ListEnd
        {...{ jobs: jobs?.length ?? null, room, hasMore, isLoading, error, next, filters }}
        onSeen={more}
      />
    </>
  )
}

/** Keeps in mind where the list is left, and goes there again when somebody comes back. */
function useWayBack(query: string, room: number): void {
  const now = useRef({ query, room })
  now.current = { query, room }
  useLayoutEffect(() => {
    window.scrollTo(0, left?.query === query ? left.scrollY : 0)
    const remember = () => {
      left = { ...now.current, scrollY: window.scrollY }
    }
    window.addEventListener('scroll', remember, { passive: true })
    return () => window.removeEventListener('scroll', remember)
  }, [])
}

function summaryWords(running: number): string {
  return running === 0 ? 'nothing runs at the moment' : `${running} running`
}

/** Jobs of these filters that the page does not know yet, page by page. */
function useFurtherJobs(filters: Filters, isStarted: boolean) {
  const { live } = usePage()
  const [next, setNext] = useState<string | null | undefined>(undefined)
  const [isLoading, setIsLoading] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const query = JSON.stringify(filters)
  const round = useRef(0)
  const timer = useRef<number | undefined>(undefined)

  function load(cursor: string | null): void {
    const own = ++round.current
    setIsLoading(true)
    live
      .loadJobs(filters, cursor, pageRows)
      .then((after) => {
        if (own !== round.current) return
        setNext(after)
        setError(null)
      })
      .catch((failure: unknown) => {
        if (own === round.current) setError(failure)
      })
      .finally(() => {
        if (own === round.current) setIsLoading(false)
      })
  }

  useEffect(() => {
    setNext(undefined)
    setError(null)
    if (!isStarted) return
    // Whoever types has not finished.
    timer.current = window.setTimeout(() => load(null), 150)
    return () => {
      round.current++
      clearTimeout(timer.current)
    }
  }, [query, isStarted])
  useEffect(() => {
    // What is refused for good is told; a proxy's 502 is none of that.
    if (error === null || (error instanceof Refusal && error.status < 500)) return
    const again = setTimeout(() => load(next ?? null), retryMs)
    return () => clearTimeout(again)
  }, [error])

  return {
    hasMore: next !== null,
    next: next ?? null,
    isLoading: isLoading || next === undefined,
    error: error === null ? null : errorWords(error),
    loadMore: () => {
      if (!isLoading && error === null && next !== null && next !== undefined) load(next)
    },
  }
}

interface ListEndProps {
  readonly jobs: number | null
  readonly room: number
  readonly hasMore: boolean
  readonly isLoading: boolean
  readonly error: string | null
  /** Where the next page begins. */
  readonly next: string | null
  readonly filters: Filters
  readonly onSeen: () => void
}

/** What stands below the rows; that it comes into sight asks for more. */
function ListEnd({ jobs, room, hasMore, isLoading, error, next, filters, onSeen }: ListEndProps) {
  const mark = useRef<HTMLParagraphElement>(null)
  const seen = useRef(onSeen)
  seen.current = onSeen
  const canGrow = jobs !== null && (room < jobs || hasMore)
  useEffect(() => {
    if (!canGrow) return
    const look = () => {
      const top = mark.current?.getBoundingClientRect().top ?? Infinity
      if (top < window.innerHeight + nearPx) seen.current()
    }
    look()
    window.addEventListener('scroll', look, { passive: true })
    // Rows get their true height when they are drawn, which is no scrolling.
    const timer = setInterval(look, 500)
    return () => {
      window.removeEventListener('scroll', look)
      clearInterval(timer)
    }
  }, [canGrow, jobs, room, isLoading, next])

  return (
    <p ref={mark} class="list-end" role="status">
      {error ?? endWords({ jobs, isLoading, filters, canGrow })}
    </p>
  )
}

function endWords({
  jobs,
  isLoading,
  filters,
  canGrow,
}: Pick<ListEndProps, 'jobs' | 'isLoading' | 'filters'> & { readonly canGrow: boolean }): string {
  if (jobs === null || (jobs === 0 && isLoading)) return 'Loading …'
  if (jobs > 0) return canGrow ? '' : `${jobs === 1 ? 'One job' : `${jobs} jobs`}, no more`
  return Object.values(filters).every((value) => value === '')
    ? 'No job is registered yet.'
    : 'No job fits these filters.'
}
