import { useState } from 'preact/hooks'
import { EndpointCard } from './endpoint-card.tsx'
import { EndpointForm } from './endpoint-form.tsx'
import { useEvery } from './loaded.ts'
import { usePage } from './page.ts'
import { useReadable } from './store.ts'

/** Where events are sent to, and whether they arrive. */
export function EndpointsView() {
  const { live, mayWrite } = usePage()
  const endpoints = useReadable(live.surroundings)?.endpoints
  const [isAdding, setIsAdding] = useState(false)
  // What is pending changes without an event.
  useEvery(5000, () => void live.refresh().catch(() => undefined))
  return (
    <>
      <div class="title-line">
        <h1 tabIndex={-1}>Endpoints</h1>
        {mayWrite && (
          <button type="button" onClick={() => setIsAdding(true)}>
            Add an endpoint …
          </button>
        )}
      </div>
      {endpoints === undefined && <p role="status">Loading …</p>}
      {endpoints?.length === 0 && <p>There is none: nobody is told of anything.</p>}
      <ul class="cards">
        {endpoints?.map((endpoint) => (
          <EndpointCard key={endpoint.name} endpoint={endpoint} />
        ))}
      </ul>
      {isAdding && <EndpointForm onClose={() => setIsAdding(false)} />}
    </>
  )
}
