import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serve, temporaryFolder } from './helpers/daemon.ts'

// There is no container engine where these tests run: the file is walked instead.

const instructions = readFileSync('Dockerfile', 'utf8')
  .replace(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

function argumentsOf(instruction: string): string[] {
  return instructions
    .filter((line) => line.startsWith(`${instruction} `))
    .map((line) => line.slice(instruction.length + 1).trim())
}

test('everything that is copied exists after a build, and .dockerignore lets it in', () => {
  const allowed = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const copies = argumentsOf('COPY')
  expect(copies.length).toBeGreaterThan(4)
  for (const copy of copies) {
    const words = copy.split(/\s+/)
    const isFromStage = words[0]?.startsWith('--from=') ?? false
    const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1)
    for (const source of sources) {
      const path = source.replace(/^\/app\//, '')
      expect(existsSync(path), `COPY ${source}`).toBe(true)
      if (!isFromStage) expect(allowed).toContain(path)
    }
  }
})

test('what the daemon needs at run time is in the last stage', () => {
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')))
  const copied = last.filter((line) => line.startsWith('COPY ')).join('\n')
  for (const needed of ['package.json', 'node_modules', 'dist', 'migrations']) {
    expect(copied).toContain(needed)
  }
})

test('the container runs as nobody in particular, from a slim image of Node 24', () => {
  expect(argumentsOf('USER')).toEqual(['1000:1000'])
  expect(argumentsOf('VOLUME')).toEqual(['/data'])
  for (const image of argumentsOf('FROM')) expect(image).toMatch(/^node:24-slim( AS build)?$/)
})

test('its command starts the daemon here, and its health check tells a live one from a dead one', async () => {
  const entrypoint = JSON.parse(argumentsOf('ENTRYPOINT')[0] ?? '[]') as string[]
  const command = JSON.parse(argumentsOf('CMD')[0] ?? '[]') as string[]
  expect([...entrypoint, ...command]).toEqual(['node', 'dist/main.js', 'serve'])
  const [, words = '[]'] = /CMD (\[.*\])$/.exec(argumentsOf('HEALTHCHECK')[0] ?? '') ?? []
  const [node, ...check] = JSON.parse(words) as string[]
  expect(node).toBe('node')

  await using folder = await temporaryFolder()
  const database = join(folder.path, 'jobwatch.db')
  const daemon = await serve({ listen: '127.0.0.1:0', database }, folder.path)
  const isHealthy = () =>
    spawnSync(process.execPath, check, {
      env: { JOBWATCH_LISTEN: `0.0.0.0:${new URL(daemon.url).port}` },
    }).status
  expect(isHealthy()).toBe(0)
  await daemon.stop()
  expect(isHealthy()).toBe(1)
})
