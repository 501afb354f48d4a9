import { expect } from 'vitest'
import type { Answer } from '../helpers/app.ts'

/** A job as these tests read it; what it must hold is said by the tests themselves. */
export interface JobJson {
  readonly jobid: string
  readonly upstream: string
  readonly state: string
  readonly title: string
  readonly status: string | null
  readonly label: string | null
  readonly tags: readonly string[]
  readonly stallAfter: string | null
  readonly deadline: string | null
  readonly startedAt: string | null
  readonly lastSeq: number | null
  readonly [field: string]: unknown
}

interface ProblemJson {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly title: string
  readonly type: string
  readonly errors?: readonly { readonly field: string; readonly message: string }[]
}

export interface EventPageJson {
  readonly items: readonly {
    readonly id: string
    readonly type: string
    readonly subject: string
    readonly source: string
    readonly time: string
    readonly data: {
      readonly seq: number
      readonly previousSeq: number | null
      readonly job: JobJson
    }
  }[]
  readonly next: number
  readonly newest: number
  readonly oldest: number | null
  readonly gap: boolean
}

export interface JobListJson {
  readonly items: readonly JobJson[]
  readonly next: string | null
}

export function jobOf(answer: Answer): JobJson {
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer.json as JobJson
}

export function jobsOf(answer: Answer): JobListJson {
  expect(answer.status, answer.text).toBe(200)
  return answer.json as JobListJson
}

export function eventsOf(answer: Answer): EventPageJson {
  expect(answer.status, answer.text).toBe(200)
  return answer.json as EventPageJson
}

export function jobidsOf(answer: Answer): string[] {
  return jobsOf(answer).items.map(({ jobid }) => jobid)
}

export function seqsOf(answer: Answer): number[] {
  return eventsOf(answer).items.map(({ data }) => data.seq)
}

/** The body of an error answer, whose form is the same for every error (RFC 9457). */
export function problemOf(answer: Answer): ProblemJson {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  const problem = answer.json as ProblemJson
  expect(problem.status).toBe(answer.status)
  expect(problem.code).toMatch(/^[a-z][a-z_]+$/)
  expect(problem.detail).not.toBe('')
  expect(problem.title).not.toBe('')
  return problem
}

/** The fields that a 400 finds fault with. */
export function wrongFieldsOf(answer: Answer): string[] {
  const { errors = [], detail } = problemOf(answer)
  expect(answer.status, detail).toBe(400)
  for (const { message } of errors) expect(message).not.toBe('')
  return errors.map(({ field }) => field)
}
