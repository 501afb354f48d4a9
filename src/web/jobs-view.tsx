import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Filters } from './address.ts'
import { Attention } from './attention.tsx'
import { FilterBar } from './filter-bar.tsx'
import { JobRow } from './job-row.tsx'
import { countRunning, keyOf, listed } from './job-list.ts'
import { usePage } from './page.ts'
import { RegisterForm } from './register-form.tsx'
import { useReadable } from './store.ts'

/** Rows that are drawn at once; further ones as they come into sight. */
const stepRows = 100
const pageRows = 200
const retryMs = 3000

/** All jobs, those that run first: what runs, how far it is, what went wrong. */
export function JobsView({ filters }: { readonly filters: Filters }) {
  const { live, mayWrite } = usePage()
  const known = useReadable(live.jobs)
  const { hasMore, isLoading, loadMore } = useFurtherJobs(filters, known !== null)
  const [room, setRoom] = useState(stepRows)
  const query = JSON.stringify(filters)
  useEffect(() => setRoom(stepRows), [query])

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
      {mayWrite && <RegisterForm />}
      <FilterBar filters={filters} />
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
        {...{ jobs: jobs?.length ?? null, room, hasMore, isLoading, filters }}
        onSeen={more}
      />
    </>
  )
}

function summaryWords(running: number): string {
  if (running === 0) return 'nothing runs at the moment'
  return running === 1 ? '1 runs' : `${running} run`
}

/** Jobs of these filters that the page does not know yet, page by page. */
function useFurtherJobs(filters: Filters, isStarted: boolean) {
  const { live } = usePage()
  const [next, setNext] = useState<string | null | undefined>(undefined)
  const [isLoading, setIsLoading] = useState(false)
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
        setIsLoading(false)
      })
      .catch(() => {
        // The connection tells that nobody answers.
        if (own === round.current) timer.current = window.setTimeout(() => load(cursor), retryMs)
      })
  }

  useEffect(() => {
    setNext(undefined)
    if (!isStarted) return
    // Whoever types has not finished.
    timer.current = window.setTimeout(() => load(null), 150)
    return () => {
      round.current++
      clearTimeout(timer.current)
    }
  }, [query, isStarted])

  return {
    hasMore: next !== null,
    isLoading: isLoading || next === undefined,
    loadMore: () => {
      if (!isLoading && next !== null && next !== undefined) load(next)
    },
  }
}

interface ListEndProps {
  readonly jobs: number | null
  readonly room: number
  readonly hasMore: boolean
  readonly isLoading: boolean
  readonly filters: Filters
  readonly onSeen: () => void
}

/** What stands below the rows; that it comes into sight asks for more. */
function ListEnd({ jobs, room, hasMore, isLoading, filters, onSeen }: ListEndProps) {
  const mark = useRef<HTMLParagraphElement>(null)
  const seen = useRef(onSeen)
  seen.current = onSeen
  const canGrow = jobs !== null && (room < jobs || hasMore)
  useEffect(() => {
    if (mark.current === null || !canGrow) return
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting === true) seen.current()
      },
      { rootMargin: '600px' },
    )
    observer.observe(mark.current)
    return () => observer.disconnect()
  }, [canGrow, jobs, room, isLoading])

  return (
    <p ref={mark} class="list-end" role="status">
      {endWords({ jobs, isLoading, filters, canGrow })}
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
