import { expect, test } from 'vitest'
import { createLogger } from '../src/log.ts'
import type { Logger } from '../src/log.ts'
import { createStorageWatch } from '../src/storage-watch.ts'
import { StoreUnwritable } from '../src/store/store.ts'
import { FakeClock } from './helpers/fake-clock.ts'

const gigabyte = 1_000_000_000

/** A watch, a store that can be broken, a disk that can be filled, and what is said. */
function watching() {
  const clock = new FakeClock()
  const said: string[] = []
  const note = (_: object, event: string) => said.push(event)
  const log = Object.assign(createLogger('silent'), {
    info: note,
    warn: note,
    error: note,
  }) as Logger
  const at = { isBroken: false, freeBytes: (5 * gigabyte) as number | null }
  const watch = createStorageWatch({
    clock,
    log,
    store: {
      checkWritable: () =>
        at.isBroken ? Promise.reject(new StoreUnwritable('disk full')) : Promise.resolve(),
    },
    freeBytes: () => Promise.resolve(at.freeBytes),
  })
  return { ...{ clock, said, at, watch }, pass: () => clock.advance(25_000) }
}

test('a database that cannot be written is said once, and once that it can be again', async () => {
  const { at, said, pass, watch } = watching()
  watch.start()
  await pass()
  expect(said).toEqual([])
  at.isBroken = true
  await pass()
  await pass()
  expect(said).toEqual(['storage.unwritable'])
  at.isBroken = false
  await pass()
  expect(said).toEqual(['storage.unwritable', 'storage.writable'])
  watch.stop()
})

test('little room is said once each time it comes to that; where nobody can tell, nothing is', async () => {
  const { at, said, pass, watch, clock } = watching()
  watch.start()
  for (const freeBytes of [null, gigabyte - 1, 10, 5 * gigabyte, 10]) {
    at.freeBytes = freeBytes
    await pass()
  }
  expect(said).toEqual(['storage.low', 'storage.low'])
  watch.stop()
  expect(clock.timerCount).toBe(0)
})
