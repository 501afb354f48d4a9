import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import type { TraceRecord } from './trace.ts'

/** The trace of a run while it grows: in memory for the verifier, in a file for people. */
export class Trail {
  readonly records: TraceRecord[] = []
  readonly #file

  constructor(path: string) {
    this.#file = createWriteStream(path)
  }

  write(record: TraceRecord): void {
    this.records.push(record)
    this.#file.write(`${JSON.stringify(record)}\n`)
  }

  async close(): Promise<void> {
    this.#file.end()
    await once(this.#file, 'close')
  }
}
