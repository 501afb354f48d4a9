import Database from 'better-sqlite3'
import { get } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../helpers/app.ts'
import { callApi, startApp } from '../helpers/app.ts'
import { parseExposition } from '../helpers/exposition.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { openFeed } from '../feed/reader.ts'
import { until } from '../e2e/ground.ts'
import { eventsOf, problemOf, seqsOf, wrongFieldsOf } from './answers.ts'
import { startServer } from './bare-server.ts'
import type { ServerOptions } from './bare-server.ts'

const minute = 60_000
const duration = 'jobwatch_http_request_duration_seconds'

/** A server on a clock that stands still, with a log of three events. */
async function startWithClock(options: ServerOptions = {}) {
  const clock = new FakeClock()
  const at = await startServer({ clock, ...options })
  let count = 0
  /** Each registration of a job is one event. */
  const append = async (tags: readonly string[] = []) => {
    count += 1
    await at.store.registerJob({ upstream: 'prod', jobid: `j-${count}`, tags }, clock.now())
  }
  for (let n = 0; n < 3; n += 1) await append()

  /** Two timers belong to each wait: its end, and the look without a wake-up. */
  const waits = () => clock.timerCount / 2
  return {
    ...at,
    clock,
    append,
    waits,
    events: (query: string) => callApi(`${at.url}/v1/events?${query}`, {}),
    /** Begins a call, and is there when it waits. */
    async waiting(query: string) {
      const before = waits()
      let isAnswered = false
      const answer = callApi(`${at.url}/v1/events?${query}`, {}).finally(() => (isAnswered = true))
      await until(() => waits() > before || isAnswered)
      return { answer, isAnswered: () => isAnswered }
    },
  }
}

/** A daemon, and a call of it that waits; there is one place for it. */
async function startWaiting() {
  const app = await startApp({ config: () => ({ feed: { maxStreams: 1 } }) })
  const answer = app.call('/v1/events?wait=5m')
  // Only when it has the one place is another call told so.
  await until(async () => (await app.call('/v1/events?wait=1ms')).status === 429)
  return { ...app, answer }
}

describe('wait', () => {
  test('is over as soon as something new comes, which is answered', async () => {
    await using at = await startWaiting()
    await at.post('/v1/jobs', { jobid: 'j1' })
    expect(eventsOf(await at.answer)).toMatchObject({
      items: [{ type: 'job.watched', subject: 'j1' }],
      next: 1,
      newest: 1,
      oldest: 1,
      gap: false,
    })
  })

  test('does not begin when there is something already', async () => {
    await using at = await startWithClock()
    expect(seqsOf(await at.events('wait=30s'))).toEqual([1, 2, 3])
    expect(seqsOf(await at.events('wait=30s&after=1&limit=1'))).toEqual([2])
    expect(seqsOf(await at.events('wait=30s&jobid=j-1'))).toEqual([1])
  })

  test('goes on while a filter lets nothing through', async () => {
    await using at = await startWithClock()
    const { answer, isAnswered } = await at.waiting('after=0&wait=30s&tag=rare')
    await at.append()
    await at.append(['other'])
    await at.clock.advance(minute / 4)
    expect(isAnswered()).toBe(false)
    await at.append(['rare'])
    await at.append()
    const page = eventsOf(await answer)
    expect(page.items.map(({ data }) => data.seq)).toEqual([6])
    expect(seqsOf(await at.events(`after=${page.next}`))).not.toContain(6)
  })

  test('that was in vain is an empty page, which goes on behind what was filtered out', async () => {
    await using at = await startWithClock()
    const { answer, isAnswered } = await at.waiting('after=3&wait=30s&tag=rare')
    await at.append()
    await at.clock.advance(29_900)
    expect(isAnswered()).toBe(false)
    await at.clock.advance(200)
    const page = { items: [], next: 4, newest: 4, oldest: 1, gap: false }
    expect(eventsOf(await answer)).toEqual(page)
  })

  test('lasts as long as was asked for, whatever the wall clock is set to meanwhile', async () => {
    await using at = await startWithClock()
    const { answer, isAnswered } = await at.waiting('after=3&wait=5m')
    at.clock.jump(-60 * minute)
    await at.clock.advance(4 * minute)
    expect(isAnswered()).toBe(false)
    at.clock.jump(60 * minute)
    await at.clock.advance(minute)
    expect(seqsOf(await answer)).toEqual([])
  })

  test('is told of a gap at once', async () => {
    await using at = await startWithClock()
    const foreign = eventsOf(await at.events('after=ffffff-2&wait=30s'))
    expect(foreign).toMatchObject({ gap: true, next: 3 })
    const db = new Database(at.file)
    db.exec('DELETE FROM events')
    db.close()
    const page = { items: [], next: 3, newest: 3, oldest: null, gap: true }
    expect(eventsOf(await at.events('after=1&wait=30s'))).toEqual(page)
  })

  test('finds what nobody told it of, a little later', async () => {
    await using at = await startWithClock()
    const { answer, isAnswered } = await at.waiting('after=3&wait=5m')
    // Written past the daemon: no wake-up comes of it.
    const db = new Database(at.file)
    db.exec(`INSERT INTO events (type, tags, text) SELECT type, tags, text FROM events LIMIT 1`)
    db.close()
    await at.clock.advance(1000)
    expect(isAnswered()).toBe(false)
    await at.clock.advance(minute)
    expect(eventsOf(await answer)).toMatchObject({ next: 4, newest: 4 })
  })

  test('of many ends together', async () => {
    await using at = await startWithClock()
    const calls = await Promise.all(Array.from({ length: 20 }, () => at.waiting('after=3&wait=1m')))
    await at.append()
    for (const { answer } of calls) expect(seqsOf(await answer)).toEqual([4])
  })

  test('of HEAD waits likewise', async () => {
    await using at = await startWithClock()
    const answer = callApi(`${at.url}/v1/events?after=3&wait=1m`, { method: 'HEAD' })
    await until(() => at.waits() === 1)
    await at.append()
    expect((await answer).status).toBe(200)
  })

  test.each(['500ms', '5s', '0.5s', '5m', '300s'])('may be %s', async (length) => {
    await using at = await startWithClock()
    const { answer } = await at.waiting(`after=3&wait=${length}`)
    await at.clock.advance(5 * minute)
    expect(seqsOf(await answer)).toEqual([])
  })

  test.each(['', '0s', '-1s', '301s', '6m', '1h', '30', 'soon', '1m30s', '5s&wait=5s'])(
    'may not be %j',
    async (length) => {
      await using at = await startWithClock()
      const answer = await at.events(`wait=${length}`)
      expect(wrongFieldsOf(answer)).toEqual(['wait'])
      expect(problemOf(answer).detail).toMatch(/such as 30s|must be a text/)
    },
  )

  test('says nothing of how fast the daemon answers', async () => {
    await using at = await startWithClock()
    const { answer } = await at.waiting('after=3&wait=30s')
    await at.clock.advance(minute)
    await answer
    expect((await at.events('after=3')).status).toBe(200)
    const families = parseExposition((await callApi(`${at.url}/metrics`, {})).text)
    const { samples = [] } = families.get(duration) ?? {}
    const counts = samples.filter(
      ({ name, labels }) => name === `${duration}_count` && labels['route'] === '/v1/events',
    )
    expect(counts.map(({ value }) => value)).toEqual([1])
  })
})

describe('a wait ends', () => {
  test('with its client: nothing is left behind, and the place is free again', async () => {
    let reads = 0
    await using at = await startWithClock({
      maxStreams: 1,
      seen: (store) => ({
        ...store,
        readEvents(query) {
          reads += 1
          return store.readEvents(query)
        },
      }),
    })
    for (let round = 0; round < 3; round += 1) {
      const request = get(`${at.url}/v1/events?after=3&wait=5m&tag=rare`)
      request.on('error', () => undefined)
      await until(() => at.waits() === 1)
      request.destroy()
      await until(() => at.waits() === 0)
    }
    const before = reads
    await at.append()
    const { answer } = await at.waiting('after=4&wait=5m')
    await at.append()
    expect(seqsOf(await answer)).toEqual([5])
    // Its first look, the one on entering, and the one that found something.
    expect(reads - before).toBe(3)
  })

  test('with its answer: no timer is left', async () => {
    await using at = await startWithClock()
    const { answer } = await at.waiting('after=3&wait=5m')
    await at.append()
    await answer
    expect(at.clock.timerCount).toBe(0)
  })

  test('when the daemon stops, with the answer that there is', async () => {
    await using at = await startWaiting()
    await at.stop()
    const { status, headers, text } = await at.answer
    expect([status, headers['connection']]).toEqual([200, 'close'])
    expect(JSON.parse(text)).toEqual({ items: [], next: 0, newest: 0, oldest: null, gap: false })
  })

  test('at once for one that begins while the daemon stops', async () => {
    let isHeld = false
    let letGo = (): void => undefined
    const released = new Promise<void>((resolve) => (letGo = resolve))
    await using at = await startWithClock({
      seen: (store) => ({
        ...store,
        async readBounds() {
          isHeld = true
          await released
          return store.readBounds()
        },
      }),
    })
    const answer = at.events('after=3&wait=5m')
    await until(() => isHeld)
    const closed = at.server.close()
    await until(() => !at.server.server.listening)
    letGo()
    expect(seqsOf(await answer)).toEqual([])
    await closed
    expect(at.clock.timerCount).toBe(0)
  })
})

describe('the places', () => {
  const isRefused = (answer: Answer) => {
    expect(answer.status).toBe(429)
    expect(problemOf(answer)).toMatchObject({ code: 'too_many_streams' })
    expect(answer.headers['retry-after']).toBe('5')
  }

  test('are shared by waits and streams', async () => {
    await using at = await startWithClock({ maxStreams: 2 })
    using stream = await openFeed(`${at.url}/v1/events/stream`)
    await stream.hello()
    const waits = at.waits()
    const answer = callApi(`${at.url}/v1/events?after=3&wait=5m`, {})
    await until(() => at.waits() === waits + 1)
    isRefused(await at.events('after=3&wait=5m'))
    using refused = await openFeed(`${at.url}/v1/events/stream`)
    expect(refused.status).toBe(429)
    stream.close()
    await until(async () => {
      using next = await openFeed(`${at.url}/v1/events/stream`)
      return next.status === 200
    })
    await at.append()
    expect(seqsOf(await answer)).toEqual([4])
  })

  test('are taken only by those that have to wait', async () => {
    await using at = await startWithClock({ maxStreams: 1 })
    const { answer } = await at.waiting('after=3&wait=5m')
    expect(seqsOf(await at.events('after=2&wait=5m'))).toEqual([3])
    expect(seqsOf(await at.events('after=3'))).toEqual([])
    isRefused(await at.events('after=3&wait=5m'))
    await at.append()
    await answer
  })
})

test('events that were pruned after their place was found are a gap', async () => {
  let file = ''
  await using at = await startWithClock({
    seen: (store) => ({
      ...store,
      async readBounds() {
        const bounds = await store.readBounds()
        const db = new Database(file)
        db.exec('DELETE FROM events WHERE seq <= 2')
        db.close()
        return bounds
      },
    }),
  })
  file = at.file
  const page = eventsOf(await at.events('after=1'))
  expect(page).toMatchObject({ gap: true, next: 3, oldest: 3 })
  expect(page.items.map(({ data }) => data.seq)).toEqual([3])
  expect(eventsOf(await at.events('after=2'))).toMatchObject({ gap: false, oldest: 3 })
})
