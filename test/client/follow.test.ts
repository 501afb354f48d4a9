import nock from 'nock'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Readable } from 'node:stream'
import { follow } from '../../src/client/follow.ts'
import type { FollowOptions, FollowState } from '../../src/client/follow.ts'
import type { FollowItem } from '../../src/client/position.ts'
import { aProblem, server } from './answers.ts'
import {
  bookmark,
  control,
  endedStream,
  feedHeaders,
  frame,
  gap,
  hello,
  openStream,
} from './frames.ts'

let stop: AbortController
let states: FollowState[]

beforeAll(() => {
  nock.disableNetConnect()
})
beforeEach(() => {
  stop = new AbortController()
  states = []
})
afterEach(() => {
  stop.abort()
  const unused = nock.pendingMocks()
  nock.cleanAll()
  expect(unused).toEqual([])
})
afterAll(() => {
  nock.restore()
})

/** The next connection is expected with this Last-Event-ID (null: none) and is answered so. */
function connection(lastEventId: string | null, body: Readable, query = '') {
  const given =
    lastEventId === null
      ? { badheaders: ['last-event-id'] }
      : { reqheaders: { 'last-event-id': lastEventId } }
  return nock(server, given)
    .get(`/v1/events/stream${query}`)
    .reply(200, () => body, feedHeaders)
}

function start(options: Partial<FollowOptions> = {}) {
  return follow({
    server,
    reconnectMs: 0,
    signal: stop.signal,
    onState: (state) => states.push(state),
    ...options,
  })
}

/** The next items, events by their seq. */
async function take(items: AsyncGenerator<FollowItem>, count: number) {
  const taken: (number | FollowItem)[] = []
  while (taken.length < count) {
    const next = await items.next()
    if (next.done) expect.fail(`the feed ended after ${taken.length} items`)
    const { value } = next
    taken.push(value.kind === 'event' ? value.event.data.seq : value)
  }
  return taken
}

describe('a connection', () => {
  test('asks for what was asked and yields events with the text that was sent', async () => {
    const text = `{ "type":"job.failed" ,"data":{"seq":6}, "note":"Größe 🚀" }`
    const body = openStream(hello(5), `id: 7f3a9c-6\nevent: job.failed\ndata: ${text}\n\n`)
    const query = '?after=5&type=job.*&jobid=j1&jobid=j2&upstream=prod&tag=nightly'
    nock(server, { reqheaders: { accept: 'text/event-stream', authorization: 'Bearer s3cret' } })
      .get(`/v1/events/stream${query}`)
      .reply(200, () => body, feedHeaders)
    const items = start({
      token: 's3cret',
      after: 5,
      types: ['job.*'],
      jobids: ['j1', 'j2'],
      upstreams: ['prod'],
      tags: ['nightly'],
    })
    const event: unknown = JSON.parse(text)
    expect((await items.next()).value).toEqual({ kind: 'event', event, text })
    expect(states).toEqual([{ state: 'open' }])
  })

  test('may bring frames in any pieces', async () => {
    const body = openStream()
    connection(null, body)
    const bytes = Buffer.from(hello(0) + frame(1).replace('editContainer', '🚀Größe'))
    for (const byte of bytes) body.push(Buffer.of(byte))
    const { value } = await start().next()
    expect(value).toMatchObject({ event: { data: { job: { title: '🚀GrößeRegistry default' } } } })
  })
})

describe('a cut stream', () => {
  test('is resumed after the last event', async () => {
    connection(null, endedStream(hello(4), frame(5), frame(6)))
    connection('7f3a9c-6', openStream(hello(6), frame(7)))
    expect(await take(start(), 3)).toEqual([5, 6, 7])
    expect(states.map(({ state }) => state)).toEqual(['open', 'lost', 'open'])
  })

  test('is resumed from hello when no event had come', async () => {
    connection(null, endedStream(hello(4)))
    connection('7f3a9c-4', openStream(hello(4), frame(5)))
    expect(await take(start(), 1)).toEqual([5])
  })

  test('is resumed from a bookmark', async () => {
    connection(null, endedStream(hello(4), frame(5), bookmark(90)))
    connection('7f3a9c-90', openStream(hello(90), frame(91)))
    expect(await take(start(), 2)).toEqual([5, 91])
  })

  test('is resumed when the connection breaks in the middle of a frame', async () => {
    const broken = openStream(hello(4), frame(5), frame(6).slice(0, -20))
    connection(null, broken)
    connection('7f3a9c-5', openStream(hello(5), frame(6)))
    const items = start()
    expect(await take(items, 1)).toEqual([5])
    broken.destroy(new Error('reset'))
    expect(await take(items, 1)).toEqual([6])
  })

  test('is resumed by the same query until a frame has come', async () => {
    connection(null, endedStream(), '?after=7f3a9c-3')
    connection(null, endedStream(hello(3)), '?after=7f3a9c-3')
    connection('7f3a9c-3', openStream(hello(3), frame(4)))
    expect(await take(start({ after: '7f3a9c-3' }), 1)).toEqual([4])
  })

  test('is resumed after the daemon said that it stops', async () => {
    connection(null, endedStream(hello(4), control('feed.bye', '7f3a9c-4', {})))
    connection('7f3a9c-4', openStream(hello(4), frame(5)))
    expect(await take(start(), 1)).toEqual([5])
  })

  test('yields no event twice when what comes next repeats some', async () => {
    connection(null, endedStream(hello(4), frame(5), frame(6)))
    connection('7f3a9c-6', openStream(hello(6), frame(5), frame(6), frame(7)))
    expect(await take(start(), 3)).toEqual([5, 6, 7])
  })
})

describe('a gap', () => {
  const lost: FollowItem = { kind: 'gap', asked: '7f3a9c-5', oldest: 50, newest: 60 }

  test('is yielded before what is still kept', async () => {
    connection(null, openStream(hello(49), gap('5', 50, 60), frame(50)), '?after=5')
    expect(await take(start({ after: 5 }), 2)).toEqual([{ ...lost, asked: '5' }, 50])
  })

  test('of another log is yielded although its seqs are lower', async () => {
    connection(null, endedStream(hello(99), frame(100)))
    const newLog = [hello(0, 'b2'), gap('7f3a9c-100', 1, 2, 'b2'), frame(1, 'b2'), frame(2, 'b2')]
    connection('7f3a9c-100', openStream(...newLog))
    const [, notice, ...events] = await take(start(), 4)
    expect(notice).toEqual({ kind: 'gap', asked: '7f3a9c-100', oldest: 1, newest: 2 })
    expect(events).toEqual([1, 2])
  })

  test('is not missed when the stream is cut between hello and the gap', async () => {
    connection(null, endedStream(hello(4), frame(5)))
    connection('7f3a9c-5', endedStream(hello(49)))
    connection('7f3a9c-5', openStream(hello(49), gap('7f3a9c-5', 50, 60), frame(50)))
    expect(await take(start(), 3)).toEqual([5, lost, 50])
  })

  test('is yielded once when the stream is cut right after it', async () => {
    connection(null, endedStream(hello(49), gap('7f3a9c-5', 50, 60)), '?after=7f3a9c-5')
    connection('7f3a9c-49', openStream(hello(49), frame(50)))
    expect(await take(start({ after: '7f3a9c-5' }), 2)).toEqual([lost, 50])
  })
})

describe('coming back', () => {
  test('goes on through network errors, 5xx and 429', async () => {
    const daemon = nock(server)
    daemon
      .get('/v1/events/stream')
      .replyWithError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    daemon.get('/v1/events/stream').reply(503, 'starting')
    daemon.get('/v1/events/stream').reply(429, aProblem(429, { detail: 'too many streams' }))
    connection(null, openStream(hello(4), frame(5)))
    expect(await take(start(), 1)).toEqual([5])
    expect(states.map((state) => (state.state === 'lost' ? state.reason : state.state))).toEqual([
      expect.stringContaining(`no daemon at ${server}`),
      expect.stringContaining('answered 503'),
      'too many streams',
      'open',
    ])
  })

  test('waits as long as Retry-After says', async () => {
    nock(server).get('/v1/events/stream').reply(429, aProblem(429), { 'retry-after': '7' })
    let pauseMs = 0
    const onState = (state: FollowState) => {
      if (state.state === 'lost') pauseMs = state.retryInMs
      stop.abort()
    }
    await start({ onState }).next()
    expect(pauseMs).toBeGreaterThanOrEqual(7000)
    expect(pauseMs).toBeLessThanOrEqual(10_500)
  })

  test('waits as long as the retry field of the stream says, also on later connections', async () => {
    connection(null, endedStream('retry: 20\n\n', hello(4)))
    connection('7f3a9c-4', endedStream(hello(4)))
    connection('7f3a9c-4', openStream(hello(4), frame(5)))
    await take(start({ reconnectMs: 60_000 }), 1)
    const pauses = states.flatMap((state) => (state.state === 'lost' ? [state.retryInMs] : []))
    expect(pauses).toHaveLength(2)
    for (const pauseMs of pauses) {
      expect(pauseMs).toBeGreaterThanOrEqual(20)
      expect(pauseMs).toBeLessThanOrEqual(30)
    }
  })

  test('survives a proxy that hides the feed for a while', async () => {
    connection(null, endedStream(hello(4), frame(5)))
    nock(server).get('/v1/events/stream').reply(404, 'no such service')
    nock(server).get('/v1/events/stream').reply(200, '<html>maintenance</html>')
    connection('7f3a9c-5', openStream(hello(5), frame(6)))
    expect(await take(start(), 2)).toEqual([5, 6])
  })

  test('happens after a connection has been silent for too long', async () => {
    connection(null, openStream(hello(4)))
    connection('7f3a9c-4', openStream(hello(4), frame(5)))
    expect(await take(start({ silenceMs: 30 }), 1)).toEqual([5])
    expect(states[1]).toMatchObject({
      state: 'lost',
      reason: 'the connection was lost (nothing came for 0.03 s)',
    })
  })
})

describe('giving up', () => {
  test('comes with the last reason when there never was a daemon', async () => {
    nock(server).persist().get('/v1/events/stream').replyWithError('self-signed certificate')
    await expect(start({ giveUpAfterMs: 40 }).next()).rejects.toMatchObject({
      name: 'DaemonUnreachable',
      code: 'daemon_unreachable',
      message: `no daemon at ${server} (self-signed certificate)`,
    })
    expect(states.length).toBeGreaterThan(1)
  })

  test('comes after a daemon that was there has been away for too long', async () => {
    connection(null, endedStream(hello(4), frame(5)))
    nock(server)
      .persist()
      .get('/v1/events/stream')
      .reply(429, aProblem(429, { detail: 'too many streams' }))
    const items = start({ giveUpAfterMs: 40 })
    expect(await take(items, 1)).toEqual([5])
    await expect(items.next()).rejects.toThrow(`no daemon at ${server} (too many streams)`)
  })

  test('makes no pause longer than there is patience', async () => {
    nock(server).persist().get('/v1/events/stream').reply(503, 'down', { 'retry-after': '60' })
    await expect(start({ giveUpAfterMs: 40 }).next()).rejects.toThrow('no daemon at')
    const pauses = states.flatMap((state) => (state.state === 'lost' ? [state.retryInMs] : []))
    expect(Math.max(...pauses)).toBeLessThanOrEqual(40)
  })

  test('does not come while frames do', async () => {
    const body = openStream(hello(4))
    connection(null, body)
    const onState = () => body.push(frame(5))
    expect(await take(start({ giveUpAfterMs: 0, onState }), 1)).toEqual([5])
  })
})

describe('the end', () => {
  test.each([400, 401, 403])('comes with the problem of a %i', async (status) => {
    connection(null, endedStream(hello(4), frame(5)))
    const problem = aProblem(status, { detail: 'no such luck' })
    nock(server).get('/v1/events/stream').reply(status, problem)
    const items = start({ token: 's3cret' })
    expect(await take(items, 1)).toEqual([5])
    await expect(items.next()).rejects.toMatchObject({
      name: 'ClientError',
      message: 'no such luck',
      status,
    })
  })

  test('comes when what answers first has no feed', async () => {
    nock(server).get('/v1/events/stream').reply(200, '<html>ArcGIS</html>')
    await expect(start().next()).rejects.toMatchObject({ code: 'unexpected_answer', status: 200 })
  })

  test('comes at once when the caller stops while a frame is waited for', async () => {
    connection(null, openStream(hello(4), frame(5)))
    const items = start()
    await take(items, 1)
    const next = items.next()
    stop.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  test('comes at once when the caller stops during a pause', async () => {
    nock(server).get('/v1/events/stream').reply(503, 'down')
    const items = start({
      reconnectMs: 60_000,
      onState: () => {
        stop.abort()
      },
    })
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  test('comes before anything is asked when the caller had stopped already', async () => {
    stop.abort()
    expect(await start().next()).toEqual({ done: true, value: undefined })
  })

  test('leaves out what came but was not yet asked for', async () => {
    connection(null, openStream(hello(4), frame(5), frame(6)))
    const items = start()
    await take(items, 1)
    stop.abort()
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })
})
