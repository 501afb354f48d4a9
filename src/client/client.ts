import type { EventList, JobAnswer, JobList, RegisterJobInput } from '../http/schemas.ts'
import { openConnection, parseObject, readRefusal, readText } from './connection.ts'
import type { ConnectionOptions, Query } from './connection.ts'
import { startDeadline } from './deadline.ts'
import { ClientError, DaemonUnreachable } from './errors.ts'

export interface ClientOptions extends ConnectionOptions {
  /** Ends every request that is under way; the reason is what their promises reject with. */
  readonly signal?: AbortSignal | undefined
  /** The longest a request may take, answer included. */
  readonly timeoutMs?: number | undefined
}

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
}

/** The HTTP API of a daemon. Methods reject with `ClientError` or `DaemonUnreachable`. */
export interface Client {
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

const maxAnswerBytes = 134_217_728

export function createClient(options: ClientOptions): Client {
  const connection = openConnection(options)
  const { signal, timeoutMs = 30_000 } = options

  async function call(method: string, path: string, { query, body }: Call = {}): Promise<Answer> {
    const url = connection.url(path, query)
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const deadline = startDeadline(signal)
    deadline.restart(timeoutMs)
    try {
      const response = await connection.fetch(url, {
        method,
        headers: connection.headers(json),
        body: body === undefined ? null : JSON.stringify(body),
        redirect: 'manual',
        signal: deadline.signal,
      })
      if (!response.ok) throw await readRefusal(connection.server, response)
      return { status: response.status, text: await readText(response, maxAnswerBytes) }
    } catch (error) {
      if (error instanceof ClientError) throw error
      signal?.throwIfAborted()
      throw new DaemonUnreachable(connection.server, error)
    } finally {
      deadline.end()
    }
  }

  /** The answer as an object that has what its callers rely on. */
  function parse<T>(
    { status, text }: Answer,
    isExpected: (value: ObjectAnswer) => value is ObjectAnswer & T,
  ): T {
    const value = parseObject(text)
    if (value !== null && isExpected(value)) return value
    throw new ClientError(
      'unexpected_answer',
      `${connection.server} answered ${status} with something that is no answer of a jobwatch daemon`,
      { status },
    )
  }

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
    async listEvents({ after, limit, ...filters } = {}) {
      const query = { after, limit, ...filterQuery(filters) }
      return parse(await call('GET', '/v1/events', { query }), isEventList)
    },
  }
}

interface Call {
  readonly query?: Query
  readonly body?: RegisterJobInput
}

interface Answer {
  readonly status: number
  readonly text: string
}

type ObjectAnswer = Readonly<Record<string, unknown>>

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
  // A dot segment would lead to another resource, and percent-encoding does not keep it from that.
  if (/^\.{0,2}$/.test(jobid)) {
    throw new ClientError('invalid_request', `"${jobid}" is no job id`)
  }
  return `/v1/jobs/${encodeURIComponent(jobid)}`
}
