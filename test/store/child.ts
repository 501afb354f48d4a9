import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A process of its own that uses the built store. */
export class Child {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>
  #errors = ''

  constructor(script: string, ...args: readonly string[]) {
    const path = fileURLToPath(new URL(`children/${script}`, import.meta.url))
    this.#process = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
    this.#exited = once(this.#process, 'close')
    onTestFinished(() => this.kill())
  }

  /** The next line of its standard output; null when it is gone. */
  async line(): Promise<string | null> {
    const next = await this.#lines.next()
    return next.done === true ? null : next.value
  }

  /** Kills it at once, as `kill -9` does. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
  }

  /** What it said on standard error, once it is gone. */
  async errors(): Promise<string> {
    await this.#exited
    return this.#errors
  }

  /** Lets it end by itself. */
  async end(): Promise<number | null> {
    this.#process.stdin.end()
    await this.#exited
    return this.#process.exitCode
  }
}
