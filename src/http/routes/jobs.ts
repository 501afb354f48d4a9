import type { FastifyInstance } from 'fastify'
import { positionId } from '../../core/cursor.ts'
import type { Job } from '../../core/job.ts'
import type { ApiDeps } from '../deps.ts'
import { toJobAnswer } from '../job-answer.ts'
import { targetOf } from '../job-target.ts'
import { decodePageCursor, encodePageCursor } from '../page-cursor.ts'
import { HttpProblem, parseInput, problemBody } from '../problem.ts'
import {
  JobParams,
  ListJobs,
  NoBody,
  PatchJob,
  registerJobSchema,
  RegisterJobs,
  WhichUpstream,
} from '../schemas.ts'

const cursorHeader = 'x-jobwatch-cursor'
const maxBatchBytes = 8_388_608

/** The calls on jobs: register one or many, list, show, change, stop, poll now, document. */
export function jobRoutes(app: FastifyInstance, { store, upstreams, clock }: ApiDeps): void {
  const upstreamByName = new Map(upstreams.map((upstream) => [upstream.name, upstream]))

  function answer(job: Job) {
    const live = upstreamByName.get(job.upstream)?.statusOf(job.id) ?? null
    return toJobAnswer(job, live, clock.now())
  }

  /** The one job that path and query name. */
  async function oneJob(params: unknown, query: unknown): Promise<Job> {
    const { jobid } = parseInput(JobParams, params)
    const { upstream } = parseInput(WhichUpstream, query)
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

  /** Registers what a client sent, in either of its forms; throws the problem that answers it. */
  async function register(body: unknown) {
    const input = parseInput(registerJobSchema(body), body)
    const key = targetOf(input, upstreams)
    const { label, tags, stallAfter: stallAfterMs, deadline } = input
    const registration = { ...key, label, tags, stallAfterMs, deadline }
    const { job, began } = await store.registerJob(registration, clock.now())
    if (job.state === 'active') upstreamByName.get(job.upstream)?.watch(job)
    return { status: began ? 201 : 200, job: answer(job) }
  }

  app.post('/v1/jobs', { config: { scope: 'write' } }, async (request, reply) => {
    const { status, job } = await register(request.body)
    return reply.code(status).send(job)
  })

  const batchOptions = { config: { scope: 'write' }, bodyLimit: maxBatchBytes } as const
  app.post('/v1/jobs/batch', batchOptions, async (request) => {
    const { jobs } = parseInput(RegisterJobs, request.body)
    // All at once: they share their transactions, and one that is wrong holds up no other.
    const results = await Promise.all(
      jobs.map((body) => register(body).catch((error: unknown) => refused(error))),
    )
    return { results }
  })

  app.get('/v1/jobs', { config: { scope: 'read' } }, async (request, reply) => {
    const { cursor, q: text, ...filters } = parseInput(ListJobs, request.query)
    const before = cursor === undefined ? null : decodePageCursor(cursor)
    const bounds = await store.readBounds()
    const { jobs, next, newest } = await store.listJobs({ ...filters, text, before })
    void reply.header(cursorHeader, positionId(newest, bounds))
    return { items: jobs.map(answer), next: next === null ? null : encodePageCursor(next) }
  })

  app.get('/v1/jobs/:jobid', { config: { scope: 'read' } }, async (request, reply) => {
    const bounds = await store.readBounds()
    const job = await oneJob(request.params, request.query)
    // Should the job have changed in between, what is shown is already after that event.
    const shown = Math.max(bounds.newest, job.lastSeq ?? 0)
    void reply.header(cursorHeader, positionId(shown, bounds))
    return answer(job)
  })

  app.patch('/v1/jobs/:jobid', { config: { scope: 'write' } }, async (request) => {
    const { label, tags, stallAfter: stallAfterMs, deadline } = parseInput(PatchJob, request.body)
    const known = await oneJob(request.params, request.query)
    const settings = { label, tags: tags === null ? [] : tags, stallAfterMs, deadline }
    const job = (await store.updateJob(known, settings, clock.now())) ?? known
    if (job.state === 'active') upstreamByName.get(job.upstream)?.watch(job)
    return answer(job)
  })

  app.delete('/v1/jobs/:jobid', { config: { scope: 'write' } }, async (request, reply) => {
    const job = await oneJob(request.params, request.query)
    await store.stopJob(job, clock.now())
    upstreamByName.get(job.upstream)?.unwatch(job.id)
    return reply.code(204).send()
  })

  app.post('/v1/jobs/:jobid/poll', { config: { scope: 'write' } }, async (request) => {
    parseInput(NoBody, request.body)
    const job = await oneJob(request.params, request.query)
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

  app.get('/v1/jobs/:jobid/document', { config: { scope: 'read' } }, async (request, reply) => {
    const job = await oneJob(request.params, request.query)
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
