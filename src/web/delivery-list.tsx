import { useState } from 'preact/hooks'
import { attemptWords, isTaken } from '../core/attempt-words.ts'
import { deliveryFaces } from '../core/face.ts'
import { safeLines } from '../core/safe.ts'
import type { AttemptAnswer, DeliveryAnswer, DeliveryDetail } from '../http/schemas.ts'
import { errorWords } from './api.ts'
import { StateMark } from './face.tsx'
import { useLoaded } from './loaded.ts'
import { clockMoment, fullMoment, shortMoment } from './moments.ts'
import { usePage } from './page.ts'

/** More than these hide what matters: a webhook gets every change of a stage. */
const fewDeliveries = 10

/** Deliveries, the newest first; each shows its attempts when it is opened. */
interface DeliveryListProps {
  readonly deliveries: readonly DeliveryAnswer[]
  readonly onChanged: () => void
}

export function DeliveryList({ deliveries, onChanged }: DeliveryListProps) {
  const [showsAll, setShowsAll] = useState(false)
  const shown = showsAll ? deliveries : deliveries.slice(0, fewDeliveries)
  return (
    <>
      <ul class="deliveries">
        {shown.map((delivery) => (
          <Delivery key={delivery.id} delivery={delivery} onChanged={onChanged} />
        ))}
      </ul>
      {shown.length < deliveries.length && (
        <button type="button" class="quiet" onClick={() => setShowsAll(true)}>
          Show {deliveries.length - shown.length} more
        </button>
      )}
    </>
  )
}

interface DeliveryProps {
  readonly delivery: DeliveryAnswer
  readonly onChanged: () => void
}

function Delivery({ delivery, onChanged }: DeliveryProps) {
  const { live } = usePage()
  const [isOpen, setIsOpen] = useState(false)
  const { endpoint, type, seq, state, attemptCount } = delivery
  return (
    <li>
      <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
        <summary>
          <StateMark face={deliveryFaces[state]} words={state} />
          <span class="endpoint">{endpoint}</span>
          <span class="type">{type}</span>
          <span class="when">{whenWords(delivery, live.now())}</span>
          <span class="count">
            {attemptCount} {attemptCount === 1 ? 'attempt' : 'attempts'}
          </span>
          <span class="seq">#{seq}</span>
        </summary>
        {isOpen && <Attempts delivery={delivery} onChanged={onChanged} />}
      </details>
    </li>
  )
}

function whenWords(
  { state, nextAttemptAt, deliveredAt, createdAt }: DeliveryAnswer,
  now: number,
): string {
  if (state === 'delivered') return shortMoment(deliveredAt, now)
  if (state !== 'pending') return `made ${shortMoment(createdAt, now)}`
  return nextAttemptAt === null
    ? 'waits for an earlier one'
    : `next try ${shortMoment(nextAttemptAt, now)}`
}

function Attempts({ delivery: { id, attemptCount, state }, onChanged }: DeliveryProps) {
  const { api, mayWrite, tell } = usePage()
  const detail = useLoaded(
    async () => (await api.get<DeliveryDetail>(`v1/deliveries/${id}`)).body,
    [id, attemptCount, state],
  )

  async function retry(): Promise<void> {
    try {
      await api.post(`v1/deliveries/${id}/retry`)
      tell('It is sent once more')
      detail.reload()
      onChanged()
    } catch (error) {
      tell(errorWords(error), 'bad')
    }
  }

  if (detail.value === null) return <p role="status">{detail.error ?? 'Loading …'}</p>
  return (
    <div class="attempts">
      {detail.value.attempts.length === 0 && <p class="hint">There was no attempt yet.</p>}
      <ol>
        {detail.value.attempts.map((attempt) => (
          <Attempt key={attempt.at} attempt={attempt} />
        ))}
      </ol>
      {mayWrite && (state === 'failed' || state === 'pending') && (
        <button type="button" onClick={() => void retry()}>
          Send now
        </button>
      )}
    </div>
  )
}

function Attempt({ attempt }: { readonly attempt: AttemptAnswer }) {
  const { emoji, colour } = isTaken(attempt) ? deliveryFaces.delivered : deliveryFaces.failed
  return (
    <li class={colour}>
      <time title={fullMoment(attempt.at)}>{clockMoment(attempt.at)}</time>{' '}
      <span aria-hidden="true">{emoji}</span> {attemptWords(attempt)}
      {attempt.answer !== null && attempt.answer.trim() !== '' && (
        <pre>{safeLines(attempt.answer)}</pre>
      )}
    </li>
  )
}
