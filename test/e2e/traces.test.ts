import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { EventAnswer, EventList, JobAnswer, UpstreamList } from '../../src/http/schemas.ts'
import type { Trace } from '../../src/simulator/trace.ts'
import { anUpstream, noPolling, startApp } from '../helpers/app.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { lineOf as changeLine, until } from './ground.ts'
import { traceExpectations } from './trace-expectations.ts'

/** The moment at which all traces begin. */
const begin = 1_760_000_000_000

function traceNamed(name: string): Trace {
  const file = new URL(`../fixtures/traces/${name}.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as Trace
}

test.each(traceExpectations.map((expectation) => [expectation.trace, expectation] as const))(
  'trace %s',
  async (name, { looksAt, events, job, upstream, says }) => {
    const clock = new FakeClock(begin)
    await using app = await startApp({
      clock,
      simulator: { now: () => clock.now() },
      config: (simulator) => ({
        upstreams: [
          {
            ...anUpstream('prod', simulator),
            polling: noPolling,
            lostAfter: '60s',
            downAfter: '30s',
          },
        ],
      }),
    })
    const jobid = app.simulator.addTrace(traceNamed(name))
    await app.post('/v1/jobs', { jobid })
    const read = async () => (await app.call(`/v1/jobs/${jobid}`)).json as JobAnswer
    await until(async () => (await read()).polledAt !== null)

    for (const afterMs of looksAt) {
      await clock.advance(begin + afterMs - clock.now())
      const answer = await app.call(`/v1/jobs/${jobid}/poll`, { method: 'POST' })
      // A job that was given up can no longer be asked for.
      if (answer.status !== 200) expect(answer.json).toMatchObject({ code: 'job_stopped' })
    }

    const { items } = (await app.call('/v1/events?limit=1000')).json as EventList
    expect(items[0]?.type).toBe('job.watched')
    expect(items.slice(1).map(lineOf), says).toEqual(events)
    expect(items.map(({ data }) => data.seq)).toEqual(items.map((_, index) => index + 1))
    expect(await read()).toMatchObject(job)
    const { items: upstreams } = (await app.call('/v1/upstreams')).json as UpstreamList
    expect(upstreams[0]?.state).toBe(upstream)
  },
)

/** An event as the table writes it. */
function lineOf(event: EventAnswer): string {
  return `${seconds(event.time)}s ${wordsOf(event)}`
}

function wordsOf(event: EventAnswer): string {
  const { type, data } = event
  const { change } = data
  const text = (key: string): string => String(change[key])
  switch (change.kind) {
    case 'status':
    case 'stage':
      return changeLine(event)
    case 'messages': {
      const added = change['added'] as { text: string }[]
      return `messages +${text('count')}: ${added.map((message) => message.text).join(' | ')}`
    }
    case 'presence':
    case 'upstream':
      return `${type}: since ${seconds(text('since'))}s`
    case 'registry':
      return `${type}: by ${text('by')}`
    default:
      throw new Error(`no trace is about a change of kind ${change.kind}`)
  }
}

function seconds(time: string): number {
  return (Date.parse(time) - begin) / 1000
}
