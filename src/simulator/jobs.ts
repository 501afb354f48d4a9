import { jobNotFound, ok } from './answer.ts'
import type { Answer } from './answer.ts'
import { createPlayer, isMissing } from './trace.ts'
import type { Player, Trace } from './trace.ts'

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
  /** What the job's resource answers now to a token granted at that time (epoch ms). */
  answerOf(jobid: string, grantedAt: number): Answer
  /** Every id, the newest first. */
  ids(): readonly string[]
  /** The ids a list shows: without those whose resource answers 404. */
  list(): readonly string[]
  /** Makes its id unknown; false when it was. */
  remove(jobid: string): boolean
  clear(): void
}

export function createJobs(now: () => number): Jobs {
  const answerByJobid = new Map<string, Player>()

  function add(jobid: string, answer: Player): void {
    answerByJobid.delete(jobid)
    answerByJobid.set(jobid, answer)
  }

  function answerOf(jobid: string, grantedAt: number): Answer {
    return answerByJobid.get(jobid)?.(grantedAt) ?? jobNotFound(jobid)
  }

  function ids(): readonly string[] {
    return [...answerByJobid.keys()].reverse()
  }

  return {
    addTrace(jobid, trace) {
      if (trace.length === 0) throw new Error(`The trace of job ${jobid} is empty`)
      add(jobid, createPlayer(trace, now))
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
    answerOf,
    ids,
    list: () => ids().filter((jobid) => !isMissing(answerOf(jobid, now()))),
    remove: (jobid) => answerByJobid.delete(jobid),
    clear() {
      answerByJobid.clear()
    },
  }
}

function asAnswer(document: ScriptDocument): Answer {
  return isAnswer(document) ? document : ok(document)
}

function isAnswer(document: ScriptDocument): document is Answer {
  return 'httpStatus' in document && 'body' in document
}
