import * as examples from '../examples.ts'
import type { AnswerContent, Operation } from '../operation.ts'
import { NoBody } from '../requests/fields.ts'
import {
  JobParams,
  ListJobs,
  PatchJob,
  RegisterJob,
  RegisterJobs,
  WhichUpstream,
} from '../requests/jobs.ts'
import { BatchAnswer, JobAnswer, JobDocument, JobList } from '../schemas.ts'

const jobContent: AnswerContent = { schema: JobAnswer, example: examples.job }
const noJob = ['job_not_found', 'ambiguous_job'] as const
const ofJob = { path: '/v1/jobs/{jobid}', params: JobParams, query: WhichUpstream } as const
const { byId, byUrl, submitAnswer } = examples.submitted

/** The calls on jobs. */
export const jobOperations = {
  register: {
    id: 'registerJob',
    method: 'POST',
    path: '/v1/jobs',
    scope: 'write',
    summary: 'Watch a job',
    description:
      "Names a job by its id, by its URL as copied from a browser, or by Esri's own answer to a " +
      'submit. Registering one that is watched already brings label, tags and so on up to date; ' +
      'what is left out stays. It is on disk when it is answered.',
    body: { schema: RegisterJob, examples: { byId, byUrl, submitAnswer } },
    answers: {
      200: { description: 'The job was known already', content: jobContent },
      201: {
        description: 'This call began the watching, or began it anew after stopped or lost',
        content: jobContent,
      },
    },
  },
  registerMany: {
    id: 'registerJobs',
    method: 'POST',
    path: '/v1/jobs/batch',
    scope: 'write',
    summary: 'Watch many jobs at once',
    description:
      'All that are as they should be are registered; one that is not holds up no other.',
    body: {
      schema: RegisterJobs,
      examples: { twoJobs: { jobs: [byId, examples.submitted.elsewhere] } },
      maxBytes: 8_388_608,
    },
    answers: {
      200: {
        description: 'One result for each job, in order',
        content: {
          schema: BatchAnswer,
          example: {
            results: [
              { status: 201, job: examples.job },
              { status: 400, problem: examples.unknownUpstream },
            ],
          },
        },
      },
    },
  },
  list: {
    id: 'listJobs',
    method: 'GET',
    path: '/v1/jobs',
    scope: 'read',
    summary: 'List jobs',
    description: 'The one watched last comes first.',
    query: ListJobs,
    answers: {
      200: {
        description: 'A page of jobs',
        headers: ['X-Jobwatch-Cursor'],
        content: { schema: JobList, example: { items: [examples.job], next: null } },
      },
    },
  },
  get: {
    ...ofJob,
    id: 'getJob',
    method: 'GET',
    scope: 'read',
    summary: 'Show a job',
    answers: {
      200: { description: 'The job', headers: ['X-Jobwatch-Cursor'], content: jobContent },
    },
    problems: noJob,
  },
  change: {
    ...ofJob,
    id: 'changeJob',
    method: 'PATCH',
    scope: 'write',
    summary: 'Change what was set for a job',
    description: 'What is left out stays, null clears.',
    body: { schema: PatchJob, examples: { newDeadline: examples.changedJob } },
    answers: { 200: { description: 'The job as it is now', content: jobContent } },
    problems: noJob,
  },
  stop: {
    ...ofJob,
    id: 'stopJob',
    method: 'DELETE',
    scope: 'write',
    summary: 'Stop watching a job',
    description: 'Its history is kept. A job that is stopped already is left as it is.',
    answers: { 204: { description: 'It is no longer watched' } },
    problems: noJob,
  },
  poll: {
    ...ofJob,
    id: 'pollJob',
    method: 'POST',
    path: '/v1/jobs/{jobid}/poll',
    scope: 'write',
    summary: 'Look at a job now',
    description:
      'Answers when the look was taken in. While the upstream asked for silence (Retry-After) no ' +
      'look is made, and the job is answered as it is.',
    body: { schema: NoBody, examples: { nothing: {} } },
    answers: { 200: { description: 'The job after the look', content: jobContent } },
    problems: [...noJob, 'job_stopped', 'upstream_gone'],
  },
  document: {
    ...ofJob,
    id: 'getJobDocument',
    method: 'GET',
    path: '/v1/jobs/{jobid}/document',
    scope: 'read',
    summary: "Show the upstream's own document of a job",
    answers: {
      200: {
        description: 'The document of the last change, verbatim',
        content: { schema: JobDocument, example: examples.document },
      },
    },
    problems: [...noJob, 'no_document'],
  },
} as const satisfies Readonly<Record<string, Operation>>
