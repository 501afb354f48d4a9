import { useState } from 'preact/hooks'
import { attemptWords, isTaken } from '../core/attempt-words.ts'
import { endpointFaces } from '../core/face.ts'
import { safe } from '../core/safe.ts'
import type {
  AttemptAnswer,
  DeliveryAnswer,
  EndpointAnswer,
  ReplayAnswer,
} from '../http/schemas.ts'
import { useActing } from './acting.ts'
import { Dialog } from './dialog.tsx'
import { StateMark } from './face.tsx'
import { useLoaded } from './loaded.ts'
import { fullMoment, shortMoment } from './moments.ts'
import { useNow, usePage } from './page.ts'

/** An endpoint: its health, what it got last, what it is owed, and what can be done about it. */
export function EndpointCard({ endpoint }: { readonly endpoint: EndpointAnswer }) {
  const { api } = usePage()
  const now = useNow()
  const { name, format, url, state, since, reason, disablesAt, pending, lastDeliveredAt } = endpoint
  const last = useLoaded(async () => {
    if (lastDeliveredAt === null) return null
    const query = new URLSearchParams({ endpoint: name, state: 'delivered', limit: '1' })
    const { body } = await api.get<{ items: DeliveryAnswer[] }>(`v1/deliveries?${query.toString()}`)
    return body.items[0] ?? null
  }, [lastDeliveredAt])
  return (
    <li class={`card ${endpointFaces[state].colour}`}>
      <h2>
        {name} <StateMark face={endpointFaces[state]} words={state} />
      </h2>
      {reason !== null && state !== 'active' && <p class="reason">{safe(reason)}</p>}
      <dl class="facts">
        <div>
          <dt>Since</dt>
          <dd title={fullMoment(since)}>{shortMoment(since, now)}</dd>
        </div>
        <div>
          <dt>Last delivered</dt>
          <dd>
            {lastDeliveredAt === null ? 'never' : shortMoment(lastDeliveredAt, now)}
            {last.value !== null && (
              <span class="sub">
                {last.value.type}
                {last.value.jobid !== null && `, ${last.value.jobid}`}
              </span>
            )}
          </dd>
        </div>
        <div>
          <dt>Pending</dt>
          <dd>{pending}</dd>
        </div>
        <div>
          <dt>Sends</dt>
          <dd>
            {format} to {url}
          </dd>
        </div>
        <div>
          <dt>Events</dt>
          <dd>
            <code>{safe(endpoint.events.join(', '))}</code>
            <span class="sub">{safe(matchWords(endpoint))}</span>
          </dd>
        </div>
        {disablesAt !== null && (
          <div>
            <dt>Disabled at</dt>
            <dd>{shortMoment(disablesAt, now)}, unless a delivery succeeds</dd>
          </div>
        )}
      </dl>
      <EndpointActions endpoint={endpoint} />
    </li>
  )
}

function matchWords({ match }: EndpointAnswer): string {
  const parts = [
    ['upstream', match.upstream],
    ['tag', match.tag],
    ['job', match.jobid],
  ] as const
  return parts
    .filter(([, values]) => values.length > 0)
    .map(([what, values]) => `${what} ${values.join(' or ')}`)
    .join(', ')
}

function EndpointActions({ endpoint }: { readonly endpoint: EndpointAnswer }) {
  const { api, live, mayWrite, tell } = usePage()
  const { dialog, error, isBusy, show, act } = useActing<'replay' | 'disable'>()
  if (!mayWrite) return null
  const path = `v1/endpoints/${encodeURIComponent(endpoint.name)}`
  /** Shows at once what came of it. */
  const actAndLook = (call: () => Promise<void>) =>
    act(async () => {
      await call()
      await live.refresh()
    })

  const test = () =>
    actAndLook(async () => {
      const { body } = await api.post<AttemptAnswer>(`${path}/test`)
      tell(`${endpoint.name}: ${attemptWords(body)}`, isTaken(body) ? 'good' : 'bad')
    })
  const enable = () =>
    actAndLook(async () => {
      await api.post(`${path}/enable`)
      tell(`${endpoint.name} is enabled: it gets what happens from now on`)
    })
  const disable = () =>
    actAndLook(async () => {
      await api.post(`${path}/disable`)
      tell(`${endpoint.name} is disabled`)
    })
  const replay = (since: string) =>
    actAndLook(async () => {
      const { body } = await api.post<ReplayAnswer>(`${path}/replay`, { since })
      const words = body.queued === 1 ? 'one event is' : `${body.queued} events are`
      tell(`${endpoint.name}: ${words} sent again`)
    })

  return (
    <div class="actions">
      <button type="button" disabled={isBusy} onClick={() => void test()}>
        Test
      </button>
      {endpoint.state === 'disabled' ? (
        <button type="button" disabled={isBusy} onClick={() => void enable()}>
          Enable
        </button>
      ) : (
        <>
          <button type="button" onClick={() => show('replay')}>
            Replay …
          </button>
          <button type="button" class="danger" onClick={() => show('disable')}>
            Disable …
          </button>
        </>
      )}
      {dialog === 'replay' && (
        <ReplayDialog
          onClose={() => show(null)}
          onReplay={(since) => void replay(since)}
          {...{ isBusy, error }}
        />
      )}
      {dialog === 'disable' && (
        <Dialog title={`Disable ${endpoint.name}?`} error={error} onClose={() => show(null)}>
          <p>
            Nothing is sent to it until it is enabled again, and the {endpoint.pending} deliveries
            that are pending are cancelled. Once it is enabled, a replay can bring them back.
          </p>
          <div class="buttons">
            <button type="button" onClick={() => show(null)}>
              Keep it
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => void disable()}>
              Disable
            </button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

interface ReplayDialogProps {
  readonly isBusy: boolean
  readonly error: string | null
  readonly onClose: () => void
  readonly onReplay: (since: string) => void
}

const dayMs = 86_400_000

function ReplayDialog({ isBusy, error, onClose, onReplay }: ReplayDialogProps) {
  const { live } = usePage()
  const [since, setSince] = useState(() => localInput(live.now() - dayMs))

  function submit(event: SubmitEvent): void {
    event.preventDefault()
    const at = new Date(since)
    if (!Number.isNaN(at.getTime())) onReplay(at.toISOString())
  }

  return (
    <Dialog title="Send past events again" {...{ error, onClose }}>
      <form onSubmit={submit}>
        <label>
          Everything since
          <input
            type="datetime-local"
            required
            value={since}
            onInput={({ currentTarget }) => setSince(currentTarget.value)}
          />
        </label>
        <p class="hint">Only what the endpoint asks for, with the same ids as before.</p>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            Replay
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** As an input of day and time wants it: in the zone of the browser, without one. */
function localInput(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000
  return new Date(ms - offsetMs).toISOString().slice(0, 16)
}
