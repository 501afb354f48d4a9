import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import type { SimulatorOptions } from '../../src/simulator/simulator.ts'
import { Run } from '../helpers/daemon.ts'
import {
  closedOrigin,
  listen,
  selfSignedCertificate,
  sendJson,
  serveHttp,
} from '../upstream/servers.ts'

const username = 'doctor-canary'
const password = 'pass&word "canary"/1'
const fixedToken = 'token-canary-0123456789'

/** What `jobwatch doctor` prints about these upstreams; secrets and hosts are in none of it. */
async function doctor(upstreams: readonly object[], ...args: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'jobwatch-doctor-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'jobwatch.json')
  await writeFile(file, JSON.stringify({ upstreams, database: join(folder, 'jobwatch.db') }))
  const run = new Run(['doctor', '--config', file, ...args])
  const { code } = await run.ended
  const printed = run.stdout + run.stderr
  for (const canary of [username, password, fixedToken, '127.0.0.1', 'localhost', 'stack']) {
    expect(printed).not.toContain(canary)
    expect(printed).not.toContain(encodeURIComponent(canary))
  }
  return { code, stdout: run.stdout, stderr: run.stderr }
}

/** An upstream with user name and password whose root is at this origin. */
function at(origin: string, fields: object = {}) {
  return { name: 'prod', root: `${origin}/gis/admin`, auth: { username, password }, ...fields }
}

async function simulate(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ username, password, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}

/** A deployment that gives tokens and answers everything else with this. */
function answering(body: unknown, status = 200): Promise<string> {
  return serveHttp((request, response) => {
    const isToken = request.url?.includes('generateToken')
    if (isToken) sendJson(response, { token: fixedToken, expires: Date.now() + 3_600_000 })
    else if (typeof body === 'string') response.writeHead(status).end(body)
    else sendJson(response, body, status)
  })
}

test('a healthy deployment works, and what it answered can be pasted', async () => {
  const simulator = await simulate()
  simulator.submit('registryEdit', { pace: 0.001 })
  const { code, stdout, stderr } = await doctor([at(simulator.url)])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const step of ['token', 'jobs', 'job', 'unknown job']) {
    expect(stdout).toContain(`- ${step}: works.`)
  }
  expect(stdout).toContain('jobwatch can follow the jobs of prod.')
  expect(stdout).toMatch(/What this deployment shows:[^]*an unknown job: HTTP 200, `error`/)
  expect(stdout).toMatch(/^ {4}GET http:\/\/\[host\]\/gis\/admin\/jobs\?f=json /m)
  expect(stdout).toContain('"operationURI": "/gis/admin/system/')
  expect(simulator.requests).toMatchObject({ tokens: 1, lists: 1 })
  expect([...simulator.requests.jobs.values()]).toEqual([1, 1])
})

test('nothing on it is coloured or decorated when it is not a terminal', async () => {
  const { stdout } = await doctor([at((await simulate()).url)])
  // eslint-disable-next-line no-control-regex -- an escape is what is looked for
  expect(stdout).not.toMatch(/\x1b|\p{Extended_Pictographic}/u)
})

test('as JSON it is one document', async () => {
  const { code, stdout } = await doctor([at((await simulate()).url)], '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    upstreams: [
      {
        name: 'prod',
        kind: 'enterprise-admin',
        works: true,
        findings: [
          { step: 'token', verdict: 'works', exchange: { status: 200 } },
          { step: 'jobs', verdict: 'works' },
          { step: 'job', verdict: 'skipped', exchange: null },
          { step: 'unknown job', verdict: 'works' },
        ],
      },
    ],
  })
})

test('a wrong password is told, and costs one request for a token and no other', async () => {
  const simulator = await simulate({ password: 'another one' })
  const { code, stdout, stderr } = await doctor([at(simulator.url)])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- token: denied\. .*auth\.password/)
  expect(stderr).toMatch(/prod does not work/)
  expect(simulator.requests).toMatchObject({ tokens: 1, lists: 0 })
})

test('a fixed token is tried as it is', async () => {
  const simulator = await simulate()
  const { code, stdout } = await doctor([at(simulator.url, { auth: { token: fixedToken } })])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- token: not asked\. .*\n- jobs: denied\. .*auth\.token/)
  expect(simulator.requests.tokens).toBe(0)
})

test('an account without the privilege is told which role has it', async () => {
  const denied = { error: { code: 403, message: `${username} may not do that.`, details: [] } }
  const { code, stdout } = await doctor([at(await answering(denied))])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- token: works\.[^]*- jobs: denied\. .*Administrator role/)
})

test('a page at the root is told from the Administrator API', async () => {
  const { code, stdout } = await doctor([at(await answering('<html><body>Home</body></html>'))])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- jobs: fails\. A web page .*root/)
})

test('a redirect is not followed, and where it leads is not shown', async () => {
  let visits = 0
  const elsewhere = await serveHttp((_, response) => {
    visits += 1
    response.end()
  })
  const origin = await serveHttp((_, response) => {
    response.writeHead(301, { location: `${elsewhere}/gis/admin` }).end()
  })
  const { code, stdout } = await doctor([at(origin, { auth: { token: fixedToken } })])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- jobs: fails\. .*sent on to .*Set root/)
  expect(visits).toBe(0)
})

test('a deployment that is not there is told with what to check', async () => {
  const { code, stdout } = await doctor([at(await closedOrigin())])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- token: fails\. .*ECONNREFUSED.*firewall/)
  expect(stdout).toMatch(/^ {4}no answer$/m)
})

const certificate = selfSignedCertificate()

test.skipIf(certificate === null)('a certificate that nobody knows leads to tls.ca', async () => {
  const server = createServer({ ...certificate }, (_, response) => {
    response.end()
  })
  server.on('tlsClientError', () => undefined)
  const { code, stdout } = await doctor([at(await listen(server, 'https'))])
  expect(code).toBe(1)
  expect(stdout).toMatch(/- token: fails\. .*SELF_SIGNED.*tls\.ca/)
})

test('a file in tls.ca that is missing, or no certificate, is a fault of the configuration', async () => {
  for (const ca of ['/there/is/no/such/file.pem', 'package.json']) {
    const { code, stdout, stderr } = await doctor([at(await closedOrigin(), { tls: { ca } })])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/tls\.ca of the upstream prod/)
  }
})

test('each of several upstreams is asked; one that does not work is named and decides the code', async () => {
  const upstreams = [at((await simulate()).url), { ...at(await closedOrigin()), name: 'test' }]
  const all = await doctor(upstreams)
  expect(all.code).toBe(1)
  expect(all.stdout).toMatch(/## prod [^]*can follow[^]*## test [^]*cannot follow/)
  expect(all.stderr).toMatch(/test does not work/)
  expect((await doctor(upstreams, '--upstream', 'prod')).code).toBe(0)
  const none = await doctor(upstreams, '--upstream', 'staging')
  expect(none).toMatchObject({ code: 2, stdout: '' })
  expect(none.stderr).toContain('prod, test')
})

test('without an upstream it says how to configure one', async () => {
  const { code, stdout, stderr } = await doctor([])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/No upstream is configured.*JOBWATCH_UPSTREAM_ROOT/)
})

test('a configuration that is wrong is told as everywhere', async () => {
  const { code, stdout, stderr } = await doctor([{ name: 'prod' }])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('upstreams[0].root')
})

test('it can be interrupted while a deployment does not answer', async () => {
  let begin = (): void => undefined
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const origin = await serveHttp(begin)
  const run = new Run(['doctor'], {
    JOBWATCH_UPSTREAM_ROOT: `${origin}/gis/admin`,
    JOBWATCH_UPSTREAM_TOKEN: fixedToken,
  })
  await begun
  expect(await run.stop('SIGINT')).toEqual({ code: 130, signal: null })
  expect(run.stderr).toBe('')
})
