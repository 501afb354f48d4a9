import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { upstreamKinds } from '../../src/upstream/registry.ts'
import type { UpstreamSettings } from '../../src/upstream/registry.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'
import { listen, selfSignedCertificate, sendJson, serveHttp } from './servers.ts'

function anUpstream(origin: string, settings: Partial<UpstreamSettings> = {}): Upstream {
  const upstream = upstreamKinds['enterprise-admin'](
    {
      name: 'prod',
      root: `${origin}/gis/admin`,
      auth: { token: 'T0' },
      referer: 'jobwatch',
      timeoutMs: 10_000,
      maxBodyBytes: 1_000_000,
      concurrency: 2,
      tls: { rejectUnauthorized: true },
      ...settings,
    },
    { clock: systemClock, userAgent: 'jobwatch/1.2.3' },
  )
  onTestFinished(() => upstream.close())
  return upstream
}

test('an upstream of each kind carries the name of its kind', () => {
  for (const [kind, create] of Object.entries(upstreamKinds)) {
    const upstream = create(
      {
        name: 'prod',
        root: 'https://gis.example.com/gis/admin',
        auth: { token: 'T0' },
        referer: 'jobwatch',
        timeoutMs: 1000,
        maxBodyBytes: 1000,
        concurrency: 1,
        tls: { rejectUnauthorized: true },
      },
      { clock: systemClock, userAgent: 'jobwatch/1.2.3' },
    )
    expect(upstream.kind).toBe(kind)
  }
})

test('no more connections are opened than requests may be in flight, and one for the token', async () => {
  const sockets = new Set<Socket>()
  const origin = await serveHttp((request, response) => {
    sockets.add(request.socket)
    sendJson(response, { jobid: 'j-1', status: 'EXECUTING' })
  })
  const upstream = anUpstream(origin, { concurrency: 2 })
  await Promise.all(Array.from({ length: 20 }, () => upstream.fetchJob('j-1', null)))
  expect(sockets.size).toBeLessThanOrEqual(3)
})

const certificate = selfSignedCertificate()

describe.skipIf(certificate === null)(
  'a deployment whose certificate nobody known has signed',
  () => {
    async function serveHttps(): Promise<string> {
      const server = createServer({ ...certificate }, (_, response) => {
        sendJson(response, { jobid: 'j-1', status: 'EXECUTING' })
      })
      server.on('tlsClientError', () => undefined)
      return listen(server, 'https')
    }

    test('is not trusted', async () => {
      const look = await anUpstream(await serveHttps()).fetchJob('j-1', null)
      expect(look).toMatchObject({ outcome: 'failed', failure: 'transient' })
      expect(look).toHaveProperty('detail', expect.stringContaining('TLS'))
    })

    test('is trusted when its authority is named', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'jobwatch-ca-'))
      onTestFinished(() => {
        rmSync(folder, { recursive: true, force: true })
      })
      const ca = join(folder, 'ca.pem')
      writeFileSync(ca, certificate?.cert ?? '')
      const upstream = anUpstream(await serveHttps(), { tls: { ca, rejectUnauthorized: true } })
      expect((await upstream.fetchJob('j-1', null)).outcome).toBe('seen')
    })

    test('is looked at when told not to ask', async () => {
      const upstream = anUpstream(await serveHttps(), { tls: { rejectUnauthorized: false } })
      expect((await upstream.fetchJob('j-1', null)).outcome).toBe('seen')
    })
  },
)
