import type { Readable } from 'node:stream'
import nock from 'nock'
import { expect, test } from 'vitest'
import { addFollowCommand } from '../../src/cli/commands/follow.ts'
import { UsageError } from '../../src/core/errors.ts'
import { aProblem, server } from '../client/answers.ts'
import { endedStream, feedHeaders, frame, gap, hello, openStream } from '../client/frames.ts'
import { aBrokenPipe, openTerminal, run } from './terminal.ts'
import { onlyNock } from '../client/only-nock.ts'

onlyNock()

function feed(body: Readable, query = '') {
  return nock(server)
    .get(`/v1/events/stream${query}`)
    .reply(200, () => body, feedHeaders)
}

test('each event is a line, and a stop ends the command well', async () => {
  feed(openStream(hello(4), frame(5), frame(6)))
  const io = openTerminal()
  const following = run(addFollowCommand, io, 'follow')
  expect(await io.outWith('#6')).toBe(
    '2026-11-23 14:00:05Z  #5  job.stage.changed  editContainerRegistry default  object_store: running → completed\n' +
      '2026-11-23 14:00:05Z  #6  job.stage.changed  editContainerRegistry default  object_store: running → completed\n',
  )
  io.stop.abort()
  await following
  expect(io.err()).toBe('')
})

test('with --json each event is the line that the daemon sent, byte for byte', async () => {
  const text = '{ "type":"job.failed" ,"data":{"seq":6, "title":"Größe \\u202e 🚀"} }'
  feed(openStream(hello(5), `id: 7f3a9c-6\nevent: job.failed\ndata: ${text}\n\n`))
  const io = openTerminal()
  const following = run(addFollowCommand, io, 'follow', '--json')
  expect(await io.outWith('\n')).toBe(`${text}\n`)
  io.stop.abort()
  await following
})

test('filters and the position are passed on', async () => {
  const filters = 'type=job.failed&type=upstream.*&jobid=j1&jobid=j2&upstream=prod&tag=nightly'
  feed(openStream(hello(1042), frame(1043)), `?after=1042&${filters}`)
  const io = openTerminal()
  const types = ['--type', 'job.failed', '--type', 'upstream.*']
  const jobids = ['--jobid', 'j1', '--jobid', 'j2']
  const others = ['--upstream', 'prod', '--tag', 'nightly', '--after', '1042']
  const following = run(addFollowCommand, io, 'follow', ...types, ...jobids, ...others)
  await io.outWith('#1043')
  io.stop.abort()
  await following
})

test('a gap is told on stderr', async () => {
  feed(openStream(hello(49), gap('5', 50, 60), frame(50)), '?after=5')
  const io = openTerminal()
  const following = run(addFollowCommand, io, 'follow', '--after', '5')
  await io.outWith('#50')
  expect(io.err()).toMatch(/^gap: events after 5 .*50 to 60\n$/)
  io.stop.abort()
  await following
})

test('losing the daemon and finding it again is told on stderr, each once', async () => {
  feed(endedStream('retry: 1\n\n', hello(4), frame(5)))
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  nock(server).get('/v1/events/stream').times(2).replyWithError(refused)
  feed(openStream(hello(5), frame(6)))
  const io = openTerminal()
  const following = run(addFollowCommand, io, 'follow')
  await io.outWith('#6')
  expect(io.err().split('\n')).toEqual([
    'not connected, trying again: the stream ended',
    expect.stringMatching(/^not connected, trying again: no daemon at http:\/\/127\.0\.0\.1:8484/),
    'connected',
    '',
  ])
  io.stop.abort()
  await following
})

test('a daemon that is not there to begin with ends the command', async () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  nock(server).get('/v1/events/stream').replyWithError(refused)
  await expect(run(addFollowCommand, openTerminal(), 'follow')).rejects.toMatchObject({
    name: 'DaemonUnreachable',
  })
})

test('a refusal ends the command with the words of the daemon', async () => {
  const problem = aProblem(401, { code: 'unauthorized', detail: 'Give a token.' })
  nock(server).get('/v1/events/stream').reply(401, problem)
  await expect(run(addFollowCommand, openTerminal(), 'follow')).rejects.toMatchObject({
    code: 'unauthorized',
    message: 'Give a token.',
  })
})

test('a reader that has gone ends the command quietly', async () => {
  feed(openStream(hello(4), frame(5), frame(6)))
  const io = { ...openTerminal(), stdout: aBrokenPipe() }
  await run(addFollowCommand, io, 'follow')
})

test('a full disk behind stdout ends the command with an error', async () => {
  feed(openStream(hello(4), frame(5)))
  const io = { ...openTerminal(), stdout: aBrokenPipe('ENOSPC') }
  await expect(run(addFollowCommand, io, 'follow')).rejects.toMatchObject({ code: 'ENOSPC' })
})

test.each([
  ['--after', 'yesterday'],
  ['--after', '-1'],
  ['--jobid', 'a/b'],
  ['--server', 'nowhere'],
])('%s %s is a usage error', async (option, value) => {
  await expect(run(addFollowCommand, openTerminal(), 'follow', option, value)).rejects.toThrow(
    UsageError,
  )
})
