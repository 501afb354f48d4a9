import Database from 'better-sqlite3'
import { EventSource } from 'eventsource'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { startApp } from '../helpers/app.ts'
import type { TestApp } from '../helpers/app.ts'
import { openSocket } from '../http/raw.ts'
import { eventsPerLook, watchBigJob } from './big-job.ts'
import { openFeed } from './reader.ts'

let appended = 0

/** Each registration of a job that nobody knows is one event; they share transactions. */
async function append({ post }: TestApp, count: number): Promise<void> {
  for (let rest = count; rest > 0; rest -= 100) {
    const batch = Array.from({ length: Math.min(rest, 100) }, async () => {
      appended += 1
      expect((await post('/v1/jobs', { jobid: `j-${appended}` })).status).toBe(201)
    })
    await Promise.all(batch)
  }
}

async function idsOf(app: TestApp): Promise<string[]> {
  const page = (await app.call('/v1/events?limit=1000')).json as { items: { id: string }[] }
  return page.items.map(({ id }) => id)
}

/** What somebody else does to the file, as an administrator might while the daemon is stopped. */
function change({ database }: TestApp, sql: string): void {
  const db = new Database(database)
  db.exec(sql)
  db.close()
}

function stream({ url }: TestApp, query = ''): string {
  return `${url}/v1/events/stream${query}`
}

describe('the stop of the daemon', () => {
  test('is not held up by readers that do not read', async () => {
    await using app = await startApp({ config: () => ({ shutdownTimeout: '200ms' }) })
    const big = await watchBigJob(app)
    using slow = await openFeed(stream(app))
    using idle = await openFeed(stream(app))
    await big.stir()
    await app.stop()
    expect([slow.status, idle.status]).toEqual([200, 200])
  })

  test(
    'waits for no connection that was opened in advance, as browsers do',
    { timeout: 15_000 },
    async () => {
      await using app = await startApp({ config: () => ({ shutdownTimeout: '1h' }) })
      const spare = await openSocket(app.url)
      const closed = once(spare.resume(), 'close')
      await app.call('/healthz')
      await app.stop()
      await closed
    },
  )

  test(
    'waits for no connection that its client would keep for later',
    { timeout: 15_000 },
    async () => {
      await using app = await startApp({ config: () => ({ shutdownTimeout: '1h' }) })
      const agent = new Agent({ keepAlive: true })
      const opened = new Promise<IncomingMessage>((resolve) => get(stream(app), { agent }, resolve))
      const whole = text(await opened)
      // One that is half way through its request when the stop begins.
      const socket = await openSocket(app.url)
      const { host } = new URL(app.url)
      const head = `POST /v1/jobs HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`
      socket.write(`${head}Content-Length: 14\r\n\r\n{"jobid"`)
      await app.call('/healthz')
      const stopped = app.stop()
      expect(await whole).toContain('event: feed.bye')
      socket.write(':"j1"}')
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 201 /)
      await stopped
      agent.destroy()
    },
  )

  test('cuts the socket of a stream that is asked for meanwhile, since a 503 would end a browser for good', async () => {
    await using app = await startApp()
    using open = await openFeed(stream(app))
    await open.hello()
    const socket = await openSocket(app.url)
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk))
    socket.on('error', () => undefined)
    const { host } = new URL(app.url)
    socket.write(`HEAD /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await once(socket, 'data')
    answer = ''
    // A connection in use, and half of a request: the daemon does not know yet what it is for.
    socket.write(`GET /v1/events/stream HTTP/1.1\r\nHost: ${host}\r\n`)
    await app.call('/healthz')
    const stopped = app.stop()
    await open.until('feed.bye')
    socket.write('\r\n')
    await once(socket, 'close')
    expect(answer).toBe('')
    await stopped
  })
})

describe('a restart', () => {
  test('without any new event is no reason to lose one: resuming works at once', async () => {
    await using app = await startApp()
    await append(app, 5)
    const ids = await idsOf(app)
    await app.restart()
    const headers = { 'last-event-id': ids[1] ?? '' }
    using feed = await openFeed(stream(app), { headers })
    expect((await feed.hello()).hello.id).toBe(ids[1])
    expect((await feed.events(3)).map(({ id }) => id)).toEqual(ids.slice(2))
  })

  test('goes on with the next seq in the same epoch', async () => {
    await using app = await startApp()
    await append(app, 3)
    const before = await idsOf(app)
    await app.restart()
    using feed = await openFeed(stream(app))
    await feed.hello()
    await append(app, 1)
    const [event] = await feed.events(1)
    expect(event?.id).toBe(before[0]?.replace(/1$/, '4'))
  })

  test('is nothing to an EventSource: it comes back by itself and sees every event once', async () => {
    // The shortest `retry:` there is.
    await using app = await startApp({ random: () => 0 })
    const seen: string[] = []
    let expected = 0
    let reached = (): void => undefined
    const source = new EventSource(stream(app, '?after=0'))
    source.addEventListener('job.watched', ({ lastEventId }) => {
      seen.push(lastEventId)
      if (seen.length === expected) reached()
    })
    const seeAll = (count: number) =>
      new Promise<void>((resolve) => {
        expected = count
        reached = resolve
        if (seen.length >= count) resolve()
      })
    await append(app, 3)
    await seeAll(3)
    for (const round of [1, 2]) {
      await app.restart()
      // Some of it is written before it is back, some perhaps after.
      await append(app, 4)
      await seeAll(3 + 4 * round)
    }
    source.close()
    expect(seen).toEqual(await idsOf(app))
    expect(new Set(seen).size).toBe(seen.length)
  })
})

describe('a log that was pruned', () => {
  async function startPruned(sql: string) {
    const app = await startApp()
    await append(app, 10)
    const ids = await idsOf(app)
    await app.stop()
    change(app, sql)
    await app.restart()
    return { ...app, ids }
  }

  test.each(['1', '3'])(
    'tells a reader at %s of the gap, and from where it goes on',
    async (seq) => {
      await using app = await startPruned('DELETE FROM events WHERE seq <= 4')
      const id = app.ids[Number(seq) - 1] ?? ''
      for (const [query, asked, headers] of [
        [`?after=${seq}`, seq, {}],
        [`?after=${id}`, id, {}],
        ['', id, { 'last-event-id': id }],
      ] as const) {
        using feed = await openFeed(stream(app, query), { headers })
        const { hello } = await feed.hello()
        expect(hello.id).toBe(app.ids[3])
        expect(JSON.parse(hello.data ?? '')).toMatchObject({ oldest: 5, newest: 10 })
        const gap = await feed.frame()
        expect(gap).toMatchObject({ event: 'feed.gap', id: hello.id })
        expect(JSON.parse(gap.data ?? '')).toEqual({ asked, oldest: 5, newest: 10 })
        expect(await feed.seqs(6)).toEqual([5, 6, 7, 8, 9, 10])
      }
      const page = (await app.call(`/v1/events?after=${seq}`)).json
      expect(page).toMatchObject({ gap: true, oldest: 5, newest: 10, next: 10 })
    },
  )

  test('tells nothing of a gap to a reader that has lost nothing', async () => {
    await using app = await startPruned('DELETE FROM events WHERE seq <= 4')
    for (const seq of [4, 7, 10]) {
      using feed = await openFeed(stream(app, `?after=${seq}`))
      expect((await feed.hello()).hello.id).toBe(app.ids[seq - 1])
      await append(app, 1)
      const { event, id } = await feed.frame()
      expect(event).toBe('job.watched')
      expect(id).toBe(app.ids[seq] ?? id)
      expect((await app.call(`/v1/events?after=${seq}`)).json).toMatchObject({ gap: false })
    }
  })

  test('down to nothing still knows where it was, and never gives a seq twice', async () => {
    await using app = await startPruned('DELETE FROM events')
    const page = (await app.call('/v1/events?after=3')).json
    expect(page).toEqual({ items: [], next: 10, newest: 10, oldest: null, gap: true })
    using behind = await openFeed(stream(app), { headers: { 'last-event-id': app.ids[2] ?? '' } })
    const { hello } = await behind.hello()
    expect(hello.id).toBe(app.ids[9])
    expect(JSON.parse(hello.data ?? '')).toMatchObject({ newest: 0, oldest: null })
    expect((await behind.frame()).event).toBe('feed.gap')
    using atHead = await openFeed(stream(app, '?after=10'))
    await atHead.hello()
    await append(app, 1)
    expect(await behind.seqs(1)).toEqual([11])
    expect((await atHead.frame()).event).toBe('job.watched')
  })
})

test('a log that is pruned while a reader is behind tells it so in its stream', async () => {
  await using app = await startApp()
  const big = await watchBigJob(app)
  using feed = await openFeed(stream(app, '?after=0'), { keepsText: false })
  await feed.hello()
  // More than sockets hold.
  await big.stir()
  const newest = eventsPerLook + 2
  change(app, `DELETE FROM events WHERE seq < ${newest}`)
  let frame = await feed.eventFrame()
  const seen: (string | null)[] = []
  while (frame.event !== 'feed.gap') {
    seen.push(frame.id)
    frame = await feed.frame()
  }
  const epoch = seen[0]?.split('-')[0] ?? ''
  expect(seen).toEqual(seen.map((_, index) => `${epoch}-${index + 1}`))
  expect(frame.id).toBe(`${epoch}-${newest - 1}`)
  expect(JSON.parse(frame.data ?? '')).toEqual({ asked: seen.at(-1), oldest: newest, newest })
  expect((await feed.eventFrame()).id).toBe(`${epoch}-${newest}`)
})

describe('a copy of the database that goes on under a fresh epoch', () => {
  async function startCopied() {
    const app = await startApp()
    await append(app, 5)
    const [first = ''] = await idsOf(app)
    await app.stop()
    change(app, `INSERT INTO epochs (first_seq, epoch, begun_at) VALUES (6, 'beef01', 0)`)
    await app.restart()
    await append(app, 3)
    return { ...app, old: first.split('-')[0] ?? '' }
  }

  test('keeps the ids of before and gives new ones under the new word', async () => {
    await using app = await startCopied()
    const { old } = app
    expect(await idsOf(app)).toEqual([
      ...[1, 2, 3, 4, 5].map((seq) => `${old}-${seq}`),
      ...[6, 7, 8].map((seq) => `beef01-${seq}`),
    ])
    using feed = await openFeed(stream(app, `?after=${old}-4`))
    const { hello } = await feed.hello()
    expect(hello.id).toBe(`${old}-4`)
    expect(JSON.parse(hello.data ?? '')).toEqual({ epoch: 'beef01', newest: 8, oldest: 1 })
    expect((await feed.events(4)).map(({ id }) => id)).toEqual([
      `${old}-5`,
      'beef01-6',
      'beef01-7',
      'beef01-8',
    ])
  })

  test('notices an id that the original gave after the copy was made', async () => {
    await using app = await startCopied()
    const { old } = app
    for (const [cursor, isGap] of [
      [`${old}-5`, false],
      [`${old}-6`, true],
      [`${old}-8`, true],
      [`${old}-0`, true],
      ['beef01-5', true],
      ['beef01-6', false],
      ['beef01-9', true],
      ['beef01-0', false],
    ] as const) {
      using feed = await openFeed(stream(app), { headers: { 'last-event-id': cursor } })
      const { hello } = await feed.hello()
      const next = await feed.frame()
      expect(next.event === 'feed.gap', cursor).toBe(isGap)
      expect((await app.call(`/v1/events?after=${cursor}`)).json).toMatchObject({ gap: isGap })
      if (isGap) expect(hello.id).toBe('beef01-0')
    }
  })
})

test('text from upstream arrives as it was, one event each, whatever is in it', async () => {
  await using app = await startApp()
  const texts = [
    'line\nfeed',
    'carriage\rreturn\r\nboth',
    'x\rid: 999\rdata: y\r\rdata: z',
    '\u2028 \u2029 \u0085 \ufeff \u0000',
    '\ud83d lone \udc00',
    '🛰 地図の更新 \u202efdp.exe',
    ' leading blank',
    ': a comment?',
    'event: feed.bye\n\nretry: 1',
  ]
  const document = (jobid: string, name: string) => ({
    jobid,
    status: 'EXECUTING',
    name,
    resource: { name },
    messages: [name],
    progress: { stages: [{ name, state: name }] },
    username: name,
    starttime: 1_764_000_000_000,
    endtime: 0,
  })
  using feed = await openFeed(stream(app, '?type=job.executing'))
  await feed.hello()
  for (const [index, name] of texts.entries()) {
    app.simulator.addScript([document(`j${index}`, name)], { jobid: `j${index}` })
    await app.post('/v1/jobs', { jobid: `j${index}` })
    const frame = await feed.frame()
    expect(frame.event).toBe('job.executing')
    expect(frame.id).toMatch(/^[0-9a-f]+-\d+$/)
    const { data } = JSON.parse(frame.data ?? '') as { data: { job: object } }
    expect(data.job).toMatchObject({
      name,
      resource: name,
      username: name,
      messages: [{ text: name }],
      stages: [{ name, rawState: name }],
    })
  }
})
