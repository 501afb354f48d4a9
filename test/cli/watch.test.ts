import nock from 'nock'
import { describe, expect, test } from 'vitest'
import { addWatchCommand } from '../../src/cli/commands/watch.ts'
import { UsageError } from '../../src/core/errors.ts'
import { aJob, aProblem, jobid, server } from '../client/answers.ts'
import { openTerminal, run } from './terminal.ts'
import type { TerminalOptions } from './terminal.ts'
import { onlyNock } from '../client/only-nock.ts'

const root = 'https://gis.example.com/arcgis/admin'

onlyNock()

async function watch(options: TerminalOptions, ...argv: readonly string[]): Promise<string> {
  const io = openTerminal(options)
  await run(addWatchCommand, io, 'watch', ...argv)
  return io.out()
}

describe('a job', () => {
  test('given by its id is registered and confirmed in a line', async () => {
    nock(server).post('/v1/jobs', { jobid }).reply(201, aJob())
    expect(await watch({}, jobid)).toBe(`watching ${jobid} at prod\n`)
  })

  test('that was watched before is said to be so', async () => {
    nock(server).post('/v1/jobs', { jobid }).reply(200, aJob())
    expect(await watch({}, jobid)).toBe(`already watched ${jobid} at prod\n`)
  })

  test('given by its URL is registered by it, without the query that may hold a token', async () => {
    const url = `${root}/jobs/${jobid}`
    nock(server).post('/v1/jobs', { url }).reply(201, aJob())
    await watch({}, `${url}?f=json&token=s3cret`)
  })

  test('is registered with the settings that were given', async () => {
    const settings = {
      upstream: 'prod',
      label: 'Nightly backup',
      tags: ['nightly', 'backup'],
      stallAfter: '30m',
      deadline: '2h',
    }
    nock(server)
      .post('/v1/jobs', { jobid, ...settings })
      .reply(201, aJob())
    const tags = ['--tag', 'nightly', '--tag', 'backup']
    const times = ['--stall-after', '30m', '--deadline', '2h']
    const label = ['--label', 'Nightly backup']
    await watch({}, jobid, '--upstream', 'prod', ...label, ...tags, ...times)
  })

  test('is printed as one JSON document with --json', async () => {
    nock(server).post('/v1/jobs').reply(201, aJob())
    expect(JSON.parse(await watch({}, jobid, '--json'))).toEqual(aJob())
  })

  test('that is neither an id nor a URL is a usage error', async () => {
    await expect(watch({}, 'a b')).rejects.toThrow(UsageError)
  })

  test('that the daemon refuses is an error with its words', async () => {
    const errors = [{ field: 'stallAfter', message: 'must be a duration such as 30m or 2h' }]
    nock(server)
      .post('/v1/jobs')
      .reply(400, aProblem(400, { detail: 'Not valid.', errors }))
    await expect(watch({}, jobid, '--stall-after', 'soon')).rejects.toMatchObject({
      name: 'ClientError',
      message: 'Not valid. (stallAfter: must be a duration such as 30m or 2h)',
    })
  })
})

describe('a submit answer on stdin', () => {
  test('names the job by its jobsUrl, whatever else it says', async () => {
    const jobsUrl = `${root}/jobs/${jobid}`
    nock(server).post('/v1/jobs', { jobsUrl, label: 'Edit' }).reply(201, aJob())
    const stdin = JSON.stringify({ jobsUrl, jobid: 'other', status: 'SUBMITTED' })
    await watch({ stdin }, '-', '--label', 'Edit')
  })

  test('names the job by its jobid where it has no jobsUrl', async () => {
    nock(server).post('/v1/jobs', { jobid }).reply(201, aJob())
    await watch({ stdin: `{ "status": "success", "jobid": "${jobid}" }\n` }, '-')
  })

  test('that is an error of Esri is quoted', async () => {
    const error = { code: 498, message: 'Invalid token.', details: ['Token expired.'] }
    await expect(watch({ stdin: JSON.stringify({ error }) }, '-')).rejects.toThrow(
      'the submit was refused: Invalid token.; Token expired. (code 498)',
    )
    const older = { status: 'error', messages: ['Service not found.'], code: 404 }
    await expect(watch({ stdin: JSON.stringify(older) }, '-')).rejects.toThrow('Service not found.')
  })

  test('without details, message or a known shape is still an error that can be understood', async () => {
    const refused = '{"error":{"code":500,"message":"No \\u001b[31mway.","details":null}}'
    await expect(watch({ stdin: refused }, '-')).rejects.toThrow('No \\u001b[31mway. (code 500)')
    await expect(watch({ stdin: '{"error":{}}' }, '-')).rejects.toThrow('no message')
  })

  test.each([
    ['nothing', ' \n', /stdin is empty/],
    ['a page', '<html>Sign in</html>', /no JSON.*f=json/],
    ['a list', '[1]', /no JSON object/],
    ['no job', '{"status":"success"}', /neither jobsUrl nor jobid.*async=true/],
    ['more than 1 MiB', ' '.repeat(1_048_577), /more than 1 MiB/],
  ])('that holds %s is a usage error', async (_, stdin, message) => {
    const error = await watch({ stdin }, '-').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).toMatch(message)
  })

  test('that never comes ends with the signal', async () => {
    const io = openTerminal()
    const watching = run(addWatchCommand, io, 'watch', '-')
    io.stop.abort()
    await expect(watching).rejects.toThrow()
  })
})

describe('the daemon', () => {
  test('is named by JOBWATCH_URL and JOBWATCH_TOKEN', async () => {
    nock('https://watch.example.com', { reqheaders: { authorization: 'Bearer s3cret' } })
      .post('/v1/jobs')
      .reply(201, aJob())
    const env = { JOBWATCH_URL: 'https://watch.example.com', JOBWATCH_TOKEN: 's3cret\n' }
    await watch({ env }, jobid)
  })

  test('is named by --server and --token before the environment', async () => {
    nock('https://watch.example.com', { reqheaders: { authorization: 'Bearer mine' } })
      .post('/v1/jobs')
      .reply(201, aJob())
    const env = { JOBWATCH_URL: 'https://other.example.com', JOBWATCH_TOKEN: 'theirs' }
    await watch({ env }, jobid, '--server', 'https://watch.example.com', '--token', 'mine')
  })

  test('must be named by a URL', async () => {
    const named = watch({}, jobid, '--server', 'localhost:8484')
    await expect(named).rejects.toThrow(/^--server must be an http or https URL/)
    const inEnvironment = watch({ env: { JOBWATCH_URL: 'nonsense' } }, jobid)
    await expect(inEnvironment).rejects.toThrow(UsageError)
    await expect(inEnvironment).rejects.toThrow(/^JOBWATCH_URL must be/)
  })

  test('is not asked with a token that no token can be, which is not shown', async () => {
    const error = await watch({}, jobid, '--token', 's3cret token').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(UsageError)
    expect((error as Error).message).not.toContain('s3cret')
  })

  test('that cannot be reached is named in the error', async () => {
    nock(server)
      .post('/v1/jobs')
      .replyWithError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))
    await expect(watch({}, jobid)).rejects.toMatchObject({
      name: 'DaemonUnreachable',
      server,
    })
  })
})
