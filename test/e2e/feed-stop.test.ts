import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFeed } from '../feed/reader.ts'
import { feedGround } from './feed-ground.ts'

const streams = 200
const events = 20

test('SIGTERM ends each of two hundred streams on a whole frame, with a goodbye, and the daemon in order', async () => {
  await using at = await feedGround()
  const register = (n: number) =>
    at.call('/v1/jobs', { method: 'POST', body: { jobid: `job-${n}` } })
  for (let n = 1; n <= events; n += 1) await register(n)
  const feeds = await Promise.all(
    Array.from({ length: streams }, (_, n) =>
      openFeed(`${at.url}/v1/events/stream?after=${n % events}`),
    ),
  )
  const rests = feeds.map((feed) => feed.rest())
  // Some of it is on its way just then.
  const last = register(events + 1)
  const stopped = at.stop()
  await last.catch(() => undefined)
  for (const [n, rest] of (await Promise.all(rests)).entries()) {
    const bye = rest.at(-1)
    const seqs = rest.filter(({ event }) => event === 'job.watched').map(({ id }) => seqOf(id))
    expect(seqs).toEqual(seqs.map((_, index) => (n % events) + 1 + index))
    expect(seqs.at(-1)).toBeGreaterThanOrEqual(events)
    expect(bye?.event).toBe('feed.bye')
    expect(seqOf(bye?.id)).toBe(seqs.at(-1))
    expect(JSON.parse(bye?.data ?? '')).toEqual({ seq: seqs.at(-1) })
  }
  expect((await stopped).code).toBe(0)
  expect(existsSync(join(at.folder, 'jobwatch.db-wal'))).toBe(false)
})

function seqOf(id: string | null | undefined): number {
  return Number(id?.split('-')[1])
}
