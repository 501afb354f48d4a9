// Processes of a benchmark: each is one file that answers calls (`answerCalls`), started, asked and
// ended from the one that measures.
import { fork } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const gauge = new URL('gauge.mjs', import.meta.url).href

/**
 * Runs `work`, which is given a function to keep processes with; whatever it does, they are stopped at
 * its end, the last one first.
 */
export async function scoped(work) {
  const kept = []
  const keep = (process) => {
    kept.push(process)
    return process
  }
  try {
    return await work(keep)
  } finally {
    for (const process of kept.reverse()) await process.stop()
  }
}

/** Starts a process, with a gauge in it. */
export function launch(file, args = [], { stdout = 'ignore', execArgv = [] } = {}) {
  const child = fork(file, args.map(String), {
    execArgv: ['--import', gauge, ...execArgv],
    serialization: 'advanced',
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  })
  const waiting = new Map()
  let calls = 0
  child.on('message', ({ id, answer }) => {
    waiting.get(id)?.resolve(answer)
    waiting.delete(id)
  })
  let hasEnded = false
  child.on('exit', (code, signal) => {
    hasEnded = true
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended: ${code ?? signal}`))
  })

  /** Calls what the process answers to under that name. */
  function call(name, payload) {
    if (hasEnded) throw new Error(`${file} has ended`)
    calls += 1
    const id = calls
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      child.send({ id, name, payload })
    })
  }

  async function stop() {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await Promise.race([ended, sleep(20_000).then(() => child.kill('SIGKILL'))])
    await ended
  }

  return {
    pid: child.pid,
    call,
    /** What it has used so far: `cpuMs`, `rssBytes`, and its loop's delay since `gauge.reset`. */
    gauge: () => call('gauge.read'),
    resetGauge: () => call('gauge.reset'),
    stop,
  }
}

/** Starts a file of this folder. */
export function launchPart(name, args) {
  return launch(fileURLToPath(new URL(name, import.meta.url)), args)
}

/**
 * Starts the built daemon as people do, with its log in a file, on a database of its own or on the one in
 * `folder`. Settings are those of the configuration file.
 */
export async function launchDaemon(settings, { folder, execArgv } = {}) {
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'jobwatch-bench-')))
  const config = join(own, 'jobwatch.json')
  const logFile = join(own, `log-${Date.now()}.jsonl`)
  const database = join(own, 'jobwatch.db')
  await writeFile(config, JSON.stringify({ listen: '127.0.0.1:0', database, ...settings }))
  const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
  const daemon = launch(main, ['serve', '--config', config], {
    stdout: openSync(logFile, 'w'),
    execArgv,
  })
  const url = await listeningUrl(logFile).catch(async (error) => {
    await daemon.stop()
    throw error
  })
  return {
    ...daemon,
    url,
    folder: own,
    database,
    logFile,
    async stop() {
      await daemon.stop()
      if (folder === undefined) await rm(own, { recursive: true, force: true })
    },
  }
}

async function listeningUrl(logFile) {
  for (let tries = 0; tries < 1000; tries += 1) {
    const found = /"url":"([^"]+)".*"msg":"app.listening"/.exec(readFileSync(logFile, 'utf8'))
    if (found) return found[1]
    await sleep(10)
  }
  throw new Error(`the daemon did not start; its log is ${logFile}`)
}

/** Registers jobs, a thousand a call. */
export async function register(url, jobs) {
  for (let from = 0; from < jobs.length; from += 1000) {
    const answer = await fetch(`${url}/v1/jobs/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jobs: jobs.slice(from, from + 1000) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the batch was answered ${answer.status}: ${text}`)
  }
}

/**
 * What a process uses while something is done: `cpuMs`, `rssBytes` at the end, and the seconds that
 * passed.
 */
export async function whileDoing(process, work) {
  const before = await process.gauge()
  const begunAt = performance.now()
  const result = await work()
  const seconds = (performance.now() - begunAt) / 1000
  const after = await process.gauge()
  return { result, seconds, cpuMs: after.cpuMs - before.cpuMs, rssBytes: after.rssBytes }
}

/** The value of a daemon's metric, all its labels together. */
export async function metricOf(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text()
  const values = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
}
