/** Something that is due at a moment, epoch ms. */
export interface Due {
  dueAt: number
  /** Where it lies in the heap; -1 outside of one. Kept by the heap alone. */
  slot: number
}

/** A binary min-heap by `dueAt` whose items can be moved or taken out in O(log n). */
export class DueHeap<T extends Due> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  /** Puts an item in, or moves the one that is already there to its new `dueAt`. */
  schedule(item: T, dueAt: number): void {
    item.dueAt = dueAt
    if (item.slot === -1) {
      item.slot = this.#items.length
      this.#items.push(item)
    }
    this.#siftUp(item.slot)
    this.#siftDown(item.slot)
  }

  /** Takes an item out; does nothing when it is not in. */
  remove(item: T): void {
    const { slot } = item
    if (slot === -1) return
    const last = this.#items.pop()
    item.slot = -1
    if (last === undefined || last === item) return
    this.#put(slot, last)
    this.#siftUp(slot)
    this.#siftDown(last.slot)
  }

  #put(slot: number, item: T): void {
    this.#items[slot] = item
    item.slot = slot
  }

  #siftUp(from: number): void {
    const item = this.#items[from]
    if (item === undefined) return
    let slot = from
    while (slot > 0) {
      const parentSlot = (slot - 1) >> 1
      const parent = this.#items[parentSlot]
      if (parent === undefined || parent.dueAt <= item.dueAt) break
      this.#put(slot, parent)
      slot = parentSlot
    }
    this.#put(slot, item)
  }

  #siftDown(from: number): void {
    const item = this.#items[from]
    if (item === undefined) return
    let slot = from
    for (;;) {
      const left = this.#items[2 * slot + 1]
      const right = this.#items[2 * slot + 2]
      const child = left && right ? (right.dueAt < left.dueAt ? right : left) : left
      if (child === undefined || child.dueAt >= item.dueAt) break
      const childSlot = child.slot
      this.#put(slot, child)
      slot = childSlot
    }
    this.#put(slot, item)
  }
}
