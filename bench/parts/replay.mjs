// A reader that has the whole log before it, and one that has all of it behind.
import Database from 'better-sqlite3'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchDaemon, launchPart, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'a whole log to one reader of the feed'

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const eventCount = isQuick ? 10_000 : 100_000
    const longCount = isQuick ? 100_000 : 1_000_000
    const upstream = keep(launchPart('world/upstream.mjs', ['changing']))
    const origin = `http://127.0.0.1:${await upstream.call('port')}`
    const readers = keep(launchPart('world/readers.mjs'))

    const log = keep(await makeLog(eventCount))
    const contenders = { loop: replayLoop, daemon: () => daemon(log.folder) }
    const readings = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, start] of Object.entries(contenders)) {
        readings[name].push(await replay(start))
      }
    }
    const long = keep(await makeLog(longCount))
    const resumedMs = []
    for (let round = 0; round < rounds; round += 1) resumedMs.push(await resume())

    const { loop, daemon: ours } = readings
    return [
      line('events a second / bare loop', ratios(ours, loop, 'perSecond'), { atLeast: 0.5 }),
      line('CPU an event / bare loop', ratios(ours, loop, 'cpuUs')),
      line('events a second', each(ours, 'perSecond')),
      line('CPU an event', each(ours, 'cpuUs'), { unit: 'µs' }),
      line('memory', each(ours, 'rssBytes', 1e-6), { unit: 'MB' }),
      line(`resumed at the head of ${longCount} events, first live one after`, resumedMs, {
        unit: 'ms',
      }),
    ]

    /** The daemon on a database, where each look that is asked for is one event. */
    function daemon(folder) {
      const polling = { interval: '365d', maxInterval: '365d' }
      const root = `${origin}/admin`
      const upstreams = [{ name: 'bench', root, auth: { token: 'none' }, polling }]
      return launchDaemon({ upstreams }, { folder })
    }

    /** A database of the daemon's own making, filled up with copies of its last event. */
    async function makeLog(count) {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-bench-'))
      const database = await scoped(async (keep) => {
        const { url, database } = keep(await daemon(folder))
        await register(url, [{ jobid: 'j0' }])
        await look(url)
        await look(url)
        return database
      })
      const db = new Database(database)
      const newest = db.prepare('SELECT max(seq) FROM events').pluck().get()
      db.prepare(
        `WITH RECURSIVE n (seq) AS (SELECT @newest + 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < @count)
         INSERT INTO events (seq, type, upstream, jobid, tags, text)
         SELECT n.seq, type, upstream, jobid, tags, text FROM n, events AS e WHERE e.seq = @newest`,
      ).run({ newest, count })
      db.close()
      return { folder, database, stop: () => rm(folder, { recursive: true }) }
    }

    async function replayLoop() {
      const started = launchPart('yardsticks/replay-loop.mjs', [log.database])
      return { ...started, stream: `http://127.0.0.1:${await started.call('port')}/` }
    }

    /** The second time counts: by then its code is warm. */
    function replay(start) {
      return scoped(async (keep) => {
        const process = keep(await start())
        const url = process.stream ?? `${process.url}/v1/events/stream?after=0`
        await readAll(url)
        const { seconds, cpuMs, rssBytes } = await whileDoing(process, () => readAll(url))
        return {
          perSecond: eventCount / seconds,
          cpuUs: (cpuMs * 1000) / eventCount,
          rssBytes,
        }
      })
    }

    async function readAll(url) {
      await readers.call('open', { url, count: 1 })
      const { least, broken } = await readers.call('reached', eventCount)
      await readers.call('close')
      if (least < eventCount || broken > 0) {
        throw new Error(`of ${eventCount} events ${least} came; ${broken} streams had a hole`)
      }
    }

    /** From the request for the stream to the first event on it, which is called for when it is open. */
    function resume() {
      return scoped(async (keep) => {
        const { url } = keep(await daemon(long.folder))
        // So that the look with which it starts is over.
        await look(url)
        const { newest } = await (await fetch(`${url}/v1/events?limit=1`)).json()
        const begunAt = performance.now()
        await readers.call('open', { url: `${url}/v1/events/stream?after=${newest}`, count: 1 })
        await look(url)
        await readers.call('reached', 1)
        const ms = performance.now() - begunAt
        await readers.call('close')
        return ms
      })
    }
  })

/** One look at the job, which is one event. */
async function look(url) {
  const answer = await fetch(`${url}/v1/jobs/j0/poll`, { method: 'POST' })
  if (!answer.ok) throw new Error(`the look was answered ${await answer.text()}`)
  await answer.arrayBuffer()
}
