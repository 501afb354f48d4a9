import { EventSource } from 'eventsource'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { Run, serve, temporaryFolder } from '../helpers/daemon.ts'

function configIn(folder: string, more: object = {}) {
  return { listen: '127.0.0.1:0', database: join(folder, 'jobwatch.db'), ...more }
}

test('SIGTERM says goodbye on every stream and ends with 0, well within its bound', async () => {
  await using folder = await temporaryFolder()
  await using daemon = await serve(configIn(folder.path), folder.path)
  const answer = await fetch(`${daemon.url}/v1/events/stream`)
  const text = answer.text()
  const { code } = await daemon.stop('SIGTERM')
  expect(code).toBe(0)
  expect(await text).toMatch(/event: feed\.bye\ndata: \{"seq":0\}\n\n$/)
  expect(daemon.stdout).toContain('"app.stopped"')
  // The log of writes has been taken into the file.
  expect(readdirSync(folder.path).sort()).toEqual([
    'jobwatch.db',
    'jobwatch.db.lock',
    'jobwatch.yaml',
  ])
})

test('a receiver that hangs holds the stop up no longer than shutdownTimeout, or a second signal', async () => {
  await using folder = await temporaryFolder()
  await using simulator = await disposable(startSimulator())
  const { startReceiver } = await import('../../src/simulator/receiver.ts')
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  await using receiver = await disposable(startReceiver({ secret, answer: () => 'hang' }))
  const config = configIn(folder.path, {
    shutdownTimeout: '1h',
    endpoints: [{ name: 'hanging', url: receiver.url, secret }],
    upstreams: [{ name: 'prod', root: simulator.root, auth: { token: 'x' } }],
  })
  await using daemon = await serve(config, folder.path)
  await fetch(`${daemon.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"jobid":"j1"}',
  })
  await receiver.waitFor(1)
  daemon.child.kill('SIGTERM')
  await daemon.line((line) => line.includes('"app.stopping"'))
  const { code } = await daemon.stop('SIGTERM')
  expect(code).toBe(0)
  expect(daemon.stdout).toContain('"app.stop_cut_short"')
})

test('a second daemon on the same database refuses to start and leaves the first one alone', async () => {
  await using folder = await temporaryFolder()
  await using first = await serve(configIn(folder.path), folder.path)
  await using second = new Run(['serve', '--config', join(folder.path, 'jobwatch.yaml')])
  expect((await second.ended).code).toBe(1)
  expect(second.stderr).toMatch(/in use by another jobwatch/)
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
})

test('a browser comes back by itself after a restart on the same address', async () => {
  await using folder = await temporaryFolder()
  const first = await serve(configIn(folder.path), folder.path)
  const source = new EventSource(`${first.url}/v1/events/stream`)
  const opened = () =>
    new Promise((resolve) => source.addEventListener('feed.hello', resolve, { once: true }))
  await opened()
  const again = opened()
  await first.stop('SIGTERM')
  const listen = new URL(first.url).host
  await using second = await serve(configIn(folder.path, { listen }), folder.path)
  await again
  expect(source.readyState).toBe(EventSource.OPEN)
  expect(second.url).toBe(first.url)
  source.close()
})

test('a configuration that is wrong ends with 2 and says what is wrong', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'jobwatch.yaml')
  await writeFile(file, 'listne: 127.0.0.1:0\nupstreams: [{ name: prod }]\n')
  for (const command of [['serve'], ['config', 'check']]) {
    await using run = new Run([...command, '--config', file])
    expect((await run.ended).code).toBe(2)
    expect(run.stderr).toMatch(/listne: unknown setting; did you mean listen\?/)
    expect(run.stderr).toMatch(/upstreams\[0\]\.root/)
    expect(run.stdout).toBe('')
  }
})

test('config check prints what is in force without any secret', async () => {
  await using folder = await temporaryFolder()
  const env = {
    JOBWATCH_DATABASE: join(folder.path, 'x.db'),
    JOBWATCH_UPSTREAM_ROOT: 'https://gis.example.com/arcgis/admin',
    JOBWATCH_UPSTREAM_USERNAME: 'jobwatch',
    JOBWATCH_UPSTREAM_PASSWORD: 'canary-password',
    JOBWATCH_API_TOKEN: 'canary-token',
    JOBWATCH_SLACK_URL: 'https://hooks.slack.com/services/canary-url',
  }
  await using run = new Run(['config', 'check'], env)
  expect((await run.ended).code).toBe(0)
  expect(run.stdout).toContain(
    'tokenUrl: https://gis.example.com/arcgis/sharing/rest/generateToken',
  )
  expect(run.stdout + run.stderr).not.toContain('canary')
  expect(existsSync(join(folder.path, 'x.db'))).toBe(false)
})

test('words that are no command end with 2, help and version with 0', async () => {
  for (const [args, code] of [
    [['frobnicate'], 2],
    [['serve', '--nonsense'], 2],
    [['--help'], 0],
    [['--version'], 0],
  ] as const) {
    await using run = new Run(args)
    expect((await run.ended).code).toBe(code)
  }
})

test('listening for others without an API token is refused with the way out', async () => {
  await using folder = await temporaryFolder()
  await using run = new Run(['serve'], {
    JOBWATCH_LISTEN: '0.0.0.0:0',
    JOBWATCH_DATABASE: join(folder.path, 'jobwatch.db'),
  })
  expect((await run.ended).code).toBe(2)
  expect(run.stderr).toMatch(/api\.tokens.*openssl rand -base64 32/)
})

test('the demo shows verified webhooks within seconds and leaves nothing behind', async () => {
  const before = demoFolders()
  await using run = new Run(['demo', '--listen', '127.0.0.1:0'])
  const first = await run.line((line) => line.includes('http'))
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(first)?.[0] ?? ''
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  await run.line((line) => line.includes('✓ verified') && line.includes('job.executing'))
  const watched = (line: string) => line.includes('job.watched')
  await run.line(() => run.stdout.split('\n').filter(watched).length === 12)
  expect((await run.stop('SIGTERM')).code).toBe(0)
  expect(run.stdout).not.toContain('NOT verified')
  expect(demoFolders()).toEqual(before)
})

function demoFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('jobwatch-demo-'))
}

async function disposable<T extends { close(): Promise<void> }>(opening: Promise<T>) {
  const opened = await opening
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() })
}
