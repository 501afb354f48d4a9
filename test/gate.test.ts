import { expect, test } from 'vitest'
import { settle } from './helpers/fake-clock.ts'
import { watching } from './helpers/watching.ts'
import type { Watching } from './helpers/watching.ts'

/** Requests that end when the test says so; `begun` tells in which order they got their turns. */
function requestsTo({ gate }: Pick<Watching, 'gate'>) {
  const begun: string[] = []
  let finish: () => void = () => undefined
  return {
    begun,
    make(name: string, urgency: 'asked' | 'watched' | 'discovery') {
      const request = () => {
        begun.push(name)
        return new Promise<string>((resolve) => {
          finish = () => {
            resolve(name)
          }
        })
      }
      return gate.run(request, urgency)
    },
    async finishOne() {
      finish()
      await settle()
    },
  }
}

test('what a person waits for comes first, and what nobody asked for last', async () => {
  await using at = await watching({ concurrency: 1 })
  const requests = requestsTo(at)
  const all = [
    requests.make('first', 'watched'),
    requests.make('found', 'discovery'),
    requests.make('watched', 'watched'),
    requests.make('asked', 'asked'),
  ]
  while (requests.begun.length < all.length) await requests.finishOne()
  await requests.finishOne()
  expect(await Promise.all(all)).toEqual(['first', 'found', 'watched', 'asked'])
  expect(requests.begun).toEqual(['first', 'asked', 'watched', 'found'])
})

test('what nobody asked for waits five seconds at most when there is always something else', async () => {
  await using at = await watching({ concurrency: 1 })
  const requests = requestsTo(at)
  void requests.make('first', 'watched')
  void requests.make('found', 'discovery')
  for (let n = 0; n < 4; n += 1) void requests.make(`watched ${n}`, 'watched')
  await at.clock.advance(4999)
  await requests.finishOne()
  expect(requests.begun).toEqual(['first', 'watched 0'])
  await at.clock.advance(1)
  await requests.finishOne()
  expect(requests.begun).toEqual(['first', 'watched 0', 'found'])
  const stopped = at.gate.stop()
  await requests.finishOne()
  await stopped
})

test('requests whose turn has not come when the gate is stopped come to nothing', async () => {
  await using at = await watching({ concurrency: 1 })
  const requests = requestsTo(at)
  const first = requests.make('first', 'watched')
  const second = requests.make('second', 'discovery')
  const stopped = at.gate.stop()
  expect(await second).toBeNull()
  await requests.finishOne()
  expect(await first).toBe('first')
  await stopped
  expect(requests.begun).toEqual(['first'])
})
