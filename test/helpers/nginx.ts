import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { until } from '../e2e/ground.ts'
import { callApi } from './app.ts'
import { temporaryFolder } from './daemon.ts'

/** Whether there is an nginx to run. */
export const hasNginx = spawnSync('nginx', ['-v']).error === undefined

/** nginx as Debian ships it, with nothing set but where to pass requests on to. */
export async function startNginx(target: string) {
  const folder = await temporaryFolder()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder.path, name)};`,
  )
  const file = join(folder.path, 'nginx.conf')
  await writeFile(
    file,
    `daemon off;
    master_process off;
    pid ${join(folder.path, 'nginx.pid')};
    events {}
    http {
      access_log off;
      ${places.join('\n')}
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass ${target}; }
      }
    }`,
  )
  let child: ChildProcess | null = null
  async function start(): Promise<void> {
    child = spawn('nginx', ['-p', folder.path, '-c', file, '-e', 'stderr'], { stdio: 'ignore' })
    // Whatever answers, it is nginx.
    const isThere = () => callApi(`${url}/healthz`, {}).then(Boolean, () => false)
    await until(isThere)
  }
  async function kill(): Promise<void> {
    if (child === null) return
    const ended = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await ended
    }
    child = null
  }
  await start()
  return {
    url,
    start,
    kill,
    async [Symbol.asyncDispose]() {
      await kill()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
