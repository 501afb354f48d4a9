import type * as requests from '../http/requests/jobs.ts'
import type * as api from '../http/schemas.ts'

/*
 * The answers of the API, from the schemas it is described by. As interfaces they keep their names
 * in the editor and the compiler's messages of whoever uses the library.
 */

/** A named part of a job's progress; `occurrence` tells those of the same name apart, from 1. */
export type Stage = api.JobInEvent['stages'][number]

/** A job as events carry it. */
export interface JobInEvent extends Omit<api.JobInEvent, 'stages'> {
  stages: Stage[]
}

/** A job as the daemon answers it: beside what events carry, how the looks at it go. */
export interface JobAnswer extends JobInEvent {
  polledAt: api.JobAnswer['polledAt']
  nextPollAt: api.JobAnswer['nextPollAt']
  /** The last look, when it failed. */
  problem: api.JobAnswer['problem']
}

export interface JobList extends Omit<api.JobList, 'items'> {
  items: JobAnswer[]
}

/** What an event says: its number, what changed, and the job after it if it is about a job. */
export interface EventData extends Omit<api.EventAnswer['data'], 'job'> {
  job?: JobInEvent | undefined
}

/** An event: CloudEvents 1.0 in JSON. */
export interface EventAnswer extends Omit<api.EventAnswer, 'data'> {
  data: EventData
}

export interface EventList extends Omit<api.EventList, 'items'> {
  items: EventAnswer[]
}

export interface EndpointList extends Omit<api.EndpointList, 'items'> {
  items: EndpointAnswer[]
}

export interface DeliveryList extends Omit<api.DeliveryList, 'items'> {
  items: DeliveryAnswer[]
}

/** A delivery with its attempts, in order. */
export interface DeliveryDetail extends Omit<api.DeliveryDetail, 'attempts'> {
  attempts: AttemptAnswer[]
}

export type EndpointAnswer = api.EndpointAnswer
export type EndpointWithSecret = api.EndpointWithSecret
export type DeliveryAnswer = api.DeliveryAnswer
export type AttemptAnswer = api.AttemptAnswer
export type ReplayAnswer = api.ReplayAnswer
export type ProblemAnswer = api.ProblemAnswer
export type RegisterJobInput = requests.RegisterJobInput
