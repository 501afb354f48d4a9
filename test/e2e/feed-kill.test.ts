import { EventSource } from 'eventsource'
import { expect, test } from 'vitest'
import { eventTypes } from '../../src/core/event.ts'
import { isCut, openFeed } from '../feed/reader.ts'
import type { FeedEvent } from '../feed/reader.ts'
import { feedGround } from './feed-ground.ts'
import { until } from './ground.ts'
import { quickFetch } from './quick-retry.ts'

const kills = 10

test(
  'killed with -9 ten times while events are written, each reader gets every event of the log once',
  { timeout: 120_000 },
  async () => {
    await using at = await feedGround()
    const stream = `${at.url}/v1/events/stream?after=0`
    /** Resolves when the daemon is there. */
    let restarted = Promise.resolve()
    let isWriting = true
    let isReading = true

    const acknowledged: string[] = []
    async function write(writer: number): Promise<void> {
      for (let n = 0; isWriting; n += 1) {
        const jobid = `job-${writer}-${n}`
        try {
          const answer = await at.call('/v1/jobs', { method: 'POST', body: { jobid } })
          expect(answer.status).toBe(201)
          acknowledged.push(jobid)
          if (n % 3 === 0) await at.call(`/v1/jobs/${jobid}`, { method: 'DELETE' })
        } catch (error) {
          if (error instanceof Error && error.name === 'AssertionError') throw error
          await restarted
        }
      }
    }

    const source = new EventSource(stream, { fetch: quickFetch })
    const bySource: string[] = []
    let withoutType = 0
    source.addEventListener('message', () => (withoutType += 1))
    for (const type of eventTypes) {
      source.addEventListener(type, ({ lastEventId }) => bySource.push(lastEventId))
    }

    const byReader: string[] = []
    async function read(): Promise<void> {
      let lastId = ''
      while (isReading) {
        try {
          using feed = await openFeed(stream, { headers: { 'last-event-id': lastId } })
          for (let frame = await feed.next(); frame !== null; frame = await feed.next()) {
            if (frame.event?.startsWith('job.') && frame.id !== null) byReader.push(frame.id)
            lastId = frame.id ?? lastId
          }
        } catch (error) {
          if (!isCut(error)) throw error
        }
        await restarted
      }
    }

    async function killAgainAndAgain(): Promise<void> {
      for (let kill = 0; kill < kills; kill += 1) {
        const before = [byReader.length, bySource.length] as const
        await until(() => byReader.length > before[0] + 9 && bySource.length > before[1] + 9)
        restarted = at.stop('SIGKILL').then(() => at.start())
        await restarted
      }
      isWriting = false
    }

    async function compare(): Promise<void> {
      await Promise.all([killAgainAndAgain(), ...[0, 1, 2].map(write)])
      const log = await wholeLog(at)
      const ids = log.map(({ id }) => id)
      await until(() => byReader.length >= ids.length && bySource.length >= ids.length)
      expect(log.map(({ data }) => data.seq)).toEqual(log.map((_, index) => index + 1))
      expect(byReader).toEqual(ids)
      expect(bySource).toEqual(ids)
      expect(withoutType).toBe(0)
      const told = new Set(
        log.filter(({ type }) => type === 'job.watched').map(({ subject }) => subject),
      )
      expect(acknowledged.filter((jobid) => !told.has(jobid))).toEqual([])
      expect(acknowledged.length).toBeGreaterThan(kills)
    }
    async function end(): Promise<void> {
      isWriting = false
      isReading = false
      source.close()
      await at.stop('SIGKILL')
    }
    await Promise.all([compare().finally(end), read()])
  },
)

async function wholeLog({ call }: Pick<Awaited<ReturnType<typeof feedGround>>, 'call'>) {
  const log: FeedEvent[] = []
  for (let after = 0; ;) {
    const page = (await call(`/v1/events?limit=1000&after=${after}`)).json as {
      items: FeedEvent[]
      next: number
    }
    if (page.items.length === 0) return log
    log.push(...page.items)
    after = page.next
  }
}
