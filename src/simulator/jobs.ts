import { ok } from './answer.ts'
import type { Answer } from './answer.ts'
import { entryAt, isMissing } from './trace.ts'
import type { Trace } from './trace.ts'

/** What a scripted job serves: a job document, answered with 200, or a whole answer. */
export type ScriptDocument = Answer | Readonly<Record<string, unknown>>

/** A job that moves only when the test says so. */
export interface ScriptHandle {
  readonly jobid: string
  /** From now on the next document is served; throws when there is none. */
  next(): void
}

/** The jobs of the simulated Enterprise; adding one under a known id replaces that job. */
export interface Jobs {
  addTrace(jobid: string, trace: Trace): void
  addScript(jobid: string, documents: readonly ScriptDocument[]): ScriptHandle
  /** What the job's resource answers now, or null for an unknown id. */
  answerOf(jobid: string): Answer | null
  /** The ids a list shows, the newest first, without those whose resource answers 404. */
  list(): readonly string[]
}

export function createJobs(now: () => number): Jobs {
  const answerByJobid = new Map<string, () => Answer>()

  function add(jobid: string, answer: () => Answer): void {
    answerByJobid.delete(jobid)
    answerByJobid.set(jobid, answer)
  }

  return {
    addTrace(jobid, trace) {
      if (trace.length === 0) throw new Error(`The trace of job ${jobid} is empty`)
      const startedAt = now()
      add(jobid, () => entryAt(trace, now() - startedAt))
    },
    addScript(jobid, documents) {
      const answers = documents.map(asAnswer)
      const answerAt = (position: number): Answer => {
        const answer = answers[position]
        if (answer !== undefined) return answer
        throw new Error(`The script of job ${jobid} has no document ${String(position + 1)}`)
      }
      let position = 0
      let served = answerAt(position)
      add(jobid, () => served)
      return {
        jobid,
        next() {
          served = answerAt(position + 1)
          position += 1
        },
      }
    },
    answerOf(jobid) {
      return answerByJobid.get(jobid)?.() ?? null
    },
    list() {
      return [...answerByJobid]
        .filter(([, answer]) => !isMissing(answer()))
        .map(([jobid]) => jobid)
        .reverse()
    },
  }
}

function asAnswer(document: ScriptDocument): Answer {
  return isAnswer(document) ? document : ok(document)
}

function isAnswer(document: ScriptDocument): document is Answer {
  return 'httpStatus' in document && 'body' in document
}
