import Database from 'better-sqlite3'
import { copyFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { jobDocument } from '../../bench/world/documents.mjs'
import { straightLine } from '../../bench/yardsticks/straight-line.mjs'
import { createApp } from '../../src/app.ts'
import { parseConfig } from '../../src/config/load.ts'
import { createLogger } from '../../src/log.ts'
import { until } from '../e2e/ground.ts'
import { openFeed } from '../feed/reader.ts'
import type { FeedReader, Frame } from '../feed/reader.ts'
import { callApi } from '../helpers/app.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

/** More than there are different documents, so that every change of a stage occurs. */
const turns = 26

// It is what the daemon is measured against: work that it left out would put the daemon in a poor light,
// and work that it did besides would flatter it.
test('the straight line writes the rows and sends the bytes that the daemon does', async () => {
  await using folder = await temporaryFolder()
  let looks = 0
  let posts: Post[] = []
  /** Settles when time stands still, or the look would be taken in while it passes. */
  let answer = Promise.resolve(jobDocument('j0', 0, 'turn 0'))
  await using upstream = await serve(() => {
    looks += 1
    return answer
  })
  await using receiver = await serve((post) => {
    posts.push(post)
    return ''
  })
  const root = `${upstream.url}/gis/admin`
  const hook = `${receiver.url}/hook`
  const file = join(folder.path, 'daemon.db')
  const copy = join(folder.path, 'straight-line.db')
  const clock = new FakeClock()
  const daemon = () => startDaemon({ file, root, hook, clock })

  // A daemon that has seen the job once: from there both go on.
  const before = await daemon()
  await callApi(`${before.url}/v1/jobs`, { method: 'POST', body: { jobid: 'j0' } })
  await until(() => countDelivered(file) === 2)
  await before.stop()
  copyFileSync(file, copy)
  posts = []
  looks = 0

  const app = await daemon()
  const daemonFeed = await openFeed(`${app.url}/v1/events/stream`)
  const times: number[] = []
  for (let turn = 1; turn <= turns; turn += 1) {
    let resolve: (document: string) => void = () => undefined
    answer = new Promise((settle) => (resolve = settle))
    while (looks < turn) await clock.advance(100)
    resolve(jobDocument('j0', turn, `turn ${turn}`))
    await until(() => countDelivered(file) === 2 + turn)
    times.push(clock.now())
  }
  const daemonFrames = await eventsOf(daemonFeed, turns)
  await app.stop()
  const daemonPosts = posts
  posts = []

  let now = 0
  const options = { file: copy, root, hook, intervalMs: 0, batch: 1, now: () => now }
  const line = await straightLine(options)
  const lineFeed = await openFeed(line.streamUrl)
  for (const [index, time] of times.entries()) {
    answer = Promise.resolve(jobDocument('j0', index + 1, `turn ${index + 1}`))
    now = time
    // The next tick writes down what was sent in this one.
    await line.tick()
    await line.tick()
  }
  const lineFrames = await eventsOf(lineFeed, turns)
  await line.close()

  expect(posts).toHaveLength(turns)
  expect(posts).toEqual(daemonPosts)
  expect(lineFrames).toEqual(daemonFrames)
  expect(rowsOf(copy)).toEqual(rowsOf(file))
})

interface Post {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers with 200 and a body. */
async function serve(answer: (post: Post) => string | Promise<string>) {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const said = answer({ headers: saidIn(request.headers), body })
      void Promise.resolve(said).then((text) => response.end(text))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Those headers that say something of the event. */
function saidIn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const said = Object.entries(headers).filter(([name]) => /^(webhook-|content-)/.test(name))
  return Object.fromEntries(said)
}

async function startDaemon({
  file,
  root,
  hook,
  clock,
}: {
  file: string
  root: string
  hook: string
  clock: FakeClock
}) {
  const polling = { interval: '1s', maxInterval: '1s' }
  const settings = {
    listen: '127.0.0.1:0',
    database: file,
    upstreams: [{ name: 'bench', root, auth: { token: 'none' }, polling }],
    endpoints: [{ name: 'hook', url: hook }],
  }
  const app = await createApp(parseConfig(settings, 'the test', {}), {
    log: createLogger('silent'),
    clock,
  })
  await app.start()
  return app
}

async function eventsOf(feed: FeedReader, count: number): Promise<Frame[]> {
  const events: Frame[] = []
  while (events.length < count) {
    const frame = await feed.frame()
    if (frame.event?.startsWith('job.')) events.push(frame)
  }
  return events
}

function countDelivered(file: string): number {
  return read(file, (db) =>
    Number(db.prepare(`SELECT count(*) FROM deliveries WHERE state = 'delivered'`).pluck().get()),
  )
}

const tables = ['jobs', 'documents', 'events', 'deliveries', 'attempts', 'endpoints'] as const

/** All rows of the tables that a look or an attempt writes to. */
function rowsOf(file: string) {
  return read(file, (db) =>
    tables.map((table) => {
      const rows = db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all()
      // How long an attempt took is measured, not told.
      return { table, rows: rows.map((row) => ({ ...row, duration_ms: undefined })) }
    }),
  )
}

function read<T>(file: string, query: (db: Database.Database) => T): T {
  const db = new Database(file, { readonly: true })
  try {
    return query(db)
  } finally {
    db.close()
  }
}
