import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import { hasBash } from '../helpers/pseudo-terminal.ts'
import { Run, temporaryFolder } from '../helpers/daemon.ts'
import { startBadReceiver } from './bad-receiver.ts'
import { until } from './ground.ts'

// Loading the modules takes two hundred at once.
const maxFiles = 256

/** A connection that asks for nothing; null when it is refused or cut off. */
async function open(url: string): Promise<Socket | null> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  await once(socket, 'connect').catch(() => null)
  return socket.destroyed ? null : socket
}

test.skipIf(!hasBash)(
  'a daemon without file descriptors neither ends nor loses anything, and goes on once it has some',
  async () => {
    await using folder = await temporaryFolder()
    await using receiver = await startBadReceiver()
    const simulator = await startSimulator()
    const file = join(folder.path, 'jobwatch.yaml')
    const config = {
      listen: '127.0.0.1:0',
      database: join(folder.path, 'jobwatch.db'),
      upstreams: [anUpstream('prod', simulator)],
      endpoints: [{ name: 'hook', url: receiver.url }],
      delivery: { retry: Array<string>(10).fill('50ms') },
    }
    await writeFile(file, stringify(config))
    const command = ['/bin/bash', '-c', `ulimit -n ${maxFiles}; exec "$@"`, 'bash'] as const
    const words = [process.execPath, 'dist/main.js', 'serve', '--config', file]
    await using daemon = new Run(words, {}, undefined, { command: [...command] })
    const line = await daemon.line((text) => text.includes('"app.listening"'))
    const { url } = JSON.parse(line) as { url: string }
    const post = (jobid: string) => callApi(`${url}/v1/jobs`, { method: 'POST', body: { jobid } })
    expect((await post('before')).status).toBe(201)

    const sockets = await Promise.all(Array.from({ length: 2 * maxFiles }, () => open(url)))
    const refused = await post('meanwhile').catch(() => null)
    for (const socket of sockets) socket?.destroy()

    await until(async () => (await post('after').catch(() => null))?.status === 201)
    const listed = (await callApi(`${url}/v1/jobs`, {})).json as { items: { jobid: string }[] }
    const jobids = listed.items.map(({ jobid }) => jobid)
    expect(jobids).toEqual(expect.arrayContaining(['before', 'after']))
    // What was promised then is there as well.
    if (refused !== null && refused.status < 300) expect(jobids).toContain('meanwhile')
    await until(() => receiver.received.some(({ body }) => body.includes('"after"')))
    expect((await daemon.stop('SIGTERM')).code).toBe(0)
    expect(daemon.stderr).toBe('')
    await simulator.close()
  },
)
