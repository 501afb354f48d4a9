import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'

/** Builds `dist/` before the tests if it is older than the sources: the end-to-end tests run it. */
export default function setup(): void {
  const built = 'dist/main.js'
  if (existsSync(built) && statSync('dist').ctimeMs > newestSource()) return
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' })
}

function newestSource(): number {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  const files = [...sources.map((name) => `src/${name}`), 'tsconfig.json', 'tsconfig.build.json']
  return Math.max(...files.map((file) => statSync(file).mtimeMs))
}
