import { expect, test } from 'vitest'
import { failed, ground, minute, refused, started, taken } from './helpers/dispatching.ts'
import { valueOf } from './helpers/exposition.ts'
import { settle } from './helpers/fake-clock.ts'

test('an event is sent as soon as it is committed, byte for byte as the log has it', async () => {
  await using at = await ground()
  await at.register('j1')
  const { events } = await at.store().readEvents({ after: 0, limit: 10, filter: {} })
  expect(at.sent.map(({ text }) => text)).toEqual(events.map(({ text }) => text))
})

test('a refused delivery is tried again after each pause of the schedule, then given up', async () => {
  await using at = await ground()
  at.answer = () => refused
  await at.register('j1')
  await at.clock.advance(60 * minute)
  const first = at.sent[0]?.at ?? 0
  const offsets = at.sent.map((one) => one.at - first)
  expect(offsets).toEqual([0, 5000, 35_000, 155_000, 755_000])
  await at.clock.advance(600 * minute)
  expect(at.sent).toHaveLength(5)
})

test('attempts and the ends of deliveries are counted', async () => {
  await using at = await ground()
  const value = async (name: string, result?: string) =>
    valueOf(await at.metrics.text(), name, { format: 'webhook', ...(result && { result }) })
  expect(await value('jobwatch_deliveries_total', 'delivered')).toBe(0)
  expect(await value('jobwatch_deliveries_total', 'failed')).toBe(0)
  at.answer = () => refused
  await at.register('j1')
  expect(await value('jobwatch_deliveries_total', 'failed')).toBe(0)
  await at.clock.advance(60 * minute)
  at.answer = () => taken
  await at.register('j2')
  expect(await value('jobwatch_delivery_attempts_total', 'status')).toBe(5)
  expect(await value('jobwatch_delivery_attempts_total', 'delivered')).toBe(1)
  expect(await value('jobwatch_deliveries_total', 'failed')).toBe(1)
  expect(await value('jobwatch_deliveries_total', 'delivered')).toBe(1)
  expect(await value('jobwatch_delivery_duration_seconds_count')).toBe(6)
})

test('an event waits for the earlier one of its job, other jobs do not', async () => {
  await using at = await ground()
  at.answer = ({ jobid }) => (jobid === 'j1' ? refused : taken)
  await at.register('j1')
  await at.look('j1', [started])
  await at.register('j2')
  await at.look('j2', [started])
  expect(at.seqs()).toEqual([1, 3, 4])
  at.answer = () => taken
  await at.clock.advance(5000)
  expect(at.seqs()).toEqual([1, 3, 4, 1, 2])
})

test('an end waits five minutes for an earlier event of its job, then it goes first', async () => {
  await using at = await ground()
  at.answer = ({ seq }) => (seq === 3 ? taken : refused)
  await at.register('j1')
  await at.look('j1', [started, failed])
  await at.clock.advance(5 * minute - 1)
  expect(at.seqs()).not.toContain(3)
  await at.clock.advance(1)
  expect(at.seqs().at(-1)).toBe(3)
  // The one that was overtaken keeps its schedule, and the one behind it its place.
  at.answer = () => taken
  await at.clock.advance(10 * minute)
  expect(at.seqs().slice(-2)).toEqual([1, 2])
})

test('a dead endpoint slows no other one', async () => {
  await using at = await ground(['dead', 'alive'], { concurrency: 2 })
  const hanging: (() => void)[] = []
  at.answer = ({ endpoint }) =>
    endpoint === 'alive'
      ? taken
      : new Promise((resolve) => {
          hanging.push(() => resolve(taken))
        })
  for (let n = 0; n < 20; n += 1) await at.register(`j${n}`)
  await settle(50)
  const count = (name: string) => at.sent.filter(({ endpoint }) => endpoint === name).length
  expect(count('dead')).toBe(2)
  expect(count('alive')).toBe(20)
  for (const letGo of hanging) letGo()
})

test('Retry-After on 503 silences the endpoint until then, and a restart does not forget it', async () => {
  await using at = await ground()
  at.answer = () => ({ ...refused, status: 503, retryAfterMs: 20 * minute })
  await at.register('j1')
  expect(at.sent).toHaveLength(1)
  at.answer = () => taken
  await at.register('j2')
  await at.clock.advance(10 * minute)
  await at.restart()
  await at.clock.advance(10 * minute - 1)
  expect(at.sent).toHaveLength(1)
  await at.clock.advance(1)
  expect(at.seqs().slice(1).sort()).toEqual([1, 2])
})

test('Retry-After on another answer is the floor for that delivery alone', async () => {
  await using at = await ground()
  at.answer = ({ jobid }) =>
    jobid === 'j1' ? { ...refused, status: 500, retryAfterMs: 10 * minute } : taken
  await at.register('j1')
  await at.register('j2')
  expect(at.seqs()).toEqual([1, 2])
  await at.clock.advance(10 * minute - 1)
  expect(at.seqs()).toEqual([1, 2])
  await at.clock.advance(1)
  expect(at.seqs()).toEqual([1, 2, 1])
})

test('what was pending when the daemon stopped is due again when it starts', async () => {
  await using at = await ground()
  at.answer = () => refused
  await at.register('j1')
  await at.look('j1', [started])
  await at.restart()
  at.answer = () => taken
  await at.clock.advance(5000)
  expect(at.seqs()).toEqual([1, 1, 2])
})

test('attempts that fail in our own code are tried again after a pause, and stop the others not', async () => {
  await using at = await ground()
  let crashes = 0
  at.answer = () => {
    crashes += 1
    if (crashes === 1) throw new Error('a bug')
    return taken
  }
  await at.register('j1')
  await at.clock.advance(2000)
  expect(at.seqs()).toEqual([1, 1])
})
