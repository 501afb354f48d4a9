import type { FastifyInstance } from 'fastify'
import { nextTurn, sliceMs } from '../../clock.ts'
import { positionId } from '../../core/cursor.ts'
import type { Job } from '../../core/job.ts'
import type { Registered, Registration } from '../../store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { toJobAnswer } from '../job-answer.ts'
import { targetOf } from '../job-target.ts'
import { jobOperations } from '../operations/jobs.ts'
import { decodePageCursor, encodePageCursor } from '../page-cursor.ts'
import { HttpProblem, parseInput, problemBody } from '../problem.ts'
import { RegisterJob } from '../requests/jobs.ts'
import { serve } from '../serve.ts'

const cursorHeader = 'x-jobwatch-cursor'
/** Jobs of a batch that are written in one piece, which holds everything else up for some milliseconds. */
const registeredAtOnce = 100

/** What names one job: its id, and its upstream where that is needed. */
interface NamedJob {
  readonly params: { readonly jobid: string }
  readonly query: { readonly upstream?: string | undefined }
}

/** The calls on jobs: register one or many, list, show, change, stop, poll now, document. */
export function jobRoutes(
  app: FastifyInstance,
  { store, upstreams, clock, metrics }: ApiDeps,
): void {
  const upstreamByName = new Map(upstreams.map((upstream) => [upstream.name, upstream]))

  function answer(job: Job) {
    const live = upstreamByName.get(job.upstream)?.statusOf(job.id) ?? null
    return toJobAnswer(job, live, clock.now())
  }

  /** The one job that path and query name. */
  async function oneJob({ params, query }: NamedJob): Promise<Job> {
    const { jobid } = params
    const { upstream } = query
    const jobs = await store.findJobsById(jobid)
    const matching = upstream === undefined ? jobs : jobs.filter((job) => job.upstream === upstream)
    const [job] = matching
    if (job === undefined) {
      throw new HttpProblem(404, 'job_not_found', `Job ${jobid} is not registered here`)
    }
    if (matching.length > 1) {
      const names = matching.map((item) => item.upstream).join(', ')
      throw new HttpProblem(
        409,
        'ambiguous_job',
        `Job ${jobid} is known at several upstreams: add ?upstream= with one of ${names}`,
      )
    }
    return job
  }

  /** What a client asks for; throws the problem that answers it. */
  function registrationOf(input: RegisterJob): Registration {
    const { label, tags, stallAfter: stallAfterMs, deadline } = input
    return { ...targetOf(input, upstreams), label, tags, stallAfterMs, deadline }
  }

  function registered({ job, began }: Registered) {
    if (job.state === 'active') upstreamByName.get(job.upstream)?.watch(job)
    return { status: began ? 201 : 200, job: answer(job) }
  }

  /**
   * Registers some of a batch; answers with what became of each, as JSON. One that is wrong holds up no
   * other: its problem is part of the answer.
   */
  async function registerSome(jobs: readonly unknown[]): Promise<string> {
    let begunAt = performance.now()
    const wanted = jobs.map((job) => {
      try {
        return registrationOf(parseInput(RegisterJob, job))
      } catch (error) {
        return refused(error)
      }
    })
    metrics.noteStretch('batch', performance.now() - begunAt)
    const right = wanted.filter((one): one is Registration => 'jobid' in one)
    const done = [...(await store.registerJobs(right, clock.now()))]
    await nextTurn()
    begunAt = performance.now()
    const results = wanted.map((one) => {
      const taken = 'jobid' in one ? done.shift() : undefined
      return JSON.stringify(taken === undefined ? one : registered(taken))
    })
    metrics.noteStretch('batch', performance.now() - begunAt)
    return results.join(',')
  }

  serve(app, jobOperations.register, async ({ body }, _, reply) => {
    const { status, job } = registered(await store.registerJob(registrationOf(body), clock.now()))
    return reply.code(status).send(job)
  })

  serve(app, jobOperations.registerMany, async ({ body: { jobs } }, _, reply) => {
    const pieces = []
    for (let from = 0; from < jobs.length; from += registeredAtOnce) {
      pieces.push(registerSome(jobs.slice(from, from + registeredAtOnce)))
    }
    // They share what transactions they can, and all of these are synced before the answer.
    const results = (await Promise.all(pieces)).join(',')
    return reply.type('application/json; charset=utf-8').send(`{"results":[${results}]}`)
  })

  /** Jobs as JSON, with turns for others in between: there may be a thousand, with all their stages. */
  async function written(jobs: readonly Job[]): Promise<string[]> {
    const texts: string[] = []
    let begunAt = performance.now()
    for (const job of jobs) {
      texts.push(JSON.stringify(answer(job)))
      const durationMs = performance.now() - begunAt
      if (durationMs < sliceMs && texts.length < jobs.length) continue
      metrics.noteStretch('page', durationMs)
      await nextTurn()
      begunAt = performance.now()
    }
    return texts
  }

  serve(app, jobOperations.list, async ({ query }, _, reply) => {
    const { cursor, q: text, ...filters } = query
    const before = cursor === undefined ? null : decodePageCursor(cursor)
    const bounds = await store.readBounds()
    const { jobs, next, newest } = await store.listJobs({ ...filters, text, before })
    void reply.header(cursorHeader, positionId(newest, bounds))
    const items = (await written(jobs)).join(',')
    const goesOn = JSON.stringify(next === null ? null : encodePageCursor(next))
    return reply
      .type('application/json; charset=utf-8')
      .send(`{"items":[${items}],"next":${goesOn}}`)
  })

  serve(app, jobOperations.get, async (input, _, reply) => {
    const bounds = await store.readBounds()
    const job = await oneJob(input)
    // Should the job have changed in between, what is shown is already after that event.
    const shown = Math.max(bounds.newest, job.lastSeq ?? 0)
    void reply.header(cursorHeader, positionId(shown, bounds))
    return answer(job)
  })

  serve(app, jobOperations.change, async ({ body, ...input }) => {
    const { label, tags, stallAfter: stallAfterMs, deadline } = body
    const known = await oneJob(input)
    const settings = { label, tags: tags === null ? [] : tags, stallAfterMs, deadline }
    const job = (await store.updateJob(known, settings, clock.now())) ?? known
    if (job.state === 'active') upstreamByName.get(job.upstream)?.watch(job)
    return answer(job)
  })

  serve(app, jobOperations.stop, async (input, _, reply) => {
    const job = await oneJob(input)
    await store.stopJob(job, clock.now())
    upstreamByName.get(job.upstream)?.unwatch(job.id)
    return reply.code(204).send()
  })

  serve(app, jobOperations.poll, async (input) => {
    const job = await oneJob(input)
    if (job.state === 'stopped') {
      const detail = `Job ${job.jobid} is no longer watched: register it again with POST /v1/jobs`
      throw new HttpProblem(409, 'job_stopped', detail)
    }
    const upstream = upstreamByName.get(job.upstream)
    if (upstream === undefined) {
      const detail = `The upstream ${job.upstream} is no longer configured`
      throw new HttpProblem(409, 'upstream_gone', detail)
    }
    await upstream.pollNow(job)
    return answer((await store.findJob(job)) ?? job)
  })

  serve(app, jobOperations.document, async (input, _, reply) => {
    const job = await oneJob(input)
    const document = await store.readDocument(job)
    if (document === null) {
      throw new HttpProblem(404, 'no_document', `Job ${job.jobid} has not been seen yet`)
    }
    return reply.type('application/json; charset=utf-8').send(document)
  })
}

/** One job of a batch that is not taken; what is no problem of the client's fails the whole call. */
function refused(error: unknown) {
  if (!(error instanceof HttpProblem)) throw error
  return { status: error.status, problem: problemBody(error) }
}
