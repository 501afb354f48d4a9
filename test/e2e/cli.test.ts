import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { Run, serve, temporaryFolder } from '../helpers/daemon.ts'

/** A daemon on a simulated deployment, and the command line beside it. */
async function ground() {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const config = {
    listen: '127.0.0.1:0',
    database: join(folder.path, 'jobwatch.db'),
    api: { tokens: [{ name: 'ops', token: 'a-token-for-tests', scopes: ['write'] }] },
    upstreams: [
      {
        name: 'prod',
        root: simulator.root,
        auth: { username: simulator.username, password: simulator.password },
        polling: { interval: '20ms', maxInterval: '20ms', rate: 1000 },
      },
    ],
  }
  let daemon = await serve(config, folder.path)
  const env = { JOBWATCH_URL: daemon.url, JOBWATCH_TOKEN: 'a-token-for-tests' }
  return {
    simulator,
    env,
    start: (args: readonly string[], input?: string) => new Run(args, env, input),
    async run(args: readonly string[], input?: string) {
      const run = new Run(args, env, input)
      return { ...(await run.ended), stdout: run.stdout, stderr: run.stderr }
    },
    async killAndRestart() {
      await daemon.stop('SIGKILL')
      const listen = new URL(env.JOBWATCH_URL).host
      daemon = await serve({ ...config, listen }, folder.path)
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop('SIGKILL')
      await simulator.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('the answer of a submit, piped into watch, is a watched job that jobs, job and follow show', async () => {
  await using at = await ground()
  const submitted = at.simulator.submit('registryEdit', { pace: 0.02 })
  const watch = await at.run(['watch', '-', '--label', 'new registry'], JSON.stringify(submitted))
  expect(watch).toMatchObject({ code: 0, stderr: '' })
  expect(watch.stdout).toContain(`watching ${submitted.jobid} at prod`)

  await using follow = at.start(['follow', '--after', '0', '--jobid', submitted.jobid])
  await follow.line((line) => line.includes('job.completed'))
  expect((await follow.stop('SIGINT')).code).toBe(0)

  const jobs = await at.run(['jobs', '--json'])
  expect(JSON.parse(jobs.stdout)).toMatchObject({
    items: [{ jobid: submitted.jobid, label: 'new registry', status: 'COMPLETED', state: 'ended' }],
  })
  const job = await at.run(['job', submitted.jobid])
  expect(job.stdout).toMatch(/new registry[^]*COMPLETED[^]*validating/)
})

test('follow goes on after the daemon was killed, with no line twice and none missing', async () => {
  await using at = await ground()
  await using follow = at.start(['follow', '--after', '0', '--json'])
  const jobids: string[] = []
  for (let round = 0; round < 2; round += 1) {
    const { jobid } = at.simulator.submit('noProgress', { pace: 0.01 })
    jobids.push(jobid)
    expect((await at.run(['watch', jobid])).code).toBe(0)
    await follow.line((line) => line.includes(jobid) && line.includes('"type":"job.completed"'))
    await at.killAndRestart()
  }
  const { jobid } = at.simulator.submit('noProgress', { pace: 0.01 })
  await at.run(['watch', jobid])
  await follow.line((line) => line.includes(jobid) && line.includes('"type":"job.completed"'))
  const seqs = follow.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { data: { seq: number } }).data.seq)
  expect(seqs).toEqual(seqs.map((_, index) => index + 1))
})

test('exit codes: 0 done, 1 refused, 2 misused, 5 no daemon; errors on stderr alone', async () => {
  await using at = await ground()
  const cases = [
    { args: ['jobs'], code: 0, says: '' },
    { args: ['job', 'unknown'], code: 1, says: /not registered/ },
    { args: ['jobs', '--token', 'wrong'], code: 1, says: /api\.tokens/ },
    { args: ['job', '../etc'], code: 2, says: /no job id/ },
    { args: ['jobs', '--limit', 'many'], code: 2, says: /limit/ },
    { args: ['watch', '-'], code: 2, says: /JSON/ },
    {
      args: ['jobs', '--server', 'http://127.0.0.1:9'],
      code: 5,
      says: /no daemon at .*: start one/,
    },
  ]
  for (const { args, code, says } of cases) {
    const run = await at.run(args)
    expect({ args, code: run.code }).toEqual({ args, code })
    expect(run.stderr).toMatch(says)
    if (code !== 0) expect(run.stdout).toBe('')
    expect(run.stderr).not.toContain('a-token-for-tests')
  }
})
