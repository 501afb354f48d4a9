import { expect, test } from 'vitest'
import type { AttemptResult } from '../src/core/delivery.ts'
import { anEndpointSpec } from './helpers/builders.ts'
import { ground, minute, refused, taken } from './helpers/dispatching.ts'
import { settle } from './helpers/fake-clock.ts'

const backlog = 10_000
const silence: AttemptResult = { ...refused, status: 503, retryAfterMs: 60 * minute }

/** One endpoint that owes ten thousand jobs their events, and one that takes what comes. */
async function groundWithBacklog(answer: AttemptResult) {
  const at = await ground(['dead'])
  at.answer = ({ endpoint }) => (endpoint === 'dead' ? answer : taken)
  await at.register('first')
  const now = at.clock.now()
  const register = (jobid: string) => at.store().registerJob({ upstream: 'prod', jobid }, now)
  await Promise.all(Array.from({ length: backlog - 1 }, (_, n) => register(`j${n}`)))
  await settle(500)
  await at.store().addEndpoint(anEndpointSpec('alive', { format: 'webhook' }), now)
  await at.put('alive')
  const { id: endpointId } = await at.endpoint('dead')
  const pending = await at.store().countPending({ endpointId, maxCounted: 2 * backlog })
  expect(pending).toBe(backlog)
  at.sent.length = 0
  at.reads.length = 0
  return at
}

test.each([
  ['that asked for silence', silence],
  ['that goes on failing', refused],
])(
  'ten thousand deliveries to an endpoint %s slow nobody and are not read',
  { timeout: 60_000 },
  async (_, answer) => {
    await using at = await groundWithBacklog(answer)
    const { id } = await at.endpoint('dead')
    for (let n = 1; n <= 20; n += 1) {
      await at.register(`new${n}`)
      expect(at.sent.filter(({ endpoint }) => endpoint === 'alive')).toHaveLength(n)
    }
    // Each of the twenty commits woke both lanes; one of them has nothing to look for.
    expect(at.reads.filter(({ endpointId }) => endpointId === id)).toEqual([])
    expect(at.sent.filter(({ endpoint }) => endpoint === 'dead')).toEqual([])
  },
)

test(
  'a look for what is due reads no more than can be in flight, however much is due',
  { timeout: 60_000 },
  async () => {
    await using at = await groundWithBacklog(refused)
    const { id } = await at.endpoint('dead')
    await at.clock.advance(10 * minute)
    const own = at.reads.filter(({ endpointId }) => endpointId === id)
    const looks = own.filter(({ what }) => what === 'readDue')
    const probes = at.sent.filter(({ endpoint }) => endpoint === 'dead').length
    expect(looks.length).toBeGreaterThan(0)
    for (const { rows } of looks) expect(rows).toBeLessThanOrEqual(8)
    expect(probes).toBeGreaterThan(5)
    // At most one look per attempt and per half minute.
    expect(looks.length).toBeLessThanOrEqual(probes + 20)
    expect(own.length - looks.length).toBeLessThanOrEqual(looks.length)
  },
)
