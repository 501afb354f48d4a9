import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A receiver out of the documentation, as a process of its own on a free port. */
export async function runReceiver(
  command: string,
  args: readonly string[],
  { cwd, secret }: { cwd: string; secret: string },
) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, JOBWATCH_WEBHOOK_SECRET: secret, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  const lines: string[] = []
  const port = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, found] = /^listening.*?(\d+)\D*$/.exec(line) ?? []
      if (found === undefined) lines.push(line)
      else resolve(found)
    })
    void closed.then(() => {
      reject(new Error(`the receiver ended: ${complaints}`))
    })
  })
  return {
    url: `http://127.0.0.1:${port}/jobwatch`,
    /** Ends it; answers with the lines it printed for what it handled. */
    async stop(): Promise<readonly string[]> {
      child.kill('SIGKILL')
      await closed
      return lines
    },
    async [Symbol.asyncDispose]() {
      await this.stop()
    },
  }
}
