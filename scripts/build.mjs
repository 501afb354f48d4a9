// Builds dist/ from src/: compiles, and copies the page. The old build stays until the new one is
// complete, so that a daemon or a test that starts meanwhile finds a whole one.
//   node scripts/build.mjs [--if-needed]
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const next = join(root, `dist.next.${process.pid}`)
const old = join(root, `dist.old.${process.pid}`)

if (!process.argv.includes('--if-needed') || !isUpToDate()) build()

function build() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  try {
    const args = ['-p', 'tsconfig.build.json', '--outDir', next]
    execFileSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' })
    cpSync(join(root, 'src', 'web'), join(next, 'web'), { recursive: true })
    chmodSync(join(next, 'main.js'), 0o755)
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(next, dist)
  } catch (error) {
    // The compiler has said what is wrong.
    process.exitCode = 1
    if (error.status === undefined) throw error
  } finally {
    for (const left of [next, old]) rmSync(left, { recursive: true, force: true })
  }
}

function isUpToDate() {
  if (!existsSync(join(dist, 'main.js'))) return false
  const sources = [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    ...readdirSync(join(root, 'src'), { recursive: true }).map((name) => join('src', name)),
  ]
  const newest = Math.max(...sources.map((name) => statSync(join(root, name)).mtimeMs))
  return statSync(dist).ctimeMs > newest
}
