// One event to a thousand readers: what each of these deliveries costs.
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'one event at a time to all readers of the feed'

/** Slow enough for the slowest contender to keep up with. */
const paceMs = 40
/** About 3 KB more for each event of a job that has them. */
const manyTags = Array.from({ length: 30 }, (_, n) => String(n).padStart(100, 't'))

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const readerCount = isQuick ? 200 : 1000
    const seconds = isQuick ? 1 : 4
    const writtenBytes = isQuick ? 10e6 : 50e6
    const upstream = keep(launchPart('world/upstream.mjs', ['changing']))
    const origin = `http://127.0.0.1:${await upstream.call('port')}`
    const readers = keep(launchPart('world/readers.mjs'))

    const { type, text } = await scoped(async (keep) => sampleEvent(keep(await daemon())))
    const contenders = {
      bare: () => yardstick('bare'),
      daemon,
      betterSse: () => yardstick('better-sse'),
      fastifySse: () => yardstick('fastify-sse'),
    }
    const readings = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
    const queuedBytes = []
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, start] of Object.entries(contenders)) {
        readings[name].push(await reading(start))
      }
      queuedBytes.push(await queuedForStalled())
    }
    const { bare, daemon: ours, betterSse, fastifySse } = readings
    return [
      line('CPU a delivery / bare write', ratios(ours, bare, 'cpuUs'), { atMost: 1.15 }),
      line('CPU a delivery / better-sse', ratios(ours, betterSse, 'cpuUs'), { atMost: 0.5 }),
      line('CPU a delivery / @fastify/sse', ratios(ours, fastifySse, 'cpuUs')),
      line('CPU a delivery', each(ours, 'cpuUs'), { unit: 'µs' }),
      line('CPU a delivery, bare write', each(bare, 'cpuUs'), { unit: 'µs' }),
      line('memory', each(ours, 'rssBytes', 1e-6), { unit: 'MB' }),
      line(
        `kept for a stalled reader while ${writtenBytes / 1e6} MB are written`,
        queuedBytes.map((bytes) => bytes / 1e6),
        { unit: 'MB', atMost: 1 },
      ),
    ]

    /** It has one job, every look at which is an event. */
    async function daemon() {
      const polling = { interval: `${paceMs}ms`, maxInterval: `${paceMs}ms`, rate: 1000 }
      const started = await launchDaemon({
        upstreams: [{ name: 'bench', root: `${origin}/admin`, auth: { token: 'none' }, polling }],
        feed: { maxStreams: readerCount + 1 },
      })
      await register(started.url, [{ jobid: 'j0' }])
      return { ...started, stream: `${started.url}/v1/events/stream` }
    }

    /** What it sends is what the daemon does. */
    async function yardstick(name) {
      const started = launchPart(`yardsticks/fan-out/${name}.mjs`, [type, text])
      const stream = `http://127.0.0.1:${await started.call('port')}/`
      await started.call('begin', paceMs)
      return { ...started, stream }
    }

    /**
     * What a contender uses with all readers, less what it uses in the same time with none: what is left
     * is the cost of bringing its events to the readers.
     */
    function reading(start) {
      return scoped(async (keep) => {
        const sender = keep(await start())
        await readers.call('open', { url: sender.stream, count: readerCount })
        await sleep(isQuick ? 1000 : 2000)
        const { result: deliveries, ...used } = await whileDoing(sender, async () => {
          const before = await readers.call('counts')
          await sleep(seconds * 1000)
          return (await readers.call('counts')).events - before.events
        })
        const { behind, broken } = await readers.call('counts')
        if (behind > 1 || broken > 0) {
          throw new Error(`a reader is ${behind} events behind; ${broken} got not all in order`)
        }
        await readers.call('close')
        await sleep(500)
        const alone = await whileDoing(sender, () => sleep(seconds * 1000))
        const aloneMs = (alone.cpuMs / alone.seconds) * used.seconds
        return { cpuUs: ((used.cpuMs - aloneMs) * 1000) / deliveries, rssBytes: used.rssBytes }
      })
    }

    /** Bytes that wait for a reader that takes none, while another one takes all that is written. */
    function queuedForStalled() {
      return scoped(async (keep) => {
        const { url, stream } = keep(await daemon())
        await readers.call('openStalled', stream)
        await readers.call('open', { url: stream, count: 1 })
        let jobs = 0
        while ((await readers.call('counts')).bytes < writtenBytes) {
          const batch = Array.from({ length: 200 }, () => ({ jobid: `s${jobs++}`, tags: manyTags }))
          await register(url, batch)
          await readers.call('reached', jobs)
        }
        const metrics = await (await fetch(`${url}/metrics`)).text()
        await readers.call('close')
        return Number(/^jobwatch_sse_queued_bytes (\d+)$/m.exec(metrics)?.[1])
      })
    }
  })

/** One of those that the daemon's looks make. */
async function sampleEvent({ url }) {
  for (;;) {
    const { items } = await (await fetch(`${url}/v1/events`)).json()
    const found = items.find((item) => item.type === 'job.stage.changed')
    if (found !== undefined) return { type: found.type, text: JSON.stringify(found) }
    await sleep(paceMs)
  }
}
