// One event to a thousand readers: what each of these deliveries costs.
import { setTimeout as sleep } from 'node:timers/promises'
import { launchDaemon, launchPart, register, scoped, whileDoing } from '../process.mjs'
import { each, line, ratios } from '../report.mjs'

export const about = 'one event at a time to all readers of the feed'

/** Slow enough for the slowest to keep up with. */
const eventsPerSecond = 20
const never = { interval: '365d', maxInterval: '365d', concurrency: 8, rate: 10_000 }
/** About 3 KB more for each event of a job that has them. */
const manyTags = Array.from({ length: 30 }, (_, n) => String(n).padStart(100, 't'))

export const run = ({ rounds, isQuick }) =>
  scoped(async (keep) => {
    const readerCount = isQuick ? 200 : 1000
    const seconds = isQuick ? 2 : 6
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

    /** Nothing happens in it but when a look is asked for, and each look is one event. */
    async function daemon() {
      const started = await launchDaemon({
        upstreams: [
          { name: 'bench', root: `${origin}/admin`, auth: { token: 'none' }, polling: never },
        ],
        feed: { maxStreams: readerCount + 1 },
      })
      await register(started.url, [{ jobid: 'j0' }])
      async function send() {
        const answer = await fetch(`${started.url}/v1/jobs/j0/poll`, { method: 'POST' })
        if (!answer.ok) throw new Error(`the look was answered ${await answer.text()}`)
        await answer.arrayBuffer()
      }
      // The first look may be under way already, and would be this one too.
      await send()
      return { ...started, stream: `${started.url}/v1/events/stream`, send }
    }

    /** What it sends is what the daemon does. */
    async function yardstick(name) {
      const started = launchPart(`yardsticks/fan-out/${name}.mjs`, [type, text])
      const stream = `http://127.0.0.1:${await started.call('port')}/`
      return { ...started, stream, send: () => started.call('send') }
    }

    /**
     * What a contender uses for so many events with all readers, less what it uses for so many with
     * none: what is left is the cost of bringing them to the readers.
     */
    function reading(start) {
      return scoped(async (keep) => {
        const sender = keep(await start())
        await readers.call('open', { url: sender.stream, count: readerCount })
        const warmUps = await sendAll(sender, 2)
        await readers.call('reached', warmUps)
        const { result: events, ...used } = await whileDoing(sender, async () => {
          const sent = await sendAll(sender, seconds)
          await expectAll(warmUps + sent)
          return sent
        })
        await readers.call('close')
        await sleep(500)
        const alone = await whileDoing(sender, () => sendAll(sender, seconds))
        const cpuUs = ((used.cpuMs - alone.cpuMs) * 1000) / (events * readerCount)
        return { cpuUs, rssBytes: used.rssBytes }
      })
    }

    async function expectAll(events) {
      const { least, most, broken } = await readers.call('reached', events)
      if (least !== events || most !== events || broken > 0) {
        throw new Error(
          `of ${events} events readers got ${least} to ${most}; ${broken} had them out of order`,
        )
      }
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

async function sampleEvent({ url, send }) {
  await send()
  await send()
  const answer = await (await fetch(`${url}/v1/events`)).json()
  const { type, ...event } = answer.items.findLast((item) => item.type === 'job.stage.changed')
  return { type, text: JSON.stringify({ type, ...event }) }
}

/** Sends one event at a time, for so many seconds; resolves with how many it were. */
async function sendAll({ send }, seconds) {
  const count = Math.round(seconds * eventsPerSecond)
  const begunAt = performance.now()
  for (let n = 0; n < count; n += 1) {
    await sleep(Math.max(0, begunAt + (n * 1000) / eventsPerSecond - performance.now()))
    await send()
  }
  return count
}
