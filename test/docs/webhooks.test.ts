import { spawnSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import ts from 'typescript'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { endpointEventEncoder } from '../../src/core/event.ts'
import { Secret } from '../../src/core/secret.ts'
import { EventAnswer } from '../../src/http/schemas.ts'
import { sign } from '../../src/notify/sign.ts'
import { startBadReceiver } from '../e2e/bad-receiver.ts'
import { noon } from '../helpers/builders.ts'
import { temporaryFolder } from '../helpers/daemon.ts'
import { exampleEvent, sentAt } from './example.ts'
import { listing, listings, tableWith } from './markdown.ts'
import { runReceiver } from './receiver.ts'
import { sender } from './sender.ts'

const webhooks = 'docs/webhooks.md'
const messages = 'docs/messages.md'
const events = 'docs/events.md'
const text = readFileSync(webhooks, 'utf8')

afterEach(() => {
  vi.useRealTimers()
})

/** What follows a word in the document, in code quotes. */
function quoted(before: string): string {
  const [, found] = new RegExp(`${before} \`([^\`]+)\``).exec(text) ?? []
  if (found === undefined) throw new Error(`the document says nothing in quotes after ${before}`)
  return found
}

const secrets: Readonly<Record<string, string>> = { A: quoted('- A:'), B: quoted('- B:') }
const [secretA = '', secretB = ''] = Object.values(secrets)

describe('the test vectors', () => {
  const id = quoted('`webhook-id`')
  const timestamp = Number(quoted('`webhook-timestamp`'))
  const vectors = tableWith(webhooks, '`webhook-signature`').map(
    ([body = '', header = '', who = '']) => ({
      body: /`(.*)`/.exec(body)?.[1] ?? '',
      signatures: header.replaceAll('`', '').split(' '),
      rightFor: who === 'none' ? [] : who.split(', '),
    }),
  )

  test('there are those of the reference libraries, a pair of signatures and a decoy', () => {
    expect(vectors.map(({ signatures, rightFor }) => [signatures.length, rightFor.join()])).toEqual(
      [
        [1, 'A'],
        [1, 'B'],
        [1, 'A'],
        [1, 'A'],
        [2, 'A,B'],
        [2, 'A'],
        [1, ''],
      ],
    )
  })

  test.each(vectors)('$body with $signatures is right for $rightFor', (vector) => {
    const { body, signatures, rightFor } = vector
    vi.useFakeTimers({ toFake: ['Date'], now: timestamp * 1000 })
    for (const [name, secret] of Object.entries(secrets)) {
      const ours = sign({ id, timestamp, body }, [new Secret(secret)])
      const library = new Webhook(secret)
      expect(library.sign(id, new Date(timestamp * 1000), body)).toBe(ours)
      expect(signatures.includes(ours)).toBe(rightFor.includes(name))
      const verify = () =>
        library.verify(body, {
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signatures.join(' '),
        })
      if (rightFor.includes(name)) expect(verify).not.toThrow()
      else expect(verify).toThrow(WebhookVerificationError)
    }
  })
})

describe('the example of a request', () => {
  const [head = '', shown = ''] = listing(webhooks, 'http').split('\n\n')
  const [requestLine, ...lines] = head.split('\n')
  const headers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]))

  test('is what the encoder and the sender make of its event', async () => {
    await using receiver = await startBadReceiver()
    await using at = sender()
    await at.send(`${receiver.origin}/jobwatch`, exampleEvent, {
      secrets: [secretA],
      userAgent: headers['user-agent'] ?? '',
      now: () => sentAt,
    })
    const [got] = receiver.received
    expect(`${String(got?.method)} ${String(got?.path)} HTTP/1.1`).toBe(requestLine)
    expect({ ...got?.headers, host: 'hooks.example.com' }).toEqual(headers)
    expect(headers['user-agent']).toMatch(/^jobwatch\/\d+\.\d+\.\d+$/)
    expect(JSON.stringify(JSON.parse(shown))).toBe(got?.body)
  })

  test('is verified by the library with secret A', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: sentAt })
    const body = JSON.stringify(JSON.parse(shown))
    expect(new Webhook(secretA).verify(body, headers)).toEqual(JSON.parse(shown))
    expect(EventAnswer.parse(JSON.parse(shown))).toEqual(JSON.parse(shown))
  })
})

test('the events shown in JSON are such as the API answers with', () => {
  const shown = listings(events, 'json').map((code) => JSON.parse(code) as { data: object })
  expect(shown).toHaveLength(2)
  for (const { data, ...event } of shown) {
    // A job that is left out says so.
    const { job, ...rest } = data as { job?: object }
    const isLeftOut = job === undefined || '…' in job
    const whole = { ...event, data: isLeftOut ? rest : data }
    expect(EventAnswer.parse(whole)).toEqual(whole)
  }
  const [, endpoint] = shown
  const change = {
    kind: 'endpoint',
    reason: 'answered 503',
    since: new Date(noon - 155_000).toISOString(),
    disablesAt: new Date(noon - 155_000 + 5 * 86_400_000).toISOString(),
  } as const
  const numbering = { epoch: '7f3a9c', seq: 1043, previousSeq: null }
  const encode = endpointEventEncoder('my-software', noon)
  expect(endpoint).toEqual(JSON.parse(encode({ type: 'endpoint.failing', change }, numbering)))
})

describe('a receiver', () => {
  test.each(['ts', 'python', 'csharp'])('in %s has less than thirty lines', (language) => {
    expect(listing(webhooks, language).trim().split('\n').length).toBeLessThan(30)
  })

  /** What each of them has to do, with jobwatch's sender at the other end. */
  async function expectReceives(receiver: Awaited<ReturnType<typeof runReceiver>>) {
    await using at = sender()
    const send = (event = exampleEvent, options = {}) =>
      at.send(receiver.url, event, { secrets: [secretA], ...options })

    expect(await send()).toMatchObject({ verdict: 'delivered', status: 204 })
    expect(await send(), 'the same again').toMatchObject({ status: 204 })
    const test = {
      ...exampleEvent,
      id: 'test-1',
      text: exampleEvent.text.replace('7f3a9c-1042', 'test-1'),
    }
    expect(await send(test, { secrets: [secretB, secretA] }), 'rotation').toMatchObject({
      status: 204,
    })

    const strangers = await send({ ...exampleEvent, id: 'x-1' }, { secrets: [secretB] })
    expect(strangers, 'another secret').toMatchObject({ verdict: 'retry', status: 401 })
    for (const lateMs of [-310_000, 310_000]) {
      const result = await send({ ...exampleEvent, id: 'x-2' }, { now: () => Date.now() + lateMs })
      expect(result, `${lateMs} ms off`).toMatchObject({ status: 401 })
    }
    expect(await tampered(receiver.url)).toBe(401)
    expect((await fetch(receiver.url, { method: 'POST', body: '{}' })).status, 'unsigned').toBe(401)

    const handled = await receiver.stop()
    expect(handled).toHaveLength(2)
    expect(handled[0]).toMatch(/^job\.failed nightly backup Not enough space on /)
  }

  /** The status for a body that is not the one that was signed. */
  async function tampered(url: string): Promise<number> {
    const timestamp = Math.floor(Date.now() / 1000)
    const { id, text: body } = exampleEvent
    const headers = {
      'webhook-id': 'x-3',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign({ id: 'x-3', timestamp, body }, [new Secret(secretA)]),
    }
    const altered = body.replace(id, '7f3a9c-9999')
    return (await fetch(url, { method: 'POST', headers, body: altered })).status
  }

  test('in TypeScript compiles, takes what is right once and refuses the rest', async () => {
    await using folder = await temporaryFolder()
    const source = join(folder.path, 'receiver.mts')
    await writeFile(source, listing(webhooks, 'ts'))
    await symlink(resolve('node_modules'), join(folder.path, 'node_modules'), 'junction')
    const program = ts.createProgram([source], {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      skipLibCheck: true,
      typeRoots: [resolve('node_modules/@types')],
      types: ['node'],
    })
    const faults = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics]
    expect(faults.map(({ messageText }) => messageText)).toEqual([])
    await using receiver = await runReceiver(process.execPath, ['receiver.mjs'], {
      cwd: folder.path,
      secret: secretA,
    })
    await expectReceives(receiver)
  })

  const python = (args: readonly string[], cwd?: string) => spawnSync('python3', args, { cwd })

  test('in Python is Python', async (context) => {
    if (python(['--version']).status !== 0) context.skip('there is no python3 here')
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'receiver.py'), listing(webhooks, 'python'))
    const { status, stderr } = python(['-m', 'py_compile', 'receiver.py'], folder.path)
    expect(status, String(stderr)).toBe(0)
  })

  test('in Python takes what is right once and refuses the rest', async (context) => {
    if (python(['-c', 'import standardwebhooks']).status !== 0) {
      context.skip('python3 with the package standardwebhooks is not here')
    }
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'receiver.py'), listing(webhooks, 'python'))
    await using receiver = await runReceiver('python3', ['receiver.py'], {
      cwd: folder.path,
      secret: secretA,
    })
    await expectReceives(receiver)
  })
})

test('the settings shown are settings, and the schedule is the default one', () => {
  const shown = [webhooks, messages].flatMap((document) => listings(document, 'yaml'))
  expect(shown.length).toBeGreaterThan(4)
  const env = { SLACK_WEBHOOK_URL: 'https://x.invalid/', TEAMS_WORKFLOW_URL: 'https://x.invalid/' }
  for (const code of shown) {
    // The password is in a file that is not here.
    const settings: unknown = parse(code.replace(/\{ file: .* \}/, 'secret'))
    expect(() => parseConfig(settings, webhooks, env), code).not.toThrow()
  }
  const [, pauses = ''] = /between attempts are ([^(]+) \(`delivery\.retry`\)/.exec(text) ?? []
  const said = parseConfig({ delivery: { retry: pauses.split(/,\s+/) } }, webhooks, {})
  expect(said.delivery.retry).toEqual(parseConfig({}, webhooks, {}).delivery.retry)
})

test.each([webhooks, messages, events])('every link of %s leads somewhere', (document) => {
  const links = [...readFileSync(document, 'utf8').matchAll(/\]\(([^):#]+)(#[^)]*)?\)/g)]
  for (const [, path = ''] of links) {
    expect(existsSync(join(dirname(document), path)), path).toBe(true)
  }
})
