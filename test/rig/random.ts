/** Numbers that a seed determines: the same seed, the same run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** One that a text determines as well, whatever was drawn before. */
  static of(seed: number, text: string): Random {
    let hash = seed >>> 0
    for (const character of text) {
      hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
    }
    return new Random(hash)
  }

  /** 0 ≤ x < 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  int(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1))
  }

  chance(part: number): boolean {
    return this.next() < part
  }

  /** One of them, each as likely as its weight says; null for what is left of 1. */
  oneOf<Name extends string>(weights: Readonly<Record<Name, number>>): Name | null {
    let left = this.next()
    for (const [name, weight] of Object.entries<number>(weights)) {
      if (left < weight) return name as Name
      left -= weight
    }
    return null
  }
}
