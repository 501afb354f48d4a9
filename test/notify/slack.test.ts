import { expect, test } from 'vitest'
import { jobEventEncoder, upstreamEventEncoder } from '../../src/core/event.ts'
import type { EventDraft } from '../../src/core/event.ts'
import type { Job } from '../../src/core/job.ts'
import { upstreamDraft } from '../../src/core/upstream-state.ts'
import type { HttpOutbound } from '../../src/notify/format.ts'
import { slack } from '../../src/notify/slack.ts'
import { aJob, noon } from '../helpers/builders.ts'

const surroundings = { late: null, publicUrl: null, rootOf: () => null }

const failed: EventDraft = {
  type: 'job.failed',
  change: { kind: 'status', from: 'EXECUTING', to: 'FAILED', rawTo: 'FAILED' },
}

function textFor(job: Job, draft: EventDraft): string {
  const numbering = { epoch: 'abc123', seq: 7, previousSeq: null }
  const text = jobEventEncoder({ job, at: noon })(draft, numbering)
  const { upstream, jobid } = job
  const event = { seq: 7, id: 'abc123-7', type: draft.type, upstream, jobid, tags: [], text }
  const { body, signed } = slack.request(event, surroundings) as HttpOutbound
  expect(signed).toBe(false)
  return (JSON.parse(body) as { text: string }).text
}

test('a failure says which job, where, who started it, and why', () => {
  const job = aJob({
    label: 'nightly backup',
    username: 'siteadmin',
    outcome: 'error',
    reason: 'disk full',
  })
  expect(textFor(job, failed)).toBe(':x: *nightly backup* FAILED (prod, siteadmin)\n> disk full')
})

test('an outage says of which upstream, and why', () => {
  const draft = upstreamDraft('down', 'no connection (ECONNREFUSED)', noon)
  const numbering = { epoch: 'abc123', seq: 7, previousSeq: null }
  const { body } = slack.request(
    {
      ...{ seq: 7, id: 'abc123-7', type: draft.type, upstream: 'prod', jobid: null, tags: [] },
      text: upstreamEventEncoder('prod', noon)(draft, numbering),
    },
    surroundings,
  ) as HttpOutbound
  expect(JSON.parse(body)).toMatchObject({
    text: ':red_circle: *prod* upstream.down\n> no connection (ECONNREFUSED)',
  })
})

test('names from upstream can neither mention a channel nor make a link nor start a line', () => {
  const job = aJob({
    label: '<!channel> <http://evil|x> & a\n> quote',
    outcome: 'error',
    reason: '<@U1>\nnext',
  })
  expect(textFor(job, failed)).toBe(
    ':x: *&lt;!channel&gt; &lt;http://evil|x&gt; &amp; a &gt; quote* FAILED (prod)\n> &lt;@U1&gt; next',
  )
})

test('a word that says what is wrong is a failure, whatever the status says', () => {
  expect(slack.judge({ status: 200, text: 'ok' })).toBe('delivered')
  expect(slack.judge({ status: 204, text: '' })).toBe('delivered')
  expect(slack.judge({ status: 200, text: '{"ok":true}' })).toBe('delivered')
  expect(slack.judge({ status: 200, text: 'invalid_payload' })).toBe('retry')
  expect(slack.judge({ status: 500, text: 'ok' })).toBe('retry')
})
