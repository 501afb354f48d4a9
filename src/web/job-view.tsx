import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { elapsed } from '../core/duration.ts'
import { endingOf } from '../core/ending.ts'
import { runningStage, stateWords } from '../core/progress-words.ts'
import { jsonText, safe, safeLines } from '../core/safe.ts'
import type { DeliveryAnswer, EventAnswer, JobAnswer } from '../http/schemas.ts'
import type { JobKey } from './address.ts'
import { jobPath } from './api.ts'
import { DeliveryList } from './delivery-list.tsx'
import { StatusMark } from './face.tsx'
import { JobActions } from './job-actions.tsx'
import { keyOf } from './job-list.ts'
import { Elapsed, StageProgress } from './job-row.tsx'
import { useEvery, useLoaded } from './loaded.ts'
import { exactMoment, fullMoment } from './moments.ts'
import { usePage } from './page.ts'
import { StageChart } from './stage-chart.tsx'
import { useReadable } from './store.ts'
import { Timeline } from './timeline.tsx'
import { newsOf, toldOf } from './told.ts'
import { ToldLine } from './told-line.tsx'

const maxEvents = 200

interface JobViewProps extends JobKey {
  /** The list that the person has come from. */
  readonly back: string
}

/** Everything about one job: on top how it is and why, whom that was told, then how it came to it. */
export function JobView({ upstream, jobid, back }: JobViewProps) {
  const { api, live } = usePage()
  const key = { upstream, jobid }
  const known = useReadable(live.jobs)?.get(keyOf(key))
  const detail = useLoaded(async () => {
    const answered = await api.get<JobAnswer>(jobPath(key))
    live.learn(answered)
    return answered.body
  }, [])
  const events = useLoaded(async () => {
    const query = new URLSearchParams({ jobid, upstream, last: String(maxEvents) })
    const { body } = await api.get<{ items: EventAnswer[] }>(`v1/events?${query.toString()}`)
    return body.items
  }, [])
  const deliveries = useLoaded(async () => {
    const query = new URLSearchParams({ jobid, limit: '100' })
    const { body } = await api.get<{ items: DeliveryAnswer[] }>(`v1/deliveries?${query.toString()}`)
    return body.items
  }, [])
  const ownDeliveries = deliveriesOf(events.value, deliveries.value)

  useEffect(
    () =>
      live.onEvents((news) => {
        if (!news.some(({ data: { job } }) => job && keyOf(job) === keyOf(key))) return
        for (const part of [detail, events, deliveries]) part.reload()
      }),
    [live],
  )
  // Attempts are no events.
  const isOwed = ownDeliveries?.some(({ state }) => state === 'pending') ?? false
  useEvery(3000, deliveries.reload, isOwed)
  // Nor is a look that failed or changed nothing.
  useEvery(10_000, detail.reload)

  const job = newer(known?.job, detail.value)
  if (job === null) return <NotThere error={detail.error} {...{ jobid, back }} />
  const at = known?.at ?? live.now()
  const news = events.value === null ? null : newsOf(events.value)
  const isOver = endingOf(job) !== null
  return (
    <article class="one-job">
      <p class="back">
        <a href={back}>← Jobs</a>
      </p>
      <header>
        <h1 tabIndex={-1}>{safe(job.title)}</h1>
        <p class="summary">
          <StatusMark job={job} />
          <span class="stages">
            <StageProgress job={job} />
          </span>
          <span class="elapsed">
            <Elapsed job={job} at={at} />
          </span>
        </p>
        <Gist job={job} />
        <p class="whom">
          <strong>Who was told</strong> <Whom {...{ isOver, news, deliveries: ownDeliveries }} />
        </p>
      </header>
      <JobActions job={job} onChanged={detail.reload} />
      <Facts job={job} detail={detail.value} />
      <Section title="Stages" isEmpty={job.stages.length === 0}>
        <StageChart job={job} at={at} />
      </Section>
      <Section title="Messages" isEmpty={job.messageCount === 0}>
        <Messages job={detail.value ?? job} />
      </Section>
      <Section title="Result" isEmpty={job.result === null && job.resultBytes === 0}>
        <Result job={job} />
      </Section>
      <Section title="What happened" isEmpty={events.value?.length === 0}>
        {events.value !== null && <Timeline events={events.value} max={maxEvents} />}
      </Section>
      <Section title="Deliveries" isEmpty={ownDeliveries?.length === 0}>
        {ownDeliveries !== null && (
          <DeliveryList deliveries={ownDeliveries} onChanged={deliveries.reload} />
        )}
      </Section>
    </article>
  )
}

/** What there is to say first; its line is there from the beginning, like the next one. */
function Gist({ job }: { readonly job: JobView }) {
  const isOver = endingOf(job) !== null
  const isWhy = isOver && job.reason !== null
  const words = isOver ? (job.reason ?? overWords(job)) : (runningStage(job) ?? stateWords(job))
  return (
    <p class={`why ${isOver ? (job.outcome ?? '') : ''}`}>
      <strong>{isWhy ? 'Why' : isOver ? 'End' : 'Now'}</strong> {safe(words)}
    </p>
  )
}

function overWords(job: JobView): string {
  const { durationMs, typicalDurationMs } = job
  const took = durationMs === null ? '' : ` after ${elapsed(durationMs)}`
  const usual = typicalDurationMs === null ? '' : `, usually ${elapsed(typicalDurationMs)}`
  return stateWords(job) + took + usual
}

interface WhomProps {
  readonly isOver: boolean
  readonly news: EventAnswer | null
  readonly deliveries: readonly DeliveryAnswer[] | null
}

/** Its line is there from the beginning, so that nothing below it jumps when there is news. */
function Whom({ isOver, news, deliveries }: WhomProps) {
  if (deliveries === null) return <span class="told">…</span>
  if (news !== null) return <ToldLine told={toldOf(deliveries, news.data.seq)} />
  return <span class="told">{isOver ? 'Nobody: jobwatch did not see it end' : 'Nobody yet'}</span>
}

/** The deliveries of these events: a job of another upstream may have the same id. */
function deliveriesOf(
  events: readonly EventAnswer[] | null,
  deliveries: readonly DeliveryAnswer[] | null,
) {
  if (events === null || deliveries === null) return null
  const seqs = new Set(events.map(({ data: { seq } }) => seq))
  // Events before those that were read cannot be told apart.
  const first = events.length < maxEvents ? 0 : (events[0]?.data.seq ?? 0)
  return deliveries.filter(({ seq }) => seqs.has(seq) || seq < first)
}

/** The feed and the answers cross on their way: whichever has seen more. */
function newer<T extends { lastSeq: number | null }>(known: T | undefined, answer: T | null) {
  if (known === undefined || answer === null) return answer ?? known ?? null
  return (answer.lastSeq ?? 0) >= (known.lastSeq ?? 0) ? answer : known
}

interface NotThereProps {
  readonly error: string | null
  readonly jobid: string
  readonly back: string
}

function NotThere({ error, jobid, back }: NotThereProps) {
  return (
    <>
      <p class="back">
        <a href={back}>← Jobs</a>
      </p>
      <h1 tabIndex={-1}>{safe(jobid)}</h1>
      <p role="status">{error ?? 'Loading …'}</p>
    </>
  )
}

interface SectionProps {
  readonly title: string
  readonly isEmpty: boolean
  readonly children: ComponentChildren
}

function Section({ title, isEmpty, children }: SectionProps) {
  if (isEmpty) return null
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function Facts({ job, detail }: { readonly job: JobView; readonly detail: JobAnswer | null }) {
  const { live } = usePage()
  const root = useReadable(live.surroundings)?.upstreams.find(
    ({ name }) => name === job.upstream,
  )?.root
  const now = live.now()
  const moment = (time: string | null) =>
    time === null ? null : <time title={fullMoment(time)}>{exactMoment(time, now)}</time>
  const facts: [string, ComponentChildren][] = [
    ['Upstream', job.upstream],
    ['Job id', <code>{job.jobid}</code>],
    ['Operation', job.operation === null ? null : <code>{safe(job.operation)}</code>],
    ['Resource', job.resource === null ? null : safe(job.resource)],
    ['Who', job.username === null ? null : safe(job.username)],
    ['Started', moment(job.startedAt)],
    ['Ended', endingOf(job) === null ? 'not yet' : moment(job.endedAt)],
    ['Expected', moment(job.eta)],
    ['Deadline', moment(job.deadline)],
    ['Stalled after', job.stallAfter],
    ['Last change', moment(job.changedAt)],
    ['Last look', detail === null ? null : moment(detail.polledAt)],
    ['Trouble', detail?.problem ? safe(troubleWords(detail.problem)) : null],
    ['Tags', job.tags.length === 0 ? null : job.tags.map(safe).join(', ')],
    ['In ArcGIS', linkTo(root, job.jobid)],
  ]
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

type JobView = Omit<JobAnswer, 'polledAt' | 'nextPollAt' | 'problem'>

function troubleWords({ kind, detail, attempts }: NonNullable<JobAnswer['problem']>): string {
  return `${kind}: ${detail} (${attempts === 1 ? 'once' : `${attempts} times in a row`})`
}

/** Only where the root is one that a browser opens as a page. */
function linkTo(root: string | undefined, jobid: string): ComponentChildren {
  if (root === undefined || !/^https?:\/\//.test(root)) return null
  return (
    <a href={`${root}/jobs/${encodeURIComponent(jobid)}`} target="_blank" rel="noreferrer">
      Open the job
    </a>
  )
}

function Messages({ job }: { readonly job: Pick<JobAnswer, 'messages' | 'messageCount'> }) {
  const left = job.messageCount - job.messages.length
  return (
    <>
      {left > 0 && (
        <p class="hint">
          The last {job.messages.length} of {job.messageCount}
        </p>
      )}
      <ol class="messages">
        {job.messages.map(({ text, level, at }) => (
          <li>
            {at !== null && <time>{fullMoment(at)}</time>}
            {level !== null && <span class="level">{safe(level)}</span>}
            <span class="text">{safeLines(text)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

function Result({ job }: { readonly job: JobView }) {
  if (job.result === null) {
    return (
      <p>
        {Math.ceil(job.resultBytes / 1024)} KiB, which is too much for here:{' '}
        <a href={jobPath(job, '/document')}>the document of the upstream</a> has it.
      </p>
    )
  }
  return <pre class="result">{jsonText(job.result).trimEnd()}</pre>
}
