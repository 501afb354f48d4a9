import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventList } from '../../src/http/schemas.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { anUpstream, startApp } from '../helpers/app.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { settle } from '../helpers/fake-clock.ts'
import {
  closed,
  closedOrigin,
  listen,
  pour,
  selfSignedCertificate,
  sendJson,
  serveHttp,
} from '../upstream/servers.ts'
import {
  finished,
  finishing,
  ground,
  lineOf,
  running,
  stateOf,
  timeoutMs,
  until,
} from './ground.ts'

const auth = { token: 'T0' }

function rootAt(origin: string): string {
  return `${origin}/gis/admin`
}

const certificate = selfSignedCertificate()

/** An HTTPS server with that certificate, which is for 127.0.0.1, and how many requests it got. */
async function serveHttps(options: ServerOptions = {}) {
  let requests = 0
  const server = createHttpsServer({ ...certificate, ...options }, (request, response) => {
    requests += 1
    sendJson(response, running(request.url?.split(/[/?]/)[4] ?? ''))
  })
  server.on('tlsClientError', () => undefined)
  return { origin: await listen(server, 'https'), requests: () => requests }
}

/** A setting of `tls` that trusts that certificate. */
async function trust(): Promise<{ ca: string }> {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  const ca = join(folder.path, 'ca.pem')
  await writeFile(ca, certificate?.cert ?? '')
  return { ca }
}

describe('an address at which nobody can be asked is an outage, and its jobs wait:', () => {
  type Row = readonly [
    number: string,
    says: string,
    address: () => Promise<{ origin: string; tls?: object; requests?: () => number }>,
    lastError: RegExp,
  ]
  const rows: readonly Row[] = [
    ['F1', 'nobody listens', async () => ({ origin: await closedOrigin() }), /no connection/],
    [
      'F22',
      'the name does not resolve',
      () => Promise.resolve({ origin: 'http://gis.invalid' }),
      /name does not resolve/,
    ],
    [
      'F21',
      'TLS is asked of a server without it',
      async () => ({ origin: (await serveHttp(() => undefined)).replace('http:', 'https:') }),
      /TLS/,
    ],
  ]
  const rowsOfTls: readonly Row[] = [
    ['F21', 'nobody known has signed the certificate', () => serveHttps(), /certificate.*SIGN/],
    [
      'F21',
      'the certificate is for another name',
      async () => {
        const { origin, requests } = await serveHttps()
        const tls = await trust()
        return { origin: origin.replace('127.0.0.1', 'localhost'), tls, requests }
      },
      /certificate.*ALTNAME/,
    ],
    [
      'F21',
      'TLS is too old',
      async () => ({
        ...(await serveHttps({
          minVersion: 'TLSv1',
          maxVersion: 'TLSv1.1',
          ciphers: 'DEFAULT@SECLEVEL=0',
        })),
        tls: await trust(),
      }),
      /TLS/,
    ],
  ]

  test.each([...rows, ...(certificate === null ? [] : rowsOfTls)])(
    '%s %s',
    async (_, __, address, lastError) => {
      const { origin, tls = {}, requests } = await address()
      await using at = await ground({ root: rootAt(origin), auth, tls })
      await at.register('j1')
      for (let looks = 2; looks <= 5; looks += 1) {
        await at.clock.advance(10_000)
        expect(await at.look('j1')).toMatchObject({
          state: 'active',
          status: null,
          problem: { kind: 'transient', detail: expect.stringMatching(lastError) as string },
        })
      }
      expect(await at.told()).toEqual(['job.watched', 'upstream.down'])
      expect(await at.upstream()).toMatchObject({
        state: 'down',
        lastError: expect.stringMatching(lastError) as string,
      })
      // Nothing is said, a token least of all, to someone who is not who he should be.
      expect(requests?.() ?? 0).toBe(0)
    },
  )

  test.skipIf(process.platform !== 'linux')('F1 nobody answers at all', async () => {
    await using at = await ground({ root: rootAt(await silentOrigin()), auth })
    await at.post('/v1/jobs', { jobid: 'j1' })
    for (let looks = 1; looks <= 4; looks += 1) {
      let isOver = false
      const looking = at.look('j1').finally(() => (isOver = true))
      await until(async () => {
        await at.clock.advance(timeoutMs / 10)
        return isOver
      })
      expect((await looking).problem).toMatchObject({ kind: 'transient' })
    }
    expect(await at.told()).toEqual(['job.watched', 'upstream.down'])
  })

  test.skipIf(certificate === null)('F21 none when the authority is named', async () => {
    const { origin } = await serveHttps()
    await using at = await ground({ root: rootAt(origin), auth, tls: await trust() })
    await at.register('j1')
    expect(await at.told()).toEqual(['job.watched', 'job.executing: nothing → EXECUTING'])
  })

  test('F40 none when one address of a name answers', async () => {
    const origin = await serveHttp((_, response) => {
      sendJson(response, running('j1'))
    })
    const root = rootAt(origin.replace('127.0.0.1', 'localhost'))
    await using at = await ground({ root, auth })
    await at.register('j1')
    expect(await at.told()).toEqual(['job.watched', 'job.executing: nothing → EXECUTING'])
  })
})

test('F1 an upstream that went away and came back at its address is told of, and its jobs go on', async () => {
  await using at = await ground()
  await at.watch('j1', [running('j1')])
  const before = await at.job('j1')
  await at.events()
  await at.simulator.close()
  for (let looks = 1; looks <= 5; looks += 1) {
    await at.clock.advance(10_000)
    const job = await at.look('j1')
    expect(stateOf(job)).toEqual(stateOf(before))
    expect(job.problem).toMatchObject({ kind: 'transient', attempts: looks })
  }
  expect(await at.told()).toEqual(['upstream.down'])

  const { port } = new URL(at.simulator.url)
  const again = await startSimulator({ port: Number(port), now: () => at.clock.now() })
  onTestFinished(() => again.close())
  again.addScript([finished('j1')], { jobid: 'j1' })
  expect(await at.look('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
  expect(await at.told()).toEqual(['upstream.up', ...finishing])
})

describe('one job whose looks go badly holds the others up no longer than one timeout, one at a time:', () => {
  test.each([
    ['F2', 'no headers ever', 'hang'],
    ['F3', 'a byte now and then', 'drip'],
    ['F4', 'half a body, then silence', 'stall'],
    ['F12', 'a body without end', 'endlessBody'],
    ['F13', '2 GiB when unpacked', 'gzipBomb'],
  ] as const)('%s %s', async (_, __, fault) => {
    const quick = { interval: '20ms', maxInterval: '20ms', rate: 1000, timeout: '100ms' }
    const polling = { ...quick, concurrency: 1, maxBodyBytes: 262_144 }
    await using app = await startApp({
      config: (simulator) => ({ upstreams: [{ ...anUpstream('prod', simulator), polling }] }),
    })
    const { simulator } = app
    const asked = (jobid: string) => simulator.requests.jobs.get(jobid) ?? 0
    const linesOf = async (jobid: string) => {
      const { items } = (await app.call(`/v1/events?jobid=${jobid}`)).json as EventList
      return items.map(lineOf)
    }

    const { id } = simulator.inject(fault, { jobid: 'bad' })
    const jobids = ['bad', 'j1', 'j2', 'j3']
    const scripts = jobids.map((jobid) =>
      simulator.addScript([running(jobid), finished(jobid)], { jobid }),
    )
    for (const jobid of jobids) await app.post('/v1/jobs', { jobid })
    await until(() => asked('bad') >= 4)
    // Between two of its looks each of the others had one.
    for (const jobid of ['j1', 'j2', 'j3']) expect(asked(jobid)).toBeGreaterThanOrEqual(3)
    for (const script of scripts) script.next()
    const life = ['job.watched', 'job.executing: nothing → EXECUTING', ...finishing]
    for (const jobid of ['j1', 'j2', 'j3']) {
      await until(async () => (await linesOf(jobid)).length >= life.length)
      expect(await linesOf(jobid)).toEqual(life)
    }
    expect(await linesOf('bad')).toEqual(['job.watched'])

    simulator.clearFault(id)
    await until(async () => (await linesOf('bad')).length > 1)
    expect(await linesOf('bad')).toEqual(['job.watched', 'job.completed: nothing → COMPLETED'])
    expect((await app.call('/v1/events?type=upstream.*')).json).toMatchObject({ items: [] })
  })
})

test('F12 a body without end is read no further than maxBodyBytes, and its connection is closed', async () => {
  const sockets: Socket[] = []
  const origin = await serveHttp((request, response) => {
    sockets.push(request.socket)
    pour(response)
  })
  await using at = await ground({ root: rootAt(origin), auth, polling: { maxBodyBytes: 65_536 } })
  await at.register('j1')
  expect(await at.job('j1')).toMatchObject({ problem: { kind: 'protocol' } })
  expect(sockets).toHaveLength(1)
  await closed(sockets[0])
  // What the system keeps between the two is all that was sent beyond that.
  expect(sockets[0]?.bytesWritten).toBeLessThan(33_554_432)
})

/** A deployment that answers when the test says so; the most requests that were open at once. */
async function heldBack() {
  const open: { readonly jobid: string; readonly response: ServerResponse }[] = []
  const most = { open: 0, openOfOne: 0 }
  const asked = new Map<string, number>()
  const origin = await serveHttp((request, response) => {
    const jobid = request.url?.split(/[/?]/)[4] ?? ''
    open.push({ jobid, response })
    asked.set(jobid, (asked.get(jobid) ?? 0) + 1)
    most.open = Math.max(most.open, open.length)
    most.openOfOne = Math.max(most.openOfOne, open.filter((one) => one.jobid === jobid).length)
  })
  return {
    root: rootAt(origin),
    open,
    most,
    asked,
    answerAll: () => {
      for (const { jobid, response } of open.splice(0)) sendJson(response, running(jobid))
    },
  }
}

describe('F39 many jobs', () => {
  const jobids = Array.from({ length: 100 }, (_, index) => `j${index}`)

  test('are all looked at in their turn, with no more requests open than concurrency', async () => {
    const { root, open, most, asked, answerAll } = await heldBack()
    const polling = { interval: '5s', maxInterval: '5s', concurrency: 3 }
    await using at = await ground({ root, auth, polling })
    await at.post('/v1/jobs/batch', { jobs: jobids.map((jobid) => ({ jobid })) })
    await until(() => open.length === 3)
    for (let round = 1; round <= 3; round += 1) {
      if (round > 1) await at.clock.advance(5000)
      await until(() => {
        answerAll()
        return jobids.every((jobid) => asked.get(jobid) === round)
      })
      await until(() => {
        answerAll()
        return at.isAtRest()
      })
    }
    expect(most).toEqual({ open: 3, openOfOne: 1 })
  })

  test('are looked at no faster than the rate', async () => {
    const rate = 200
    const arrivals: number[] = []
    const origin = await serveHttp((request, response) => {
      arrivals.push(performance.now())
      sendJson(response, running(request.url?.split(/[/?]/)[4] ?? ''))
    })
    const root = rootAt(origin)
    const polling = { interval: '20ms', maxInterval: '20ms', concurrency: 50, rate }
    await using app = await startApp({
      config: (simulator) => ({
        upstreams: [{ ...anUpstream('prod', simulator), root, auth, polling }],
      }),
    })
    await app.post('/v1/jobs/batch', { jobs: jobids.map((jobid) => ({ jobid })) })
    await until(() => arrivals.length >= 200)
    const [first = 0] = arrivals
    // Each job is due fifty times a second: without the rate it would be all at once.
    const lastedMs = (arrivals[199] ?? 0) - first
    expect(200 / (lastedMs / 1000)).toBeLessThan(rate * 1.5)
  })
})

describe('F37 one job', () => {
  test('has one request open, however many ask for a look', async () => {
    const { root, open, most, asked, answerAll } = await heldBack()
    await using at = await ground({ root, auth })
    await at.post('/v1/jobs', { jobid: 'j1' })
    await until(() => open.length === 1)
    const looks = Array.from({ length: 10 }, () => at.look('j1'))
    await settle(50)
    answerAll()
    await until(() => open.length === 1)
    answerAll()
    await Promise.all(looks)
    // The first look had begun before they asked; the second serves them all.
    expect(asked.get('j1')).toBe(2)
    expect(most.openOfOne).toBe(1)
  })

  test('is not set back by an answer that comes after the look was given up', async () => {
    const { root, open } = await heldBack()
    await using at = await ground({ root, auth })
    await at.post('/v1/jobs', { jobid: 'j1' })
    await until(() => open.length === 1)
    const [first] = open.splice(0)
    await at.clock.advance(timeoutMs)
    await until(async () => (await at.job('j1')).problem?.kind === 'transient')

    const looking = at.look('j1')
    await until(() => open.length === 1)
    const [second] = open.splice(0)
    if (first === undefined || second === undefined) throw new Error('two looks were begun')
    sendJson(second.response, finished('j1'))
    expect(await looking).toMatchObject({ status: 'COMPLETED', problem: null })
    sendJson(first.response, running('j1'))
    await settle()
    expect(await at.job('j1')).toMatchObject({ status: 'COMPLETED', problem: null })
    expect(await at.told()).toEqual(['job.watched', 'job.completed: nothing → COMPLETED'])
  })
})

/** The origin of a port whose packets are dropped: its queue is full, and nobody takes from it. */
async function silentOrigin(): Promise<string> {
  const server = `
    const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const worker = new Worker(server, { eval: true })
  const [port] = (await once(worker, 'message')) as [number]
  const fillers = Array.from({ length: 4 }, () => connect(port, '127.0.0.1'))
  for (const filler of fillers) filler.on('error', () => undefined)
  onTestFinished(async () => {
    for (const filler of fillers) filler.destroy()
    await worker.terminate()
  })
  await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, 'connect')))
  return `http://127.0.0.1:${port}`
}
