import type { FastifyInstance } from 'fastify'
import { positionId } from '../../core/cursor.ts'
import type { Job, JobKey } from '../../core/job.ts'
import type { ApiDeps, ApiUpstream } from '../deps.ts'
import { toJobAnswer } from '../job-answer.ts'
import { decodePageCursor, encodePageCursor } from '../page-cursor.ts'
import { HttpProblem, invalidField, parseInput } from '../problem.ts'
import { JobParams, ListJobs, registerJobSchema, WhichUpstream } from '../schemas.ts'
import type { RegisterJob } from '../schemas.ts'

const cursorHeader = 'x-jobwatch-cursor'

/** The calls on jobs: register, list, show, stop, document. */
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

  app.post('/v1/jobs', { config: { scope: 'write' } }, async (request, reply) => {
    const input = parseInput(registerJobSchema(request.body), request.body)
    const key = targetOf(input, upstreams)
    const { label, tags, stallAfter: stallAfterMs, deadline } = input
    const registration = { ...key, label, tags, stallAfterMs, deadline }
    const { job, began } = await store.registerJob(registration, clock.now())
    if (job.state === 'active') upstreamByName.get(job.upstream)?.watch(job)
    return reply.code(began ? 201 : 200).send(answer(job))
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

  app.delete('/v1/jobs/:jobid', { config: { scope: 'write' } }, async (request, reply) => {
    const job = await oneJob(request.params, request.query)
    await store.stopJob(job, clock.now())
    upstreamByName.get(job.upstream)?.unwatch(job.id)
    return reply.code(204).send()
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

/** Which job at which upstream a registration names; throws a 400 that says what is missing. */
function targetOf(input: RegisterJob, upstreams: readonly ApiUpstream[]): JobKey {
  const field = input.jobsUrl === undefined ? 'url' : 'jobsUrl'
  const url = input.jobsUrl ?? input.url
  if (url !== undefined) return targetOfUrl(url, field, input, upstreams)
  if (input.jobid === undefined) {
    throw invalidField('jobid', 'give the job by jobid or by url')
  }
  return { jobid: input.jobid, upstream: upstreamOf(input.upstream, upstreams) }
}

function targetOfUrl(
  text: string,
  field: string,
  { jobid: claimed, upstream: wanted }: RegisterJob,
  upstreams: readonly ApiUpstream[],
): JobKey {
  if (!URL.canParse(text)) throw invalidField(field, 'must be the absolute URL of a job')
  const url = new URL(text)
  const candidates = upstreams.flatMap((upstream) => {
    const jobid = upstream.jobidOf(url)
    return jobid === null ? [] : [{ jobid, upstream: upstream.name }]
  })
  const roots = upstreams.map(({ root }) => `${root}/jobs/<jobid>`).join(' or ') || 'none'
  const [first] = candidates
  if (first === undefined) {
    throw invalidField(field, `is no job of a configured upstream; jobs have URLs such as ${roots}`)
  }
  const found = wanted === undefined ? first : candidates.find((item) => item.upstream === wanted)
  if (found === undefined) {
    throw invalidField('upstream', `the URL belongs to the upstream ${first.upstream}`)
  }
  if (claimed !== undefined && claimed !== found.jobid) {
    throw invalidField('jobid', `the URL names the job ${found.jobid}; give one of the two`)
  }
  return found
}

function upstreamOf(wanted: string | undefined, upstreams: readonly ApiUpstream[]): string {
  const names = upstreams.map(({ name }) => name)
  const [only] = names
  if (only === undefined) throw invalidField('upstream', 'no upstream is configured')
  if (wanted === undefined) {
    if (names.length === 1) return only
    throw invalidField('upstream', `say which one: ${names.join(', ')}`)
  }
  if (names.includes(wanted)) return wanted
  throw invalidField('upstream', `must be one of ${names.join(', ')}`)
}
