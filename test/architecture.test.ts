import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { importFault } from '../scripts/import-rules.mjs'

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => /\.tsx?$/.test(name))

function importsOf(file: string): string[] {
  const text = readFileSync(`src/${file}`, 'utf8')
  const found = text.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map(([, fromStatic, fromDynamic]) => fromStatic ?? fromDynamic ?? '')
}

test('every file of src/ imports only what its place in the architecture allows', () => {
  expect(files.length).toBeGreaterThan(40)
  const faults = files.flatMap((file) =>
    importsOf(file).flatMap((specifier) => importFault(file, specifier) ?? []),
  )
  expect(faults).toEqual([])
})

test.each([
  ['core/diff.ts', 'node:crypto'],
  ['core/diff.ts', '../log.ts'],
  ['core/diff.ts', 'zod'],
  ['poller.ts', './store/sqlite/store.ts'],
  ['poller.ts', './config/load.ts'],
  ['metrics.ts', './store/store.ts'],
  ['poller.ts', 'prom-client'],
  ['store/sqlite/store.ts', '../../upstream/upstream.ts'],
  ['notify/send.ts', '../store/store.ts'],
  ['http/routes/jobs.ts', '../../store/sqlite/jobs.ts'],
  ['http/routes/jobs.ts', '../../poller.ts'],
  ['client/client.ts', '../core/job.ts'],
  ['client/client.ts', 'standardwebhooks'],
  ['simulator/simulator.ts', '../app.ts'],
  ['cli/commands/jobs.ts', '../../app.ts'],
  ['a-new-drawer/x.ts', './y.ts'],
])('the rules refuse %s → %s', (file, specifier) => {
  expect(importFault(file, specifier)).not.toBeNull()
})

test('imports make no circle', () => {
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => new URL(specifier, `file:///${file}`).pathname.slice(1)),
    ]),
  )
  const done = new Set<string>()
  const circles: string[][] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file])
    if (path.includes(file) || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  expect(circles).toEqual([])
})

test('no file is a drawer or a barrel, and nothing is exported by default', () => {
  const drawers = files.filter((file) =>
    /(^|\/)(utils?|helpers?|common|misc|types|manager|index)(\.ts$|\/)/.test(file),
  )
  expect(drawers).toEqual([])
  const defaults = files.filter((file) =>
    /^export default /m.test(readFileSync(`src/${file}`, 'utf8')),
  )
  expect(defaults).toEqual([])
})

test('the environment and argv are read in main.ts alone', () => {
  const readers = files.filter((file) =>
    /process\.(env|argv|exit)\b/.test(readFileSync(`src/${file}`, 'utf8')),
  )
  expect(readers).toEqual(['main.ts'])
})
