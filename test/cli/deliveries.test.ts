import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/core/errors.ts'
import type { DeliveryAnswer, DeliveryDetail } from '../../src/http/schemas.ts'
import { runLine, secret, startDaemon } from './daemon.ts'
import type { DaemonOptions } from './daemon.ts'

type Daemon = Awaited<ReturnType<typeof startDaemon>>

/** A daemon whose one endpoint is owed the events of job j1. */
async function owing(options: Pick<DaemonOptions, 'answer'> = {}) {
  const daemon = await startDaemon({
    ...options,
    endpoints: (url) => [{ name: 'hook', url, secret }],
  })
  await daemon.watch('j1')
  return daemon
}

async function listed(daemon: Daemon, options: string): Promise<DeliveryAnswer[]> {
  const { out } = await daemon.jobwatch(`deliveries ${options} --json`)
  return (JSON.parse(out) as { items: DeliveryAnswer[] }).items
}

/** The delivery that was given up: an event of the job waits for the one before it. */
async function givenUp(daemon: Daemon): Promise<DeliveryAnswer> {
  await daemon.receiver.waitFor(3)
  const failed = (await listed(daemon, '--state failed')).at(-1)
  return failed ?? expect.fail('nothing was given up')
}

describe('the deliveries', () => {
  test('are listed, newest first, also when no command is named', async () => {
    await using daemon = await owing()
    await daemon.receiver.waitFor(2)
    const { out } = await daemon.jobwatch('deliveries --seq 1')
    const [header, row, ...rest] = out.split('\n').map((line) => line.split(/ {2,}/))
    expect(header).toEqual([
      ...['ID', 'ENDPOINT', 'SEQ', 'TYPE', 'JOB', 'STATE', 'ATTEMPTS', 'WHEN'],
    ])
    expect(row?.slice(1, 7)).toEqual(['hook', '1', 'job.watched', 'j1', 'delivered', '1'])
    expect(row?.[7]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/)
    expect(rest).toEqual([['']])

    const seqs = (await listed(daemon, 'list')).map(({ seq }) => seq)
    expect(seqs).toEqual([...seqs].sort((a, b) => b - a))
  })

  test('are filtered', async () => {
    await using daemon = await owing()
    await daemon.receiver.waitFor(2)
    const all = '--endpoint hook --jobid j1 --state Delivered --seq 1'
    expect(await listed(daemon, all)).toMatchObject([{ seq: 1, state: 'delivered' }])
    for (const none of ['--endpoint other', '--jobid j2', '--state failed', '--seq 999']) {
      expect(await listed(daemon, none)).toEqual([])
    }
    const { out, err } = await daemon.jobwatch('deliveries --seq 999')
    expect({ out, err }).toEqual({ out: '', err: 'no such deliveries\n' })
  })

  test('are as many as wanted, and it is said that there are more', async () => {
    await using daemon = await owing()
    await daemon.receiver.waitFor(2)
    const { out, err } = await daemon.jobwatch('deliveries --limit 1')
    expect(out.trimEnd().split('\n')).toHaveLength(2)
    expect(err).toContain('the newest 1: --limit shows more')
  })

  test('that are still owed say when they are tried next', async () => {
    await using daemon = await owing({ answer: () => 'hang' })
    const { out } = await daemon.jobwatch('deliveries --state pending', { isTTY: true })
    expect(out).toContain('\x1b[36m⏳ pending\x1b[0m')
    expect(out).toContain('next 2')
  })

  test.each([
    '--state done',
    '--seq one',
    '--jobid a/b',
    '--limit 0',
    '12',
    'show one',
    'show 0',
    'retry -1',
  ])('%s is a usage error', async (options) => {
    const { error } = await runLine(`deliveries ${options}`, {})
    expect(error).toMatchObject({ name: expect.stringMatching(/UsageError|Commander/) as string })
  })
})

describe('one delivery', () => {
  test('is shown with its attempts and what was answered', async () => {
    await using daemon = await owing({ answer: () => ({ status: 500, body: 'no \x1b[2Jroom\n' }) })
    const { id } = await givenUp(daemon)
    const { out } = await daemon.jobwatch(`deliveries show ${id}`)
    const lines = out.split('\n').map((line) => line.trim().replace(/ {2,}/g, '  '))
    expect(lines[0]).toBe(`delivery ${id}`)
    expect(lines).toEqual(
      expect.arrayContaining([
        'state  failed',
        'endpoint  hook',
        'event  #1 job.watched',
        'job  j1',
        'attempts 2',
      ]),
    )
    const attempts = lines.slice(lines.indexOf('attempts 2') + 1)
    expect(attempts).toEqual([
      expect.stringMatching(/Z {2}not taken: answered 500 after \d+ ms$/),
      'no \\u001b[2Jroom',
      expect.stringMatching(/Z {2}not taken: answered 500 after \d+ ms$/),
      'no \\u001b[2Jroom',
      '',
    ])
  })

  test('is one JSON document with --json', async () => {
    await using daemon = await owing({ answer: () => 500 })
    const { id } = await givenUp(daemon)
    const { out } = await daemon.jobwatch(`deliveries show ${id} --json`)
    const delivery = JSON.parse(out) as DeliveryDetail
    expect(delivery).toMatchObject({ id, endpoint: 'hook', seq: 1, state: 'failed' })
    expect(delivery.attempts.map(({ status }) => status)).toEqual([500, 500])
  })

  test('is tried again', async () => {
    let status = 500
    await using daemon = await owing({
      answer: ({ body }) => (body.includes('"job.watched"') ? status : 204),
    })
    const { id } = await givenUp(daemon)
    status = 204
    const retried = await daemon.jobwatch(`deliveries retry ${id}`)
    expect(retried.error).toBeNull()
    expect(retried.out).toContain(`trying delivery ${id} to hook again`)
    const received = await daemon.receiver.waitFor(4)
    const types = received.map(({ event }) => (event as { type: string }).type)
    expect(types).toEqual(['job.watched', 'job.watched', 'job.executing', 'job.watched'])
  })

  test('that was delivered, or is not there, is an error with the words of the daemon', async () => {
    await using daemon = await owing()
    await daemon.receiver.waitFor(2)
    const [{ id } = expect.fail('nothing was delivered')] = await listed(daemon, '--seq 1')
    const delivered = await daemon.jobwatch(`deliveries retry ${id}`)
    expect(delivered.error).toMatchObject({ code: 'already_delivered' })
    const unknown = await daemon.jobwatch('deliveries show 999')
    expect(unknown.error).toMatchObject({ message: 'There is no delivery 999' })
  })

  test('is no word', async () => {
    const { error } = await runLine('deliveries show one', {})
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toBe('the id must be a whole number from 1')
  })
})
