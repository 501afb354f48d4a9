import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { Secret } from '../../src/core/secret.ts'
import { sign } from '../../src/notify/sign.ts'
import { consumerFolder } from '../client/consumer.ts'
import type { Consumer } from '../client/consumer.ts'
import { finished, running, until } from '../e2e/ground.ts'
import { anUpstream, callApi } from '../helpers/app.ts'
import { serve, temporaryFolder } from '../helpers/daemon.ts'
import { simulatorFor } from '../helpers/simulator.ts'
import { exampleEvent } from './example.ts'
import { listings, tableWith } from './markdown.ts'
import { runReceiver } from './receiver.ts'

const document = 'docs/client.md'
const text = readFileSync(document, 'utf8')
const programs = ['register', 'wait', 'follow', 'picture', 'receive'] as const
const token = 'a-token-for-tests'
const failed = (jobid: string) => ({ ...finished(jobid), status: 'FAILED', messages: ['Full.'] })

let consumer: Consumer
let faults: readonly string[]

beforeAll(async () => {
  consumer = await consumerFolder()
  const shown = listings(document, 'ts')
  for (const [index, name] of programs.entries()) {
    await consumer.write(`${name}.mts`, shown[index] ?? '')
  }
  const names = programs.map((name) => `${name}.mts`)
  faults = consumer.compile(names, { skipLibCheck: true })
  // What follows runs without what only the compiler needs.
  await consumer.forgetTypes()
}, 120_000)
afterAll(() => consumer[Symbol.asyncDispose]())

test('there are five programs, which compile', () => {
  expect(listings(document, 'ts')).toHaveLength(programs.length)
  expect(faults).toEqual([])
})

/** The built daemon on a simulated Enterprise, and a client for it. */
async function daemon() {
  const folder = await temporaryFolder()
  const simulator = await simulatorFor()
  const config = (listen: string) => ({
    listen,
    database: join(folder.path, 'jobwatch.db'),
    api: { tokens: [{ name: 'tests', token, scopes: ['write'] }] },
    upstreams: [anUpstream('prod', simulator)],
    delivery: { allow: ['127.0.0.0/8'] },
  })
  let run = await serve(config('127.0.0.1:0'), folder.path)
  const { url } = run
  onTestFinished(async () => {
    await run[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  const client = createClient({ server: url, token })

  return {
    client,
    simulator,
    env: { JOBWATCH_URL: url, JOBWATCH_TOKEN: token },
    /** A job that runs until it is told to go on, known as its id. */
    script: (jobid: string, end: object = finished(jobid)) =>
      simulator.addScript([running(jobid), { ...end }], { jobid }),
    register: (jobid: string) => client.registerJob({ jobid, label: jobid }),
    /** Has a job fail; resolves to the id of the event that tells it. */
    async fail(jobid: string): Promise<string> {
      simulator.addScript([failed(jobid)], { jobid })
      await client.registerJob({ jobid, label: jobid })
      await client.waitFor(jobid)
      const { items } = await client.listEvents({ jobids: [jobid], types: ['job.failed'] })
      return items[0]?.id ?? ''
    },
    /** True once so many read the feed. */
    async hasReaders(count: number): Promise<boolean> {
      const headers = { authorization: `Bearer ${token}` }
      const metrics = await callApi(`${url}/metrics`, { headers })
      return metrics.text.includes(`\njobwatch_sse_clients ${count}\n`)
    },
    stop: () => run.stop(),
    async start() {
      run = await serve(config(new URL(url).host), folder.path)
    },
  }
}

/** Runs a program of the document. */
function start(
  name: (typeof programs)[number],
  args: readonly string[],
  env: Record<string, string>,
) {
  const run = consumer.run(`${name}.mjs`, args, env)
  onTestFinished(() => run[Symbol.asyncDispose]())
  return run
}

// Each is a daemon and several programs, started one after another.
describe('the program that', { timeout: 120_000 }, () => {
  test('registers a job lists what runs, and ends by itself', async () => {
    const at = await daemon()
    at.script('j1')
    const first = start('register', ['j1'], at.env)
    expect(await first.ended, first.stderr).toEqual({ code: 0, signal: null })
    expect(first.stdout).toMatch(/^watching j1\n.+: \d of \d stages\n$/)
    const again = start('register', ['j1'], at.env)
    await again.ended
    expect(again.stdout).toContain('already watched: j1\n')
  })

  test.each([
    [0, 'succeeded', finished('j1')],
    [1, 'failed Full.', failed('j1')],
  ])('waits for a job ends by itself with %d when it %s', async (code, words, end) => {
    const at = await daemon()
    const job = at.script('j1', end)
    const run = start('wait', ['j1'], at.env)
    await run.line((line) => line === 'job.executing')
    job.next()
    expect(await run.ended, run.stderr).toEqual({ code, signal: null })
    expect(run.stdout).toMatch(/^waiting\n/)
    expect(run.stdout.trim()).toMatch(new RegExp(` ${words}$`))
  })

  test('follows the feed goes on where it was, whatever was restarted', async () => {
    const at = await daemon()
    const position = join(consumer.path, 'position')
    const isAt = async (id: string) => (await readFile(position, 'utf8').catch(() => '')) === id
    const reader = start('follow', [], at.env)
    await until(() => at.hasReaders(1))
    const one = await at.fail('one')
    await reader.line((line) => line === 'one failed: Full.')
    await until(() => isAt(one))

    await at.stop()
    await at.start()
    const two = await at.fail('two')
    await reader.line((line) => line === 'two failed: Full.')
    await until(() => isAt(two))

    await reader.stop('SIGKILL')
    await at.fail('three')
    const next = start('follow', [], at.env)
    await next.line((line) => line === 'three failed: Full.')
    expect(next.stdout).toBe('three failed: Full.\n')
    await next.stop('SIGKILL')

    await writeFile(position, 'beef-7')
    const lost = start('follow', [], at.env)
    await lost.line((line) => line === 'three failed: Full.')
    expect(lost.stdout).toBe(
      'events after beef-7 are no longer kept\none failed: Full.\ntwo failed: Full.\nthree failed: Full.\n',
    )
  })

  test('keeps a picture of what runs ends by itself when nothing does', async () => {
    const at = await daemon()
    const [one, two] = [at.script('one'), at.script('two')]
    for (const jobid of ['one', 'two']) await at.register(jobid)
    const run = start('picture', [], at.env)
    await run.line((line) => line === 'running: two one')
    one.next()
    await run.line((line) => line === 'running: two')
    two.next()
    expect(await run.ended, run.stderr).toEqual({ code: 0, signal: null })
    expect(run.stdout.endsWith('\nrunning:\n')).toBe(true)
    await until(() => at.hasReaders(0))
  })

  test('receives webhooks takes what jobwatch sends, rotated secrets too, and nothing else', async () => {
    const at = await daemon()
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const receive = (secrets: string) =>
      runReceiver(process.execPath, ['receive.mjs'], { cwd: consumer.path, secret: secrets })
    const delivered = async (count: number) => {
      const { items } = await at.client.listDeliveries({ endpoint: 'hook', state: 'delivered' })
      return items.length === count
    }
    await using old = await receive(secret)
    const events = ['job.failed']
    await at.client.addEndpoint({ name: 'hook', url: old.url, secret, events })
    expect(await at.client.testEndpoint('hook')).toMatchObject({ status: 204 })
    const one = await at.fail('one')
    await until(() => delivered(1))

    const { secret: fresh = '' } = await at.client.rotateSecret('hook')
    const two = await at.fail('two')
    await until(() => delivered(2))
    await using rotated = await receive(`${secret} ${fresh}`)
    await at.client.changeEndpoint('hook', { url: rotated.url })
    const three = await at.fail('three')
    await until(() => delivered(3))

    await using stranger = await receive('whsec_dGhlLW90aGVyLXNlY3JldC0xMjM0NTY=')
    await at.client.changeEndpoint('hook', { url: stranger.url })
    expect(await at.client.testEndpoint('hook')).toMatchObject({ status: 401 })
    await using careless = await receive('')
    await at.client.changeEndpoint('hook', { url: careless.url })
    expect(await at.client.testEndpoint('hook')).toMatchObject({ status: 500 })
    expect(await altered(rotated.url, secret)).toBe(401)
    expect((await fetch(rotated.url, { method: 'POST', body: '{}' })).status).toBe(401)

    const [tried, ...taken] = await old.stop()
    expect(tried).toMatch(/^test-\S+ it works$/)
    expect(taken).toEqual([`${one} one`, `${two} two`])
    expect(await rotated.stop()).toEqual([`${three} three`])
    expect(await stranger.stop()).toEqual([])
    expect(await careless.stop()).toEqual([])
  })
})

/** The status for a body that is not the one that was signed. */
async function altered(url: string, secret: string): Promise<number> {
  const timestamp = Math.floor(Date.now() / 1000)
  const { id, text: body } = exampleEvent
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': sign({ id, timestamp, body }, [new Secret(secret)]),
  }
  const changed = body.replace('nightly backup', 'something else')
  expect(changed).not.toBe(body)
  return (await fetch(url, { method: 'POST', headers, body: changed })).status
}

/** The words in code quotes in the first column of the table with this head. */
function named(head: string): string[] {
  return tableWith(document, head).flatMap(([cell = '']) =>
    [...cell.matchAll(/`(\w+)/g)].map(([, name = '']) => name),
  )
}

/** The names of an interface's own members. */
function membersOf(file: string, name: string): string[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(`src/client/${file}`, 'utf8'),
    ts.ScriptTarget.ES2022,
  )
  const found = source.statements.filter(ts.isInterfaceDeclaration)
  const declared = found.find((one) => one.name.text === name)
  if (declared === undefined) throw new Error(`${file} has no interface ${name}`)
  return declared.members.map((member) => (member.name as ts.Identifier).text)
}

const filters = membersOf('filters.ts', 'EventFilters')
const followQuery = membersOf('follow.ts', 'FollowQuery')

test.each([
  [
    'client',
    [
      ...membersOf('connection.ts', 'ConnectionOptions'),
      ...membersOf('caller.ts', 'ClientOptions'),
    ],
  ],
  ['follow', [...filters, ...followQuery]],
  [
    'wait',
    [
      ...membersOf('client.ts', 'WaitOptions'),
      ...['upstream', 'signal', 'onState', 'giveUpAfterMs'],
    ],
  ],
])('every option is in the table of %s, and nothing else is', (head, members) => {
  expect(named(head).sort()).toEqual([...members].sort())
})

test('every call is in the table, and nothing else is', () => {
  const calls = [
    ...membersOf('client.ts', 'Client'),
    ...membersOf('endpoints.ts', 'EndpointCalls'),
    ...membersOf('deliveries.ts', 'DeliveryCalls'),
  ]
  expect(named('call').sort()).toEqual(calls.sort())
})

test('every error that the library makes is in the table, and nothing else is', () => {
  const told = tableWith(document, 'code').map(([error = '', code = '']) =>
    `${error} ${code}`.replaceAll('`', '').trim(),
  )
  const sources = ['caller', 'client', 'connection', 'position', 'webhooks', 'errors']
    .map((name) => readFileSync(`src/client/${name}.ts`, 'utf8'))
    .join('\n')
  const made = [...sources.matchAll(/new (ClientError|WebhookError)\(\s*'(\w+)'/g)]
  const coded = [...sources.matchAll(/name = '(\w+)'\s+readonly code = '(\w+)'/g)]
  const ours = [...made, ...coded].map(([, error, code]) => `${String(error)} ${String(code)}`)
  const others = ["ClientError the daemon's", 'TypeError']
  expect([...told].sort()).toEqual([...new Set(ours), ...others].sort())
})

test('every link leads somewhere', () => {
  const links = [...text.matchAll(/\]\(([^):#]+)(?:#([^)]*))?\)/g)]
  expect(links.length).toBeGreaterThan(2)
  for (const [, path = '', anchor] of links) {
    const target = join(dirname(document), path)
    expect(existsSync(target), target).toBe(true)
    if (anchor !== undefined) expect(anchorsOf(target)).toContain(anchor)
  }
})

function anchorsOf(path: string): string[] {
  const heads = [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)]
  return heads.map(([, head = '']) =>
    head
      .toLowerCase()
      .replaceAll(' ', '-')
      .replace(/[^\w-]/g, ''),
  )
}
