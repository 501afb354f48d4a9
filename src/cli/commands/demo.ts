import type { Command } from 'commander'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../client/client.ts'
import type { Client } from '../../client/client.ts'
import { parseConfig } from '../../config/load.ts'
import type { Config } from '../../config/load.ts'
import { UsageError } from '../../core/errors.ts'
import { createLogger } from '../../log.ts'
import { startReceiver } from '../../simulator/receiver.ts'
import type { Received, Receiver } from '../../simulator/receiver.ts'
import type { ScenarioKind } from '../../simulator/scenarios.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { parseTrace, traceJobid } from '../../simulator/trace.ts'
import type { Trace } from '../../simulator/trace.ts'
import { elapsed, safe } from '../output.ts'
import { runUntilStopped } from '../run-app.ts'
import type { DaemonIo } from '../run-app.ts'
import { collect, print } from '../session.ts'

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
    .option('--trace <file>', 'play this trace in place of the built-in jobs (repeatable)', collect)
    .option('--pace <factor>', 'a factor on the times of the jobs: 0.1 is ten times as fast')
    .action(async ({ listen, trace: files = [], pace }: DemoOptions) => {
      const plan = { pace: parsePace(pace), traces: await Promise.all(files.map(readTrace)) }
      const folder = await mkdtemp(join(tmpdir(), 'jobwatch-demo-'))
      const simulator = await startSimulator()
      const receiver = await startReceiver({
        secret: demoSecret,
        onRequest: (received) => void print(io.stdout, `${webhookLine(received)}\n`),
      })
      try {
        await runDemo({ simulator, receiver, folder, listen, ...plan }, io)
      } finally {
        await Promise.all([simulator.close(), receiver.close()])
        await rm(folder, { recursive: true, force: true })
      }
    })
}

interface DemoOptions {
  readonly listen?: string
  readonly trace?: readonly string[]
  readonly pace?: string
}

interface NamedTrace {
  readonly file: string
  readonly trace: Trace
}

interface Stage {
  readonly simulator: Simulator
  readonly receiver: Receiver
  readonly folder: string
  readonly listen: string | undefined
  /** Played in place of the built-in jobs, if there are any. */
  readonly traces: readonly NamedTrace[]
  readonly pace: number
}

function parsePace(text = '1'): number {
  const pace = Number(text)
  if (text.trim() !== '' && pace > 0 && pace <= 1000) return pace
  throw new UsageError('usage', '--pace must be a number above 0 and up to 1000, such as 0.1')
}

async function readTrace(file: string): Promise<NamedTrace> {
  try {
    const text = await readFile(file, 'utf8')
    return { file, trace: parseTrace(JSON.parse(text.replace(/^\ufeff/, ''))) }
  } catch (error) {
    const { message } = error as Error
    throw new UsageError('trace_invalid', `--trace ${file}: ${message}`)
  }
}

async function runDemo(stage: Stage, io: DaemonIo): Promise<void> {
  const listen = stage.listen ?? ((await isFree(8484)) ? preferredListen : '127.0.0.1:0')
  const { createApp } = await import('../../app.ts')
  const app = await createApp(demoConfig(stage, listen), { log: createLogger('warn', 2) })
  await runUntilStopped(app, io, async () => {
    await print(io.stdout, `${welcome(app.url, stage)}\n`)
    const client = createClient({ server: app.url, signal: io.signal })
    if (stage.traces.length === 0) await startBuiltIn(stage, client)
    // All of them first: the first look at a job would ask for a token.
    for (const { jobsUrl, line } of stage.traces.map((trace) => play(trace, stage))) {
      await print(io.stdout, `${line}\n`)
      if (jobsUrl !== null) await client.registerJob({ jobsUrl })
    }
  })
}

async function startBuiltIn({ simulator, pace: factor }: Stage, client: Client): Promise<void> {
  for (const { kind, pace, ...settings } of demoJobs) {
    const { jobsUrl } = simulator.submit(kind, { pace: pace * factor })
    await client.registerJob({ jobsUrl, ...settings })
  }
}

/** Begins a trace; the line says what it is played as. */
function play({ file, trace }: NamedTrace, { simulator, pace }: Stage) {
  const own = traceJobid(trace)
  // A second trace of the same job is played as a job of its own.
  const isTaken = own !== null && simulator.jobids.includes(own)
  const options = { pace, ...(isTaken && { jobid: `j${randomUUID()}` }) }
  const { target, jobid, jobsUrl } = simulator.play(trace, options)
  const role = { job: `job ${jobid ?? ''}`, jobs: 'the list of jobs', token: 'the token endpoint' }
  const length = elapsed((trace.at(-1)?.afterMs ?? 0) * pace)
  const line = `trace ${safe(file)}: ${trace.length} answers in ${length}, as ${role[target]}`
  return { jobsUrl, line }
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
    // Endpoints that are added while it runs may live here as well.
    delivery: { retry: ['1s', '2s', '5s', '10s', '30s', '60s'], allow: ['127.0.0.0/8'] },
    shutdownTimeout: '3s',
  }
  return parseConfig(value, 'the demo', {})
}

function welcome(url: string, { simulator, receiver, traces }: Stage): string {
  const { origin } = new URL(receiver.url)
  const control = `${simulator.url}/_simulator`
  const jobs = traces.length === 0 ? 'a dozen jobs in motion' : 'the traces you gave'
  return `jobwatch demo: ${url}

  A simulated ArcGIS Enterprise runs at ${simulator.root}, with ${jobs}.
  In another terminal:

    curl -N ${url}/v1/events/stream?after=0      # every change, live
    curl ${url}/v1/jobs                          # the jobs
    curl --json '{"kind":"backup"}' ${control}/jobs | curl --json @- ${url}/v1/jobs    # one more

  Let it break, and mend it:

    curl --json '{"fault":"signInPage"}' ${control}/faults
    curl -X DELETE ${control}/faults
    curl ${control}                        # every fault by name, and what else it can do

  Add a chat, let its receiver break, and mend it:

    npx jobwatch endpoints add chat --format slack --url ${origin}/chat --server ${url}
    npx jobwatch endpoints test chat --server ${url}
    curl ${origin}/_receiver/503           # and later ${origin}/_receiver/204
    npx jobwatch deliveries --state pending --server ${url}

  Below is what the receiver gets. Ctrl-C ends the demo and leaves nothing behind.
`
}

function webhookLine({ event, verified, headers, path }: Received): string {
  const { type, data, text } = (event ?? {}) as {
    type?: string
    text?: string
    data?: { change?: { stage?: string; to?: string | null }; job?: { title?: string } }
  }
  if (headers['webhook-id'] === undefined) return `message to ${safe(path)}  ${safe(text ?? '')}`
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
