import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { anUpstream } from '../helpers/app.ts'
import { Run, serve, temporaryFolder } from '../helpers/daemon.ts'
import { getJson, jobUrl, requestToken } from '../helpers/simulator.ts'

export const apiToken = 'a-token-for-tests'
export const service = 'Water/Hydrants.MapServer'

/** The JSON of a service with characters that a form, a shell or a byte count could trip over. */
const serviceJson = JSON.stringify({
  serviceName: 'Hydrants',
  description: `100 % "Straßen & Hydranten" + 地図 = it's $HOME; \`id\``,
})

/** Why the edit fails, as ArcGIS says it. */
export const failure = 'The data store <b>main</b> is read-only & full.'

/** What the edits of the examples run on: ArcGIS Enterprise, a daemon, and the commands they use. */
export async function ground() {
  const folder = await temporaryFolder()
  // An edit goes on for ever unless the test ends it.
  const simulator = await startSimulator({ pace: 1000 })
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    api: { tokens: [{ name: 'ops', token: apiToken, scopes: ['write'] }] },
    upstreams: [{ ...anUpstream('prod', simulator), lostAfter: '50ms' }],
  }
  let daemon = await serve(config, folder.path)
  const listen = new URL(daemon.url).host
  let runs = 0
  await writeFile(join(folder.path, 'service.json'), serviceJson)
  const path = await commandsIn(join(folder.path, 'bin'))
  const env = {
    PATH: path,
    ARCGIS_ROOT: simulator.root,
    ARCGIS_USERNAME: simulator.username,
    ARCGIS_SERVICE: service,
    JOBWATCH_URL: daemon.url,
    // An example that waits in vain is over before the test is.
    WAIT_TIMEOUT: '60s',
  }
  const secrets = { ARCGIS_PASSWORD: simulator.password, JOBWATCH_TOKEN: apiToken }

  const call = (path: string, method = 'GET') =>
    fetch(`${daemon.url}${path}`, { method, headers: { authorization: `Bearer ${apiToken}` } })

  return {
    simulator,
    folder: folder.path,
    env,
    secrets,
    /** Runs a command in the folder of `service.json`. */
    run(command: readonly [string, ...string[]], more: Record<string, string> = {}) {
      runs += 1
      const argumentsFile = join(folder.path, `arguments-${runs}`)
      const all = { ...env, ARGUMENTS_FILE: argumentsFile, ...more }
      return Object.assign(new Run([], all, undefined, { command, cwd: folder.path }), {
        /** What it called curl, jobwatch and docker with, an argument a line. */
        calledWith: () => (existsSync(argumentsFile) ? readFileSync(argumentsFile, 'utf8') : ''),
      })
    },
    /** Has the daemon look at a job, so that what comes then is a change. */
    async look(jobid: string): Promise<void> {
      const answer = await call(`/v1/jobs/${jobid}/poll`, 'POST')
      if (!answer.ok) throw new Error(await answer.text())
    },
    /** The job goes on: it becomes what it is now, with these fields changed. */
    async goOn(jobid: string, fields: object): Promise<void> {
      const { token } = await requestToken(simulator)
      const now = (await getJson(jobUrl(simulator, jobid), token)) as object
      simulator.addScript([{ ...now, ...fields }], { jobid })
    },
    /** All events, as the log has them. */
    async events() {
      const answer = await call('/v1/events?limit=1000')
      return (await answer.json()) as { items: { time: string; type: string; data: object }[] }
    },
    kill: () => daemon.stop('SIGKILL'),
    async restart(file = 'jobwatch.db') {
      const database = join(folder.path, file)
      daemon = await serve({ ...config, listen, database }, folder.path)
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop('SIGKILL')
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export type Ground = Awaited<ReturnType<typeof ground>>
export type ExampleRun = ReturnType<Ground['run']>

export const completed = {
  status: 'COMPLETED',
  endtime: Date.now() + 13_000,
  result: { service: { serviceName: 'Hydrants' } },
}
export const failed = {
  status: 'FAILED',
  endtime: Date.now() + 13_000,
  result: { status: 'error', messages: [failure] },
}

/** Makes the commands that the examples call, before all others on the path that is answered. */
async function commandsIn(bin: string): Promise<string> {
  await mkdir(bin)
  const jobwatch = `"${process.execPath}" "${resolve('dist/main.js')}"`
  const note = `printf '%s\\n' "$@" >>"$ARGUMENTS_FILE"`
  const commands = {
    jobwatch: `${note}\nexec ${jobwatch} "$@"`,
    curl: `${note}\nexec "${commandPath('curl') ?? 'curl'}" "$@"`,
    docker: `${note}\n${dockerRun(jobwatch)}`,
  }
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(join(bin, name), `#!/usr/bin/env bash\nset -euo pipefail\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  return `${bin}:${process.env['PATH'] ?? ''}`
}

/** As much of `docker run` as there is without docker: only what is asked for gets in. */
function dockerRun(entrypoint: string): string {
  return `
[[ $1 == run ]] && shift
env=() stdin=/dev/null
while [[ $1 == --* ]]; do
  case $1 in
    --rm) shift ;;
    --interactive) stdin=/dev/stdin; shift ;;
    --env) env+=("$2=\${!2}"); shift 2 ;;
    *) echo "unknown flag: $1" >&2; exit 125 ;;
  esac
done
shift
exec env -i "\${env[@]}" ${entrypoint} "$@" <"$stdin"`
}

/** The job that `jobwatch watch` or the example in Python names in a line. */
export function jobidIn(line: string): string {
  const [, jobid] = /^(?:watching|waiting for) (\S+)/.exec(line) ?? []
  if (jobid !== undefined) return jobid
  throw new Error(`no job is named: ${line}`)
}

/** Where a command is, or null. */
export function commandPath(name: string): string | null {
  const { status, stdout } = spawnSync('bash', ['-c', 'command -v "$0"', name], {
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim() : null
}

/** What is missing of what an example needs, in a line for whoever reads the report; or null. */
export function missing(...names: readonly string[]): string | null {
  const absent = names.filter((name) => commandPath(name) === null)
  return absent.length === 0 ? null : `there is no ${absent.join(', no ')} here`
}
