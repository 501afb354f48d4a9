import { changeWords } from '../core/change-words.ts'
import { faceOf, statusWords } from '../core/face.ts'
import { safe } from '../core/safe.ts'
import type { EventAnswer } from '../http/schemas.ts'
import { clockMoment, dayMoment, fullMoment, shortMoment } from './moments.ts'
import { usePage } from './page.ts'

/** The events of a job, the latest on top. */
export function Timeline({
  events,
  max,
}: {
  readonly events: readonly EventAnswer[]
  readonly max: number
}) {
  return (
    <>
      <ol class="timeline" reversed>
        {events.toReversed().map((event) => (
          <Entry key={event.id} event={event} />
        ))}
      </ol>
      {events.length === max && <p class="hint">Only the last {max} events are shown.</p>}
    </>
  )
}

function Entry({ event: { time, type, data } }: { readonly event: EventAnswer }) {
  const { live } = usePage()
  const { change, job, seq } = data
  const words = changeWords(change, {
    status: job && statusWords(job),
    reason: job?.reason,
    timeOf: (moment) => shortMoment(moment, live.now()),
  })
  const face = change.kind === 'status' && job ? faceOf(job) : null
  return (
    <li class={face?.colour ?? 'dim'}>
      <time dateTime={time} title={fullMoment(time)}>
        {`${dayMoment(time, live.now())} ${clockMoment(time)}`.trimStart()}
      </time>
      <span class="type">{type}</span>
      <span class="words">
        {face !== null && <span aria-hidden="true">{face.emoji} </span>}
        {safe(words)}
      </span>
      <span class="seq">#{seq}</span>
    </li>
  )
}
