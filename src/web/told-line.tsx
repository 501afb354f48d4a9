import { deliveryFaces } from '../core/face.ts'
import type { Face } from '../core/face.ts'
import type { DeliveryAnswer } from '../http/schemas.ts'
import { shortMoment } from './moments.ts'
import { usePage } from './page.ts'
import type { Told } from './told.ts'

/** Whether anyone was told: each endpoint, and what became of its delivery. */
export function ToldLine({ told }: { readonly told: readonly Told[] }) {
  if (told.length === 0)
    return <span class="told nobody">Nobody was told: no endpoint asks for it</span>
  return (
    <span class="told">
      {told.map(({ endpoint, delivery }) => (
        <ToldMark key={endpoint} endpoint={endpoint} delivery={delivery} />
      ))}
    </span>
  )
}

function ToldMark({ endpoint, delivery }: Told) {
  const { live } = usePage()
  const { emoji, colour } = faceOf(delivery)
  return (
    <span class={`told-one ${colour}`}>
      <span aria-hidden="true">{emoji}</span> {endpoint} {toldWords(delivery, live.now())}
    </span>
  )
}

const troubledFace: Face = { emoji: '⚠️', colour: 'yellow' }

/** What has failed already is no longer just on its way. */
function faceOf({ state, attemptCount }: DeliveryAnswer): Face {
  return state === 'pending' && attemptCount > 0 ? troubledFace : deliveryFaces[state]
}

function toldWords(
  { state, deliveredAt, nextAttemptAt, attemptCount }: DeliveryAnswer,
  now: number,
) {
  switch (state) {
    case 'delivered':
      return `told ${shortMoment(deliveredAt, now)}`
    case 'pending':
      if (attemptCount === 0) return 'being told'
      return `not told yet: ${attemptsWords(attemptCount)} failed, next try ${shortMoment(nextAttemptAt, now)}`
    case 'failed':
      return `not told: ${attemptsWords(attemptCount)} failed`
    case 'superseded':
      return 'left out: a later event says more'
    case 'cancelled':
      return 'not told: the endpoint was disabled or removed'
  }
}

function attemptsWords(count: number): string {
  return count === 1 ? '1 attempt' : `${count} attempts`
}
