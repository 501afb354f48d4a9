import { Component } from 'preact'
import { elapsed } from '../core/duration.ts'
import { endingOf } from '../core/ending.ts'
import { estimate, passedMs, runningStage } from '../core/progress-words.ts'
import { safe } from '../core/safe.ts'
import type { JobInEvent } from '../http/schemas.ts'
import { hashOf, noFilters } from './address.ts'
import { StatusMark, jobFace } from './face.tsx'
import { shortMoment } from './moments.ts'
import { useNow, usePage } from './page.ts'

export interface JobRowProps {
  readonly job: JobInEvent
  readonly at: number
  readonly showsUpstream: boolean
}

/** A job as a line that leads to it. It is drawn anew only when the job has changed. */
export class JobRow extends Component<JobRowProps> {
  override shouldComponentUpdate({ job, at, showsUpstream }: JobRowProps): boolean {
    const { props } = this
    return job !== props.job || at !== props.at || showsUpstream !== props.showsUpstream
  }

  override render({ job, at, showsUpstream }: JobRowProps) {
    return <Row {...{ job, at, showsUpstream }} />
  }
}

function Row({ job, at, showsUpstream }: JobRowProps) {
  const { live } = usePage()
  const isOver = endingOf(job) !== null
  const failure = isOver ? job.reason : null
  return (
    <li class={`job ${jobFace(job).colour} ${isOver ? 'over' : 'running'}`}>
      <span class="status">
        <StatusMark job={job} />
      </span>
      <span class="what">
        <a class="title" href={hashOf({ view: 'job', key: job })}>
          {safe(job.title)}
        </a>
        {failure !== null && <span class="reason">{safe(failure)}</span>}
        <span class="sub">
          {showsUpstream && <span>{job.upstream}</span>}
          {job.tags.map((tag) => (
            <a class="tag" href={hashOf({ view: 'jobs', filters: { ...noFilters, tag } })}>
              {safe(tag)}
            </a>
          ))}
        </span>
      </span>
      <span class="stages">
        <StageProgress job={job} />
      </span>
      <span class="who">
        <span class="unseen">started by </span>
        {safe(job.username ?? '–')}
      </span>
      <span class="started">
        <span class="unseen">started </span>
        {shortMoment(job.startedAt, live.now())}
      </span>
      <span class="elapsed">
        <Elapsed job={job} at={at} />
      </span>
    </li>
  )
}

/** How many stages are done, and which runs. */
export function StageProgress({ job }: { readonly job: JobInEvent }) {
  const { done, total } = job.progress
  if (total === 0) return null
  const running = endingOf(job) === null ? runningStage(job) : null
  return (
    <>
      <progress class={jobFace(job).colour} value={done} max={total} aria-label="Stages done" />
      <span class="count">
        {done}/{total}
      </span>
      {running !== null && <span class="doing">{safe(running)}</span>}
    </>
  )
}

/** How long the job has run by now, and how long it should take. */
export function Elapsed({ job, at }: { readonly job: JobInEvent; readonly at: number }) {
  const isRunning = endingOf(job) === null && job.durationMs !== null
  return isRunning ? <Running job={job} at={at} /> : <Passed ms={job.durationMs} />
}

function Running({ job, at }: { readonly job: JobInEvent; readonly at: number }) {
  const passed = passedMs(job, useNow() - at)
  const words = estimate(passed, job.typicalDurationMs)
  return (
    <>
      <Passed ms={passed} />
      {words !== '' && <span class="estimate">{words}</span>}
    </>
  )
}

function Passed({ ms }: { readonly ms: number | null }) {
  return (
    <span class="clock">
      <span class="unseen">took </span>
      {ms === null ? '–' : elapsed(ms)}
    </span>
  )
}
