// How long ago the upstream gave the answers that events tell of.

const mark = Buffer.from('"requestId":"')

/** Gathers the ages, in ms, of all answers that bytes tell of. */
export class Moments {
  #ages = []
  count = 0

  note(bytes) {
    const now = process.hrtime.bigint()
    for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) {
      const from = at + mark.length
      const end = bytes.indexOf('"', from)
      const answeredAt = bytes.latin1Slice(from, end === -1 ? from : end)
      // Where a chunk ends in the middle of it it is counted, but cannot be read.
      this.count += 1
      if (/^\d+$/.test(answeredAt)) this.#ages.push(Number(now - BigInt(answeredAt)) / 1e6)
    }
  }

  /** Begins anew; answers with what there was. */
  take() {
    const sorted = Float64Array.from(this.#ages).sort()
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
    const taken = { count: this.count, p50: at(0.5), p99: at(0.99) }
    this.#ages = []
    this.count = 0
    return taken
  }
}
