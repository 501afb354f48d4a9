import { PassThrough, Writable } from 'node:stream'
import { Command } from 'commander'
import type { CliIo } from '../../src/cli/session.ts'

export interface TerminalOptions {
  readonly isTTY?: boolean
  readonly env?: CliIo['env']
  readonly stdin?: string
}

/** What a command sees of a process, in memory. */
export interface Terminal extends CliIo {
  readonly stop: AbortController
  /** What was written so far. */
  out(): string
  err(): string
  /** All of stdout, once it holds the text. */
  outWith(text: string): Promise<string>
  errWith(text: string): Promise<string>
}

export function openTerminal({ isTTY = false, env = {}, stdin }: TerminalOptions = {}): Terminal {
  const stop = new AbortController()
  const stdout = new Screen()
  const stderr = new Screen()
  const input = new PassThrough()
  if (stdin !== undefined) input.end(stdin)
  return {
    stdout: Object.assign(stdout, { isTTY }),
    stderr,
    stdin: input,
    env,
    signal: stop.signal,
    onSuspension: () => () => undefined,
    stop,
    out: () => stdout.text,
    err: () => stderr.text,
    outWith: (text) => stdout.with(text),
    errWith: (text) => stderr.with(text),
  }
}

class Screen extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8')
    this.emit('written')
    done()
  }

  with(text: string): Promise<string> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.text.includes(text)) return
        this.removeListener('written', look)
        resolve(this.text)
      }
      this.on('written', look)
      look()
    })
  }
}

/** A stdout that fails every write with this code. */
export function aBrokenPipe(code = 'EPIPE'): Writable {
  const pipe = new Writable({
    write: (_chunk, _encoding, done) => {
      done(Object.assign(new Error(`write ${code}`), { code }))
    },
  })
  return pipe.on('error', () => undefined)
}

/** Runs a command line as the program would, which maps what it throws to exit codes. */
export async function run(
  add: (program: Command, io: CliIo) => void,
  io: CliIo,
  ...argv: readonly string[]
): Promise<void> {
  const program = new Command('jobwatch').exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
  })
  add(program, io)
  await program.parseAsync(argv, { from: 'user' })
}
