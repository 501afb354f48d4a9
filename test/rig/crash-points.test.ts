import { access, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { EventList } from '../../src/http/schemas.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { openDatabase } from '../../src/store/sqlite/database.ts'
import { migrate, readMigrations } from '../../src/store/sqlite/migrate.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'
import { running, until } from '../e2e/ground.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import { Run, serve, temporaryFolder } from '../helpers/daemon.ts'
import { buildBroken } from './broken.ts'
import { databaseFaults } from './database-faults.ts'
import { canTrace, failingAt, filesOf, killedAt, runTraced } from './traced.ts'

/** Every so many-th point is tried; 1 tries them all and takes its time. */
const stride = Number(process.env['RIG_STRIDE'] ?? 47)
const jobids = ['a', 'b', 'c', 'd', 'e']

if (!canTrace)
  process.stderr.write('crash points are left out: there is no strace that may trace\n')

describe.runIf(canTrace)(
  'killed, or let down by its disk, at any point',
  { timeout: 300_000 },
  () => {
    let simulator: Simulator
    let template: string
    const folder = temporaryFolder()

    beforeAll(async () => {
      simulator = await startSimulator()
      for (const jobid of jobids) simulator.addScript([running(jobid)], { jobid })
      template = join((await folder).path, 'template')
      await mkdir(template)
      await using daemon = await serve(configOf(template), template)
      await register(daemon.url, 'a')
      await daemon.stop()
    })
    afterAll(async () => {
      await simulator.close()
      await (await folder)[Symbol.asyncDispose]()
    })

    function configOf(at: string) {
      return {
        listen: '127.0.0.1:0',
        database: join(at, 'jobwatch.db'),
        upstreams: [anUpstream('prod', simulator)],
        // Nobody listens there: everything stays owed.
        endpoints: [{ name: 'all', url: 'http://127.0.0.1:9/', events: ['*'] }],
        delivery: { retry: ['1h'] },
        shutdownTimeout: '1s',
      }
    }

    /** A folder with a configuration, and a database. */
    async function place(name: string, database: Beginning = 'known'): Promise<string> {
      const at = join((await folder).path, name)
      await mkdir(at)
      await writeFile(join(at, 'jobwatch.yaml'), stringify(configOf(at)))
      const file = join(at, 'jobwatch.db')
      if (database === 'known') await copyFile(join(template, 'jobwatch.db'), file)
      if (database === 'old') makeOldDatabase(file)
      return at
    }

    /** Runs the daemon until it dies; answers what it had acknowledged. Null if it did not die. */
    async function runUntilKilled(at: string, strace: readonly string[]): Promise<string[] | null> {
      const files = filesOf(join(at, 'jobwatch.db'))
      const args = ['serve', '--config', join(at, 'jobwatch.yaml')]
      await using run = runTraced(args, { strace, files })
      const url = await listening(run)
      if (url === null) return []
      const acknowledged: string[] = []
      for (const jobid of jobids) {
        if (!(await register(url, jobid))) return acknowledged
        acknowledged.push(jobid)
      }
      const death = run.ended.then(() => true)
      const rest = seen(url, jobids).then(() => false)
      return (await Promise.race([death, rest.catch(() => death)])) ? acknowledged : null
    }

    /** Starts it anew, as it should be; answers what is wrong then. */
    async function faultsAfter(at: string, acknowledged: readonly string[]): Promise<string[]> {
      await using daemon = await serve(configOf(at), at)
      if (acknowledged.length > 0) await seen(daemon.url, acknowledged)
      const ready = await callApi(`${daemon.url}/readyz`, {})
      const { items } = (await callApi(`${daemon.url}/v1/events?limit=1000`, {})).json as EventList
      const { code } = await daemon.stop('SIGTERM')
      return [
        ...acknowledged
          .filter((jobid) =>
            items.every(({ type, subject }) => type !== 'job.watched' || subject !== jobid),
          )
          .map((jobid) => `${jobid} was acknowledged, and is gone`),
        ...items.flatMap(({ data }, index) =>
          data.seq === index + 1 ? [] : [`no event ${index + 1}`],
        ),
        ...(ready.status === 200 ? [] : [`not ready: ${ready.text}`]),
        ...(code === 0 ? [] : [`ended with ${String(code)}`]),
        ...databaseFaults(join(at, 'jobwatch.db')),
      ]
    }

    async function sweep(database: Beginning): Promise<number> {
      let kills = 0
      for (let n = 1 + Math.floor(Math.random() * stride); ; n += stride) {
        const at = await place(`${database}-${n}`, database)
        const acknowledged = await runUntilKilled(at, killedAt(n))
        if (acknowledged === null) return kills
        kills += 1
        expect(await faultsAfter(at, acknowledged), `killed at call ${n}`).toEqual([])
      }
    }

    test('of the making of a fresh database and the first registrations, it starts and has kept its word', async () => {
      expect(await sweep('fresh')).toBeGreaterThan(0)
    })

    test('of an upgrade from the first release, it starts and has kept its word', async () => {
      expect(await sweep('old')).toBeGreaterThan(0)
    })

    test('of registrations and looks, it starts and has kept its word', async () => {
      expect(await sweep('known')).toBeGreaterThan(0)
    })

    test('of a backup, the copy is whole or not there, and the next one works', async () => {
      const at = await place('backup')
      const target = join(at, 'copy.db')
      const partial = join(at, '.copy.db.partial')
      const args = ['backup', target, '--config', join(at, 'jobwatch.yaml')]
      let kills = 0
      for (let n = 1 + Math.floor(Math.random() * stride); ; n += stride) {
        const files = [partial, `${partial}-journal`, `${partial}-wal`, target]
        await using run = runTraced(args, { strace: killedAt(n), files })
        const { signal } = await run.ended
        if (await exists(target)) expect(databaseFaults(target), `killed at call ${n}`).toEqual([])
        if (signal === null) break
        kills += 1
      }
      await using again = new Run(args)
      expect(await again.ended).toMatchObject({ code: 0 })
      expect(databaseFaults(target)).toEqual([])
      expect((await readdir(at)).filter((name) => name.includes('partial'))).toEqual([])
      expect(kills).toBeGreaterThan(0)
    })

    test.each([
      { call: 'pwrite64', error: 'ENOSPC', from: [9, 20], count: 40 },
      { call: 'pwrite64', error: 'EIO', from: [9, 20], count: 3 },
      { call: 'fsync,fdatasync', error: 'EIO', from: [3, 5], count: 3 },
    ])('by no disk that fails ($call: $error) it loses what it acknowledged', async (failure) => {
      let failed = 0
      for (const n of failure.from) {
        const at = await place(`${failure.call}-${failure.error}-${n}`)
        const files = filesOf(join(at, 'jobwatch.db'))
        const args = ['serve', '--config', join(at, 'jobwatch.yaml')]
        const acknowledged: string[] = []
        {
          await using run = runTraced(args, { strace: failingAt(n, failure), files })
          const url = await listening(run)
          for (const jobid of url === null ? [] : jobids) {
            if (await register(url ?? '', jobid)) acknowledged.push(jobid)
            else failed += 1
          }
          await run.stop('SIGKILL')
        }
        expect(await faultsAfter(at, acknowledged), `failing from call ${n} on`).toEqual([])
      }
      expect(failed).toBeGreaterThan(0)
    })

    test('it has synced what it acknowledges, and one that does not is found out', async () => {
      expect(await unsynced('synced')).toBe(0)
      await using broken = await buildBroken({
        edits: [
          {
            file: 'store/sqlite/database.js',
            find: "db.pragma('synchronous = FULL');",
            put: "db.pragma('synchronous = OFF');",
          },
          { file: 'store/sqlite/database.js', find: 'synchronous !== 2', put: 'false' },
        ],
      })
      expect(await unsynced('unsynced', broken.program)).toBe(jobids.length)
    })

    /** How many registrations were answered before the log was synced that they were written to. */
    async function unsynced(name: string, program = 'dist/main.js'): Promise<number> {
      const at = await place(name, 'fresh')
      const output = join(at, 'calls')
      const trace = 'trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg'
      const strace = ['-yy', '-s', '24', '-e', trace, '-o', output]
      const args = ['serve', '--config', join(at, 'jobwatch.yaml')]
      await using run = runTraced(args, { strace, files: [], program })
      const url = await listening(run)
      for (const jobid of jobids) expect(await register(url ?? '', jobid)).toBe(true)
      await run.stop()
      let isDirty = false
      let count = 0
      let answers = 0
      for (const line of (await readFile(output, 'utf8')).split('\n')) {
        if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) isDirty = true
        if (/(fsync|fdatasync)\(\d+<[^>]*-wal>/.test(line)) isDirty = false
        if (!line.includes('HTTP/1.1 201')) continue
        answers += 1
        if (isDirty) count += 1
      }
      expect(answers).toBe(jobids.length)
      return count
    }
  },
)

/** What the daemon finds: nothing, a database of its own, or one with the first schema of all. */
type Beginning = 'fresh' | 'known' | 'old'

function makeOldDatabase(file: string): void {
  const db = openDatabase(file)
  migrate(db, readMigrations().slice(0, 1), Date.now())
  db.close()
}

/** Where it listens; null when it dies before. */
async function listening(run: Run): Promise<string | null> {
  try {
    const line = await run.line((text) => text.includes('"app.listening"'))
    return (JSON.parse(line) as { url: string }).url
  } catch {
    return null
  }
}

/** True when that was acknowledged. */
async function register(url: string, jobid: string): Promise<boolean> {
  try {
    const { status } = await callApi(`${url}/v1/jobs`, { method: 'POST', body: { jobid } })
    return status < 300
  } catch {
    return false
  }
}

/** Resolves when all of them have been looked at. */
function seen(url: string, of: readonly string[]): Promise<void> {
  return until(async () => {
    const { json } = await callApi(`${url}/v1/events?limit=1000&type=job.executing`, {})
    const told = new Set((json as EventList).items.map(({ subject }) => subject))
    return of.every((jobid) => told.has(jobid))
  })
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
