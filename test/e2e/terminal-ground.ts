import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { EventAnswer, EventList } from '../../src/http/schemas.ts'
import type { Simulator, SimulatorOptions } from '../../src/simulator/simulator.ts'
import { anUpstream, callApi, startApp } from '../helpers/app.ts'
import { Run } from '../helpers/daemon.ts'
import { hasBash, hasPseudoTerminal, PseudoTerminal } from '../helpers/pseudo-terminal.ts'
import type { TerminalOptions } from '../helpers/pseudo-terminal.ts'
import { feedGround } from './feed-ground.ts'
import { running, until } from './ground.ts'

/** What the tests of shells in terminals need. */
export const hasShells = hasPseudoTerminal && hasBash
export { hasBash, hasPseudoTerminal }

/** Tests of many processes, some of which pause before they come back. */
export const story = { timeout: 90_000 }

interface TerminalGroundSettings {
  /** Settings of the one upstream. */
  readonly upstream?: object
  readonly simulator?: SimulatorOptions
  readonly [key: string]: unknown
}

/** A daemon in this process before a simulated Enterprise whose jobs move when the test says so. */
export async function terminalGround({
  upstream = {},
  simulator,
  ...config
}: TerminalGroundSettings = {}) {
  const app = await startApp({
    ...(simulator && { simulator }),
    config: (simulator) => ({
      upstreams: [{ ...anUpstream('prod', simulator), ...upstream }],
      ...config,
    }),
  })
  return {
    simulator: app.simulator,
    folder: app.folder,
    url: app.url,
    ...callsOf(app.url),
    ...programsOn({ JOBWATCH_URL: app.url }),
    job: (jobid: string, fields: object = {}) => scriptedJob(app.simulator, jobid, fields),
    stop: () => app.stop(),
    restart: () => app.restart(),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

/** The built daemon, which can be killed, in the same place. */
export async function daemonGround() {
  const daemon = await feedGround()
  const { simulator, folder, url, settled } = daemon
  const configFile = join(folder, 'jobwatch.yaml')
  await writeFile(configFile, JSON.stringify(settled))
  return {
    simulator,
    folder,
    /** A configuration with which it comes up on the same address. */
    configFile,
    url,
    ...callsOf(url),
    ...programsOn({ JOBWATCH_URL: url }),
    job: (jobid: string, fields: object = {}) => scriptedJob(simulator, jobid, fields),
    kill: () => daemon.stop('SIGKILL'),
    stop: () => daemon.stop('SIGTERM'),
    restart: () => daemon.start(),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  }
}

/** The API of a daemon without tokens. */
export function callsOf(url: string) {
  async function log(query = ''): Promise<EventAnswer[]> {
    const all: EventAnswer[] = []
    for (let after = 0; ;) {
      const answer = await callApi(`${url}/v1/events?limit=1000&after=${after}&${query}`, {})
      expect(answer.status, answer.text).toBe(200)
      const page = answer.json as EventList
      if (page.items.length === 0) return all
      all.push(...page.items)
      after = page.next
    }
  }
  return {
    log,
    /** Resolves with the log of a query once it is so. */
    async logged(
      query: string,
      isSo: (events: readonly EventAnswer[]) => boolean = (events) => events.length > 0,
    ): Promise<readonly EventAnswer[]> {
      let events: readonly EventAnswer[] = []
      await until(async () => isSo((events = await log(query))))
      return events
    },
    /** Registers a job, and resolves when it was seen. */
    async watch(jobid: string, body: object = {}): Promise<void> {
      const answer = await callApi(`${url}/v1/jobs`, { method: 'POST', body: { jobid, ...body } })
      expect(answer.status, answer.text).toBeLessThan(300)
      await until(async () => {
        const { json } = await callApi(`${url}/v1/jobs/${jobid}`, {})
        return (json as { readonly polledAt: string | null }).polledAt !== null
      })
    },
    /** Resolves when so many read the feed. */
    async read(readers: number): Promise<void> {
      await until(async () => {
        const { text } = await callApi(`${url}/metrics`, {})
        return text.includes(`\njobwatch_sse_clients ${readers}\n`)
      })
    },
    async unwatch(jobid: string): Promise<void> {
      expect((await callApi(`${url}/v1/jobs/${jobid}`, { method: 'DELETE' })).status).toBe(204)
    },
  }
}

/** Ways to run the program and shells around it, with this in their environment. */
export function programsOn(base: Readonly<Record<string, string>>) {
  const merged = ({ env, ...others }: TerminalOptions): TerminalOptions => ({
    ...others,
    env: { ...base, ...env },
  })
  return {
    /** The program with pipes. */
    start: (args: readonly string[], env: Record<string, string> = {}) =>
      new Run(args, { ...base, ...env }, ''),
    async run(args: readonly string[], { env = {}, input = '' }: RunOptions = {}) {
      await using started = new Run(args, { ...base, ...env }, input)
      const { code, signal } = await started.ended
      const { stdout, stderr } = started
      return { code, signal, stdout, stderr }
    },
    /** The program in a terminal. */
    inTerminal: (args: readonly string[], options: TerminalOptions = {}) =>
      new PseudoTerminal(process.execPath, ['dist/main.js', ...args], merged(options)),
    /** A command line in a terminal, in a bash that runs nothing else; it knows `jobwatch`. */
    inShell: (line: string, options: TerminalOptions = {}) =>
      new PseudoTerminal('/bin/bash', ['-c', `${jobwatch}${line}`], merged(options)),
    /** A bash in a terminal, to type into; it prompts with `$ ` and knows `jobwatch`. */
    async shell(options: TerminalOptions = {}) {
      const args = ['--norc', '--noprofile', '--noediting', '-i']
      const terminal = new PseudoTerminal('/bin/bash', args, merged(options))
      terminal.type(`${jobwatch}PS1='$ '; PS0=; clear\r`)
      await terminal.until((lines) => lines[0] === '$ ' || lines[0] === '$')
      return terminal
    },
    /** A command line in a bash whose stdout and stderr are pipes. */
    bash: async (line: string, env: Readonly<Record<string, string>> = {}) =>
      runShell(`${jobwatch}${line}`, { ...base, ...env }),
  }
}

interface RunOptions {
  readonly env?: Record<string, string>
  readonly input?: string
}

const jobwatch = `jobwatch() { '${process.execPath}' dist/main.js "$@"; }; `

async function runShell(line: string, env: Readonly<Record<string, string>>) {
  const { PATH, HOME } = process.env
  const child = spawn('/bin/bash', ['-c', line], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** A job of the simulated Enterprise that runs, and moves when it is told to. */
export interface ScriptedJob {
  readonly jobid: string
  readonly url: string
  /** Changes its document. */
  show(fields: object): void
  /** Gives it one stage more, that is running, and ends those before. */
  step(): void
  complete(fields?: object): void
  fail(reason: string): void
  cancel(): void
  /** Makes its id unknown. */
  vanish(): void
}

/** Adds one; `fields` are those of its document. */
export function scriptedJob(simulator: Simulator, jobid: string, fields: object): ScriptedJob {
  const starttime = Date.now()
  const progress = { stages: [] as readonly object[] }
  let document: object = { ...running(jobid), starttime, updatedtime: starttime, messages: [] }
  let names: readonly string[] = []

  function show(more: object): void {
    document = { ...document, ...more }
    simulator.addScript([{ ...document }], { jobid })
  }
  const stages = (last: string) => ({
    stages: names.map((name, index) => ({
      name,
      state: index === names.length - 1 ? last : 'Completed',
    })),
  })
  const ended = (status: string) => ({ status, endtime: Date.now() })

  show({ progress, ...fields })
  return {
    jobid,
    url: `${simulator.root}/jobs/${jobid}`,
    show,
    step() {
      names = [...names, `step-${names.length + 1}`]
      show({ progress: stages('In Progress') })
    },
    complete: (more = {}) =>
      show({
        ...ended('COMPLETED'),
        ...(names.length > 0 && { progress: stages('Completed') }),
        ...more,
      }),
    fail: (reason) => show({ ...ended('FAILED'), messages: [reason] }),
    cancel: () => show(ended('CANCELLED')),
    vanish: () => void simulator.removeJob(jobid),
  }
}

/** The seqs of printed lines, in their order. */
export function seqsOf(stdout: string): number[] {
  return linesOf(stdout).map((line) => {
    const seq = (/"seq":(\d+)/.exec(line) ?? / #(\d+) /.exec(line))?.[1]
    if (seq === undefined) throw new Error(`no event: ${line}`)
    return Number(seq)
  })
}

export function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1)
}

/** A URL on which nothing listens. */
export async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${String(port)}`
}

/** What must not reach a terminal as it is: escapes and controls, and what reorders text. */
export const controls =
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** Escape sequences that draw: colours, cursor movement, erasing, and the modes that go with it. */
// eslint-disable-next-line no-control-regex -- the escape is what is looked for
const drawing = /\x1b\[(?:[\d;]*[mABCDEFGHJKLMPSTXdfnrsu]|\?(?:7|25|2026)[hl])|\x1b[78M]|[\r\n\t]/g

/** What is left of the raw output that could do more than draw. */
export function dangerIn(raw: string): string {
  const left = raw.replace(drawing, '')
  return new RegExp(`.{0,20}${controls.source}.{0,20}`, 'u').exec(left)?.[0] ?? ''
}

/** Text that tries to be more than text: it clears, colours, retitles, rings, breaks and reorders. */
export const hostile =
  'one\x1b[2J\x1b[1;1H\x1b[41m\x1b]0;owned\x07\x07\x9b31m\r\ntwo\tthree\u202eruof\u2067 漢字かな 🚀👩‍🚀 five\x1b7\x00'

/** A document with such text wherever a document has any. */
export const hostileFields = {
  name: `name ${hostile}`,
  resource: { name: `resource ${hostile}` },
  username: `user ${hostile}`,
  messages: [`message ${hostile}`],
  progress: { stages: [{ name: `stage ${hostile}`, state: 'In Progress' }] },
}
