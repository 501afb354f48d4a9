import { join } from 'node:path'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import type { Call } from '../helpers/app.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'

/**
 * The built daemon before a simulated Enterprise that knows no job; after a kill or a stop it can be
 * started anew on the same address and database.
 */
export async function feedGround(settings: (simulator: Simulator) => object = () => ({})) {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    upstreams: [anUpstream('prod', simulator)],
    feed: { maxStreams: 1000 },
    ...settings(simulator),
  }
  let daemon = await serve(config, folder.path)
  const { url } = daemon
  const settled = { ...config, listen: new URL(url).host }
  return {
    url,
    folder: folder.path,
    simulator,
    /** With which it comes up on the same address. */
    settled,
    call: (path: string, call: Call = {}) => callApi(`${url}${path}`, call),
    /** All that this run of the daemon has printed. */
    get printed() {
      return daemon.stdout + daemon.stderr
    },
    stop: (signal: NodeJS.Signals = 'SIGTERM') => daemon.stop(signal),
    async start() {
      daemon = await serve(settled, folder.path)
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export type DaemonGround = Awaited<ReturnType<typeof feedGround>>
