import type { Face } from '../core/face.ts'
import { faceOf } from '../core/face.ts'
import { stateWords } from '../core/progress-words.ts'
import { safe } from '../core/safe.ts'
import type { JobInEvent } from '../http/schemas.ts'

/** A state as people see it everywhere: emoji, word and colour. */
export function StateMark({ face, words }: { readonly face: Face; readonly words: string }) {
  return (
    <span class={`state ${face.colour}`}>
      <span class="emoji" aria-hidden="true">
        {face.emoji}
      </span>
      <span>{words}</span>
    </span>
  )
}

export function StatusMark({ job }: { readonly job: JobInEvent }) {
  return <StateMark face={jobFace(job)} words={safe(jobWords(job))} />
}

const lostFace: Face = { emoji: '❓', colour: 'red' }

/** As in a message: a job that is lost looks so, whatever it was before. */
export function jobFace(job: JobInEvent): Face {
  return job.state === 'lost' ? lostFace : faceOf(job)
}

function jobWords(job: JobInEvent): string {
  return job.state === 'lost' ? 'lost' : stateWords(job)
}
