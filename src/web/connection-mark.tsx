import type { Live } from './live.ts'
import { clockMoment } from './moments.ts'
import { useNow } from './page.ts'
import { useReadable } from './store.ts'
import type { Connection } from './stream.ts'

/** Shorter interruptions are none that anybody has to think of. */
const staleMs = 15_000

/** Whether what the page shows is so now. */
export function ConnectionMark({ live }: { readonly live: Live }) {
  const connection = useReadable(live.connection)
  useNow()
  const { kind, words } = tellingOf(connection, Date.now())
  return (
    <p class={`connection ${kind}`} role="status">
      <span class="dot" aria-hidden="true" />
      {words}
    </p>
  )
}

function tellingOf(connection: Connection, now: number) {
  switch (connection.kind) {
    case 'connecting':
      return { kind: 'waiting', words: 'Connecting …' }
    case 'catching-up':
      return { kind: 'waiting', words: `Catching up, ${connection.behind} behind` }
    case 'live':
      return { kind: 'live', words: 'Live' }
    case 'reconnecting':
      return now - connection.since < staleMs
        ? { kind: 'waiting', words: 'Reconnecting …' }
        : { kind: 'stale', words: `Stale since ${clockMoment(connection.since)}, reconnecting …` }
  }
}
