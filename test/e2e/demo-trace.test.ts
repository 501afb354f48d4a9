import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Run, temporaryFolder } from '../helpers/daemon.ts'

const traces = 'test/fixtures/traces'

/** The demo on these traces, and the addresses its welcome names. */
async function demo(...args: string[]) {
  const run = new Run(['demo', '--listen', '127.0.0.1:0', ...args])
  const first = await run.line((line) => line.startsWith('jobwatch demo: '))
  const control = await run.line((line) => line.endsWith('/_simulator/faults'))
  return Object.assign(run, {
    url: first.slice('jobwatch demo: '.length),
    control: /http\S+_simulator/.exec(control)?.[0] ?? '',
  })
}

test('the demo plays just the traces it is given, at the pace it is told', async () => {
  const files = ['01-success-stages-prelisted', '03-failure-in-stage', 'collection-jobs']
  const args = files.flatMap((name) => ['--trace', `${traces}/${name}.json`])
  await using run = await demo(...args, '--pace', '0.02')
  await run.line((line) => /^trace .*01-success.*: 10 answers in 0s, as job \S+$/.test(line))
  await run.line((line) => /^trace .*collection-jobs.* as the list of jobs$/.test(line))
  await run.line((line) => line.includes('✓ verified') && line.includes('job.completed'))
  await run.line((line) => line.includes('✓ verified') && line.includes('job.failed'))
  const answer = await fetch(`${run.url}/v1/jobs`)
  const { items } = (await answer.json()) as { items: { jobid: string; status: string }[] }
  expect(items.map(({ status }) => status).sort()).toEqual(['COMPLETED', 'FAILED'])
  expect(run.stdout).not.toContain('NOT verified')
  expect((await run.stop('SIGTERM')).code).toBe(0)
})

test('a trace given twice is two jobs', async () => {
  const args = ['--trace', `${traces}/05-no-progress.json`]
  await using run = await demo(...args, ...args)
  const begun = () => run.stdout.match(/job\.executing/g)?.length === 2
  await run.line(begun)
  expect(new Set(run.stdout.match(/as job \S+/g)).size).toBe(2)
})

test('the curl lines of the welcome break the demo and mend it', async () => {
  await using run = await demo('--trace', `${traces}/05-no-progress.json`, '--pace', '1000')
  await run.line((line) => line.includes('job.executing'))
  const [, body = ''] = /--json '(\{"fault"[^']*)'/.exec(run.stdout) ?? []
  const injected = await fetch(`${run.control}/faults`, { method: 'POST', body })
  expect(injected.status).toBe(201)
  const problemKind = async () => {
    const answer = await fetch(`${run.url}/v1/jobs`)
    const { items } = (await answer.json()) as { items: { problem: { kind: string } | null }[] }
    return items[0]?.problem?.kind ?? null
  }
  while ((await problemKind()) !== 'auth');
  expect((await fetch(`${run.control}/faults`, { method: 'DELETE' })).status).toBe(204)
  while ((await problemKind()) !== null);
  expect(run.stdout).not.toContain('job.failed')
})

test('a file that is no trace, or a pace that is none, ends with 2 and says why', async () => {
  await using folder = await temporaryFolder()
  const write = async (name: string, content: string) => {
    const file = join(folder.path, name)
    await writeFile(file, content)
    return file
  }
  const unordered =
    '[{"afterMs":5,"httpStatus":200,"body":{}},{"afterMs":4,"httpStatus":200,"body":{}}]'
  const cases: [string[], RegExp][] = [
    [['--trace', await write('order.json', unordered)], /order\.json: entry 2: afterMs must not/],
    [['--trace', await write('text.json', 'nonsense')], /text\.json: .*JSON/],
    [['--trace', await write('empty.json', '[]')], /empty\.json: trace: must be a list/],
    [['--trace', join(folder.path, 'missing.json')], /missing\.json: .*no such file/],
    [['--pace', 'quick'], /--pace must be a number above 0/],
    [['--pace', '0'], /--pace must be a number above 0/],
  ]
  for (const [args, says] of cases) {
    await using run = new Run(['demo', ...args])
    expect((await run.ended).code).toBe(2)
    expect(run.stderr).toMatch(says)
    expect(run.stdout).toBe('')
  }
})
