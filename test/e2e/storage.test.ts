import Database from 'better-sqlite3'
import { spawn } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startBadReceiver } from './bad-receiver.ts'
import { until } from './ground.ts'
import { anUpstream, callApi, startApp } from '../helpers/app.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'

const hasStrace = process.platform === 'linux' && existsSync('/usr/bin/strace')
if (!hasStrace) process.stderr.write('skipped: faults of the disk need strace\n')

test('while the database cannot be written nothing is promised, nothing is sent, and all goes on later', async () => {
  await using receiver = await startBadReceiver()
  receiver.will(500)
  await using app = await startApp({
    config: (simulator) => ({
      upstreams: [anUpstream('prod', simulator)],
      endpoints: [{ name: 'hook', url: receiver.url }],
      delivery: { retry: Array<string>(10).fill('50ms') },
    }),
  })
  await app.post('/v1/jobs', { jobid: 'j1' })
  await until(() => receiver.received.length > 0)
  const stranger = new Database(app.database)
  stranger.exec('BEGIN IMMEDIATE')
  const refused = await app.post('/v1/jobs', { jobid: 'j2' })
  expect(refused.status).toBe(503)
  expect(refused.headers['retry-after']).toBe('30')
  expect(refused.json).toMatchObject({
    code: 'database_unwritable',
    detail: expect.stringMatching(/^The database cannot be written/) as string,
  })
  const unready = await app.call('/readyz')
  expect(unready.status).toBe(503)
  expect((await app.call('/healthz')).status).toBe(200)
  expect((await app.call('/v1/jobs/j1')).status).toBe(200)
  // An attempt that cannot be written down would be made again and again.
  const before = receiver.received.length
  // Each of these waits for the stranger, for longer than the pauses between attempts.
  for (let look = 0; look < 4; look++) expect((await app.call('/readyz')).status).toBe(503)
  expect(receiver.received.length - before).toBeLessThanOrEqual(1)
  stranger.exec('ROLLBACK')
  stranger.close()
  receiver.will(204)
  expect((await app.post('/v1/jobs', { jobid: 'j2' })).status).toBe(201)
  expect((await app.call('/readyz')).status).toBe(200)
  await until(
    () => receiver.received.filter(({ id }) => id?.endsWith('-1')).at(-1)?.behaviour === 204,
  )
})

/** A daemon in a process of its own, whose calls on its files fail as strace is told. */
async function aDaemon() {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const database = join(folder.path, 'jobwatch.db')
  const config = { listen: '127.0.0.1:0', database, upstreams: [anUpstream('prod', simulator)] }
  const daemon = await serve(config, folder.path)
  return {
    ...{ daemon, database, config, folder: folder.path },
    post: (jobid: string, url = daemon.url) =>
      callApi(`${url}/v1/jobs`, { method: 'POST', body: { jobid } }),
    /** Lets a call fail on the database's files from now on; returns what ends that. */
    async inject(call: string, error: string): Promise<() => Promise<void>> {
      const files = [database, `${database}-wal`].flatMap((file) => ['-P', file])
      const strace = spawn('strace', [
        ...['-f', '-p', String(daemon.child.pid), ...files],
        ...['-e', `inject=${call}:error=${error}`],
      ])
      await new Promise<void>((resolve) => {
        strace.stderr.setEncoding('utf8').on('data', (text: string) => {
          if (text.includes('attached')) resolve()
        })
      })
      return async () => {
        const ended = new Promise((resolve) => strace.once('exit', resolve))
        strace.kill('SIGINT')
        await ended
      }
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(!hasStrace)('a disk', () => {
  test('that is full: writes are refused in words, reads go on, and with room again so does all', async () => {
    await using at = await aDaemon()
    expect((await at.post('j1')).status).toBe(201)
    const mend = await at.inject('pwrite64', 'ENOSPC')
    const refused = await at.post('j2')
    expect(refused.status).toBe(503)
    expect(refused.json).toMatchObject({ code: 'database_unwritable' })
    expect((await callApi(`${at.daemon.url}/v1/jobs`, {})).status).toBe(200)
    expect((await callApi(`${at.daemon.url}/readyz`, {})).status).toBe(503)
    expect((await callApi(`${at.daemon.url}/healthz`, {})).status).toBe(200)
    await mend()
    expect((await at.post('j2')).status).toBe(201)
    expect((await callApi(`${at.daemon.url}/readyz`, {})).status).toBe(200)
    expect((await at.daemon.stop('SIGTERM')).code).toBe(0)
  })

  test('that fails to sync ends the daemon with 70 and words; what was promised is there again', async () => {
    await using at = await aDaemon()
    expect((await at.post('j1')).status).toBe(201)
    await at.inject('fdatasync,fsync', 'EIO')
    await at.post('j2').catch(() => null)
    expect((await at.daemon.ended).code).toBe(70)
    expect(at.daemon.stderr).toMatch(/can no longer be relied on.*IOERR_FSYNC/)
    const check = new Database(at.database)
    expect(check.pragma('integrity_check', { simple: true })).toBe('ok')
    check.close()
    await using again = await serve(at.config, at.folder)
    expect((await callApi(`${again.url}/v1/jobs/j1`, {})).status).toBe(200)
  })
})

test('a database that is taken over or replaced ends the daemon with 70, and it writes nothing more', async () => {
  await using at = await aDaemon()
  const other = new Database(at.database)
  other.prepare('UPDATE owner SET start = start + 1').run()
  const answer = await at.post('j1').catch(() => null)
  expect(answer?.status).not.toBe(201)
  expect((await at.daemon.ended).code).toBe(70)
  expect(at.daemon.stderr).toMatch(/another jobwatch has taken over/)
  expect(other.prepare('SELECT count(*) FROM jobs').pluck().get()).toBe(0)
  other.close()

  await using second = await serve(at.config, at.folder)
  renameSync(at.database, `${at.database}.gone`)
  await callApi(`${second.url}/readyz`, {}).catch(() => null)
  expect((await second.ended).code).toBe(70)
  expect(second.stderr).toMatch(/was removed or replaced/)
})
