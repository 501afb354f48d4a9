import { expect, test } from 'vitest'
import { nextTurn } from '../src/clock.ts'

test('those who wait for a turn of the event loop get one each, in order', async () => {
  let turn = 0
  let isOver = false
  const countTurns = (): void => {
    turn += 1
    if (!isOver) setImmediate(countTurns)
  }
  countTurns()
  const turns = await Promise.all(
    Array.from({ length: 5 }, async () => {
      await nextTurn()
      return turn
    }),
  )
  isOver = true
  expect(new Set(turns).size).toBe(5)
  expect(turns).toEqual([...turns].sort((a, b) => a - b))
})

test('who waits again waits behind those who waited already', async () => {
  const order: string[] = []
  const work = async (name: string) => {
    for (let step = 1; step <= 3; step += 1) {
      await nextTurn()
      order.push(`${name}${step}`)
    }
  }
  await Promise.all([work('a'), work('b')])
  expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3'])
})
