import { readdirSync, readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { Run } from '../helpers/daemon.ts'
import type { Trail } from './trail.ts'
import { now } from './trace.ts'

/** Lines of the daemon that say that it has a fault of its own. */
const complaints =
  /unhandled|MaxListeners|Warning:|"level":(50|60)|_crashed"|delivery\.crashed|fill_failed|round_failed/

export interface SupervisorOptions {
  /** The daemon's `main.js`. */
  readonly program: string
  readonly folder: string
  readonly config: object
  readonly trail: Trail
}

/** Starts the built daemon, ends it in bad and in good ways, and starts it again. */
export class Supervisor {
  url = ''
  /** All that it has printed, over all its lives. */
  printed = ''
  readonly #options: SupervisorOptions
  #run: Run | null = null
  #address = '127.0.0.1:0'

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Resolves when it listens, always on the same address. */
  async start(): Promise<void> {
    const { program, folder, config, trail } = this.#options
    const file = join(folder, 'jobwatch.yaml')
    await writeFile(file, stringify({ ...config, listen: this.#address }))
    trail.write({ kind: 'daemon', at: now(), what: 'spawned' })
    const run = new Run(['serve', '--config', file], {}, undefined, {
      command: [process.execPath, program],
    })
    this.#run = run
    void run.ended.then(() => {
      this.printed += run.stdout + run.stderr
      for (const line of (run.stdout + run.stderr).split('\n')) {
        if (complaints.test(line)) trail.write({ kind: 'complaint', at: now(), line })
      }
    })
    run.child.once('exit', (code, signal) => {
      trail.write({ kind: 'daemon', at: now(), what: 'gone', code, signal })
    })
    const line = await run.line((text) => text.includes('"app.listening"'))
    trail.write({ kind: 'daemon', at: now(), what: 'ready' })
    this.url = (JSON.parse(line) as { url: string }).url
    this.#address = new URL(this.url).host
  }

  /** Starts a second one on the same database, while the first is up. */
  async startRival(): Promise<void> {
    const { program, folder, config, trail } = this.#options
    const file = join(folder, 'rival.yaml')
    await writeFile(file, stringify({ ...config, listen: '127.0.0.1:0' }))
    await using run = new Run(['serve', '--config', file], {}, undefined, {
      command: [process.execPath, program],
    })
    const listening = run.line((text) => text.includes('"app.listening"')).then(() => null)
    const end = await Promise.race([run.ended, listening.catch(() => run.ended)])
    this.printed += run.stdout + run.stderr
    trail.write({ kind: 'rival', at: now(), code: end?.code ?? null, said: run.stderr })
  }

  /** Writes down what it takes up, where the system says so; returns how it is listed there. */
  sample({ isAtRest }: { readonly isAtRest: boolean }): string {
    const { trail, folder } = this.#options
    const pid = this.#run?.child.pid
    if (process.platform !== 'linux' || pid === undefined) return ''
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      const rssBytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024
      const openFiles = readdirSync(`/proc/${pid}/fd`).length
      const wal = statSync(join(folder, 'jobwatch.db-wal'), { throwIfNoEntry: false })
      const walBytes = wal?.size ?? 0
      trail.write({ kind: 'sample', at: now(), isAtRest, rssBytes, openFiles, walBytes })
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      // It has just gone.
      return ''
    }
  }

  async kill(): Promise<void> {
    this.#options.trail.write({ kind: 'daemon', at: now(), what: 'killed' })
    await this.#running.stop('SIGKILL')
  }

  async stop(): Promise<void> {
    this.#options.trail.write({ kind: 'daemon', at: now(), what: 'told to stop' })
    await this.#running.stop('SIGTERM')
  }

  pause(): void {
    this.#options.trail.write({ kind: 'daemon', at: now(), what: 'paused' })
    this.#running.child.kill('SIGSTOP')
  }

  resume(): void {
    this.#running.child.kill('SIGCONT')
    this.#options.trail.write({ kind: 'daemon', at: now(), what: 'resumed' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run?.[Symbol.asyncDispose]()
  }

  get #running(): Run {
    if (this.#run === null) throw new Error('the daemon was never started')
    return this.#run
  }
}
