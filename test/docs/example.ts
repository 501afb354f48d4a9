import { jobEventEncoder } from '../../src/core/event.ts'
import type { LoggedEvent } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import { noon } from '../helpers/builders.ts'
import { failed } from '../notify/occasions.ts'

/** When the example is sent, epoch ms. */
export const sentAt = noon + 1000

const job: Job = {
  ...failed,
  tags: ['nightly'],
  watchedAt: noon - 800_000,
  changedAt: noon,
  stages: failed.stages
    .filter(({ name }) => name === 'object_store' || name === 'relational')
    .map(({ name, occurrence, state, startedAt, endedAt }) => {
      return { name, occurrence, state, rawState: state, startedAt, endedAt }
    }),
  messages: failed.messages.slice(-1),
}

/** The event that docs/webhooks.md shows, as the encoder writes it. */
export const exampleEvent: LoggedEvent = {
  seq: 1042,
  id: '7f3a9c-1042',
  type: 'job.failed',
  upstream: job.upstream,
  jobid: job.jobid,
  tags: job.tags,
  text: jobEventEncoder({ job, at: noon })(
    {
      type: 'job.failed',
      change: { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' },
    },
    { epoch: '7f3a9c', seq: 1042, previousSeq: 1041 },
  ),
}
