import { expect, test } from 'vitest'
import { now, startBadReceiver } from './bad-receiver.ts'
import type { Behaviour } from './bad-receiver.ts'
import { deliveryGround, fitsGlob } from './delivery-ground.ts'
import { deliveryFaults } from './delivery-invariants.ts'
import { until } from './ground.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const kills = 10
const jobCount = 36
const stepMs = 100
const retries = 20
const subscriptions = {
  all: ['*'],
  ends: ['job.completed', 'job.failed'],
}

/** Good and bad in turn; some answers take so long that a kill finds them under way. */
function moody(count: number): Behaviour {
  if (count % 7 === 0) return { status: 503, afterMs: 20 }
  if (count % 11 === 0) return 'reset'
  if (count % 5 === 0) return { status: 500 }
  return { status: 204, afterMs: count % 2 === 0 ? 30 : 0 }
}

test(
  'killed with -9 ten times while it sends, it delivers all that it owes and nothing else, in order',
  { timeout: 60_000 },
  async () => {
    await using receiver = await startBadReceiver()
    receiver.decide((_, count) => moody(count))
    await using at = await deliveryGround({
      endpoints: Object.entries(subscriptions).map(([name, events]) => ({
        ...{ name, url: `${receiver.origin}/${name}`, secret, events },
      })),
      delivery: { retry: Array<string>(retries).fill(`${stepMs}ms`) },
    })
    const jobids = Array.from({ length: jobCount }, (_, n) => `job-${n}`)
    const jobs = await Promise.all(jobids.map((jobid) => at.watch(jobid)))

    const killedAt: number[] = []
    while (killedAt.length < kills) {
      const already = receiver.received.length
      for (const job of jobs) job.step()
      // Amid the sending: an answer that takes its time is still held back.
      await until(() => {
        const isUnderWay = receiver.received
          .slice(-8)
          .some(({ answeredAt, behaviour }) => answeredAt === null && typeof behaviour === 'object')
        return receiver.received.length > already + 8 && isUnderWay
      })
      await at.kill()
      // Not before: until it is gone it goes on sending.
      killedAt.push(now())
      await at.start()
    }
    for (const [index, job] of jobs.entries()) {
      if (index % 3 === 0) job.fail()
      else job.complete()
    }
    const isEnd = ({ type }: { readonly type: string }) => fitsGlob(type, subscriptions.ends)
    await until(async () => (await at.events('type=job.*ed')).filter(isEnd).length === jobCount)
    await at.drained()

    const events = await at.events()
    expect(events.map(({ data }) => data.seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.length).toBeLessThanOrEqual(1000)
    const log = await at.log()
    const faults: Record<string, string[]> = {}
    for (const [name, globs] of Object.entries(subscriptions)) {
      faults[name] = deliveryFaults({
        ...{ events, log, killedAt, secret, stepMs },
        received: receiver.to(`/${name}`),
        deliveries: await at.deliveries(`endpoint=${name}`),
        matches: ({ type, source }) => fitsGlob(type, globs) && source !== `/endpoints/${name}`,
        maxAttempts: retries + 1,
      })
    }
    expect(faults).toEqual({ all: [], ends: [] })
  },
)
