import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'

/** A temporary folder that goes when the test is over. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'jobwatch-test-'))
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

export interface RunOptions {
  /** In place of the built program. */
  readonly command?: readonly [string, ...string[]]
  readonly cwd?: string
}

const builtProgram = [process.execPath, 'dist/main.js'] as const

/** One run of the built program, or of another one; everything it printed is kept. */
export class Run {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly #lines: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] }
  readonly #waiting = new Set<() => void>()
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>

  constructor(
    args: readonly string[],
    env: Record<string, string> = {},
    input?: string,
    { command: [file, ...before] = builtProgram, cwd }: RunOptions = {},
  ) {
    this.child = spawn(file, [...before, ...args], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1', ...env },
    })
    // A program may end without reading what it is given.
    this.child.stdin?.on('error', () => undefined)
    this.child.stdin?.end(input)
    const { stdout, stderr } = this.child
    if (stdout === null || stderr === null) throw new Error('the child has no pipes')
    stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    for (const [name, input] of Object.entries({ stdout, stderr })) {
      createInterface({ input }).on('line', (line) => {
        this.#lines[name as 'stdout' | 'stderr'].push(line)
        for (const check of [...this.#waiting]) check()
      })
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }))
  }

  /** The first line that fits, now or later; rejects when the program ends without it. */
  line(fits: (line: string) => boolean, from: 'stdout' | 'stderr' = 'stdout'): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = this.#lines[from].find(fits)
        if (found === undefined) return
        this.#waiting.delete(check)
        resolve(found)
      }
      this.#waiting.add(check)
      void this.ended.then(({ code }) => {
        check()
        reject(new Error(`ended with ${String(code)}: ${this.stderr}`))
      })
      check()
    })
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM') {
    this.child.kill(signal)
    return this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.stop('SIGKILL')
  }
}

/** Starts `jobwatch serve` on a configuration and waits until it listens. */
export async function serve(config: object, folder: string, env: Record<string, string> = {}) {
  const file = join(folder, 'jobwatch.yaml')
  await writeFile(file, stringify(config))
  const run = new Run(['serve', '--config', file], env)
  const line = await run.line((text) => text.includes('"app.listening"'))
  const { url } = JSON.parse(line) as { url: string }
  return Object.assign(run, { url })
}
