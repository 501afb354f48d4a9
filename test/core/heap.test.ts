import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueHeap } from '../../src/core/heap.ts'
import type { Due } from '../../src/core/heap.ts'

interface Item extends Due {
  readonly name: number
}

function anItem(name: number): Item {
  return { name, dueAt: 0, slot: -1 }
}

test('the item that is due first is at the top', () => {
  const heap = new DueHeap<Item>()
  const [late, early] = [anItem(1), anItem(2)]
  heap.schedule(late, 20)
  heap.schedule(early, 10)
  expect(heap.peek()).toBe(early)
  heap.schedule(late, 5)
  expect(heap.peek()).toBe(late)
  expect(heap.size).toBe(2)
})

test('an empty heap has no top, and taking out what is not in does nothing', () => {
  const heap = new DueHeap<Item>()
  const item = anItem(1)
  expect(heap.peek()).toBeUndefined()
  heap.remove(item)
  heap.schedule(item, 1)
  heap.remove(item)
  heap.remove(item)
  expect(heap.size).toBe(0)
  expect(heap.peek()).toBeUndefined()
})

test('an item that was taken out can be scheduled again', () => {
  const heap = new DueHeap<Item>()
  const item = anItem(1)
  heap.schedule(item, 1)
  heap.remove(item)
  heap.schedule(item, 2)
  expect(heap.peek()).toBe(item)
  expect(item.dueAt).toBe(2)
})

test('scheduling, moving and taking out in any order leaves what a sorted list would hold', () => {
  const step = fc.record({
    name: fc.nat({ max: 30 }),
    // Null takes the item out.
    dueAt: fc.option(fc.integer({ min: -5, max: 40 }), { freq: 3 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new DueHeap<Item>()
      const items = Array.from({ length: 31 }, (_, name) => anItem(name))
      const model = new Map<number, number>()
      for (const { name, dueAt } of steps) {
        const item = items[name] ?? anItem(name)
        if (dueAt === null) {
          heap.remove(item)
          model.delete(name)
        } else {
          heap.schedule(item, dueAt)
          model.set(name, dueAt)
        }
        expect(heap.size).toBe(model.size)
        expect(heap.peek()?.dueAt).toBe(model.size === 0 ? undefined : Math.min(...model.values()))
      }
      const drained: Item[] = []
      for (let top = heap.peek(); top !== undefined; top = heap.peek()) {
        drained.push(top)
        heap.remove(top)
      }
      expect(drained.map(({ dueAt }) => dueAt)).toEqual([...model.values()].sort((a, b) => a - b))
      expect(new Map(drained.map(({ name, dueAt }) => [name, dueAt]))).toEqual(model)
      expect(items.every(({ slot }) => slot === -1)).toBe(true)
    }),
  )
})
