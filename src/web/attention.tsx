import { endpointFaces, upstreamFaces } from '../core/face.ts'
import { endingOf } from '../core/ending.ts'
import { safe } from '../core/safe.ts'
import type { DeliveryList, EventList, JobInEvent } from '../http/schemas.ts'
import { hashOf } from './address.ts'
import { StateMark, StatusMark } from './face.tsx'
import { failedAt, keyOf } from './job-list.ts'
import type { KnownJobs } from './job-list.ts'
import { useEvery, useLoaded } from './loaded.ts'
import { newsMs } from './live.ts'
import { shortMoment } from './moments.ts'
import { usePage } from './page.ts'
import { useReadable } from './store.ts'
import { toldOf } from './told.ts'
import { ToldLine } from './told-line.tsx'

const maxShown = 5

/** What somebody may have to do something about: what failed lately, why, and whom it was told. */
export function Attention({ known }: { readonly known: KnownJobs }) {
  const { live } = usePage()
  const surroundings = useReadable(live.surroundings)
  const failed = recentlyFailed(known, live.now())
  const upstreams = surroundings?.upstreams.filter(({ state }) => state !== 'up') ?? []
  const endpoints = surroundings?.endpoints.filter(({ state }) => state !== 'active') ?? []
  // It has its place also when all is well, so that the list does not jump for the first trouble.
  if (failed.length + upstreams.length + endpoints.length === 0) {
    return (
      <section class="attention well" aria-labelledby="attention-title">
        <h2 id="attention-title">All is well</h2>
        <p class="hint">Nothing has failed in the last 24 hours.</p>
      </section>
    )
  }
  return (
    <section class="attention" aria-labelledby="attention-title">
      <h2 id="attention-title">Needs a look</h2>
      <ul>
        {upstreams.map(({ name, state, since, lastError }) => (
          <li key={`upstream ${name}`}>
            <StateMark face={upstreamFaces[state]} words={state} />
            <span class="what">
              <a href="#/upstreams">Upstream {name}</a>
              <span class="reason">{safe(lastError ?? '')}</span>
            </span>
            <span class="since">since {shortMoment(since, live.now())}</span>
          </li>
        ))}
        {failed.slice(0, maxShown).map((job) => (
          <FailedJob key={keyOf(job)} job={job} />
        ))}
        {endpoints.map(({ name, state, since, reason }) => (
          <li key={`endpoint ${name}`}>
            <StateMark face={endpointFaces[state]} words={state} />
            <span class="what">
              <a href="#/endpoints">Endpoint {name}</a>
              <span class="reason">{safe(reason ?? '')}</span>
            </span>
            <span class="since">since {shortMoment(since, live.now())}</span>
          </li>
        ))}
      </ul>
      {failed.length > maxShown && (
        <p class="hint">and {failed.length - maxShown} more that failed in the last 24 hours</p>
      )}
    </section>
  )
}

function FailedJob({ job }: { readonly job: JobInEvent }) {
  const { api, live } = usePage()
  const deliveries = useLoaded(async () => {
    const { upstream, jobid } = job
    const news = new URLSearchParams([
      ['last', '1'],
      ...Object.entries({ upstream, jobid }),
      ...['job.failed', 'job.lost'].map((type) => ['type', type]),
    ])
    const [event] = (await api.get<EventList>(`v1/events?${news.toString()}`)).body.items
    const seq = event?.data.seq
    if (seq === undefined) return []
    const query = new URLSearchParams({ seq: String(seq), limit: '100' })
    const { body } = await api.get<DeliveryList>(`v1/deliveries?${query.toString()}`)
    return toldOf(body.items, seq)
  }, [job.lastSeq])
  const told = deliveries.value
  const isOwed = told?.some(({ delivery }) => delivery.state === 'pending') ?? true
  useEvery(5000, deliveries.reload, isOwed)
  const ending = endingOf(job)
  return (
    <li>
      <StatusMark job={job} />
      <span class="what">
        <a href={hashOf({ view: 'job', key: job })}>{safe(job.title)}</a>
        <span class="reason">
          {safe(job.reason ?? (ending === 'lost' ? 'the upstream no longer knows it' : ''))}
        </span>
        {told === null ? <span class="told">…</span> : <ToldLine told={told} />}
      </span>
      <span class="since">
        {shortMoment(new Date(failedAt(job) ?? 0).toISOString(), live.now())}
      </span>
    </li>
  )
}

/** What failed or was lost within the last day and has not run again, the latest first. */
function recentlyFailed(known: KnownJobs, now: number): JobInEvent[] {
  const failed: { job: JobInEvent; at: number }[] = []
  for (const { job } of known.values()) {
    const at = failedAt(job)
    if (at !== null && now - at < newsMs && job.state !== 'stopped') failed.push({ job, at })
  }
  return failed.sort((a, b) => b.at - a.at).map(({ job }) => job)
}
