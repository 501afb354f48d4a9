import { elapsed } from '../core/duration.ts'
import { stageFaceOf, stageWords } from '../core/face.ts'
import { safe } from '../core/safe.ts'
import { endingOf } from '../core/ending.ts'
import type { JobInEvent } from '../http/schemas.ts'
import { StateMark } from './face.tsx'
import { ganttOf } from './gantt.ts'
import type { Bar } from './gantt.ts'
import { clockMoment, exactMoment } from './moments.ts'
import { useNow, usePage } from './page.ts'

type Stage = JobInEvent['stages'][number]

/** When each stage ran, beside the others, as jobwatch saw it. */
export function StageChart({ job, at }: { readonly job: JobInEvent; readonly at: number }) {
  return endingOf(job) === null ? <Growing job={job} /> : <Chart job={job} now={at} />
}

function Growing({ job }: { readonly job: JobInEvent }) {
  return <Chart job={job} now={useNow()} />
}

function Chart({ job, now }: { readonly job: JobInEvent; readonly now: number }) {
  const { live } = usePage()
  const gantt = ganttOf(job, now)
  const left = job.progress.total - job.stages.length
  return (
    <div class="gantt">
      <ol>
        {job.stages.map((stage, index) => (
          <StageLine
            key={`${stage.name} ${stage.occurrence}`}
            stage={stage}
            bar={gantt?.bars[index] ?? null}
            now={now}
          />
        ))}
      </ol>
      {left > 0 && <p class="hint">and {left} more</p>}
      {gantt !== null && (
        <p class="axis" aria-hidden="true">
          <span>{exactMoment(new Date(gantt.fromMs).toISOString(), live.now())}</span>
          <span>{clockMoment(gantt.toMs)}</span>
        </p>
      )}
    </div>
  )
}

interface StageLineProps {
  readonly stage: Stage
  readonly bar: Bar | null
  readonly now: number
}

function StageLine({ stage, bar, now }: StageLineProps) {
  const { name, occurrence, state, rawState } = stage
  const face = stageFaceOf(state)
  return (
    <li class={`stage ${face.colour}`}>
      <span class="name">{safe(occurrence > 1 ? `${name} #${occurrence}` : name)}</span>
      <StateMark face={face} words={safe(stageWords(state, rawState))} />
      <span class="took">{tookWords(stage, now)}</span>
      <span class="track" aria-hidden="true">
        {bar !== null && (
          <span
            class={`bar ${bar.isOpen ? 'open' : ''}`}
            style={{ left: percent(bar.from), width: percent(bar.to - bar.from) }}
          />
        )}
      </span>
    </li>
  )
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)}%`
}

function tookWords({ state, startedAt, endedAt }: Stage, now: number): string {
  if (startedAt === null) return ''
  const isRunning = state === 'running' || state === 'rolling_back'
  const end = endedAt === null ? (isRunning ? now : null) : Date.parse(endedAt)
  return end === null ? '' : elapsed(Math.max(end - Date.parse(startedAt), 0))
}
