import type { TargetedEvent } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { jobStates, jobStatuses } from '../core/job.ts'
import { hashOf, noFilters } from './address.ts'
import type { Filters } from './address.ts'
import { usePage } from './page.ts'
import { useReadable } from './store.ts'

/** Which jobs are shown: kept in the address, so that it can be sent to somebody. */
export function FilterBar({ filters }: { readonly filters: Filters }) {
  const { live } = usePage()
  const upstreams = useReadable(live.surroundings)?.upstreams.map(({ name }) => name) ?? []
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const { target } = event
      const isTyping = target instanceof HTMLElement && target.matches('input, textarea, select')
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      search.current?.focus()
    }
    document.addEventListener('keydown', focus)
    return () => document.removeEventListener('keydown', focus)
  }, [])

  function change(part: Partial<Filters>): void {
    // Each letter is no page of its own to go back to.
    const url = hashOf({ view: 'jobs', filters: { ...filters, ...part } })
    history.replaceState(null, '', url)
    window.dispatchEvent(new HashChangeEvent('hashchange'))
  }
  const valueOf = ({ currentTarget }: TargetedEvent<HTMLInputElement | HTMLSelectElement>) =>
    currentTarget.value
  const isFiltered = Object.values(filters).some((value) => value !== '')

  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="search">
        <span class="unseen">Text in title, label, operation, who or id</span>
        <input
          ref={search}
          type="search"
          placeholder="Search (press /)"
          value={filters.q}
          maxLength={200}
          onInput={(event) => change({ q: valueOf(event) })}
        />
      </label>
      <Choice
        label="State"
        value={filters.state}
        options={jobStates}
        onChange={(state) => change({ state })}
      />
      <Choice
        label="Status"
        value={filters.status}
        options={jobStatuses}
        onChange={(status) => change({ status })}
      />
      {(upstreams.length > 1 || filters.upstream !== '') && (
        <Choice
          label="Upstream"
          value={filters.upstream}
          options={upstreams}
          onChange={(upstream) => change({ upstream })}
        />
      )}
      <label class="tag-filter">
        <span class="unseen">Tag</span>
        <input
          type="text"
          placeholder="Tag"
          value={filters.tag}
          maxLength={100}
          onInput={(event) => change({ tag: valueOf(event) })}
        />
      </label>
      {isFiltered && (
        <a class="button quiet" href={hashOf({ view: 'jobs', filters: noFilters })}>
          Show all
        </a>
      )}
    </form>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly options: readonly string[]
  readonly onChange: (value: string) => void
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <label>
      <span class="unseen">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">any {label.toLowerCase()}</option>
        {options.map((option) => (
          <option value={option}>{option}</option>
        ))}
      </select>
    </label>
  )
}
