import { createParser } from 'eventsource-parser'
import type { EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { once } from 'node:events'
import { StringDecoder } from 'node:string_decoder'
import { describe, expect, test } from 'vitest'
import { until } from '../e2e/ground.ts'
import { callApi } from '../helpers/app.ts'
import { valueOf } from '../helpers/exposition.ts'
import { exchange, openSocket, rawRequest } from '../http/raw.ts'
import { crowds } from './crowds.ts'
import { openFeed } from './reader.ts'
import type { FeedReader, Frame, OpenOptions } from './reader.ts'
import {
  append,
  helloOf,
  idsOf,
  metricsOf,
  register,
  remove,
  streamUrl,
  untilAccepted,
} from './suite-ground.ts'
import type { Hello, Start } from './suite-ground.ts'

const parts = { headers, framing, positions, gaps, filters, limits, metrics, crowds }
export type SuitePart = keyof typeof parts

/** What any feed has to stand (contract, section 7); all it knows of the daemon is its URL. */
export function runFeedSuite(
  name: string,
  start: Start,
  chosen: readonly SuitePart[] = Object.keys(parts) as SuitePart[],
): void {
  describe(name, () => {
    for (const part of chosen) parts[part](start)
  })
}

function headers(start: Start): void {
  test('the stream is an event stream that nobody may store, transform or buffer', async () => {
    await using at = await start()
    using feed = await openFeed(streamUrl(at))
    expect(feed.status).toBe(200)
    expect(feed.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(feed.headers['cache-control']).toBe('no-store, no-transform')
    expect(feed.headers['x-accel-buffering']).toBe('no')
    expect(feed.headers['x-content-type-options']).toBe('nosniff')
    expect(feed.headers['content-encoding']).toBeUndefined()
    expect(feed.headers['content-length']).toBeUndefined()
  })

  test('a client that takes event streams gets one, whatever else it takes', async () => {
    await using at = await start()
    for (const accept of [
      'text/event-stream',
      '*/*',
      'text/*',
      '',
      'application/json, */*;q=0.1',
      undefined,
    ]) {
      const headers = accept === undefined ? {} : { accept }
      using feed = await openFeed(streamUrl(at), { headers })
      expect(feed.status, accept).toBe(200)
      await feed.hello()
    }
  })

  test('one that takes none is told so instead', async () => {
    await using at = await start()
    for (const accept of ['application/json', 'text/event-stream;q=0', '*/*, text/*;q=0']) {
      for (const method of ['GET', 'HEAD'] as const) {
        const answer = await callApi(streamUrl(at), { method, headers: { accept } })
        expect(answer.status, `${method} ${accept}`).toBe(406)
        expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
        if (method === 'HEAD') continue
        expect(answer.json).toMatchObject({ code: 'not_acceptable', status: 406 })
        expect(answer.text).toContain('text/event-stream')
      }
    }
  })

  test('a client that takes compression gets the frames as they are', async () => {
    await using at = await start()
    const headers = { 'accept-encoding': 'gzip, br, deflate' }
    using feed = await openFeed(streamUrl(at), { headers })
    expect(feed.headers['content-encoding']).toBeUndefined()
    await feed.hello()
  })

  test('HEAD answers the headers and ends', async () => {
    await using at = await start()
    const answer = await callApi(streamUrl(at), { method: 'HEAD' })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(answer.headers['cache-control']).toBe('no-store, no-transform')
    expect(answer.text).toBe('')
    const refused = await callApi(streamUrl(at, 'after=nonsense'), { method: 'HEAD' })
    expect(refused.status).toBe(400)
  })

  test('another method is a 405 that says what the path takes', async () => {
    await using at = await start()
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      const answer = await callApi(streamUrl(at), { method })
      expect(answer.status, method).toBe(405)
      expect(answer.headers['allow']).toBe('GET, HEAD')
    }
  })

  test('a client of HTTP/1.0 reads it without chunks', async () => {
    await using at = await start()
    await append(at, 1)
    const { host } = new URL(at.url)
    const request = rawRequest('GET /v1/events/stream?after=0 HTTP/1.0', { host })
    const text = await exchange(at.url, request, (answer) => answer.includes('job.watched'))
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.[01] 200 /)
    expect(head.toLowerCase()).not.toContain('transfer-encoding')
    expect(body).toMatch(/^retry: \d+\n\nid: [0-9a-z]+-0\nevent: feed\.hello\n/)
  })
}

function framing(start: Start): void {
  test('first comes a retry of 1 to 5 s, other on each connection, then hello', async () => {
    await using at = await start()
    const seen = new Set<string>()
    for (let time = 0; time < 12; time += 1) {
      using feed = await openFeed(streamUrl(at))
      const { retry, hello } = await feed.hello()
      expect(retry).toMatch(/^[0-9]+$/)
      expect(Number(retry)).toBeGreaterThanOrEqual(1000)
      expect(Number(retry)).toBeLessThanOrEqual(5000)
      expect(hello.event).toBe('feed.hello')
      seen.add(retry ?? '')
    }
    expect(seen.size).toBeGreaterThan(3)
  })

  test('hello says the epoch, the newest and the oldest seq, and they are none while the log is empty', async () => {
    await using at = await start()
    const empty = await helloOf(at, '')
    expect(empty.data).toEqual({ epoch: empty.data.epoch, newest: 0, oldest: null })
    expect(empty.data.epoch).toMatch(/^[0-9a-f]{1,32}$/)
    expect(empty.id).toBe(`${empty.data.epoch}-0`)
    await append(at, 3)
    const { data } = await helloOf(at, '')
    expect(data).toEqual({ epoch: empty.data.epoch, newest: 3, oldest: 1 })
  })

  test('an event is its id, its type and itself on one line, the same text as in the log', async () => {
    await using at = await start()
    await append(at, 3)
    const page = await callApi(`${at.url}/v1/events`, {})
    const { items } = page.json as { items: { id: string; type: string }[] }
    using feed = await openFeed(streamUrl(at, 'after=0'))
    await feed.hello()
    const texts: string[] = []
    for (const item of items) {
      const frame = await feed.frame()
      expect(frame).toMatchObject({ id: item.id, event: item.type, retry: null })
      expect(JSON.parse(frame.data ?? '')).toEqual(item)
      texts.push(frame.data ?? '')
    }
    expect(page.text).toContain(`[${texts.join(',')}]`)
  })

  test('ids are short, of safe characters, and rise by one', async () => {
    await using at = await start()
    await append(at, 20)
    using feed = await openFeed(streamUrl(at, 'after=0'))
    const { hello } = await feed.hello()
    const { epoch } = JSON.parse(hello.data ?? '') as Hello
    for (let seq = 1; seq <= 20; seq += 1) {
      const { id } = await feed.frame()
      expect(id).toBe(`${epoch}-${seq}`)
      expect(id).toMatch(/^[0-9a-z-]{1,63}$/)
    }
  })

  test('nothing but whole blocks is sent, each ended by one blank line', async () => {
    await using at = await start()
    await append(at, 5)
    using feed = await openFeed(streamUrl(at, 'after=0'))
    await feed.events(5)
    const blocks = feed.text.split('\n\n')
    expect(blocks.pop()).toBe('')
    expect(blocks.shift()).toMatch(/^retry: \d+$/)
    for (const block of blocks) expect(block).toMatch(/^id: \S+\nevent: \S+\ndata: \{.*\}$/)
    expect(feed.text).not.toContain('\r')
  })

  test('another parser reads the same events, byte by byte', async () => {
    await using at = await start()
    await register(at, { jobid: 'j-1', label: 'ä🛰\u2028\r\nid: 5\n\ndata: x' })
    await append(at, 5)
    using feed = await openFeed(streamUrl(at, 'after=0'))
    await feed.hello()
    const frames: Frame[] = []
    for (let index = 0; index < 6; index += 1) frames.push(await feed.frame())
    const messages: EventSourceMessage[] = []
    const parser = createParser({ onEvent: (message) => messages.push(message) })
    const decoder = new StringDecoder('utf8')
    for (const byte of Buffer.from(feed.text)) parser.feed(decoder.write(Buffer.of(byte)))
    expect(messages.slice(1)).toEqual(frames.map(({ id, event, data }) => ({ id, event, data })))
  })

  test(
    'any text there is arrives as it was, in one event that it cannot break out of',
    { timeout: 90_000 },
    async () => {
      await using at = await start()
      using feed = await openFeed(streamUrl(at))
      await feed.hello()
      const nasty = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.string({
          unit: fc.constantFrom(
            '\r',
            '\n',
            '\0',
            '\u2028',
            '\u2029',
            '\u0085',
            '\ud800',
            'id: 7',
            ':',
            ' ',
            'data: x',
            '🛰',
            '\ufeff',
          ),
          maxLength: 30,
        }),
      )
      let seq = 0
      await fc.assert(
        fc.asyncProperty(nasty, async (label) => {
          seq += 1
          await register(at, { jobid: `j-${seq}`, label })
          const frame = await feed.frame()
          expect(frame.id).toMatch(new RegExp(`^[0-9a-z]+-${seq}$`))
          expect(frame.event).toBe('job.watched')
          const event = JSON.parse(frame.data ?? '') as { data: { job: { label: string } } }
          expect(event.data.job.label).toBe(label)
        }),
        { numRuns: 200 },
      )
    },
  )
}

function positions(start: Start): void {
  test('without a cursor the stream is live only', async () => {
    await using at = await start()
    await append(at, 2)
    using feed = await openFeed(streamUrl(at))
    const { hello } = await feed.hello()
    expect(hello.id).toMatch(/-2$/)
    await append(at, 2)
    expect(await feed.seqs(2)).toEqual([3, 4])
  })

  test('after=0 is everything kept, then what comes', async () => {
    await using at = await start()
    await append(at, 3)
    using feed = await openFeed(streamUrl(at, 'after=0'))
    const { hello } = await feed.hello()
    expect(hello.id).toMatch(/-0$/)
    expect(await feed.seqs(3)).toEqual([1, 2, 3])
    await append(at, 2)
    expect(await feed.seqs(2)).toEqual([4, 5])
  })

  test.each(['header', 'query'] as const)(
    'a cursor in the %s goes on exactly after it, as a seq or as an id',
    async (place) => {
      await using at = await start()
      await append(at, 5)
      const ids = await idsOf(at)
      for (const [index, id] of ids.entries()) {
        for (const cursor of [id, String(index + 1)]) {
          const { query, options } = cursorIn(place, cursor)
          using feed = await openFeed(streamUrl(at, query), options)
          const { hello } = await feed.hello()
          expect(hello.id).toBe(id)
          const rest = [1, 2, 3, 4, 5].slice(index + 1)
          expect(await feed.seqs(rest.length)).toEqual(rest)
        }
      }
    },
  )

  test('at the head nothing is repeated, and what comes next follows', async () => {
    await using at = await start()
    await append(at, 3)
    const last = (await idsOf(at)).at(-1) ?? ''
    using feed = await openFeed(streamUrl(at), { headers: { 'last-event-id': last } })
    expect((await feed.hello()).hello.id).toBe(last)
    await append(at, 1)
    expect(await feed.seqs(1)).toEqual([4])
  })

  test('the header wins over the query, which a browser never changes', async () => {
    await using at = await start()
    await append(at, 4)
    const headers = { 'last-event-id': (await idsOf(at))[2] ?? '' }
    for (const query of ['after=0', 'after=1', 'after=nonsense', 'after=']) {
      using feed = await openFeed(streamUrl(at, query), { headers })
      expect(await feed.seqs(1)).toEqual([4])
    }
  })

  test('an empty header or query counts as none', async () => {
    await using at = await start()
    await append(at, 3)
    for (const [query, headers] of [
      ['', { 'last-event-id': '' }],
      ['after=', {}],
      ['after=', { 'last-event-id': '' }],
    ] as const) {
      const { id } = await helloOf(at, query, { headers })
      expect(id).toMatch(/-3$/)
    }
    using feed = await openFeed(streamUrl(at, 'after=1'), { headers: { 'last-event-id': '' } })
    expect(await feed.seqs(2)).toEqual([2, 3])
  })

  test('the id of hello is a cursor: who is cut off before the first event loses nothing', async () => {
    await using at = await start()
    for (const before of [0, 3]) {
      await append(at, before)
      const { id } = await helloOf(at, '')
      await append(at, 2)
      using feed = await openFeed(streamUrl(at), { headers: { 'last-event-id': id } })
      const { hello } = await feed.hello()
      expect(hello.id).toBe(id)
      const seq = Number(id.split('-')[1])
      expect(await feed.seqs(2)).toEqual([seq + 1, seq + 2])
    }
  })

  test('the same cursor gives the same answer, ten times over', async () => {
    await using at = await start()
    await append(at, 6)
    const headers = { 'last-event-id': (await idsOf(at))[1] ?? '' }
    const texts = new Set<string>()
    for (let time = 0; time < 10; time += 1) {
      using feed = await openFeed(streamUrl(at), { headers })
      await feed.events(4)
      texts.add(feed.text.slice(feed.text.indexOf('id: ')))
    }
    expect(texts.size).toBe(1)
  })

  test('a malformed cursor in the query alone is a 400 before the stream', async () => {
    await using at = await start()
    for (const after of [
      'abc',
      '-1',
      '1.5',
      '1e309',
      '7f3a9c-',
      '-5',
      '1-2-3',
      'A-1',
      '9'.repeat(400),
      '1&after=2',
    ]) {
      const answer = await callApi(streamUrl(at, `after=${after}`), {})
      expect(answer.status, after).toBe(400)
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(answer.json).toMatchObject({ errors: [{ field: 'after' }] })
    }
  })
}

function gaps(start: Start): void {
  test('what is no position of this log is a gap that a browser can see', async () => {
    await using at = await start()
    await append(at, 3)
    const kept = [1, 2, 3]
    const cursors = {
      garbage: 'garbage in a header',
      'a negative number': '-1',
      'a number beyond numbers': '1e309',
      'ten thousand characters': 'x'.repeat(10_000),
      'characters of another alphabet': 'ÄÖÜ<>{}"\\',
      'a seq far ahead of the log': '999999999999999',
      'an id of another log': 'ffffffffffff-2',
      'zero of another log': 'ffffffffffff-0',
    }
    for (const [what, cursor] of Object.entries(cursors)) {
      const sent = Buffer.from(cursor, 'utf8').toString('latin1')
      using feed = await openFeed(streamUrl(at), { headers: { 'last-event-id': sent } })
      expect(feed.status, what).toBe(200)
      const { hello } = await feed.hello()
      expect(hello.id, what).toMatch(/-0$/)
      const gap = await feed.frame()
      expect(gap, what).toMatchObject({ event: 'feed.gap', id: hello.id })
      const newest = kept.length
      const told = { asked: sent.slice(0, 64), oldest: 1, newest }
      expect(JSON.parse(gap.data ?? ''), what).toEqual(told)
      expect(await feed.seqs(newest), what).toEqual(kept)
      await append(at, 1)
      kept.push(newest + 1)
      expect(await feed.seqs(1), what).toEqual([newest + 1])
    }
  })

  test('so it is in the query, when it reads like a cursor', async () => {
    await using at = await start()
    await append(at, 3)
    for (const after of ['4', 'ffffffffffff-2']) {
      using feed = await openFeed(streamUrl(at, `after=${after}`))
      await feed.hello()
      const gap = await feed.frame()
      expect(gap.event, after).toBe('feed.gap')
      expect(JSON.parse(gap.data ?? '')).toEqual({ asked: after, oldest: 1, newest: 3 })
      expect(await feed.seqs(3)).toEqual([1, 2, 3])
    }
  })

  test('an id that this log has not given yet is a gap', async () => {
    await using at = await start()
    await append(at, 1)
    const [id = ''] = await idsOf(at)
    using feed = await openFeed(streamUrl(at), { headers: { 'last-event-id': `${id}0` } })
    await feed.hello()
    expect((await feed.frame()).event).toBe('feed.gap')
  })

  test('zero of the current epoch is always good', async () => {
    await using at = await start()
    const { data } = await helloOf(at, '')
    await append(at, 2)
    const headers = { 'last-event-id': `${data.epoch}-0` }
    using feed = await openFeed(streamUrl(at), { headers })
    const { hello } = await feed.hello()
    expect(hello.id).toBe(`${data.epoch}-0`)
    expect((await feed.frame()).event).toBe('job.watched')
  })

  test('on an empty log a gap says that nothing is kept', async () => {
    await using at = await start()
    using feed = await openFeed(streamUrl(at), { headers: { 'last-event-id': 'garbage' } })
    await feed.hello()
    const gap = await feed.frame()
    expect(JSON.parse(gap.data ?? '')).toEqual({ asked: 'garbage', oldest: null, newest: 0 })
    await append(at, 1)
    expect(await feed.seqs(1)).toEqual([1])
  })

  test('a gap keeps to the filter', async () => {
    await using at = await start()
    await append(at, 3)
    await append(at, 1, { tags: ['rare'] })
    const headers = { 'last-event-id': 'garbage' }
    using feed = await openFeed(streamUrl(at, 'tag=rare'), { headers })
    await feed.hello()
    expect((await feed.frame()).event).toBe('feed.gap')
    expect(await feed.seqs(1)).toEqual([4])
  })
}

function filters(start: Start): void {
  test('a filter lets through what fits and nothing else, from the log as well as live', async () => {
    await using at = await start({ maxStreams: 100 })
    // Each ends with one of the last two events: nothing can be hidden behind it.
    const cases = Object.entries({
      'type=job.watched': [1, 2, 3, 5],
      'type=job.un*': [4, 6],
      'type=*': [1, 2, 3, 4, 5, 6],
      'type=job.watched&type=*.unwatched': [1, 2, 3, 4, 5, 6],
      'type=upstream.*&type=job.un*': [4, 6],
      'jobid=a': [1, 4, 5, 6],
      'jobid=a&jobid=b': [1, 2, 4, 5, 6],
      'tag=x': [1, 4, 5, 6],
      'tag=y&tag=z': [2, 3, 5, 6],
      'upstream=prod': [1, 2, 3, 4, 5, 6],
      'tag=x&type=job.watched': [1, 5],
    })
    const open = (query: string) => openFeed(streamUrl(at, query))
    const live = await Promise.all(cases.map(([query]) => open(query)))
    for (const feed of live) await feed.hello()
    await register(at, { jobid: 'a', tags: ['x'] })
    await register(at, { jobid: 'b', tags: ['y'] })
    await register(at, { jobid: 'c', tags: ['z'] })
    await remove(at, 'a')
    const late = await Promise.all(cases.map(([query]) => open(`${query}&after=0`)))
    for (const feed of late) await feed.hello()
    await register(at, { jobid: 'a', tags: ['x', 'y', 'z'] })
    await remove(at, 'a')
    for (const [index, [query, expected]] of cases.entries()) {
      for (const feed of [live[index], late[index]]) {
        expect(await feed?.seqs(expected.length), query).toEqual(expected)
        feed?.close()
      }
    }
  })

  test('two readers with cursors and filters of their own do not disturb each other', async () => {
    await using at = await start()
    for (let index = 0; index < 20; index += 1) {
      await append(at, 1, { tags: [index % 2 === 0 ? 'even' : 'odd'] })
    }
    using even = await openFeed(streamUrl(at, 'after=4&tag=even'))
    using odd = await openFeed(streamUrl(at, 'after=9&tag=odd'))
    expect(await even.seqs(8)).toEqual([5, 7, 9, 11, 13, 15, 17, 19])
    expect(await odd.seqs(6)).toEqual([10, 12, 14, 16, 18, 20])
  })

  test('a filter that lets nothing through still says hello', async () => {
    await using at = await start()
    await append(at, 3)
    const { id } = await helloOf(at, 'type=nothing.like.it&after=1')
    expect(id).toMatch(/-1$/)
  })

  test('an unknown parameter is a 400 before the stream', async () => {
    await using at = await start()
    for (const query of ['typ=x', 'limit=5', 'wait=5s', 'token=x', '__proto__=x']) {
      const answer = await callApi(streamUrl(at, query), {})
      expect(answer.status, query).toBe(400)
      expect(answer.json).toMatchObject({ errors: [{ field: query.split('=')[0] }] })
    }
  })
}

function limits(start: Start): void {
  test('more streams than feed.maxStreams are a 429 before the stream, and others go on', async () => {
    await using at = await start({ maxStreams: 2 })
    using first = await openFeed(streamUrl(at))
    using second = await openFeed(streamUrl(at))
    await first.hello()
    await second.hello()
    const refused = await callApi(streamUrl(at), {})
    expect(refused.status).toBe(429)
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json).toMatchObject({ code: 'too_many_streams', status: 429 })
    await append(at, 1)
    expect(await first.seqs(1)).toEqual([1])
    expect(await second.seqs(1)).toEqual([1])
  })

  test('where there is no token the limit is that of an address', async () => {
    await using at = await start({ maxStreams: 1 })
    // All of 127.0.0.0/8 is this machine.
    const [here, elsewhere] = ['127.0.0.1', '127.0.0.2'].map((localAddress) => ({ localAddress }))
    using first = await openFeed(streamUrl(at), here)
    using second = await openFeed(streamUrl(at), elsewhere)
    using third = await openFeed(streamUrl(at), elsewhere)
    expect([first.status, second.status, third.status]).toEqual([200, 200, 429])
  })

  test('where there are tokens it is that of a token, wherever it is used', async () => {
    const tokens = ['one', 'two'].map((name) => ({
      name,
      token: `canary-${name}`,
      scopes: ['read'],
    }))
    await using at = await start({ maxStreams: 1, tokens })
    const as = (name: string, localAddress: string) =>
      openFeed(streamUrl(at), { headers: { authorization: `Bearer canary-${name}` }, localAddress })
    using first = await as('one', '127.0.0.1')
    using second = await as('two', '127.0.0.1')
    using third = await as('one', '127.0.0.2')
    using nobody = await openFeed(streamUrl(at))
    const statuses = [first, second, third, nobody].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 429, 401])
  })

  test('a place is free again when its reader has left', async () => {
    await using at = await start({ maxStreams: 1 })
    for (let time = 0; time < 5; time += 1) {
      using feed = await untilAccepted(at)
      await feed.hello()
    }
  })

  test('a request that is refused takes no place, nor does a HEAD', async () => {
    await using at = await start({ maxStreams: 1 })
    const headers = { accept: 'application/json' }
    for (const [call, status] of [
      [{ method: 'HEAD' }, 200],
      [{ headers }, 406],
      [{ method: 'POST' }, 405],
    ] as const) {
      for (let time = 0; time < 3; time += 1) {
        expect((await callApi(streamUrl(at), call)).status).toBe(status)
      }
    }
    expect((await callApi(streamUrl(at, 'after=nonsense'), {})).status).toBe(400)
    using feed = await openFeed(streamUrl(at))
    expect(feed.status).toBe(200)
    using refused = await openFeed(streamUrl(at))
    expect(refused.status).toBe(429)
  })

  test('a stream asked for behind another on one connection gives its place back with it', async () => {
    await using at = await start({ maxStreams: 2 })
    const socket = await openSocket(at.url)
    const request = `GET /v1/events/stream HTTP/1.1\r\nHost: ${new URL(at.url).host}\r\n\r\n`
    socket.write(request + request)
    await once(socket, 'data')
    expect((await callApi(streamUrl(at), {})).status).toBe(429)
    socket.destroy()
    using first = await untilAccepted(at)
    using second = await untilAccepted(at)
    expect([first.status, second.status]).toEqual([200, 200])
  })
}

function metrics(start: Start): void {
  test('the metrics count streams, events, gaps and endings as their readers do', async () => {
    await using at = await start()
    const shown = async (name: string, labels: Record<string, string> = {}) =>
      valueOf(await metricsOf(at), `jobwatch_sse_${name}`, labels)
    await append(at, 5)
    const openings = [{}, { after: '0' }, { after: '2' }, { after: '99' }, { tag: 'none' }]
    const feeds = await Promise.all(
      openings.map((query) => openFeed(streamUrl(at, new URLSearchParams(query).toString()))),
    )
    const counts = { events: 0, gaps: 0 }
    const take = async (feed: FeedReader, until: number) => {
      for (;;) {
        const { event, id } = await feed.frame()
        if (event === 'feed.gap') counts.gaps += 1
        if (event === 'job.watched') counts.events += 1
        if (event === 'job.watched' && id?.endsWith(`-${until}`)) return
      }
    }
    for (const feed of feeds.slice(1, 4)) await take(feed, 5)
    await append(at, 2)
    for (const feed of feeds.slice(0, 4)) await take(feed, 7)
    expect(counts).toEqual({ events: 5 + 3 + 5 + 4 * 2, gaps: 1 })
    expect(await shown('events_sent_total')).toBe(counts.events)
    expect(await shown('resets_total')).toBe(counts.gaps)
    expect(await shown('clients')).toBe(feeds.length)
    expect(await shown('lag_events')).toBe(0)
    expect(await shown('queued_bytes')).toBe(0)
    for (const feed of feeds) feed.close()
    await until(async () => (await shown('clients')) === 0)
    expect(await shown('disconnects_total', { reason: 'left' })).toBe(feeds.length)
  })
}

function cursorIn(
  place: 'header' | 'query',
  cursor: string,
): { query: string; options: OpenOptions } {
  if (place === 'query') return { query: `after=${cursor}`, options: {} }
  return { query: '', options: { headers: { 'last-event-id': cursor } } }
}
