import type { EventList, JobAnswer, JobList, RegisterJobInput } from '../http/schemas.ts'
import { createCaller, pathSegment } from './caller.ts'
import type { ClientOptions, ObjectAnswer } from './caller.ts'
import type { Query } from './connection.ts'
import { deliveryCalls } from './deliveries.ts'
import type { DeliveryCalls } from './deliveries.ts'
import { endpointCalls } from './endpoints.ts'
import type { EndpointCalls } from './endpoints.ts'

/** Which upstream is meant when two share a job id. */
export interface AtUpstream {
  readonly upstream?: string | undefined
}

export interface JobQuery extends AtUpstream {
  readonly state?: JobAnswer['state'] | undefined
  readonly status?: NonNullable<JobAnswer['status']> | undefined
  readonly tag?: string | undefined
  readonly q?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Which events are wanted; an empty or absent list lets everything through. */
export interface EventFilters {
  /** Globs over the type. */
  readonly types?: readonly string[] | undefined
  readonly jobids?: readonly string[] | undefined
  readonly upstreams?: readonly string[] | undefined
  readonly tags?: readonly string[] | undefined
}

export interface EventQuery extends EventFilters {
  /** A seq or an event's id; what comes after it is answered. */
  readonly after?: string | number | undefined
  readonly limit?: number | undefined
  /** So many of the newest events, in place of `after` and `limit`. */
  readonly last?: number | undefined
  /** How long to wait for an event, should there be none yet; at most five minutes. */
  readonly waitMs?: number | undefined
}

/** The HTTP API of a daemon. Methods reject with `ClientError` or `DaemonUnreachable`. */
export interface Client extends EndpointCalls, DeliveryCalls {
  /** `began` is true when this call began the watching. */
  registerJob(input: RegisterJobInput): Promise<{ job: JobAnswer; began: boolean }>
  /** One page. */
  listJobs(query?: JobQuery): Promise<JobList>
  getJob(jobid: string, which?: AtUpstream): Promise<JobAnswer>
  stopJob(jobid: string, which?: AtUpstream): Promise<void>
  /** The upstream's own document, verbatim. */
  getDocument(jobid: string, which?: AtUpstream): Promise<string>
  listEvents(query?: EventQuery): Promise<EventList>
}

export function createClient(options: ClientOptions): Client {
  const caller = createCaller(options)
  const { call, parse } = caller

  return {
    async registerJob(input) {
      const answer = await call('POST', '/v1/jobs', { body: input })
      return { job: parse(answer, isJob), began: answer.status === 201 }
    },
    async listJobs(query = {}) {
      return parse(await call('GET', '/v1/jobs', { query: { ...query } }), isJobList)
    },
    async getJob(jobid, { upstream } = {}) {
      return parse(await call('GET', jobPath(jobid), { query: { upstream } }), isJob)
    },
    async stopJob(jobid, { upstream } = {}) {
      await call('DELETE', jobPath(jobid), { query: { upstream } })
    },
    async getDocument(jobid, { upstream } = {}) {
      return (await call('GET', `${jobPath(jobid)}/document`, { query: { upstream } })).text
    },
    async listEvents({ after, limit, last, waitMs, ...filters } = {}) {
      const wait = waitMs === undefined ? undefined : `${waitMs}ms`
      const query = { after, limit, last, wait, ...filterQuery(filters) }
      return parse(await call('GET', '/v1/events', { query, waitMs }), isEventList)
    },
    ...endpointCalls(caller),
    ...deliveryCalls(caller),
  }
}

function isJob(value: ObjectAnswer): value is ObjectAnswer & JobAnswer {
  return typeof value['jobid'] === 'string'
}

function isJobList(value: ObjectAnswer): value is ObjectAnswer & JobList {
  return Array.isArray(value['items'])
}

function isEventList(value: ObjectAnswer): value is ObjectAnswer & EventList {
  return Array.isArray(value['items'])
}

/** Event filters as the API names them. */
export function filterQuery({ types, jobids, upstreams, tags }: EventFilters): Query {
  return { type: types, jobid: jobids, upstream: upstreams, tag: tags }
}

function jobPath(jobid: string): string {
  return `/v1/jobs/${pathSegment(jobid, 'job id')}`
}
