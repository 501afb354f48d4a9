import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseDuration } from '../../src/core/duration.ts'
import { completed, failed, failure, ground, jobidIn, missing } from './ground.ts'
import type { ExampleRun, Ground } from './ground.ts'

type Env = Record<string, string>

interface Step {
  readonly name?: string
  readonly uses?: string
  readonly env?: Env
  readonly run?: string
}

interface Workflow {
  readonly name: string
  readonly on: { readonly push: { readonly paths: readonly string[] } }
  readonly env: Env
  readonly defaults: { readonly run: { readonly shell: string } }
  readonly jobs: Record<
    string,
    { readonly 'runs-on': unknown; readonly 'timeout-minutes': number; readonly steps: Step[] }
  >
}

const text = readFileSync('examples/github-actions.yml', 'utf8')
const workflow = parse(text) as Workflow
const [job, ...otherJobs] = Object.values(workflow.jobs)
if (job === undefined) throw new Error('the workflow has no job')
const { steps } = job
const scripts = steps.filter(({ run }) => run !== undefined)

describe('the workflow', () => {
  test('has what a workflow has, and nothing else', () => {
    expect(Object.keys(workflow)).toEqual([
      'name',
      'on',
      'concurrency',
      'permissions',
      'env',
      'defaults',
      'jobs',
    ])
    expect(Object.keys(workflow.on)).toEqual(['workflow_dispatch', 'push'])
    expect(otherJobs).toEqual([])
    expect(Object.keys(job)).toEqual(['runs-on', 'timeout-minutes', 'steps'])
    const keys = new Set(steps.flatMap((step) => Object.keys(step)))
    expect([...keys].sort()).toEqual(['env', 'name', 'run', 'uses'])
    for (const { uses, run } of steps) expect([uses, run].filter(Boolean)).toHaveLength(1)
    for (const { uses = 'own/action@v1' } of steps) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/)
  })

  test('is run by changes of the file that it submits', () => {
    expect(workflow.on.push.paths).toEqual([workflow.env['SERVICE_JSON']])
  })

  test('lets jobwatch be the first to say that it takes too long', () => {
    const waitMs = parseDuration(workflow.env['WAIT_TIMEOUT'] ?? '') ?? Infinity
    expect(job['timeout-minutes'] * 60_000).toBeGreaterThan(waitMs)
  })

  test('puts no expression into a script, and secrets into the step alone that needs them', () => {
    for (const { run } of scripts) expect(run).not.toContain('${{')
    const shared = { ...workflow, jobs: {} }
    expect(JSON.stringify(shared)).not.toContain('${{')
    expect(scripts.map(({ env }) => env)).toEqual([
      { ARCGIS_PASSWORD: '${{ secrets.ARCGIS_PASSWORD }}' },
      { JOBWATCH_TOKEN: '${{ secrets.JOBWATCH_TOKEN }}' },
    ])
    expect(text.match(/\$\{\{/g)).toHaveLength(2)
  })
})

const absent = missing('bash', 'curl', 'jq')
if (absent !== null) process.stderr.write(`skipped: the steps for GitHub, since ${absent}\n`)

// A test is some processes, on a machine that may have other things to do.
const options = { concurrent: true, timeout: 120_000 }

describe.skipIf(absent !== null)('its steps', options, () => {
  let at: Ground
  beforeAll(async () => {
    at = await ground()
  })
  afterAll(() => at[Symbol.asyncDispose]())

  /** Goes through the scripts as a runner does, with the values of the test in place of the example's. */
  async function runner(secrets: Env = {}) {
    const temp = await mkdtemp(join(at.folder, 'runner-'))
    const summary = join(temp, 'summary.md')
    await writeFile(summary, '')
    const values = { ...workflow.env, SERVICE_JSON: 'service.json', ...at.env }
    const known: Env = { ...at.secrets, ...secrets }
    const next = scripts[Symbol.iterator]()
    return {
      summary: () => readFile(summary, 'utf8'),
      async step(): Promise<ExampleRun> {
        const { env: its = {}, run = '' } = next.next().value ?? {}
        const script = join(temp, 'step.sh')
        await writeFile(script, run)
        expect(workflow.defaults.run.shell).toBe('bash')
        // What the runner makes of "shell: bash".
        return at.run(['bash', '--noprofile', '--norc', '-eo', 'pipefail', script], {
          ...values,
          ...Object.fromEntries(Object.entries(its).map(([name, value]) => [name, filled(value)])),
          RUNNER_TEMP: temp,
          GITHUB_STEP_SUMMARY: summary,
          GITHUB_WORKFLOW: workflow.name,
          GITHUB_RUN_NUMBER: '7',
        })
      },
    }

    function filled(value: string): string {
      return value.replace(/\$\{\{ secrets\.(\w+) \}\}/g, (_, name: string) => {
        const secret = known[name]
        if (secret === undefined) throw new Error(`there is no secret ${name}`)
        return secret
      })
    }
  }

  const isWatching = (line: string) => line.startsWith('watching ')

  test('submit the edit, wait for its end and sum it up, without showing a secret', async () => {
    const github = await runner()
    await using submit = await github.step()
    expect((await submit.ended).code, submit.stderr).toBe(0)
    await using wait = await github.step()
    await at.goOn(jobidIn(await wait.line(isWatching)), completed)
    expect((await wait.ended).code, wait.stderr).toBe(0)
    expect(wait.stdout).toMatch(/::notice::.* is edited\.\n$/)
    expect(await github.summary()).toMatch(
      /^<h3>Edit a service #7<\/h3>\n<p>COMPLETED after \d+ s,\n0 of 0 stages done<\/p>\n$/,
    )
    const called = [submit, wait].map((run) => run.calledWith())
    const shown = [...called, submit.stdout, submit.stderr, wait.stdout, wait.stderr]
    for (const secret of Object.values(at.secrets)) expect(shown.join('\n')).not.toContain(secret)
  })

  test('fail with an edit that fails, and the summary says why, as text', async () => {
    const github = await runner()
    await using submit = await github.step()
    expect((await submit.ended).code).toBe(0)
    await using wait = await github.step()
    await at.goOn(jobidIn(await wait.line(isWatching)), failed)
    expect((await wait.ended).code).toBe(1)
    expect(wait.stdout).toMatch(/::error::The edit of .* failed or was cancelled\.\n$/)
    const escaped = failure.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
    expect(await github.summary()).toContain(`<p>FAILED after`)
    expect(await github.summary()).toContain(`<pre>${escaped}</pre>`)
  })

  test('fail before anything is submitted when the password is wrong', async () => {
    const github = await runner({ ARCGIS_PASSWORD: 'wrong' })
    await using submit = await github.step()
    expect((await submit.ended).code).toBe(1)
    expect(submit.stdout).toMatch(/::error::The portal gave no token: .*Invalid username/)
    expect(submit.calledWith()).not.toContain('/edit')
  })
})
