// The demo, as anybody runs it, for pictures of what people see of it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Starts it on a free port; resolves with its address when it has said it. */
export async function startDemo(main) {
  const child = spawn(process.execPath, [main, 'demo', '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const [first] = await once(lines, 'line')
  return {
    url: /http:\S+/.exec(first)[0],
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** Resolves with the first job that fits, as soon as there is one. */
export async function untilJob(url, fits) {
  for (;;) {
    const { items } = await (await fetch(`${url}/v1/jobs`)).json()
    const found = items.find(fits)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
