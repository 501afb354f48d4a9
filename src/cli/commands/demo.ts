import type { Command } from 'commander'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../app.ts'
import { createClient } from '../../client/client.ts'
import { parseConfig } from '../../config/load.ts'
import type { Config } from '../../config/load.ts'
import { createLogger } from '../../log.ts'
import { startReceiver } from '../../simulator/receiver.ts'
import type { Received, Receiver } from '../../simulator/receiver.ts'
import type { ScenarioKind } from '../../simulator/scenarios.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { safe } from '../output.ts'
import { runUntilStopped } from '../run-app.ts'
import type { DaemonIo } from '../run-app.ts'
import { print } from '../session.ts'

/** The secret of the demo's own receiver; it guards nothing. */
const demoSecret = `whsec_${Buffer.from('a secret for the demo, nothing more').toString('base64')}`
const preferredListen = '127.0.0.1:8484'

/** The jobs of the demo: what they do, how fast, and whether someone labelled them. */
const demoJobs: readonly { kind: ScenarioKind; pace: number; label?: string; tags?: string[] }[] = [
  { kind: 'serviceEdit', pace: 0.6 },
  { kind: 'registryEdit', pace: 0.8 },
  { kind: 'failing', pace: 0.3, label: 'nightly backup', tags: ['nightly'] },
  { kind: 'cancelled', pace: 0.8 },
  { kind: 'slow', pace: 0.5, label: 'refresh of all services' },
  { kind: 'noProgress', pace: 1 },
  { kind: 'unicode', pace: 1 },
  { kind: 'backup', pace: 0.4, label: 'backup before the upgrade', tags: ['upgrade'] },
  { kind: 'registryEdit', pace: 2 },
  { kind: 'serviceEdit', pace: 1.5 },
  { kind: 'slow', pace: 1 },
  { kind: 'noProgress', pace: 2 },
]

export function addDemoCommand(program: Command, io: DaemonIo): void {
  program
    .command('demo')
    .description('run the daemon on a simulated ArcGIS Enterprise, with a webhook receiver')
    .option(
      '--listen <address>',
      `where the daemon listens (default ${preferredListen} if it is free)`,
    )
    .action(async ({ listen }: { listen?: string }) => {
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-demo-'))
      const simulator = await startSimulator()
      const receiver = await startReceiver({
        secret: demoSecret,
        onRequest: (received) => void print(io.stdout, `${webhookLine(received)}\n`),
      })
      try {
        await runDemo({ simulator, receiver, folder, listen }, io)
      } finally {
        await Promise.all([simulator.close(), receiver.close()])
        await rm(folder, { recursive: true, force: true })
      }
    })
}

interface Stage {
  readonly simulator: Simulator
  readonly receiver: Receiver
  readonly folder: string
  readonly listen: string | undefined
}

async function runDemo(stage: Stage, io: DaemonIo): Promise<void> {
  const listen = stage.listen ?? ((await isFree(8484)) ? preferredListen : '127.0.0.1:0')
  const app = await createApp(demoConfig(stage, listen), { log: createLogger('warn', 2) })
  await runUntilStopped(app, io, async () => {
    await print(io.stdout, `${welcome(app.url, stage.simulator)}\n`)
    const client = createClient({ server: app.url, signal: io.signal })
    for (const { kind, pace, ...settings } of demoJobs) {
      const { jobsUrl } = stage.simulator.submit(kind, { pace })
      await client.registerJob({ jobsUrl, ...settings })
    }
  })
}

function demoConfig({ simulator, receiver, folder }: Stage, listen: string): Config {
  const value = {
    listen,
    database: join(folder, 'jobwatch.db'),
    upstreams: [
      {
        name: 'demo',
        root: simulator.root,
        auth: { username: simulator.username, password: simulator.password },
        polling: { interval: '500ms', maxInterval: '2s', rate: 50 },
      },
    ],
    endpoints: [{ name: 'demo-receiver', url: receiver.url, secret: demoSecret }],
    delivery: { retry: ['1s', '5s', '30s'] },
    shutdownTimeout: '3s',
  }
  return parseConfig(value, 'the demo', {})
}

function welcome(url: string, { root }: Simulator): string {
  return `jobwatch demo: ${url}

  A simulated ArcGIS Enterprise runs at ${root}, with a dozen jobs in motion.
  In another terminal:

    curl -N ${url}/v1/events/stream?after=0        # every change, live
    curl ${url}/v1/jobs                            # the jobs
    curl -d async=true -d f=json -d token=$(curl -s ${root.replace(/admin$/, '')}sharing/rest/generateToken \\
      -d username=siteadmin -d password=simulated-password -d referer=x -d f=json | sed 's/.*"token":"\\([^"]*\\).*/\\1/') \\
      ${root}/services/Roads.MapServer/edit | curl --json @- ${url}/v1/jobs     # start a job and watch it

  Below are the webhooks as a receiver gets them. Ctrl-C ends the demo and leaves nothing behind.
`
}

function webhookLine({ event, verified, headers }: Received): string {
  const { type, data } = (event ?? {}) as {
    type?: string
    data?: { change?: { stage?: string; to?: string | null }; job?: { title?: string } }
  }
  const mark = verified ? '✓ verified' : '✗ NOT verified'
  const { stage, to } = data?.change ?? {}
  const what = [stage, to].filter((part) => part !== undefined && part !== null).join(' → ')
  const line = [headers['webhook-id'], type, data?.job?.title, what].filter(Boolean).join('  ')
  return `webhook ${mark}  ${safe(line)}`
}

async function isFree(port: number): Promise<boolean> {
  const { createServer } = await import('node:net')
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => {
      resolve(false)
    })
    probe.listen(port, '127.0.0.1', () => {
      probe.close(() => {
        resolve(true)
      })
    })
  })
}
