import { expect } from 'vitest'
import type {
  EventAnswer,
  EventList,
  JobAnswer,
  UpstreamAnswer,
  UpstreamList,
} from '../../src/http/schemas.ts'
import type { ScriptDocument, ScriptHandle } from '../../src/simulator/jobs.ts'
import { anUpstream, noPolling, startApp } from '../helpers/app.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

/** The moment at which every ground begins. */
export const begin = 1_760_000_000_000
/** How long the daemon waits for one answer. */
export const timeoutMs = 10_000

export function isoAt(ms: number): string {
  return new Date(ms).toISOString()
}

/**
 * The whole daemon before a simulated Enterprise, on a clock that only the test moves. It looks when
 * it is asked to and at no other time, so that what a look does is all that happens.
 */
export async function ground(settings: { readonly polling?: object; [key: string]: unknown } = {}) {
  const { polling, ...others } = settings
  const clock = new FakeClock(begin)
  const app = await startApp({
    clock,
    random: () => 0.5,
    simulator: { now: () => clock.now() },
    config: (simulator) => ({
      upstreams: [
        {
          ...anUpstream('prod', simulator),
          lostAfter: '60s',
          downAfter: '30s',
          ...others,
          // The rate is kept by real time: it must not be the one to wait for.
          polling: { ...noPolling, rate: 10_000, timeout: `${timeoutMs}ms`, ...polling },
        },
      ],
    }),
  })
  const { simulator } = app
  let lastTold = 0

  async function job(jobid: string): Promise<JobAnswer> {
    const answer = await app.call(`/v1/jobs/${jobid}`)
    expect(answer.status, answer.text).toBe(200)
    return answer.json as JobAnswer
  }

  /** Registers a job; resolves when it was looked at. */
  async function register(jobid: string): Promise<void> {
    expect((await app.post('/v1/jobs', { jobid })).status).toBe(201)
    await until(async () => (await job(jobid)).polledAt !== null)
  }

  /** Has the simulator serve these documents one after another, and watches that job. */
  async function watch(jobid: string, documents: readonly ScriptDocument[]): Promise<ScriptHandle> {
    const script = simulator.addScript(documents, { jobid })
    await register(jobid)
    return script
  }

  async function look(jobid: string): Promise<JobAnswer> {
    const answer = await app.call(`/v1/jobs/${jobid}/poll`, { method: 'POST' })
    expect(answer.status, answer.text).toBe(200)
    return answer.json as JobAnswer
  }

  function asked(jobid: string): number {
    return simulator.requests.jobs.get(jobid) ?? 0
  }

  /** A look that gets no complete answer, and the time until the daemon gives it up. */
  async function lookInVain(jobid: string): Promise<JobAnswer> {
    const before = asked(jobid)
    const looking = look(jobid)
    await until(() => asked(jobid) > before)
    await clock.advance(timeoutMs)
    return looking
  }

  /** The events since the last call. */
  async function events(): Promise<EventAnswer[]> {
    const all: EventAnswer[] = []
    for (;;) {
      const answer = await app.call(`/v1/events?after=${lastTold}&limit=1000`)
      const { items } = answer.json as EventList
      if (items.length === 0) return all
      for (const { data } of items) expect(data.seq).toBe((lastTold += 1))
      all.push(...items)
    }
  }

  /** True while no look is under way or in line. */
  async function isAtRest(): Promise<boolean> {
    const { items } = (await app.call('/v1/jobs?state=active')).json as { items: JobAnswer[] }
    return items.every(({ nextPollAt }) => nextPollAt !== null)
  }

  return Object.assign(app, {
    clock,
    isAtRest,
    job,
    register,
    watch,
    look,
    lookInVain,
    asked,
    events,
    /** The events since the last call, one line each. */
    told: async () => (await events()).map(lineOf),
    async upstream(): Promise<UpstreamAnswer> {
      const { items } = (await app.call('/v1/upstreams')).json as UpstreamList
      const [first] = items
      if (first === undefined) throw new Error('one upstream is configured')
      return first
    },
    /** Lets time pass in small steps; the looks that fall due are made and taken in one by one. */
    async pass(ms: number): Promise<void> {
      const stepMs = timeoutMs / 2
      for (let left = ms; left > 0; left -= stepMs) {
        await clock.advance(Math.min(stepMs, left))
        await until(isAtRest)
      }
    },
  })
}

export type Ground = Awaited<ReturnType<typeof ground>>

/** Lets the event loop turn until it is so; gives up before the test would, which cannot end a loop. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${String(isSo)}`)
    await settle()
  }
}

/** An event in a line: its type, and what changed. */
export function lineOf({ type, data: { change } }: EventAnswer): string {
  const text = (key: string): string => String(change[key])
  switch (change.kind) {
    case 'status': {
      const word = change['rawTo'] === change['to'] ? '' : ` (${text('rawTo')})`
      return `${type}: ${text('from').replace('null', 'nothing')} → ${text('to')}${word}`
    }
    case 'stage': {
      const number = change['occurrence'] === 1 ? '' : `#${text('occurrence')}`
      const [from, to] = ['from', 'to'].map((key) => change[key] ?? 'absent') as [string, string]
      return `stage ${text('stage')}${number}: ${from} → ${to}`
    }
    case 'messages':
      return `messages +${text('count')}`
    default:
      return type
  }
}

/** What a failed look leaves as it is: all of a job but when it was looked at, and how that went. */
export function stateOf(job: JobAnswer): object {
  const isOfTheLook = ['polledAt', 'nextPollAt', 'problem', 'durationMs']
  return Object.fromEntries(Object.entries(job).filter(([name]) => !isOfTheLook.includes(name)))
}

/** A document of a job that copies and has something to do yet. */
export function running(jobid: string, fields: object = {}) {
  return {
    jobid,
    status: 'EXECUTING',
    starttime: begin,
    endtime: 0,
    updatedtime: begin,
    operationURI: '/gis/admin/services/Hydrants.MapServer/edit',
    username: 'siteadmin',
    messages: ['Started.'],
    progress: {
      stages: [
        { name: 'copying', state: 'In Progress' },
        { name: 'cleaning', state: 'Not Started' },
      ],
    },
    ...fields,
  }
}

/** A document of the same job when all is done. */
export function finished(jobid: string) {
  return running(jobid, {
    status: 'COMPLETED',
    endtime: begin + 5,
    messages: ['Started.', 'Done.'],
    progress: {
      stages: [
        { name: 'copying', state: 'Completed' },
        { name: 'cleaning', state: 'Completed' },
      ],
    },
  })
}

/** What is told of a job that was running and has finished. */
export const finishing = [
  'stage copying: running → completed',
  'stage cleaning: pending → completed',
  'messages +1',
  'job.completed: EXECUTING → COMPLETED',
]
