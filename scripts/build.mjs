// Builds dist/ from src/: compiles, and bundles the page. The old build stays until the new one is
// complete, so that a daemon or a test that starts meanwhile finds a whole one.
//   node scripts/build.mjs [--if-needed]
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const next = join(root, `dist.next.${process.pid}`)
const old = join(root, `dist.old.${process.pid}`)

if (!process.argv.includes('--if-needed') || !isUpToDate()) await build()

async function build() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  try {
    const args = ['-p', 'tsconfig.build.json', '--outDir', next]
    execFileSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' })
    await bundlePage(join(next, 'web'))
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

/** The page's own files and nothing else: no source, no inline script, no address of another site. */
async function bundlePage(outDir) {
  const vite = await import('vite')
  await vite.build({
    root: join(root, 'src', 'web'),
    // Relative addresses: the page also works below a path of a proxy.
    base: './',
    configFile: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: false,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  })
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
