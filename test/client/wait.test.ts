import { rm } from 'node:fs/promises'
import { onTestFinished, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import type { WaitOptions } from '../../src/client/client.ts'
import { ClientError, DaemonUnreachable, WaitTimeout } from '../../src/client/errors.ts'
import type { FollowState } from '../../src/client/follow.ts'
import type { JobNews } from '../../src/client/wait.ts'
import type { EventList } from '../../src/http/schemas.ts'
import type { ScriptDocument } from '../../src/simulator/jobs.ts'
import { finished, running, until } from '../e2e/ground.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import type { AppOptions, TestApp } from '../helpers/app.ts'
import { simulatorFor } from '../helpers/simulator.ts'

// With a real daemon; what takes single answers to show is in wait-answers.test.ts.

/** A daemon whose streams may be resumed after the shortest pause. */
async function daemon(options: AppOptions = {}) {
  const app = await startApp({ random: () => 0, ...options })
  onTestFinished(() => app[Symbol.asyncDispose]())
  return app
}

/** One that takes a job for lost at once. */
const losing: AppOptions = {
  config: (simulator) => ({ upstreams: [{ ...anUpstream('prod', simulator), lostAfter: '1ms' }] }),
}

function script(app: TestApp, jobid: string, ...documents: readonly ScriptDocument[]) {
  return app.simulator.addScript([running(jobid), ...documents], { jobid })
}

function lineOf({ job, ending, event }: JobNews): string {
  const end = ending === null ? '' : `, ${ending}`
  return `${job.upstream}/${job.jobid} ${event?.type ?? 'found'}${end}`
}

/** Waits for one job; `told` grows with the news, and `connection` with what becomes of the feed. */
function waitFor({ url }: TestApp, jobid: string, options: WaitOptions = {}) {
  const told: string[] = []
  const connection: FollowState['state'][] = []
  const result = createClient({ server: url }).waitFor(jobid, {
    onNews: (news) => told.push(lineOf(news)),
    onState: ({ state }) => connection.push(state),
    ...options,
  })
  // A test that fails before it awaits the result must not fail twice.
  result.catch(() => undefined)
  return { told, connection, result }
}

/** Waits for several; `end` is null when all have come out, else what was thrown. */
function waitForAll(
  { url }: TestApp,
  ...jobs: Parameters<ReturnType<typeof createClient>['waitForJobs']>[0]
) {
  const told: string[] = []
  const news = createClient({ server: url }).waitForJobs(jobs)
  const collect = async () => {
    for await (const one of news) told.push(lineOf(one))
  }
  const end = collect().then(
    () => null,
    (error: unknown) => error,
  )
  return { told, end }
}

/** The types of a job's events, as the log has them. */
async function logged(app: TestApp, jobid: string): Promise<string[]> {
  const { items } = (await app.call(`/v1/events?jobid=${jobid}&limit=1000`)).json as EventList
  return items.map(({ type }) => type)
}

/** The types of the events that were told. */
function typesOf(told: readonly string[]): string[] {
  return told
    .map((line) => line.replace(/^\S+ ([^,]+).*$/, '$1'))
    .filter((type) => type !== 'found')
}

describe('a job that is waited for', () => {
  test.each([
    ['succeeded', finished('j1')],
    ['failed', { ...finished('j1'), status: 'FAILED' }],
    ['failed', { ...finished('j1'), result: { status: 'error' } }],
    ['cancelled', { ...finished('j1'), status: 'CANCELLED' }],
  ] as const)('has %s when that was told, and not before', async (ending, end) => {
    const app = await daemon()
    const job = script(app, 'j1', end)
    const { told, result } = waitFor(app, 'j1')
    await until(() => told.includes('prod/j1 job.executing'))
    job.next()
    const { ending: came, job: last } = await result
    expect(came).toBe(ending)
    expect(last).toMatchObject({ jobid: 'j1', state: 'ended', stages: [{}, {}] })
    // The stages that ended with it are told before, by events that carry the ended job as well.
    expect(typesOf(told)).toEqual(await logged(app, 'j1'))
    expect(told.filter((line) => line.endsWith(`, ${ending}`))).toEqual([told.at(-1)])
    expect(last.lastSeq).toBe(typesOf(told).length)
  })

  test('is registered if nobody has, and is left watched', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { told, result } = waitFor(app, 'j1')
    await until(() => told.includes('prod/j1 job.executing'))
    expect(told[0]).toBe('prod/j1 found')
    const { job } = await createClient({ server: app.url }).registerJob({ jobid: 'j1' })
    expect(job.state).toBe('active')
    await app.call('/v1/jobs/j1', { method: 'DELETE' })
    await result
  })

  test('that has ended already is answered with how it came out, without following', async () => {
    const app = await daemon()
    app.simulator.addScript([finished('j1')], { jobid: 'j1' })
    await waitFor(app, 'j1').result
    const { told, connection, result } = waitFor(app, 'j1')
    expect(await result).toMatchObject({ ending: 'succeeded', job: { status: 'COMPLETED' } })
    expect(told).toEqual(['prod/j1 found, succeeded'])
    expect(connection).toEqual([])
  })

  test('is lost when the upstream does not know it', async () => {
    const app = await daemon(losing)
    const { told, result } = waitFor(app, 'j1')
    expect(await result).toMatchObject({ ending: 'lost', job: { state: 'lost', status: null } })
    expect(told.at(-1)).toBe('prod/j1 job.lost, lost')
  })

  test('that was lost is looked for again', async () => {
    const app = await daemon(losing)
    await waitFor(app, 'j1').result
    script(app, 'j1', finished('j1')).next()
    expect(await waitFor(app, 'j1').result).toMatchObject({ ending: 'succeeded' })
  })

  test('is unwatched when somebody ends the watching', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { told, result } = waitFor(app, 'j1')
    await until(() => told.includes('prod/j1 job.executing'))
    await app.call('/v1/jobs/j1', { method: 'DELETE' })
    expect(await result).toMatchObject({ ending: 'unwatched', job: { status: 'EXECUTING' } })
    expect(told.at(-1)).toBe('prod/j1 job.unwatched, unwatched')
  })
})

describe('several jobs', () => {
  test('are waited for until the last of them has come out', async () => {
    const app = await daemon()
    const [one, two] = [script(app, 'one', finished('one')), script(app, 'two', finished('two'))]
    const { told, end } = waitForAll(app, { jobid: 'one', label: 'first' }, { jobid: 'two' })
    await until(() => told.filter((line) => line.endsWith('job.executing')).length === 2)
    one.next()
    await until(() => told.includes('prod/one job.completed, succeeded'))
    two.next()
    expect(await end).toBeNull()
    expect(told.at(-1)).toBe('prod/two job.completed, succeeded')
    const page = await createClient({ server: app.url }).listJobs({ q: 'first' })
    expect(page.items.map(({ jobid }) => jobid)).toEqual(['one'])
  })

  test('include one that runs again while another is waited for', async () => {
    const app = await daemon()
    const again = { ...running('one'), starttime: 1_770_000_000_000 }
    const one = script(app, 'one', finished('one'), again, { ...again, status: 'FAILED' })
    const two = script(app, 'two', finished('two'))
    const { told, end } = waitForAll(app, { jobid: 'one' }, { jobid: 'two' })
    one.next()
    await until(() => told.includes('prod/one job.completed, succeeded'))
    one.next()
    await app.call('/v1/jobs/one/poll', { method: 'POST' })
    await until(() => told.includes('prod/one job.reopened'))
    two.next()
    await until(() => told.includes('prod/two job.completed, succeeded'))
    one.next()
    expect(await end).toBeNull()
    expect(told.at(-1)).toBe('prod/one job.failed, failed')
  })

  test('include one that is found again while another is waited for', async () => {
    const app = await daemon(losing)
    const two = script(app, 'two', finished('two'))
    const { told, end } = waitForAll(app, { jobid: 'one' }, { jobid: 'two' })
    await until(() => told.includes('prod/one job.lost, lost'))
    const one = script(app, 'one', finished('one'))
    await until(() => told.includes('prod/one job.found'))
    two.next()
    await until(() => told.includes('prod/two job.completed, succeeded'))
    one.next()
    expect(await end).toBeNull()
    expect(told.at(-1)).toBe('prod/one job.completed, succeeded')
  })

  test('that are one and the same are told once', async () => {
    const app = await daemon()
    const job = script(app, 'j1', finished('j1'))
    const url = `${app.simulator.root}/jobs/j1?f=json`
    const { told, end } = waitForAll(app, { jobid: 'j1' }, { url }, { jobid: 'j1', tags: ['x'] })
    await until(() => told.includes('prod/j1 job.executing'))
    job.next()
    expect(await end).toBeNull()
    expect(told.filter((line) => line.includes('found'))).toEqual(['prod/j1 found'])
    expect(typesOf(told)).toEqual(await logged(app, 'j1'))
  })

  test('may share a job id at two upstreams', async () => {
    const other = await simulatorFor()
    const app = await daemon({
      config: (simulator) => ({
        upstreams: [anUpstream('prod', simulator), anUpstream('test', other)],
      }),
    })
    const here = script(app, 'j1', finished('j1'))
    const there = other.addScript([running('j1'), { ...finished('j1'), status: 'FAILED' }], {
      jobid: 'j1',
    })
    const both = waitForAll(app, ...['prod', 'test'].map((upstream) => ({ jobid: 'j1', upstream })))
    const one = waitFor(app, 'j1', { upstream: 'test' })
    await until(() => both.told.filter((line) => line.endsWith('job.executing')).length === 2)
    here.next()
    await until(() => both.told.includes('prod/j1 job.completed, succeeded'))
    there.next()
    expect(await both.end).toBeNull()
    expect(both.told.at(-1)).toBe('test/j1 job.failed, failed')
    expect(await one.result).toMatchObject({ ending: 'failed', job: { upstream: 'test' } })
    expect(one.told.filter((line) => line.startsWith('prod/'))).toEqual([])
  })

  test('that are none are not waited for', async () => {
    const app = await daemon()
    expect(await waitForAll(app).end).toBeNull()
  })

  test('of which one is refused are not waited for', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { told, end } = waitForAll(app, { jobid: 'j1' }, { jobid: 'j2', upstream: 'none' })
    expect(await end).toBeInstanceOf(ClientError)
    expect(await end).toMatchObject({ status: 400, code: 'invalid_input' })
    expect(told).toEqual([])
  })
})

describe('a daemon that goes away', () => {
  test('and comes back has told everything once', async () => {
    const app = await daemon()
    const job = script(app, 'j1', finished('j1'))
    const { told, connection, result } = waitFor(app, 'j1')
    await until(() => told.includes('prod/j1 job.executing'))
    await app.stop()
    job.next()
    await app.restart()
    expect(await result).toMatchObject({ ending: 'succeeded' })
    expect(typesOf(told)).toEqual(await logged(app, 'j1'))
    expect(connection.at(0)).toBe('open')
    expect(connection.at(-1)).toBe('open')
    expect(connection).toContain('lost')
  })

  test('and comes back with another database is asked to watch again', async () => {
    const app = await daemon()
    const job = script(app, 'j1', finished('j1'))
    const { told, result } = waitFor(app, 'j1')
    await until(() => told.includes('prod/j1 job.executing'))
    await app.stop()
    for (const ending of ['', '-wal', '-shm']) await rm(app.database + ending, { force: true })
    await app.restart()
    await until(() => told.filter((line) => line === 'prod/j1 found').length === 2)
    job.next()
    expect(await result).toMatchObject({ ending: 'succeeded' })
    expect(await logged(app, 'j1')).toEqual(typesOf(told).slice(-(await logged(app, 'j1')).length))
  })

  test('is given up when it stays away for as long as was said', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { told, connection, result } = waitFor(app, 'j1', { giveUpAfterMs: 100 })
    await until(() => told.includes('prod/j1 job.executing'))
    await app.stop()
    await expect(result).rejects.toBeInstanceOf(DaemonUnreachable)
    expect(connection.at(-1)).toBe('lost')
  })

  test('before the jobs are registered is not waited for', async () => {
    const app = await daemon()
    await app.stop()
    await expect(waitFor(app, 'j1').result).rejects.toBeInstanceOf(DaemonUnreachable)
  })
})

describe('the end of waiting', () => {
  test('comes with an error that holds the job when time is up', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { result } = waitFor(app, 'j1', { timeoutMs: 3000 })
    const error = await result.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(WaitTimeout)
    expect(error).toMatchObject({ code: 'wait_timeout', job: { jobid: 'j1', state: 'active' } })
  })

  test('does not come at once when there is more time than a timer of Node can take', async () => {
    const app = await daemon()
    const job = script(app, 'j1', finished('j1'))
    const { told, result } = waitFor(app, 'j1', { timeoutMs: 30 * 86_400_000 })
    await until(() => told.includes('prod/j1 job.executing'))
    job.next()
    expect(await result).toMatchObject({ ending: 'succeeded' })
  })

  test('comes with the reason of the signal that aborts', async () => {
    const app = await daemon()
    script(app, 'j1')
    const stop = new AbortController()
    const { told, result } = waitFor(app, 'j1', { signal: stop.signal })
    await until(() => told.includes('prod/j1 job.executing'))
    stop.abort(new Error('enough'))
    await expect(result).rejects.toThrow('enough')
  })

  test('comes with the reason of the signal of the client, whatever other signal there is', async () => {
    const app = await daemon()
    script(app, 'j1')
    const stop = new AbortController()
    const client = createClient({ server: app.url, signal: stop.signal })
    const told: string[] = []
    const onNews = (news: JobNews) => told.push(lineOf(news))
    const { signal } = new AbortController()
    const waiting = [
      client.waitFor('j1', { onNews, signal }),
      client.waitFor('j1', { onNews, signal, timeoutMs: 3_600_000 }),
    ]
    const ends = Promise.allSettled(waiting)
    await until(() => told.filter((line) => line === 'prod/j1 job.executing').length === 2)
    stop.abort(new Error('shutting down'))
    for (const end of await ends) {
      expect(end).toMatchObject({ status: 'rejected', reason: { message: 'shutting down' } })
    }
  })

  test('comes with what the caller throws', async () => {
    const app = await daemon()
    script(app, 'j1')
    const { result } = waitFor(app, 'j1', {
      onNews() {
        throw new Error('the disk is full')
      },
    })
    await expect(result).rejects.toThrow('the disk is full')
  })

  test('leaves no stream behind', async () => {
    const app = await daemon()
    script(app, 'j1')
    const stop = new AbortController()
    const { told, result } = waitFor(app, 'j1', { signal: stop.signal })
    await until(() => told.includes('prod/j1 job.executing'))
    const clients = async () => {
      const { text } = await app.call('/metrics')
      return /^jobwatch_sse_clients (\d+)$/m.exec(text)?.[1]
    }
    expect(await clients()).toBe('1')
    stop.abort()
    await result.catch(() => undefined)
    await until(async () => (await clients()) === '0')
  })
})
